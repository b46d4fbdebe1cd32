"""What is checked when a run has finished, before its number counts. Pure; a failed check is a name and a sentence.

A run is compared with the baseline's runs under the same protocol, never with an ideal: a program that takes an hour
without training, or that writes into a tracked file, may do so in every experiment if it did so from the start.
Nothing here sees what happens inside a run. That it trains for longer than it may shows in three ways: what it says
itself, how long its step lines go on, and how long all of it takes.

What others on the machine took from it is no time of its own (`Waited`): what lies outside of its budget may take that
much longer. Its budget passes on a busy machine as on an idle one, so nothing is allowed for in there. Start-up and
scoring are allowed what others take of as much work as the baseline's and a quarter more, so that idle or added work
does not earn time by looking starved; the last step, once the tolerance at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from loop.study.measure import Requirement
from loop.study.run_events import Waited

REQUIRE = "require"
"""Name of the check that a run fails whose output breaks `require:`."""

BUDGET = "budget"
"""Name of the checks of its time."""

CLAIM = "training_seconds"
"""The summary line in which a run says how long it trained, in seconds."""

TOLERANCE, LAST_STEP = 0.1, 1.0
"""Share of the budget, and seconds, by which training may exceed it: the last step is not cut short."""

AROUND_BUDGET, AROUND_SECONDS = 0.25, 5.0
"""Share of the budget, and seconds, by which a run may take longer than the baseline's slowest, start-up and scoring
included. Compiling another model takes that long; training before the clock starts pays only if it takes longer."""

MORE_WORK = 1.25
"""Times the baseline's work outside of the budget, for which what others took is allowed for."""

STARVED = 0.1
"""Share of its time that a run must have waited for others before its deadline is held against them."""

NOTHING = Waited()


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
    waited: Waited = NOTHING
    """What others took from it; nothing where that is not known."""
    cpu_seconds: float = 0.0
    """CPU time of all its processes."""
    clock: Literal["wall", "cpu"] = "wall"
    """What all these seconds are of: the clock, or the processors', per core."""

    @property
    def own(self) -> float:
        """`seconds` without what others took from it outside of its budget."""
        return self.seconds - self.waited.around

    @property
    def trained(self) -> float:
        """`claimed` without what others took from it beyond its budget; 0 where it says nothing."""
        return (self.claimed or 0.0) - self.waited.claim

    @property
    def stepped(self) -> float:
        """`stepping` without what others took from it beyond its budget."""
        return self.stepping - self.waited.steps


@dataclass(frozen=True)
class Failed:
    """A check that a run failed."""

    check: str
    reason: str


def unmet(required: Sequence[Requirement], numbers: Mapping[str, float], texts: Mapping[str, str]) -> Failed | None:
    """The requirement that what was printed does not meet, or None: one with a value before one without.

    Args:
        numbers: what was printed as a number, by name.
        texts: what was said in words, by name.
    """
    missing = ""
    for one in required:
        word, number = texts.get(one.name), numbers.get(one.name)
        found = number if number is not None and (isinstance(one.value, float) or word is None) else word
        if found is None:
            missing = missing or f"it printed no {one.name}, and {one} is required"
        elif not one.met(found):
            said = f"{found:.6g}" if isinstance(found, float) else found
            wanted = str(one).removeprefix(one.name).strip().removeprefix("== ")
            return Failed(REQUIRE, f"{one.name} is {said}, and {wanted} is required")
    return Failed(REQUIRE, missing) if missing else None


def inspect(run: Course, usual: Sequence[Course], budget: float | None, slower: float = 0.0) -> Failed | None:
    """The first check that a run fails, or None.

    Args:
        run: the run that has just finished.
        usual: the baseline's runs under the same protocol; while there are none, everything passes.
        budget: seconds of training; None where the program does not take it (`honesty`): then how long a run takes is a
            property of the change, and only the deadline ends it.
        slower: seconds by which the machine is slower now than it was, as from `queries.slower_of_late`.
    """
    if not usual:
        return None
    foreign = sorted(set(run.touched) - {path for one in usual for path in one.touched})
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        return Failed("protected", f"it changed {foreign[0]}{more} in its worktree, which no proposal may edit")
    return None if budget is None else _too_long(run, usual, budget, slower)


def _too_long(run: Course, usual: Sequence[Course], budget: float, slower: float) -> Failed | None:
    claimed, spare = run.claimed or 0.0, _most(budget) - budget
    base, allowed = max(budget, *(one.trained for one in usual)), min(run.waited.claim, spare)
    if claimed - allowed > (most := _most(base)):
        said = f"it trained for {claimed:.1f} s by its own account{_taken(run.waited.claim, allowed)}"
        return Failed(BUDGET, f"{said}; at most {most:.1f} s {_of(base, budget)}")
    base, allowed = max(budget, *(one.stepped for one in usual)), min(run.waited.steps, spare)
    if run.stepping - allowed > (most := _most(base)):
        said = "" if run.claimed is None else f" (it says {claimed:.1f} s)"
        said = f"its steps went on for {run.stepping:.1f} s{_per_core(run)}{said}{_taken(run.waited.steps, allowed)}"
        return Failed(BUDGET, f"{said}; at most {most:.1f} s {_of(base, budget)}")
    slowest = max(one.own for one in usual)
    allowed = _allowed(run.waited.around, run.seconds - budget, slowest - budget)
    if run.seconds - allowed > (most := _longest(slowest, budget, slower)):
        said = "" if run.claimed is None else f" for {claimed:.1f} s of training"
        computed = f" ({run.cpu_seconds:.1f} s of CPU)" if run.cpu_seconds and run.clock == "wall" else _per_core(run)
        said = f"it took {run.seconds:.1f} s in all{computed}{said}{_taken(run.waited.around, allowed)}"
        return Failed(BUDGET, f"{said}; at most {most:.1f} s ({_allowance(slowest, budget, slower)})")
    return None


def too_long_to_verify(
    seconds: float, waited: float, usual: Sequence[float], budget: float, slower: float = 0.0
) -> Failed | None:
    """What is wrong where a verification took so long that it may have gone on training the model, or None.

    Args:
        seconds: how long it took.
        waited: how much of that others on the machine took.
        usual: how long those of the baseline's runs took, without that; while there are none, everything passes.
        budget: seconds of training.
        slower: as for `inspect`.
    """
    allowed = _allowed(waited, seconds, max(usual, default=0.0))
    if not usual or seconds - allowed <= (most := _longest(max(usual), budget, slower)):
        return None
    said = f"its verification took {seconds:.1f} s{_taken(waited, allowed)}"
    return Failed(BUDGET, f"{said}; at most {most:.1f} s ({_allowance(max(usual), budget, slower)})")


def starved(run: Course, usual: Sequence[Course], budget: float) -> bool:
    """Whether a run came to its deadline because others had the machine: without what they took, it would have been no
    slower than it may be. While there is nothing to compare with, they must have taken half of its time."""
    had = run.seconds - run.waited.total
    if run.waited.total < STARVED * run.seconds:
        return False
    return had <= (_longest(max(one.own for one in usual), budget) if usual else run.seconds / 2)


def limits_told(budget: float, clock: Literal["wall", "cpu"] = "wall") -> str:
    """The limits of a run's time as sentences for whoever proposes."""
    others = "What other programs on the machine took from it outside of its budget does not count, as long as it does "
    others += "no more there than the baseline and a quarter of it."
    if clock == "cpu":
        others = "Without a GPU these are seconds of processor time of all its processes, per core that it may use."
    return (
        f"Rejected, however good its number: a run whose step lines, or own `{CLAIM}`, go on for more than "
        f"{_most(budget):.4g} s (the budget, +{TOLERANCE:.0%} +{LAST_STEP:g} s), and one that takes, or whose "
        f"verification takes, {AROUND_BUDGET * budget + AROUND_SECONDS:.4g} s longer than the baseline's slowest "
        f"({AROUND_BUDGET:.0%} of the budget, +{AROUND_SECONDS:g} s). {others}"
    )


def _per_core(run: Course) -> str:
    return " of processor time per core" if run.clock == "cpu" else ""


def _most(base: float) -> float:
    """Seconds that training may take."""
    return base * (1 + TOLERANCE) + LAST_STEP


def _of(base: float, budget: float) -> str:
    whose = "budget" if base == budget else "the baseline's"
    return f"({whose} {base:.4g} s, +{TOLERANCE:.0%} +{LAST_STEP:g} s)"


def _longest(slowest: float, budget: float, slower: float = 0.0) -> float:
    """Seconds that a run or a verification may take in all; a slow hour is allowed for once more at most."""
    around = AROUND_BUDGET * budget + AROUND_SECONDS
    return slowest + around + min(slower, around)


def _allowance(slowest: float, budget: float, slower: float) -> str:
    hour = f", +{min(slower, AROUND_BUDGET * budget + AROUND_SECONDS):.1f} s in this hour" if slower >= 0.1 else ""
    return (
        f"the baseline's slowest {slowest:.1f} s, +{AROUND_BUDGET:.0%} of the budget of {budget:g} s "
        f"+{AROUND_SECONDS:g} s{hour}"
    )


def _allowed(waited: float, seconds: float, usual: float) -> float:
    """Seconds that a run may be longer because of others: what they take of the usual work and a quarter more.

    Args:
        waited: what they took of `seconds`.
        usual: seconds of that work in the baseline, without what others took.
    """
    if waited <= 0 or waited >= seconds:
        return 0.0
    return min(waited, MORE_WORK * max(0.0, usual) * waited / (seconds - waited))


def _taken(waited: float, allowed: float) -> str:
    if waited < 0.1:
        return ""
    part = f" ({allowed:.1f} s allowed for)" if waited - allowed >= 0.1 else ""
    return f", {waited:.1f} s of that taken by others on the machine{part}"
