"""The progress chart as shapes with coordinates; the template draws them as inline SVG. Pure.

x is the experiment's number, y its mean. The champion's mean is a staircase with a band of two noises of one run around
it: what lies inside of that says little. What is far off the scale is drawn at the rim as an arrow, and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loop.reporting.page.facts import Point, Report
from loop.reporting.page.values import Value

WIDTH, HEIGHT = 960.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 78.0, 18.0, 18.0, 58.0
BAND = 2.0
"""Noises of one run on each side of the champion."""

REACH = 1.6
"""How many times the way from the baseline to the champion is on the scale beyond the worse of the two, at least."""


@dataclass(frozen=True, slots=True)
class Dot:
    """An experiment."""

    x: float
    y: float
    kind: str
    """kept, discarded, none (it has no number), or off (beyond the scale)."""
    who: int
    """Place of its researcher in the legend; -1 for the baseline."""
    value: Value | None
    said: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn."""

    dots: Sequence[Dot]
    stairs: str
    """Path of the champion's mean."""
    band: str
    """Outline of the noise around it."""
    x: Sequence[Tick]
    y: Sequence[Tick]
    off: int
    """Experiments beyond the scale."""


def chart(report: Report) -> Chart | None:
    """The chart of a report; None while fewer than two experiments have a number."""
    numbered = [point for point in report.points if point.value is not None]
    if len(numbered) < 2 or not report.steps:
        return None
    last = max(point.x for point in report.points)
    low, high = _range(report, [point.value.value for point in numbered if point.value is not None])
    across = WIDTH - LEFT - RIGHT
    down = HEIGHT - TOP - BOTTOM

    def x_of(number: float) -> float:
        return round(LEFT + across * number / max(1, last), 1)

    def y_of(value: float) -> float:
        return round(TOP + down * (high - min(high, max(low, value))) / (high - low), 1)

    dots = [_dot(report, point, low, high, x_of, y_of) for point in report.points]
    levels = _levels(report.steps, last)
    half = BAND * (report.sd or 0.0)
    upper = [(x_of(a), x_of(b), y_of(value + half)) for a, b, value in levels]
    under = [(x_of(a), x_of(b), y_of(value - half)) for a, b, value in levels]
    band = _stairs(upper) + _stairs([(b, a, y) for a, b, y in reversed(under)], "L") + "Z" if half else ""
    return Chart(
        dots=dots,
        stairs=_stairs([(x_of(a), x_of(b), y_of(value)) for a, b, value in levels]),
        band=band,
        x=[Tick(x_of(value), f"{value:.0f}") for value in ticks(0, last, 10) if value == int(value)],
        y=[Tick(y_of(value), f"{value:.6g}") for value in ticks(low, high, 6)],
        off=sum(dot.kind == "off" for dot in dots),
    )


def _range(report: Report, values: Sequence[float]) -> tuple[float, float]:
    """The scale: everything where that leaves the way to the champion readable, else that way and some room."""
    ways = [mean for _, mean in report.steps]
    best, worst = min(ways), max(ways)
    half = BAND * (report.sd or 0.0)
    room = max((worst - best) * REACH, 6 * (report.sd or 0.0)) or abs(best) * 0.05 or 1.0
    low = max(min(values), best - room) if min(values) < best - half else best - half
    high = min(max(values), worst + room) if max(values) > worst + half else worst + half
    margin = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    return low - margin, high + margin


def _dot(report: Report, point: Point, low: float, high: float, x_of, y_of) -> Dot:  # type: ignore[no-untyped-def]
    who = report.names.index(point.who) if point.who in report.names else -1
    if point.value is None:
        said = f"{point.x}: {point.title} ({point.verdict.replace('_', ' ')})"
        return Dot(x_of(point.x), HEIGHT - BOTTOM, "none", who, None, said)
    value = point.value.value
    kind = "kept" if point.verdict == "kept" else "discarded"
    if not low <= value <= high:
        kind = "off"
    said = f"{point.x}: {point.title}, {point.value.text} ({point.verdict.replace('_', ' ')})"
    return Dot(x_of(point.x), y_of(value), kind, who, point.value, said)


def _levels(steps: Sequence[tuple[int, float]], last: int) -> list[tuple[float, float, float]]:
    """Each champion's reign: from its number to the next one's, and its mean."""
    ends = [number for number, _ in steps[1:]] + [last]
    return [(number, max(number, end), mean) for (number, mean), end in zip(steps, ends, strict=True)]


def _stairs(levels: Sequence[tuple[float, float, float]], first: str = "M") -> str:
    parts = []
    for number, (a, b, y) in enumerate(levels):
        parts.append(f"{first if number == 0 else 'L'}{a} {y}L{b} {y}")
    return "".join(parts)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]
