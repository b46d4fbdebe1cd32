"""curve: the current run over the champion's run, at equal training time."""

from collections.abc import Sequence
from itertools import islice

from loop.study.curves import Point, curve_of, smooth, value_at
from loop.study.experiment import Experiment, Run
from tui.model.view_state import ViewState
from tui.render.chart import Axis, Series, chart, span
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, brief, cells, cut, number, one_line, spread
from tui.widgets.panel import Panel, centred

_TELLING = 8
"""Samples that a curve needs before its distance from another one means anything."""

RunOf = tuple[Experiment, Run]
"""An experiment and one of its runs."""


def curve_lines(
    run: Sequence[Point],
    reference: Sequence[Point],
    budget: float,
    width: int,
    height: int,
    glyphs: Glyphs,
    logarithmic: bool = False,
) -> list[Line]:
    """The chart of both.

    How high a loss starts does not set a linear scale: only what comes after a quarter of the budget does, or of a run
    that has not come so far its newer half. A logarithmic scale has room for all of it.
    """
    values = [y for _, y in (*run, *reference)]
    if logarithmic and values and min(values) > 0 and max(values) < float("inf"):
        y = Axis(min(values) * 0.97, max(values) * 1.03, lambda value: number(value, 3), log=True)
    else:
        begin = 0.25 * budget
        late = [y for x, y in reference if x >= begin]
        late += [y for x, y in run if x >= min(begin, run[-1][0] / 2)]
        limits = span(late or values, 0.08)
        if limits is None:
            return []
        low, top = limits
        run, reference = [point for point in run if point[1] <= top], [point for point in reference if point[1] <= top]
        digits = 3 if top - low > 0.02 else 5
        y = Axis(low, top, lambda value: number(value, digits))
    x = Axis(0.0, max(budget, max((x for x, _ in run), default=0.0)), brief_axis)
    series = [Series(reference, "reference", ".", "dashed"), Series(run, "curve", "*")]
    return chart(series, width, height, x, y, glyphs)


def brief_axis(seconds: float) -> str:
    """A time on the axis."""
    return "0" if seconds == 0 else brief(seconds) if seconds < 60 or seconds % 60 == 0 else f"{seconds:.0f}s"


def comparison(
    known: ViewState,
    pair: RunOf,
    reference: RunOf | None,
    width: int,
    height: int,
    glyphs: Glyphs,
    logarithmic: bool = False,
) -> list[Line]:
    """Legend and chart of one run over another; empty where neither has reported a step."""
    metric = known.study.contract.metric
    name, points = curve_of(known.samples.get((pair[0].id, pair[1].number), []), metric)
    over: list[Point] = []
    if reference is not None and (reference[0].id, reference[1].number) != (pair[0].id, pair[1].number):
        over = curve_of(known.samples.get((reference[0].id, reference[1].number), []), metric)[1]
    if not points and not over:
        return []
    legend = _legend(pair, reference if over else None, name, points, over, width, glyphs)
    return [legend, (), *curve_lines(points, over, pair[1].budget, width, height - 2, glyphs, logarithmic)]


def _legend(
    pair: RunOf,
    reference: RunOf | None,
    name: str,
    points: list[Point],
    over: list[Point],
    width: int,
    glyphs: Glyphs,
) -> Line:
    """Which line is which, and how far apart they are at equal training time."""
    sign = "*" if glyphs.ascii else "━"
    spans: list[Span] = [(f"{sign} ", "curve"), (f"{pair[0].id}.{pair[1].number}", "running"), (f" {name}", "dim")]
    if points:
        spans.append((f" {number(points[-1][1], 4)}", "text"))
    if reference is not None:
        sign = "." if glyphs.ascii else "┅"
        spans += [(f"  {sign} ", "reference"), (f"champion {reference[0].id}", "kept")]
    right: list[Span] = []
    if min(len(points), len(over)) >= _TELLING:
        here = smooth(points)[-1]
        there = value_at(smooth(over), here[0])
        if there is not None:
            ahead = here[1] - there
            right = [(f"{number(abs(ahead), 2)} {'below' if ahead < 0 else 'above'}", "good" if ahead < 0 else "dim")]
    room = width - sum(cells(text) for text, _ in spans) - 1
    return spread(spans, right if sum(cells(text) for text, _ in right) <= room else [], width)


class CurvePanel(Panel):
    """The current run, or the last one while none is."""

    view = "curve"
    number = 3

    def __init__(self) -> None:
        super().__init__()
        self.logarithmic = False

    def pair(self) -> tuple[RunOf | None, RunOf | None]:
        """The run to draw, and the one to draw it over."""
        state = self.cockpit.known
        current = state.in_flight() or self._last()
        return current, state.reference()

    def _last(self) -> RunOf | None:
        study = self.cockpit.known.study
        recent = {*study.open, *islice(reversed(study.closed), 8), *study.lineage[-1:]}
        runs = ((x, run) for x in map(study.experiments.__getitem__, recent) for run in x.runs.values())
        return max(runs, key=lambda pair: pair[1].started_at, default=None)

    def wanted(self) -> set[tuple[int, int]]:
        """Runs whose samples are needed."""
        return {(pair[0].id, pair[1].number) for pair in self.pair() if pair is not None}

    def content(self, width: int, height: int) -> list[Line]:
        pair, reference = self.pair()
        if pair is None:
            return centred("no run yet: its loss is drawn here", width, height)
        lines = comparison(self.cockpit.known, pair, reference, width, height, self.cockpit.glyphs, self.logarithmic)
        return lines or centred(f"run {pair[0].id}.{pair[1].number} has not reported a step yet", width, height)

    def note(self) -> list[Span]:
        pair = self.pair()[0]
        if pair is None:
            return []
        scale: list[Span] = [("log  ", "faint")] if self.logarithmic else []
        return [*scale, (cut(one_line(pair[0].title), 34), "dim")]
