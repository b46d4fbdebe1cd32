"""Curves of several runs in one chart, told apart by line as well as by colour, and what each of them is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.study.curves import Point, smooth, value_at
from tui.render.chart import Axis, Kind, Series, chart, span
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, brief, cells, cut, number, spread

TELLING = 8
"""Samples that a curve needs before its distance from another one means anything."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one line looks; no two of them are alike without colour."""

    kind: Kind
    sign: str
    ascii: str
    role: str


FIRST = Style("line", "━", "*", "curve")
CHAMPION = Style("dashed", "┅", ".", "reference")
OTHERS = (
    Style("dotted", "┈", "+", "killed"),
    Style("dashdot", "╍", "x", "rejected"),
    Style("sparse", "·", "o", "tool"),
)
"""Of runs beside those two, in order; more lines than these tell nothing in one chart."""

SECOND = Style("dashed", "┅", ".", "kept")
"""Of the second run where no champion is drawn."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's curve."""

    name: str
    """What it is called in the legend."""
    points: Sequence[Point]
    style: Style


def overlaid(
    curves: Sequence[Curve],
    metric: str,
    budget: float,
    width: int,
    height: int,
    glyphs: Glyphs,
    *,
    logarithmic: bool = False,
    lower: bool | None = True,
) -> list[Line]:
    """Legend and chart of some curves, the first one on top; empty where none has a point.

    Args:
        metric: what the curves are of.
        budget: seconds that a run trains for.
        lower: lower is better; None where that is not known.
    """
    drawn = [curve for curve in curves if curve.points]
    if not drawn:
        return []
    legend = _legend(drawn, metric, width, glyphs, lower)
    return [legend, (), *_chart(drawn, budget, width, height - 2, glyphs, logarithmic)]


def _chart(
    curves: Sequence[Curve], budget: float, width: int, height: int, glyphs: Glyphs, logarithmic: bool
) -> list[Line]:
    """The chart alone.

    How high a loss starts does not set a linear scale: only what comes after a quarter of the budget does, or of the
    first run, where that has not come so far, its newer half. A logarithmic scale has room for all of it.
    """
    values = [y for curve in curves for _, y in curve.points]
    shown = [(curve, curve.points) for curve in curves]
    if logarithmic and min(values) > 0 and max(values) < float("inf"):
        y = Axis(min(values) * 0.97, max(values) * 1.03, lambda value: number(value, 3), log=True)
    else:
        half = min(0.25 * budget, curves[0].points[-1][0] / 2)
        late = [y for curve in curves for x, y in curve.points if x >= (half if curve is curves[0] else 0.25 * budget)]
        limits = span(late or values, 0.08)
        if limits is None:
            return []
        low, top = limits
        shown = [(curve, [point for point in curve.points if low <= point[1] <= top]) for curve in curves]
        digits = 3 if top - low > 0.02 else 5
        y = Axis(low, top, lambda value: number(value, digits))
    x = Axis(0.0, max([budget, *(curve.points[-1][0] for curve in curves)]), brief_axis)
    series = [Series(points, curve.style.role, curve.style.ascii, curve.style.kind) for curve, points in shown]
    return chart(series[::-1], width, height, x, y, glyphs)


def brief_axis(seconds: float) -> str:
    """A time on the axis."""
    return "0" if seconds == 0 else brief(seconds) if seconds < 60 or seconds % 60 == 0 else f"{seconds:.0f}s"


def _legend(curves: Sequence[Curve], metric: str, width: int, glyphs: Glyphs, lower: bool | None) -> Line:
    """Which line is which, and how far the first two are apart at equal training time."""
    spans: list[Span] = []
    for index, curve in enumerate(curves):
        sign = curve.style.ascii if glyphs.ascii else curve.style.sign
        spans += [(f"{'  ' if index else ''}{sign} ", curve.style.role), (curve.name, "text")]
        if not index:
            spans += [(f" {cut(metric, 16)}", "dim"), (f" {number(curve.points[-1][1], 4)}", "strong")]
    right: list[Span] = []
    if len(curves) > 1 and min(len(curve.points) for curve in curves[:2]) >= TELLING:
        here = smooth(curves[0].points)[-1]
        there = value_at(smooth(curves[1].points), here[0])
        if there is not None:
            ahead = here[1] - there
            role = "good" if lower is not None and ahead and (ahead < 0) == lower else "dim"
            right = [(f"{number(abs(ahead), 2)} {'below' if ahead < 0 else 'above'} at {brief(here[0])}", role)]
    room = width - sum(cells(text) for text, _ in spans) - 1
    return spread(spans, right if sum(cells(text) for text, _ in right) <= room else [], width)
