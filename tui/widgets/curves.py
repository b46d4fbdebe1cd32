"""curve: a run over the champion's, those that are marked and the other current ones, at equal training time."""

from collections.abc import Sequence
from itertools import islice

from loop.study.curves import curve_of, names_of, values_of
from loop.study.experiment import Experiment, Run
from tui.model.view_state import ViewState
from tui.render.curves import CHAMPION, FIRST, OTHERS, SECOND, Curve, overlaid
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cut, one_line
from tui.widgets.panel import Panel, centred

RunOf = tuple[Experiment, Run]
"""An experiment and one of its runs."""


def comparison(
    known: ViewState,
    pair: RunOf,
    reference: RunOf | None,
    width: int,
    height: int,
    glyphs: Glyphs,
    logarithmic: bool = False,
    *,
    others: Sequence[RunOf] = (),
    metric: str = "",
    named: bool = False,
) -> list[Line]:
    """Legend and chart of one run over another; empty where neither has reported a step.

    Args:
        others: further runs to draw, as many as `OTHERS` has styles for.
        metric: the value to draw; empty for the one that compares best.
        named: the legend has the number of the experiment alone, and not that of its run.
    """
    first = known.samples.get(_key(pair), [])
    name = metric or curve_of(first, known.study.contract.metric)[0]
    curves = [Curve(f"{pair[0].id}" if named else f"{pair[0].id}.{pair[1].number}", values_of(first, name), FIRST)]
    drawn = {_key(pair)}
    if reference is not None and _key(reference) not in drawn:
        drawn.add(_key(reference))
        samples = known.samples.get(_key(reference), [])
        wanted = name or curve_of(samples, known.study.contract.metric)[0]
        curves.append(Curve(f"champion {reference[0].id}", values_of(samples, wanted), CHAMPION))
    fresh = [one for one in others if _key(one) not in drawn]
    curves += [
        Curve(f"{one[0].id}", values_of(known.samples.get(_key(one), []), name), style)
        for one, style in zip(fresh, OTHERS if reference is not None else (SECOND, *OTHERS), strict=False)
    ]
    lower = better_lower(known, name)
    return overlaid(curves, name, pair[1].budget, width, height, glyphs, logarithmic=logarithmic, lower=lower)


def better_lower(known: ViewState, name: str) -> bool | None:
    """Whether lower values of that name are better; None where that is not known."""
    if name == known.study.contract.metric:
        return known.study.contract.goal == "min"
    return True if "loss" in name else None


def _key(pair: RunOf) -> tuple[int, int]:
    return pair[0].id, pair[1].number


class CurvesPanel(Panel):
    """The run under a person's cursor, else the current one, or the last one while none is."""

    view = "curves"

    def __init__(self) -> None:
        super().__init__()
        self.logarithmic = False
        self.metric = ""
        """The value that is drawn; empty for the one that compares best."""

    def pair(self) -> tuple[RunOf | None, RunOf | None]:
        """The run to draw, and the one to draw it over."""
        state = self.cockpit.known
        number = self.cockpit.under_cursor()
        chosen = None if number is None else state.newest_run(number)
        return chosen or self._current() or self._last(), state.reference()

    def _current(self) -> RunOf | None:
        """Of the current runs the newest that has reported a step, else the newest."""
        state = self.cockpit.known
        told = [pair for pair in state.study.running() if state.samples.get(_key(pair))]
        return max(told, key=lambda pair: pair[1].started_at, default=None) or state.in_flight()

    def _last(self) -> RunOf | None:
        study = self.cockpit.known.study
        recent = {*study.open, *islice(reversed(study.closed), 8), *study.lineage[-1:]}
        runs = ((x, run) for x in map(study.experiments.__getitem__, recent) for run in x.runs.values())
        return max(runs, key=lambda pair: pair[1].started_at, default=None)

    def others(self) -> list[RunOf]:
        """The runs of the marked experiments, the newest marks first; over a current run then the other current ones,
        the oldest first. As many as are drawn."""
        known = self.cockpit.known
        found = [known.reference(number) or known.newest_run(number) for number in reversed(known.marked)]
        found += self._beside()
        taken = {_key(pair) for pair in self.pair() if pair is not None}
        return [one for one in found if one is not None and _key(one) not in taken][: len(OTHERS)]

    def _beside(self) -> list[RunOf]:
        """The other current runs that have reported a step, where the run that is drawn is a current one."""
        known, drawn = self.cockpit.known, self.pair()[0]
        current = sorted(known.study.running(), key=lambda pair: pair[1].started_at)
        if drawn is None or _key(drawn) not in map(_key, current):
            return []
        return [pair for pair in current if _key(pair) != _key(drawn) and known.samples.get(_key(pair))]

    def wanted(self) -> set[tuple[int, int]]:
        """Runs whose samples are needed."""
        return {_key(pair) for pair in (*self.pair(), *self.others()) if pair is not None}

    def names(self) -> list[str]:
        """What the drawn run reports, in order; the value that compares best first."""
        pair, reference = self.pair()
        metric = self.cockpit.known.study.contract.metric
        for one in (pair, reference):
            samples = self.cockpit.known.samples.get(_key(one), []) if one is not None else []
            if found := names_of(samples):
                best = curve_of(samples, metric)[0]
                return [best, *(name for name in found if name != best)]
        return []

    def draw(self, direction: int = 1) -> str:
        """Draw the next value that the run reports; returns its name, and "" where it reports only one."""
        names = self.names()
        if len(names) < 2:
            return ""
        at = names.index(self.metric) if self.metric in names else 0
        name = names[(at + direction) % len(names)]
        self.metric = "" if name == names[0] else name
        self.redraw_with_note()
        return name

    def content(self, width: int, height: int) -> list[Line]:
        pair, reference = self.pair()
        if pair is None:
            return centred("no run yet: its loss is drawn here", width, height)
        lines = comparison(
            self.cockpit.known, pair, reference, width, height, self.cockpit.glyphs, self.logarithmic,
            others=self.others(), metric=self.metric,
        )  # fmt: skip
        if self.metric and not lines:
            return centred(f"no run here reports {self.metric}; m draws another value", width, height)
        return lines or centred(f"run {pair[0].id}.{pair[1].number} has not reported a step yet", width, height)

    def note(self) -> list[Span]:
        pair = self.pair()[0]
        if pair is None:
            return []
        hidden = len({*map(_key, self._beside())} - {*map(_key, self.others())})
        more: list[Span] = [(f"+{hidden} more, chosen in runs  ", "faint")] if hidden else []
        scale: list[Span] = [("log  ", "faint")] if self.logarithmic else []
        drawn: list[Span] = [(f"{cut(self.metric, 20)}  ", "warn")] if self.metric else []
        return [*more, *drawn, *scale, (cut(one_line(pair[0].title), 34), "dim")]
