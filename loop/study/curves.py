"""A run's samples as a curve over its training time. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

Sample = tuple[float, Mapping[str, float]]
"""Seconds since the run started, and the values that it reported then by name."""

Point = tuple[float, float]
"""x and y; x is seconds since the run started."""


def curve_of(samples: Sequence[Sample], metric: str) -> tuple[str, list[Point]]:
    """The value of a run to compare at equal times, and its name: the loss where it reports one, else its metric, else
    anything with "loss" in its name, else the first by name. Empty where it has reported nothing."""
    names = {name for _, values in samples[-50:] for name in values}
    name = next((name for name in ("loss", "train_loss", metric) if name in names), None)
    if name is None:
        name = next((name for name in sorted(names) if "loss" in name), min(names, default=""))
    return name, [(seconds, values[name]) for seconds, values in samples if name in values]


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
