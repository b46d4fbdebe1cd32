"""progress: every experiment as a point, the best so far as a step line, and the noise around it."""

from collections.abc import Sequence

from loop.reporting.table import claimed
from loop.study.curves import Point
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tui.render.chart import Axis, Mark, Series, chart
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, number, sigmas, spread
from tui.widgets.panel import Panel, centred

AUTOML = "automl"
"""Name of the researcher that is an optimiser."""

_MARKED = 400
"""Kept experiments that get a sign of their own; with more, a sign is no longer a single experiment anyway."""


def y_limits(values: Sequence[float], best: Sequence[float], goal: str) -> tuple[float, float]:
    """The range to show: all of the best so far, and of the rest as much as is not a wild outlier.

    A change that ruined the model must not flatten the 1% that matters; it is drawn at the edge.
    """
    low, high = min(best), max(best)
    ordered = sorted(values)
    if ordered:
        middle = ordered[len(ordered) * 85 // 100] if goal == "min" else ordered[len(ordered) * 15 // 100]
        low, high = min(low, middle), max(high, middle)
    room = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
    return low - room, high + room


def progress_lines(study: Study, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The chart; empty where nothing has a number yet."""
    judged = sorted((x for x in study.experiments.values() if x.verdict is not None), key=lambda x: x.id)
    measured = [x for x in judged if x.metric is not None]
    if not measured:
        return []
    steps = best_so_far(study, measured)
    low, high = y_limits(
        [x.metric for x in measured if x.metric is not None], [y for _, y in steps], study.contract.goal
    )
    last = max(8.0, float(max(study.experiments)))
    dots = [(float(x.id), x.metric) for x in measured if x.verdict == Outcome.DISCARDED and x.metric is not None]
    few = len(dots) <= _MARKED
    kept = [x for x in measured if x.verdict == Outcome.KEPT][-_MARKED:]
    marks = [Mark(x, y, glyphs.point, "discarded") for x, y in dots] if few else []
    marks += [Mark(x.id, x.metric or 0.0, glyphs.state["kept"], "kept") for x in kept]
    floor = low if study.contract.goal == "max" else high
    marks += [
        Mark(x.id, floor, glyphs.state[x.verdict or "crashed"], x.verdict or "crashed")
        for x in judged[-_MARKED:]
        if x.metric is None
    ]
    if study.champion is not None and (best := study.experiments[study.champion]).metric is not None:
        marks.append(Mark(best.id, best.metric, glyphs.champion, "champion"))
    noise = next((x.noise for x in reversed(judged) if x.noise), None)
    middle = steps[-1][1]
    band = (middle - 2 * noise, middle + 2 * noise) if noise else None
    digits = 4 if high - low > 0.004 * abs(high) else 6
    optimiser = optimiser_steps(study)
    return chart(
        [
            Series([] if few else dots, "discarded", ".", "dots"),
            Series([*optimiser, (last, optimiser[-1][1])] if optimiser else [], "automl", "~", "step"),
            Series([*steps, (last, middle)], "reference", "-", "step"),
        ],
        width,
        height,
        Axis(0.0, last, lambda value: f"{value:.0f}"),
        Axis(low, high, lambda value: number(value, digits)),
        glyphs,
        marks=marks,
        band=band,
    )


def best_so_far(study: Study, measured: Sequence[Experiment]) -> list[Point]:
    """The champion's metric over the experiments: each champion from its own number on.

    One that a person went back to stands right after those it replaced.
    """
    points: list[Point] = []
    for experiment in (study.experiments[key] for key in study.lineage):
        if experiment.metric is not None:
            last = points[-1][0] if points else -1.0
            points.append((max(float(experiment.id), last + 0.5), experiment.metric))
    return points or [(float(measured[0].id), measured[0].metric or 0.0)]


def optimiser_steps(study: Study) -> list[Point]:
    """The best that AutoML alone has found so far, which a language model has to beat.

    It steps only where a number is better by more than twice the noise, so the luckiest of a hundred runs does not
    count. Empty where no other researcher proposes, since it would be the best so far itself; a person's own edits do
    not make them one.
    """
    tried = [x for x in study.experiments.values() if x.id and x.metric is not None]
    if all(x.researcher == AUTOML or x.submitted for x in tried) or (
        study.baseline is None or study.baseline.metric is None
    ):
        return []
    points: list[Point] = []
    best = study.baseline.metric
    for experiment in sorted(tried, key=lambda x: x.id):
        if experiment.researcher != AUTOML or experiment.metric is None:
            continue
        if not points:
            points.append((float(experiment.id), best))
        if study.contract.better_by(experiment.metric, best) > 2 * (experiment.noise or 0.0):
            best = experiment.metric
            points.append((float(experiment.id), best))
    return points


class ProgressPanel(Panel):
    """All experiments in one chart."""

    view = "progress"
    number = 4

    def content(self, width: int, height: int) -> list[Line]:
        study, glyphs = self.cockpit.known.study, self.cockpit.glyphs
        lines = progress_lines(study, width, height - 1, glyphs)
        if not lines:
            return centred("no number yet: every experiment becomes a point here", width, height)
        return [self._legend(study, width), *lines]

    def _legend(self, study: Study, width: int) -> Line:
        glyphs = self.cockpit.glyphs
        metric = study.contract.metric + claimed(study)
        spans: list[Span] = [(metric, "dim"), ("  " + glyphs.state["kept"] + " kept  ", "kept")]
        spans += [(glyphs.point + " discarded  ", "discarded"), (glyphs.state["crashed"] + " no number", "crashed")]
        if optimiser_steps(study):
            spans.append((f"  {'~' if glyphs.ascii else '━'} AutoML alone", "automl"))
        return spread(spans, [(f"{glyphs.plusminus}2{glyphs.sigma} {glyphs.dot}{glyphs.dot}", "band")], width)

    def note(self) -> list[Span]:
        study = self.cockpit.known.study
        best, base = study.best, study.baseline
        if best is None or base is None or best.metric is None or base.metric is None:
            return []
        if best.id == 0:
            judged = study.judged()
            return [(f"0 of {judged} beat the noise", "dim")] if judged else []
        gain = study.contract.better_by(best.metric, base.metric)
        return [(f"{sigmas(gain, best.noise)} over baseline", "kept")]
