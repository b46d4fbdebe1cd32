"""`make pictures`: the cockpit's pictures for `docs/`, from a study of your own or else from a recorded one.

Eight GPUs are always recorded ones, and so is the review where nothing of the study waits for a person.

python -m tests.pictures docs [STUDY]
"""

import argparse
import asyncio
import math
import os
import tempfile
from pathlib import Path

from loop.journal import Journal
from loop.study import events as e
from loop.study.state import FOLDED, Study, fold
from tests.recorded import record
from tests.repositories import git
from tui.render import colour_support

PICTURES = {
    "cockpit-wide": ((200, 50), "mind", (), "dark"),
    "cockpit-80x24": ((80, 24), "mind", (), "dark"),
    "cockpit-80x24-ansi": ((80, 24), "tree", (), "ansi"),
    "cockpit-experiment": ((120, 44), "tree", ("enter",), "dark"),
    "cockpit-review": ((120, 36), "mind", ("a", "enter"), "dark"),
    "cockpit-eight-gpus": ((200, 50), "machine", (), "dark"),
    "cockpit-light": ((160, 42), "tree", (), "light"),
    "cockpit-no-colour": ((80, 24), "progress", (), "mono"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of docs/.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("study", type=Path, nargs="?", help="a workspace with a study; a recorded one without")
    choice = parser.parse_args()
    colour_support.prepare(os.environ)
    import cairosvg  # type: ignore[import-untyped]

    from tui.cockpit.picture import picture

    with tempfile.TemporaryDirectory() as folder:
        for name, (size, view, keys, theme) in PICTURES.items():
            study = choice.study
            if study is not None and name == "cockpit-experiment":
                keys = typed(f"show {_of(study).champion}")
            if study is None or "gpus" in name or ("review" in name and not waits(_of(study))):
                study = recorded(Path(folder) / name, name)
            text = asyncio.run(picture(study, size, view=view, keys=keys, theme=theme))
            cairosvg.svg2png(bytestring=text.encode(), write_to=str(choice.folder / f"{name}.png"))
            print(choice.folder / f"{name}.png")


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
    record(path, experiments=70, gpus=8 if "gpus" in name else 1)
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


if __name__ == "__main__":
    main()
