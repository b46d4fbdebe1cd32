"""One study of a bench: started as the real loop, ended at its share of runs, and read from its journal.

Its supervisor is a process like any other's, with the journal, git, sandbox and judge of every study. It gets runs by
their lengths, not by the clock: a run ended early counts by its share, and with four slots a study has as many run
lengths as with one. A bench that is killed finds its studies where they are: one that goes on is ended and started
again, which is how any loop resumes, and one that has had its runs is not started.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loop.config.overrides import Overrides
from loop.errors import UserError
from loop.journal import Journal, exists
from loop.study import events as e
from loop.workspace import Workspace, supervisor_alive

LOOK_S = 0.25
"""Seconds between two looks at a journal."""

LONGEST_END = 20.0
"""Seconds that a supervisor has to end; ending a run takes six at most."""

_KINDS = frozenset(
    ("run_started", "run_finished", "run_condemned", "champion_changed", "experiment_judged", "supervisor_stopped")
)


class StudyFailed(UserError):
    """A study of the bench could not go on; the message is a sentence."""


@dataclass(frozen=True)
class Step:
    """A champion, and when it became one."""

    at: float
    """Run lengths that the study had had."""
    experiment: int
    commit: str


@dataclass(frozen=True)
class Course:
    """What a study came to within its run lengths."""

    lengths: float
    """That it has had; no more than it was given."""
    runs: int
    experiments: int
    """With a verdict, the baseline not counted."""
    steps: tuple[Step, ...]
    seconds: float
    """From its first run's start to its last run's end, without the time in which nobody supervised it."""
    busy: float
    """Slot seconds of runs."""
    ended: str
    """Why it has ended by itself; empty where it has not."""


def course(events: list[e.Event], most: float, budget: float | None = None) -> Course:
    """A study's course, up to `most` run lengths.

    Args:
        budget: seconds of a run length, where runs are counted by their time; None: each is one.
    """
    lengths, busy, seconds, last, runs, experiments = 0.0, 0.0, 0.0, None, 0, 0
    steps: list[Step] = []
    shares: dict[tuple[int | None, int | None], float] = {}
    asked, ended = set[tuple[int | None, int | None]](), ""
    for event in events:
        body, which = event.body, (event.experiment, event.run)
        if isinstance(body, e.SupervisorStopped):
            ended, last = ("" if body.signal else body.reason), None
            continue
        ended = ""
        if lengths >= most and isinstance(body, e.RunFinished):
            break
        if last is not None:
            seconds += event.at - last
        last = event.at
        if isinstance(body, e.RunStarted):
            if body.validates:
                asked.add(which)
        elif isinstance(body, e.RunCondemned) and body.then == "stopped":
            shares[which] = body.share
        elif isinstance(body, e.RunFinished) and which not in asked:
            lengths += shares.get(which, 1.0) if budget is None else min(1.0, body.seconds / budget)
            busy += body.seconds
            runs += 1
        elif isinstance(body, e.ChampionChanged):
            steps.append(Step(min(lengths, most), event.experiment or 0, body.commit))
        elif isinstance(body, e.ExperimentJudged):
            experiments += bool(event.experiment)
    return Course(min(lengths, most), runs, experiments, tuple(steps), seconds, busy, ended)


def read(root: Path, most: float, budget: float | None = None) -> Course:
    """The course so far of the study at `root`; an empty one where it has not begun."""
    path = Workspace(root).journal
    if not exists(path):
        return course([], most)
    with Journal(path) as journal:
        return course(journal.read(kinds=_KINDS), most, budget)


def work(
    root: Path,
    slots: int,
    most: float,
    environ: Mapping[str, str],
    stopped: "Stop",
    budget: float | None = None,
    seen: Callable[[float], None] = lambda lengths: None,
) -> Course:
    """Run the study at `root` until it has had its run lengths, or has ended by itself.

    Args:
        slots: runs at once.
        most: run lengths.
        environ: of its supervisor.
        stopped: asks for an end before that.
        budget: as in `course`.
        seen: hears at each look how many run lengths it has had.

    Raises:
        StudyFailed: it could not begin or go on, or it was stopped.
    """
    _end_earlier(root)
    if (found := read(root, most, budget)).lengths >= most:
        return found
    log_path = root.with_name(f"{root.name}.log")
    with log_path.open("ab") as log:
        arguments = [str(root), Overrides(slots=slots, cluster="off").model_dump_json(exclude_none=True)]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "loop", *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=root, env=dict(environ),
            start_new_session=True,  # ctrl+c is the bench's to answer
        )  # fmt: skip
    try:
        while process.poll() is None and not stopped.asked:
            found = read(root, most, budget)
            seen(found.lengths)
            if found.lengths >= most:
                return found
            time.sleep(LOOK_S)
    finally:
        _end(process)
    if stopped.asked:
        raise StudyFailed("stopped; the same command goes on from here")
    found = read(root, most, budget)
    if process.returncode or not found.steps:
        lines = log_path.read_text(errors="replace").strip().splitlines()
        raise StudyFailed(
            f"the study in {root} ended by itself: {(lines or [found.ended or 'it said nothing'])[-1]:.300}"
        )
    return found


class Stop:
    """Whether somebody wants the bench to end."""

    asked = False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a supervisor and whatever it runs."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(LONGEST_END)
    except subprocess.TimeoutExpired:
        process.kill()  # the wardens end their runs when it is gone
        process.wait()


def _end_earlier(root: Path) -> None:
    """End the supervisor that a killed bench has left."""
    until = time.monotonic() + LONGEST_END
    told = False
    while (pid := supervisor_alive(root)) is not None:
        if time.monotonic() > until:
            raise StudyFailed(f"the loop in {root} (process {pid}) does not end; end it, and start again")
        if pid and not told:
            os.kill(pid, signal.SIGTERM)
            told = True
        time.sleep(0.05)
