"""What is checked when a run has finished, before its number counts. Pure; a failed check is a name and a sentence.

A run is compared with the baseline's runs under the same protocol, never with an ideal: a program that takes an hour
without training, or that writes into a tracked file, may do so in every experiment if it did so from the start.
Nothing here sees what happens inside a run. That it trains for longer than it may shows in three ways: what it says
itself, how long its step lines go on, and how long all of it takes.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CLAIM = "training_seconds"
"""The summary line in which a run says how long it trained, in seconds."""

TOLERANCE = 1.1
"""Training may take this many times its budget, and a second: the last step is not cut short."""

AROUND_BUDGET, AROUND_SECONDS = 0.25, 5.0
"""Share of the budget, and seconds, by which a run may take longer than the baseline's slowest, start-up and scoring
included. Compiling another model takes that long; training before the clock starts pays only if it takes longer."""


@dataclass(frozen=True)
class Course:
    """What is known about one run's time, in seconds, and about the files it touched."""

    seconds: float
    """From its start to its end, by our clock."""
    claimed: float | None
    """How long it says it trained."""
    stepping: float
    """From its first step line to its last, by our clock; 0 where it printed none."""
    touched: tuple[str, ...] = ()
    """Tracked files of its worktree that it changed and no proposal may change."""


@dataclass(frozen=True)
class Failed:
    """A check that a run failed."""

    check: str
    reason: str


def inspect(run: Course, usual: Sequence[Course], budget: float) -> Failed | None:
    """The first check that a run fails, or None.

    Args:
        run: the run that has just finished.
        usual: the baseline's runs under the same protocol; while there are none, everything passes.
        budget: seconds of training.
    """
    if not usual:
        return None
    foreign = sorted(set(run.touched) - {path for one in usual for path in one.touched})
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        return Failed("protected", f"it changed {foreign[0]}{more} in its worktree, which no proposal may edit")
    return _too_long(run, usual, budget)


def _too_long(run: Course, usual: Sequence[Course], budget: float) -> Failed | None:
    most = TOLERANCE * max(budget, *(one.claimed or 0.0 for one in usual)) + 1
    if run.claimed is not None and run.claimed > most:
        return Failed(
            "budget", f"it trained for {run.claimed:.1f} s by its own account, and its budget is {budget:g} s"
        )
    most = TOLERANCE * max(budget, *(one.stepping for one in usual)) + 1
    if run.stepping > most:
        said = "" if run.claimed is None else f" (it says {run.claimed:.1f} s)"
        return Failed("budget", f"its steps went on for {run.stepping:.1f} s{said}, and its budget is {budget:g} s")
    most = max(one.seconds for one in usual) + AROUND_BUDGET * budget + AROUND_SECONDS
    if run.seconds > most:
        claimed = "" if run.claimed is None else f" for {run.claimed:.1f} s of training"
        middle = statistics.median(one.seconds for one in usual)
        return Failed(
            "budget",
            f"it took {run.seconds:.1f} s in all{claimed}, the baseline {middle:.1f} s, with a budget of {budget:g} s",
        )
    return None


def too_long_to_verify(seconds: float, usual: Sequence[float], budget: float) -> Failed | None:
    """What is wrong where a verification took so long that it may have gone on training the model, or None.

    Args:
        seconds: how long it took.
        usual: how long those of the baseline's runs took; while there are none, everything passes.
        budget: seconds of training.
    """
    most = max(usual, default=math.inf) + AROUND_BUDGET * budget + AROUND_SECONDS
    if seconds <= most:
        return None
    middle = statistics.median(usual)
    reason = f"its verification took {seconds:.1f} s, the baseline's {middle:.1f} s, with a budget of {budget:g} s"
    return Failed("budget", reason)
