"""What a screen says without colours, on any background, after its loop has ended, and to a mouse."""

from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from tests.recorded import record
from tests.terminals import Tmux, needs_tmux
from tests.tui.cockpit.cockpits import journal_of, opened, requests, screen, settle
from tests.tui.cockpit.test_terminal import start, tmux, workspace  # noqa: F401 - fixtures
from tui.cockpit.app import Cockpit
from tui.render.palette import PALETTES
from tui.screens.confirm import Confirm


@pytest.fixture
def study(tmp_path: Path) -> Path:
    record(tmp_path / ".looptop" / "journal.db", experiments=20)
    return tmp_path


def grounds(app: Cockpit) -> set[str]:
    """Backgrounds of all cells; "none" for the terminal's own."""
    segments = (segment for strip in app.screen._compositor.render_strips() for segment in strip if segment.text)
    return {
        "none" if segment.style is None or segment.style.bgcolor is None else segment.style.bgcolor.name
        for segment in segments
    }


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
async def test_every_cell_of_a_theme_with_a_background_is_painted(study: Path, theme: str) -> None:
    async with opened(study, (120, 36), theme=theme, view="experiments") as (app, pilot):
        for keys in ((), ("enter",), ("escape", "s", *"words"), ("escape", "x")):
            await pilot.press(*keys)
            await pilot.pause(0.05)
            found = grounds(app)
            assert "none" not in found and PALETTES[theme].background in found, (keys, found)


@needs_tmux
def test_a_light_theme_is_light_on_a_dark_terminal(tmux: Tmux, workspace: Path) -> None:  # noqa: F811
    start(tmux, workspace)
    tmux.type("t")
    tmux.wait("colours: light")
    assert "48;5;231m" in tmux("capture-pane", "-p", "-e")


@needs_tmux
def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_comes_back(tmux: Tmux, workspace: Path) -> None:  # noqa: F811
    start(tmux, workspace)
    tmux.type("3")
    tmux.wait("effect")
    tmux.type("C-z")
    tmux.wait(lambda text: "effect" not in text)
    tmux.line("fg")
    tmux.wait("effect")
    tmux.type("q")
    tmux.wait("detached from")


async def test_without_colours_the_champion_s_curve_is_dashed(study: Path) -> None:
    async with opened(study, (120, 40), theme="mono", view="curves") as (app, pilot):
        await pilot.press("z")
        await settle(app, pilot)
        known = app.known
        current, reference = app.curves_view.pair()
        assert current is not None and reference is not None
        text = "\n".join(screen(app))
        assert "━ 21.1 loss" in text and "┅ champion" in text
        alone = {**known.samples, (current[0].id, current[1].number): []}
        dashes = sum("\u2800" < char <= "\u28ff" for char in text)
        known.samples = alone
        app.curves_view.redraw()
        await pilot.pause(0.02)
        assert 0 < sum("\u2800" < char <= "\u28ff" for line in screen(app) for char in line) < dashes


async def test_the_readings_of_a_loop_that_has_ended_look_old(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=3, live=False, stopped="3 of 3 experiments have a verdict")
    async with opened(tmp_path, alive=None, view="machine") as (app, pilot):
        assert "3 of 3 experiments have a verdict" in screen(app)[1] and "%" not in screen(app)[1]
        assert "ago, when the loop ended" in "\n".join(screen(app))
        await pilot.pause(0)


async def test_a_markdown_stream_keeps_its_blank_lines_and_is_never_wider_than_is_read_with_ease(study: Path) -> None:
    with journal_of(study) as journal:
        for text in ("# A plan\n", "\nFirst the wi", "dth.\n\n\nThen " + "the depth, " * 30, "\n\n"):
            journal.append(e.Thought(researcher="llm", text=text), 23)
        journal.append(e.ToolCalled(researcher="llm", intent="read train.py", result="9 lines", seconds=0.1), 23)
    async with opened(study, (200, 30)) as (app, pilot):
        await pilot.press("z")
        await settle(app, pilot)
        lines = [line.strip() for line in screen(app)]
        at = lines.index("A plan")
        assert lines[at + 1 : at + 4] == ["", "First the width.", ""] and lines[at + 4].startswith("Then the depth")
        assert max(map(len, lines[at + 4 : at + 8])) <= 110
        assert "read train.py" in lines[at + 8] or "read train.py" in lines[at + 7], "and no blank line before a call"


async def test_a_question_about_a_run_that_has_ended_is_withdrawn(study: Path) -> None:
    async with opened(study) as (app, pilot):
        await pilot.press("x")
        await pilot.pause(0.05)
        assert isinstance(app.screen, Confirm)
        with journal_of(study) as journal:
            journal.append(e.RunFinished(outcome="finished", seconds=300, metrics={"val_bpb": 0.9}), 21, 1)
            journal.append(e.Verified(metric=0.9, seconds=1), 21, 1)
            journal.append(e.ExperimentJudged(verdict="discarded", reason="no gain", metric=0.99), 21)
        await settle(app, pilot)
        assert not isinstance(app.screen, Confirm) and "nothing was asked for" in screen(app)[-1]
        await pilot.press("y")
        assert "killed" not in {event.kind for event in requests(study)}


async def test_a_click_goes_to_a_view_and_its_row(study: Path) -> None:
    async with opened(study, (200, 50)) as (app, pilot):
        await pilot.press("m")
        row = next(y for y, line in enumerate(screen(app)) if "  20 " in line[:20])
        await pilot.click(offset=(12, row))
        await pilot.pause(0.05)
        assert app.active == "experiments" and app.experiments_view.selected() == 20


async def test_nothing_runs_while_all_waits_and_the_screen_says_so(study: Path) -> None:
    with journal_of(study) as journal:
        journal.append(e.ExperimentJudged(verdict="killed", reason="by ada"), 21)
        journal.append(e.RunFinished(outcome="killed", seconds=9), 21, 1)
        journal.append(e.ThoughtBegan(researcher="llm", champion=0), 22)
    async with opened(study) as (app, pilot):
        assert "thinking" in screen(app)[0] and "llm thinks about 22" in screen(app)[1]
        with Journal(study / ".looptop" / "journal.db") as journal:
            for number in (22, 23):
                journal.append(e.ExperimentProposed(researcher="llm", title="bold", parent=0), number)
                journal.append(e.ApprovalAsked(reason="review: all"), number)
        await settle(app, pilot)
        assert "waits for you" in screen(app)[0] and "2 wait for you" in screen(app)[1]


async def test_progress_of_a_baseline_alone_is_no_wall_of_dots(tmp_path: Path) -> None:
    record(tmp_path / ".looptop" / "journal.db", experiments=0, live=False)
    async with opened(tmp_path, view="progress") as (app, _):
        dotted = [line for line in screen(app)[4:-3] if line.count("⠁") + line.count("⠄") > 20]
        assert not dotted and any("★" in line for line in screen(app)[4:-3])
        assert any("its runs scatter by σ" in line for line in screen(app)), "what the dots would have said"
