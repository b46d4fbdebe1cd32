"""What a program asks a run's output for, and which of the numbers found under a name counts. Pure.

Every number under the metric's name, exact, loose or alike (`names`), is put with those of the same spelling and kind
of line, and only so much is kept of them as `take` may ask for. At the end the closest spelling counts, and of that
spelling the firmest kind of line: `METRIC name=value`, else a line (or a JSON object) that says nothing else, else a
line of progress. Where two spellings are equally close and equally firm, none is taken and both are named.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from loop import words
from loop.runs.reading.numbers import Number
from loop.study.contract import Contract
from loop.study.measure import MetricSource, Printed

METRIC_LINE, SUMMARY, SAMPLE = 3, 2, 1
"""How firmly a line says a number."""

Firmness = Literal[1, 2, 3]

SPELLINGS = 16
"""Spellings of one name that are told apart; the one heard of for longest gives way."""


_ANYWHERE, _NONE = MetricSource(), Number(math.nan)


@dataclass(frozen=True)
class Wanted:
    """What a program asks a run's output for."""

    metric: str = ""
    """Name of the number that is compared; empty where nothing is asked for."""
    source: MetricSource = _ANYWHERE
    """Where that number stands, where its name alone does not find it."""
    others: tuple[str, ...] = ()
    """Names that the program requires or reports."""

    @property
    def by_name(self) -> bool:
        """Whether the metric is looked for by its name in the run's output."""
        return self.source.pattern is None and self.source.key is None and self.source.file is None


def wanted_by(contract: Contract, kind: Literal["run", "verify", "try", "scratch"]) -> Wanted:
    """What is asked of a run or a verification: `source` speaks of the one whose number counts."""
    counts = (kind == "verify") == (contract.verify is not None)
    others = dict.fromkeys([*(one.name for one in contract.require), *contract.report])
    return Wanted(contract.metric, contract.source if counts else MetricSource(), tuple(others))


@dataclass
class Series:
    """What is kept of all numbers of one spelling and kind of line."""

    label: str
    count: int = 0
    first: Number = _NONE
    last: Number = _NONE
    least: Number = _NONE
    most: Number = _NONE
    mean: float = math.nan

    def add(self, number: Number) -> None:
        if self.count == 0:
            self.first, self.mean = number, 0.0
        self.count += 1
        self.last = number
        self.mean += (number.value - self.mean) / self.count
        if number.value < self.least.value or math.isnan(self.least.value):
            self.least = number
        if number.value > self.most.value or math.isnan(self.most.value):
            self.most = number

    def taken(self, take: str) -> Number:
        if take == "mean":
            return self.last._replace(value=self.mean)
        return {"first": self.first, "min": self.least, "max": self.most}.get(take, self.last)


@dataclass
class Findings:
    """All that was found of one name."""

    series: dict[tuple[int, int, str], Series] = field(default_factory=dict)
    """By closeness, firmness and spelling."""

    def add(self, label: str, closeness: int, firmness: int, number: Number) -> None:
        key = (closeness, firmness, label)
        series = self.series.pop(key, None) or Series(label)
        self.series[key] = series
        series.add(number)
        if len(self.series) > SPELLINGS:
            # Of the least close: no flood of names that end alike drives out the one that was asked for.
            del self.series[min(self.series, key=lambda one: one[:2])]

    def demote(self) -> None:
        """A line `---` begins the summary: what stood alone before it is progress now."""
        for (near, firm, label), series in list(self.series.items()):
            if firm == SUMMARY:
                del self.series[near, firm, label]
                earlier = self.series.get((near, SAMPLE, label))
                if earlier is None:
                    self.series[near, SAMPLE, label] = series
                else:
                    earlier.last = series.last

    def best(self) -> list[Series]:
        """The series that count: one, or several that are equally good."""
        if not self.series:
            return []
        rank = max(key[:2] for key in self.series)
        return [series for key, series in self.series.items() if key[:2] == rank]

    def counts(self, take: str) -> tuple[Number, Printed] | None:
        """The number that counts and how it was printed; None where there is none, or no telling which."""
        found = self.best()
        if len(found) != 1:
            return None
        number = found[0].taken(take)
        return number, Printed(name=found[0].label, unit=number.unit, comma=number.comma)

    def torn_between(self) -> str:
        """The spellings between which there is no telling; empty where there is one, or none."""
        found = self.best()
        return words.listed([f'"{series.label}"' for series in found]) if len(found) > 1 else ""
