"""A run's samples as a curve over its training time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Literal

from pydantic import BaseModel, ConfigDict

Sample = tuple[float, Mapping[str, float]]
"""Seconds since the run started, and the values that it reported then by name."""

Point = tuple[float, float]
"""x and y; x is seconds since the run started."""


def curve_of(samples: Sequence[Sample], metric: str) -> tuple[str, list[Point]]:
    """The value of a run to compare at equal times, and its name: the loss where it reports one, else its metric, else
    anything with "loss" in its name, else the first by name. Empty where it has reported nothing."""
    name = name_of(names_of(samples), metric)
    return name, values_of(samples, name)


def names_of(samples: Sequence[Sample]) -> list[str]:
    """Names of the values that a run has reported of late, in order."""
    return sorted({name for _, values in samples[-50:] for name in values})


def values_of(samples: Sequence[Sample], name: str) -> list[Point]:
    """One value of a run over its time; empty where it has never reported it."""
    return [(seconds, values[name]) for seconds, values in samples if name in values]


def name_of(names: Iterable[str], metric: str) -> str:
    """Which of the values that a run reports stands for how far it has come; "" where it reports none."""
    known = sorted(names)
    name = next((name for name in ("loss", "train_loss", metric) if name in known), None)
    return name or next((name for name in known if "loss" in name), min(known, default=""))


def value_at(points: Sequence[Point], x: float) -> float | None:
    """The value at `x` on the straight line between its two neighbours; None outside of the points."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= x <= x1:
            return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return None


def stretches(points: Sequence[Point], count: int = 10) -> list[Point]:
    """A curve in at most `count` points: the mean over each of as many stretches of equal length, at its end."""
    if not points:
        return []
    first, last = points[0][0], points[-1][0]
    length = (last - first) / count
    parts: dict[int, list[float]] = {}
    for x, y in points:
        parts.setdefault(min(count - 1, int((x - first) / length)) if length else 0, []).append(y)
    return [(first + (place + 1) * length, sum(some) / len(some)) for place, some in sorted(parts.items())]


def smooth(points: Sequence[Point], span_points: int = 12) -> list[Point]:
    """A running mean over about `span_points`, so that a comparison is not of two noisy samples."""
    result: list[Point] = []
    mean = 0.0
    for index, (x, y) in enumerate(points):
        weight = 1 / min(index + 1, span_points)
        mean += (y - mean) * weight
        result.append((x, mean))
    return result


PARTS = 20
"""Parts of equal length into which a run's training time is divided to be compared with another's."""


class RunCurve(BaseModel):
    """One value of a run over its training time, in `PARTS` parts."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    by: Literal["progress", "clock"]
    """What tells the training time: what the run itself says is done of its budget, or the seconds since its first
    step line. The two are never compared."""
    values: tuple[float | None, ...]
    """The mean of what it reported in each part; None where it reported nothing."""

    def at(self, part: int) -> float | None:
        """The value of a part; of one without, on the straight line between its neighbours. None outside of them."""
        if 0 <= part < len(self.values) and (value := self.values[part]) is not None:
            return value
        return value_at([(float(x), y) for x, y in enumerate(self.values) if y is not None], float(part))

    @property
    def last(self) -> float | None:
        """Where it ended: the mean over the last quarter of its time; of fewer the batches' luck would be left."""
        known = [value for value in self.values[-PARTS // 4 :] if value is not None]
        known = known or [value for value in self.values if value is not None][-1:]
        return sum(known) / len(known) if known else None


class CurveReader:
    """Makes a run's curve from its samples as they come.

    Args:
        metric: the study's, which may be what the run reports.
        budget: seconds; None where the run's own word is all that tells its training time.
    """

    def __init__(self, metric: str, budget: float | None) -> None:
        self._metric, self._budget = metric, budget
        self._name = ""
        self._by: Literal["progress", "clock"] | None = None
        self._first = 0.0
        self._sums = [(0.0, 0)] * PARTS
        self.part = -1
        """The newest part that has a value."""

    def add(self, at: float, progress: float | None, values: Mapping[str, float]) -> int | None:
        """Take in a sample; returns the newest part that is done and has a value, once with each.

        Args:
            at: seconds on a clock that never goes back.
            progress: share of the training that is done, where the run says.
        """
        self._name = self._name or name_of(values, self._metric)
        value = values.get(self._name)
        if value is None or not isfinite(value):
            return None
        if self._by is None:
            self._by, self._first = "clock" if progress is None else "progress", at
        if self._by == "clock" and self._budget is not None:
            progress = (at - self._first) / self._budget
        if progress is None or not 0 <= progress <= 1:
            return None
        part = min(PARTS - 1, int(progress * PARTS))
        before, self.part = self.part, max(self.part, part)
        total, count = self._sums[part]
        self._sums[part] = total + value, count + 1
        return before if 0 <= before < self.part else None

    def curve(self) -> RunCurve | None:
        """What there is of it by now; None where that is nothing."""
        if self._by is None or self.part < 0:
            return None
        values = (float(f"{total / count:.6g}") if count else None for total, count in self._sums)
        return RunCurve(name=self._name, by=self._by, values=tuple(values))
