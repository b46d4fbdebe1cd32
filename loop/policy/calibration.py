"""What researchers say that their proposals will gain, held against what was measured. Pure.

Models promise several times what comes. A promise counts here for as much as earlier ones of the same researcher, for
the same kind of change, have been borne out: by that the queue is ordered, and by that a researcher is told.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice, takewhile
from statistics import fmean, median
from typing import Literal

from loop.policy.changes import CONSTANTS
from loop.study.experiment import Experiment
from loop.study.state import Study

NEWEST = 200
"""Verdicts that count, the newest: models learn, and gains become smaller in the course of a study."""

ENOUGH = 5
"""Promises with a result, below which nothing is said of how they hold."""

PRIOR = 5.0
"""Results of everybody that a researcher's own are mixed with, so that the first lucky one does not rule the queue."""

PASSED_OVER = 3
"""Younger proposals that may go before one in the queue; then it is its turn, whatever is expected of it."""

Kind = Literal["constants", "structure"]

_FIGURE = re.compile(
    r"(?<![\w.#])[-+\u2212]?(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)(?![\w.]*\d)"
    r"(\s*(?:%|sigma|σ|[x×](?!\w)|times|steps?\b|m?s\b|[GMk]i?B\b))?"
)
_NOTHING = re.compile(r"\bno (?:better|change|effect|difference)\b|\bneutral\b", re.IGNORECASE)
_UNSURE = re.compile(r"either way", re.IGNORECASE)
_RANGE = re.compile(r"\s*(?:to|-|\u2013|\.\.)\s*")


@lru_cache(maxsize=4096)
def promised(expected: str) -> float | None:
    """The gain that a researcher's words expect, in the metric's units: below zero where it expects a loss, None where
    they name no figure (a percentage, or a number of steps, is none)."""
    if _UNSURE.search(expected):
        return None
    figures = [found for found in _FIGURE.finditer(expected) if not found[2]]
    if not figures:
        return 0.0 if _NOTHING.search(expected) else None
    size = float(figures[0][1])
    if len(figures) > 1 and _RANGE.fullmatch(expected[figures[0].end() : figures[1].start()] or " "):
        size = (size + float(figures[1][1])) / 2
    if _NOTHING.search(expected):
        return 0.0
    return -size if re.search(r"\bworse\b", expected, re.IGNORECASE) else size


def kind(x: Experiment) -> Kind:
    """The kind of its change."""
    return "constants" if x.change == CONSTANTS else "structure"


@dataclass(frozen=True)
class Held:
    """Promises and what was measured, as the median of each: one run that diverges would outweigh all others.

    Gains are in the metric's units, above zero where better.
    """

    said: float
    measured: float
    count: int

    @property
    def advice(self) -> str:
        """What to do about it, in two words; empty where the two agree."""
        if self.said > 0 and self.measured < self.said / 2:
            return "say less"
        return "say more" if self.measured > 2 * max(self.said, 0.0) and self.measured > 0 else ""

    def __str__(self) -> str:
        return f"said {self.said:+.2g}, measured {self.measured:+.2g}, of {self.count}"


@dataclass
class _Record:
    """What the proposals of one researcher, or of everybody, for one kind of change came to."""

    gains: list[float] = field(default_factory=list)
    """Of each with a verdict; 0 where it was worse, or has no number."""
    said: list[tuple[float, float]] = field(default_factory=list)
    """Promise and gain, of those that promised."""


def _judged(study: Study) -> Iterator[Experiment]:
    """Experiments whose verdict says something of who proposed them, the newest first."""
    for number in islice(reversed(study.closed), NEWEST):
        x = study.experiments[number]
        if x.id and not (x.submitted or x.imported or x.clashed or x.parts) and x.id not in study.placebos:
            yield x


def held(study: Study, researcher: str, of: Kind | None = None) -> Held | None:
    """How the promises of one researcher have held; None where fewer than `ENOUGH` have a result.

    Args:
        of: only changes of this kind.
    """
    pairs = []
    for x in _judged(study):
        if x.researcher != researcher or x.effect is None or of not in (None, kind(x)):
            continue
        if (said := promised(x.expected)) is not None:
            pairs.append((said, x.effect))
    if len(pairs) < ENOUGH:
        return None
    return Held(median(said for said, _ in pairs), median(found for _, found in pairs), len(pairs))


def told(study: Study, researcher: str) -> str:
    """To a researcher, in one line, how its promises have held; empty while too few have a result."""
    if (whole := held(study, researcher)) is None:
        return ""
    text = (
        f"Your promises so far: you said {whole.said:+.2g}, and {whole.measured:+.2g} was measured (medians of "
        f"{whole.count} proposals, above zero is better)"
    )
    parts = {of: found for of in ("constants", "structure") if (found := held(study, researcher, of)) is not None}
    if len(parts) > 1:
        each = (f"{found.said:+.2g} and {found.measured:+.2g} for {of}" for of, found in parts.items())
        text += f"; {', '.join(each)}"
    return f"{text}. {whole.advice.capitalize()}." if whole.advice else f"{text}."


class Expectation:
    """What is expected of proposals that have not run, by what came of earlier ones."""

    def __init__(self, study: Study) -> None:
        self._own: dict[tuple[str, Kind], _Record] = {}
        self._all: list[float] = []
        for x in _judged(study):
            gain = max(0.0, x.effect or 0.0)
            record = self._own.setdefault((x.researcher, kind(x)), _Record())
            record.gains.append(gain)
            self._all.append(gain)
            if (said := promised(x.expected)) is not None:
                record.said.append((said, gain))

    def gain(self, x: Experiment) -> float:
        """The gain to be expected of a proposal, in the metric's units: what its researcher's proposals of this kind
        gain on average, and so much of what it promises beyond its usual as such promises have been worth."""
        own = self._own.get((x.researcher, kind(x)), _Record())
        usual = fmean(self._all) if self._all else 0.0
        mean = (sum(own.gains) + PRIOR * usual) / (len(own.gains) + PRIOR)
        said = promised(x.expected)
        if said is None or len(own.said) < ENOUGH:
            return mean
        before = [promise for promise, _ in own.said]
        middle = fmean(before)
        spread = sum((promise - middle) ** 2 for promise in before) + PRIOR * middle**2
        together = sum((promise - middle) * gain for promise, gain in own.said)
        slope = min(1.0, max(0.0, together / spread)) if spread else 0.0
        return mean + slope * (min(max(said, min(before)), max(before)) - middle)


def order(study: Study, waiting: list[Experiment]) -> list[Experiment]:
    """Proposals that wait for their first run, in the order in which they are to have it: whoever was passed over too
    often, then those of which most is expected, and of equal ones the oldest."""
    if len(waiting) < 2:
        return waiting
    expected = Expectation(study)

    def place(x: Experiment) -> tuple[bool, float, int]:
        younger = takewhile(lambda other: other.id != x.id, reversed(study.experiments.values()))
        late = sum(bool(other.runs) for other in younger) >= PASSED_OVER
        return (not late, 0.0 if late else -expected.gain(x), x.id)

    return sorted(waiting, key=place)
