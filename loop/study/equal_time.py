"""Where a run stands against the champion at equal training time, by their curves. Pure.

The champion's curve is the mean over its runs. How much such curves scatter by themselves is told by runs of the same
file under other seeds: those of the champion, and of the baseline.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from loop.study.curves import Point

LEAST_SPREAD = 2
"""Degrees of freedom from which a scatter is worth telling: three runs of one file."""


@dataclass(frozen=True, slots=True)
class Lead:
    """How far a run is ahead of the champion; positive is better."""

    by: float
    """In the units of the curve."""
    scatter: float | None
    """Standard deviation of curves of one file at this time; None while too few runs tell."""
    at: float
    """Seconds of training at which they are compared."""

    @property
    def sigmas(self) -> float | None:
        """The lead in units of the scatter."""
        return self.by / self.scatter if self.scatter else None


@dataclass(frozen=True, slots=True)
class Course:
    """A smoothed curve to look values up in; x is seconds of training and never falls."""

    xs: Sequence[float]
    ys: Sequence[float]

    @classmethod
    def of(cls, points: Sequence[Point]) -> "Course":
        """The course through these points."""
        return cls([x for x, _ in points], [y for _, y in points])

    def at(self, x: float) -> float | None:
        """The value at `x`, between its neighbours; None outside of the curve."""
        if not self.xs or not self.xs[0] <= x <= self.xs[-1]:
            return None
        after = bisect_right(self.xs, x)
        if after == len(self.xs):
            return self.ys[-1]
        x0, x1, y0, y1 = self.xs[after - 1], self.xs[after], self.ys[after - 1], self.ys[after]
        return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def lead(now: Point, champion: Sequence[Course], others: Sequence[Sequence[Course]], *, rises: bool) -> Lead | None:
    """How far a run that has come to `now` is ahead of the champion; None where the champion has no curve there.

    Args:
        now: seconds of training, and the smoothed value there.
        champion: the courses of its runs.
        others: courses of the runs of other files, each by itself, such as those of the baseline.
        rises: more is better.
    """
    x, y = now
    there = _values(champion, x)
    if not there or not math.isfinite(y):
        return None
    ahead = sum(there) / len(there) - y
    squares, freedom = 0.0, 0
    for values in (there, *(_values(courses, x) for courses in others)):
        mean = sum(values) / len(values) if values else 0.0
        squares += sum((value - mean) ** 2 for value in values)
        freedom += max(0, len(values) - 1)
    scatter = math.sqrt(squares / freedom) if freedom >= LEAST_SPREAD else None
    return Lead(-ahead if rises else ahead, scatter or None, x)


def _values(courses: Sequence[Course], x: float) -> list[float]:
    found = (course.at(x) for course in courses)
    return [value for value in found if value is not None and math.isfinite(value)]
