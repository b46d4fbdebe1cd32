"""`make pictures`: the cockpit's pictures for `docs/`, from a study of your own or else from a recorded one.

Eight GPUs are always recorded ones, and so is the review where nothing of the study waits for a person.

    python -m tests.pictures docs [STUDY]
    python -m tests.pictures one.svg STUDY --size 120x40 --view tree --keys j,enter    (or .png)

Every cell is placed, and box lines, blocks and braille dots are drawn as shapes, so a picture looks the same wherever
it is shown, whatever fonts are there.
"""

import argparse
import asyncio
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from rich.cells import get_character_cell_size
from rich.color import Color, ColorType
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI

from loop.journal import Journal
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from tests.crowded import crowd
from tests.recorded import record
from tests.repositories import git
from tests.tui.cockpit.cockpits import Cockpit, opened

PICTURES = {
    "cockpit-wide": ((200, 50), "runs", (), "dark"),
    "cockpit-80x24": ((80, 24), "runs", (), "dark"),
    "cockpit-80x24-ansi": ((80, 24), "experiments", (), "ansi"),
    "cockpit-experiment": ((120, 44), "experiments", ("enter",), "dark"),
    "cockpit-review": ((120, 36), "mind", ("a", "enter"), "dark"),
    "cockpit-eight-gpus": ((200, 50), "runs", (), "dark"),
    "cockpit-light": ((160, 42), "experiments", (), "light"),
    "cockpit-no-colour": ((80, 24), "progress", (), "mono"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of docs/, or one of another moment.")
    parser.add_argument("out", type=Path, help="the folder of all pictures, or an .svg or .png for one")
    parser.add_argument("study", type=Path, nargs="?", help="a workspace with a study; a recorded one without")
    parser.add_argument("--size", default="200x50")
    parser.add_argument("--view", default="mind")
    parser.add_argument("--keys", default="", help="keys to press first, with commas between: 2,enter")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--ascii", action="store_true")
    choice = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if choice.out.suffix in (".svg", ".png"):
            study = choice.study or recorded(Path(folder), "")
            columns, lines = map(int, choice.size.split("x"))
            keys = tuple(key for key in choice.keys.split(",") if key)
            looks = {"view": choice.view, "theme": choice.theme, "ascii_only": choice.ascii}
            save(asyncio.run(picture(study, (columns, lines), keys, **looks)), choice.out)
            return
        for name, (size, view, keys, theme) in PICTURES.items():
            study = choice.study
            if study is not None and name == "cockpit-experiment":
                keys = typed(f"show {_of(study).champion}")
            if study is None or "gpus" in name or ("review" in name and not waits(_of(study))):
                study = recorded(Path(folder) / name, name)
            save(asyncio.run(picture(study, size, keys, view=view, theme=theme)), choice.out / f"{name}.png")


def save(text: str, path: Path) -> None:
    """Write a picture as what its name says."""
    if path.suffix == ".png":
        import cairosvg  # type: ignore[import-untyped]  # wants libcairo, which the tests of pictures do without

        cairosvg.svg2png(bytestring=text.encode(), write_to=str(path))
    else:
        path.write_text(text)
    print(path)


async def picture(workspace: Path, size: tuple[int, int], keys: Iterable[str] = (), **looks: object) -> str:
    """The cockpit on a study as SVG, at the moment of its last event.

    Args:
        keys: pressed before the picture is taken, as Textual names them.
        looks: what the cockpit is opened with, such as `view` and `theme`.
    """
    async with opened(workspace, size, **looks) as (app, pilot):
        await pilot.press(*keys)
        await pilot.pause(0.1)
        return screen_svg(app)


def typed(line: str) -> tuple[str, ...]:
    """The keys that carry out a command of the cockpit."""
    return ("colon", *("space" if character == " " else character for character in line), "enter")


def _of(workspace: Path) -> Study:
    with Journal(workspace / ".looptop" / "journal.db") as journal:
        return fold(journal.read(kinds=FOLDED))


def waits(study: Study) -> bool:
    """Whether a proposal waits for a person."""
    return any(experiment.phase == "waiting" for experiment in study.experiments.values())


def recorded(workspace: Path, name: str) -> Path:
    """A recorded study; where the picture shows a diff, with a last experiment that is a real commit."""
    path = workspace / ".looptop" / "journal.db"
    at = record(path, experiments=70, gpus=8 if "gpus" in name else 1)
    if "gpus" in name:
        crowd(path, at)
    if "review" in name or "experiment" in name:
        with Journal(path) as journal:
            _change(journal, *_commits(workspace), waits="review" in name)
    return workspace


def _commits(workspace: Path) -> tuple[str, str]:
    """A repository with our train.py and a change to it; the two commits."""
    git(workspace, "init", "--quiet", "--initial-branch=main")
    text = (Path(__file__).parents[1] / "train.py").read_text()
    commits = []
    for version in (
        text,
        text.replace("WARMDOWN = 0.4 ", "WARMDOWN = 0.55 ").replace("BETA2 = 0.95 ", "BETA2 = 0.99 "),
    ):
        (workspace / "train.py").write_text(version)
        git(workspace, "add", "train.py")
        git(workspace, "commit", "--quiet", "-m", "change")
        commits.append(git(workspace, "rev-parse", "HEAD"))
    return commits[0], commits[1]


def _change(journal: Journal, before: str, after: str, *, waits: bool) -> None:
    """Experiment 72: proposed and waiting for a person, or run and judged."""
    at = journal.read(journal.last_seq() - 1)[-1].at
    best = max(event.experiment or 0 for event in journal.read(kinds={"champion_changed"}))
    proposed = e.ExperimentProposed(
        researcher="llm",
        title="Start the warm-down earlier, with a longer memory of squares",
        hypothesis="The champion's curve is still falling when the rates reach zero; an earlier, slower end should "
        "leave it at a lower loss, and a longer memory keeps the last steps quiet.",
        expected="about 0.004 lower",
        parent=best,
    )
    queued = e.ExperimentQueued(commit=after, parent=best, parent_commit=before, lines_added=2, lines_removed=2)
    think = e.Thought(researcher="llm", text="The last third of the curve is where the champion still gains.\n")
    journal.append_all([(think, 72, None), (proposed, 72, None), (queued, 72, None)], at)
    if waits:
        journal.append(e.ApprovalAsked(reason="review: all"), 72, at=at)
        return
    run = e.RunStarted(seed=1337, slot=0, budget=300, deadline=600, protocol_id="m", pid=1, pid_started=at)
    journal.append(run, 72, 1, at=at)
    for step in range(60):
        progress = (step + 1) / 60
        loss = 2.42 + 3.2 * math.exp(-7 * progress) - 0.05 * progress + 0.01 * math.sin(37 * progress)
        journal.append(e.StepSampled(step=step, progress=progress, values={"loss": loss}), 72, 1, at=at)
    done = e.RunFinished(outcome="finished", seconds=326, peak_memory=6 * 2**30, peak_gpu_memory=45 * 2**30)
    reason = "-0.0007 is -0.6 sigma over 1 run: no better than the champion"
    judged = e.ExperimentJudged(
        verdict="discarded", reason=reason, metric=0.9566, effect=-0.0007, noise=0.0011, confidence=0.26, champion=best
    )
    facts: list[tuple[e.Body, int | None, int | None]] = [
        (done, 72, 1),
        (e.Verified(metric=0.9566), 72, 1),
        (judged, 72, None),
    ]
    journal.append_all(facts, at)


# --- drawing -------------------------------------------------------------------------------------------------------

_WIDE, _HIGH = 8.4, 17.0
"""Pixels of one cell."""

_LINES = {  # arms of box-drawing characters: left, right, up, down
    "─": "lr", "│": "ud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "├": "rud", "┤": "lud", "┬": "lrd",
    "┴": "lru", "┼": "lrud", "└": "ru", "┘": "lu", "┌": "rd", "┐": "ld",
}  # fmt: skip
_BLOCKS = "▁▂▃▄▅▆▇█"


def _colour(style: Style | None, ground: str, ink: str) -> tuple[str, str]:
    def hexed(value: Color | None, default: str) -> str:
        if value is None or value.type == ColorType.DEFAULT:
            return default
        return value.get_truecolor(DIMMED_MONOKAI).hex

    if style is None:
        return ink, ground
    fore, back = hexed(style.color, ink), hexed(style.bgcolor, ground)
    return (back, fore) if style.reverse else (fore, back)


def _shape(char: str, x: float, y: float, ink: str) -> str | None:
    """A character drawn as a shape, where it is one that fonts disagree about."""
    if "\u2800" <= char <= "\u28ff":
        bits = ord(char) - 0x2800
        dots = []
        for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
            if bits >> bit & 1:
                cx, cy = x + _WIDE * (0.25 + 0.5 * column), y + _HIGH * (0.125 + 0.25 * row)
                dots.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="1.35"/>')
        return f'<g fill="{ink}">{"".join(dots)}</g>'
    cx, cy = x + _WIDE / 2, y + _HIGH / 2
    if char in _LINES:
        ends = {"l": (x, cy), "r": (x + _WIDE, cy), "u": (cx, y), "d": (cx, y + _HIGH)}
        path = "".join(f"M{cx:.1f} {cy:.1f}L{ends[arm][0]:.1f} {ends[arm][1]:.1f}" for arm in _LINES[char])
        return f'<path d="{path}" stroke="{ink}" stroke-width="1.1" stroke-linecap="square"/>'
    if char in _BLOCKS:
        high = _HIGH * (_BLOCKS.index(char) + 1) / 8
        return (
            f'<rect x="{x:.1f}" y="{y + _HIGH - high:.1f}" width="{_WIDE - 1:.1f}" height="{high:.1f}" fill="{ink}"/>'
        )
    if char in "━╸":
        wide = _WIDE if char == "━" else _WIDE / 2
        return f'<rect x="{x:.1f}" y="{cy - 2:.1f}" width="{wide:.1f}" height="4" fill="{ink}"/>'
    return None


def svg(rows: Iterable[Iterable[Segment]], size: tuple[int, int], ground: str, ink: str) -> str:
    """The screen as an SVG document."""
    columns, lines = size
    width, height = columns * _WIDE + 16, lines * _HIGH + 16
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">'
        f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>'
        "<g font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"13.2px\" fill=\"none\" "
        'transform="translate(8 8)" xml:space="preserve">'
    ]
    for index, row in enumerate(rows):
        x, y = 0.0, index * _HIGH
        for segment in row:
            fore, back = _colour(segment.style, ground, ink)
            wide = sum(map(get_character_cell_size, segment.text)) * _WIDE
            if back != ground:
                out.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide + 0.3:.1f}" height="{_HIGH + 0.3:.1f}" fill="{back}"/>'
                )
            weight = ' font-weight="bold"' if segment.style and segment.style.bold else ""
            opacity = ' opacity="0.6"' if segment.style and segment.style.dim else ""
            for char in segment.text:
                if char != " ":
                    drawn = _shape(char, x, y, fore)
                    text = f'<text x="{x:.1f}" y="{y + 12.8:.1f}" fill="{fore}"{weight}{opacity}>{escape(char)}</text>'
                    out.append(drawn or text)
                x += get_character_cell_size(char) * _WIDE
    return "\n".join([*out, "</g></svg>"])


def screen_svg(app: Cockpit) -> str:
    """What `app` shows at this moment."""
    rows = app.screen._compositor.render_strips()
    light = app.palette.name == "light"
    ground = app.palette.background or "#16181d"
    return svg(rows, (app.size.width, app.size.height), ground, "#2c3440" if light else "#c5cdd9")


if __name__ == "__main__":
    main()
