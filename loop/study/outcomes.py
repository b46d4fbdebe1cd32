"""The one table of how runs end and how experiments are judged. Pure.

A row gives the name that stands in the journal, the words and signs for a person, and what the outcome counts as. To
add one, add a row and produce it somewhere: no other module lists them.
"""

from enum import Flag, StrEnum, auto, unique
from typing import Annotated

from pydantic import AfterValidator


class As(Flag):
    """What an outcome counts as."""

    RUN = auto()
    """A run ends so."""
    VERDICT = auto()
    """An experiment is judged so. What is both is passed on: one such run decides, whatever the others gave."""
    NUMBER = auto()
    """It has a metric."""
    FAILURE = auto()
    """It ended by itself, or at a limit, without a metric; `limits.failures` counts these."""
    BROKEN = auto()
    """The program broke: the end of its output says why, and a repair may help."""
    LOST = auto()
    """The run says nothing about its experiment and is run again with the same seed."""


@unique
class Outcome(StrEnum):
    """How a run ended, or how an experiment was judged. In the journal it is its name."""

    said: str
    """What its run did, as the predicate of a sentence."""
    word: str
    """Its name for a person."""
    sign: str
    """One cell on screen, and `ascii` the same without Unicode; empty for what is no verdict, which no screen draws."""
    ascii: str
    role: str
    """Role of its colour in a palette."""
    is_run: bool
    is_verdict: bool
    has_number: bool
    is_failure: bool
    is_broken: bool
    is_lost: bool
    check: str
    """The check that a run fails whose verification ended so; empty: the one of "crashed"."""
    repair: str
    """What a repair has to do at least, behind "It has to"; empty where that is not known."""
    _decides: str

    def __new__(
        cls,
        name: str,
        said: str,
        signs: str,
        role: str,
        counts: As,
        check: str = "",
        decides: str = "",
        word: str = "",
        repair: str = "",
    ) -> "Outcome":
        """A row. `signs` are the sign and its ASCII form; `word` is given where it is not the name."""
        row = str.__new__(cls, name)
        row._value_ = name
        row.said, row.role, row.check, row.repair = said, role, check, repair
        row.word = word or name.replace("_", " ")
        row.sign, row.ascii = signs[:1], signs[1:]
        row.is_run, row.is_verdict = As.RUN in counts, As.VERDICT in counts
        row.has_number, row.is_lost = As.NUMBER in counts, As.LOST in counts
        row.is_failure, row.is_broken = As.FAILURE in counts, As.BROKEN in counts
        row._decides = name if row.is_run and row.is_verdict else decides
        return row

    FINISHED = "finished", "came to its end", "", "", As.RUN | As.NUMBER
    KEPT = "kept", "was kept", "✓*", "kept", As.VERDICT | As.NUMBER
    DISCARDED = "discarded", "was discarded", "✗x", "discarded", As.VERDICT | As.NUMBER
    CRASHED = "crashed", "crashed", "!!", "crashed", As.RUN | As.VERDICT | As.FAILURE | As.BROKEN, "verification"
    OUT_OF_MEMORY = (
        "out_of_memory", "ran out of memory", "▤M", "crashed",
        As.RUN | As.VERDICT | As.FAILURE | As.BROKEN, "memory", "", "",
        "use less memory than the reason says was used",
    )  # fmt: skip
    NO_METRIC = (
        "no_metric", "came to its end without its number", "∅N", "crashed",
        As.RUN | As.VERDICT | As.FAILURE | As.BROKEN, "", "", "no number",
    )  # fmt: skip
    TIMED_OUT = (
        "timed_out", "ran out of time", "◔T", "killed",
        As.RUN | As.VERDICT | As.FAILURE, "", "", "", "start, train and end in less time",
    )  # fmt: skip
    KILLED = "killed", "was killed", "■K", "killed", As.RUN | As.VERDICT, "killed"
    STOPPED_EARLY = "stopped_early", "was stopped early", "", "", As.RUN, "", "discarded"
    REJECTED = "rejected", "was rejected by the verification", "⊘R", "rejected", As.VERDICT
    LOST = "lost", "was lost", "", "", As.RUN | As.LOST

    @property
    def decides(self) -> "Outcome | None":
        """The verdict on an experiment with a run that ended so; None where no such run decides by itself."""
        return named(self._decides) if self._decides else None


VERDICTS = tuple(outcome for outcome in Outcome if outcome.is_verdict)
"""How an experiment can be judged, in the order in which they are listed."""

NO_NUMBER = frozenset(outcome for outcome in VERDICTS if outcome.is_run)
"""Verdicts on experiments of which a run ended without a metric."""


def named(name: str) -> Outcome | None:
    """The row of that name, if there is one."""
    return next((outcome for outcome in Outcome if outcome == name), None)


def of_check(check: str) -> Outcome:
    """The verdict on an experiment with a run that failed this check: its verification did not end, or rejected it."""
    return next((outcome for outcome in NO_NUMBER if outcome.check == check), Outcome.REJECTED)


def _run(outcome: Outcome) -> Outcome:
    if not outcome.is_run:
        raise ValueError(f"no run ends as {outcome!s}")
    return outcome


def _verdict(outcome: Outcome) -> Outcome:
    if not outcome.is_verdict:
        raise ValueError(f"{outcome!s} is no verdict")
    return outcome


RunOutcome = Annotated[Outcome, AfterValidator(_run)]
Verdict = Annotated[Outcome, AfterValidator(_verdict)]
