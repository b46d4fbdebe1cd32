"""progress: every experiment as a point, the best so far as a step line, and the noise around it."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.reporting.table import change, claimed
from loop.study.curves import Point
from loop.study.figures import Figures
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tui.render.chart import Axis, Mark, Series, chart
from tui.render.glyphs import Glyphs
from tui.render.packing import packed, part
from tui.render.text import Line, Span, number, sigmas
from tui.widgets.panel import Panel, centred

AUTOML = "automl"
"""Name of the researcher that is an optimiser."""

_MARKED = 400
"""Kept experiments that get a sign of their own; with more, a sign is no longer a single experiment anyway."""


ZOOMS = {"all": "all experiments", "recent": "the newest hundred", "near": "within 6σ of the champion"}
"""What `l` goes round in here."""

_RECENT, _NEAR = 100, 6.0
"""Experiments of one zoom, and noises up and down of the other."""


def y_limits(values: Sequence[float], best: Sequence[float], goal: str, noise: float | None) -> tuple[float, float]:
    """The range to show: all of the best so far, and of the rest as much as is not a wild outlier.

    A change that ruined the model must not flatten the 1% that matters: it is counted as off the scale. Of a study
    with nothing but its baseline the range is a few noises wide, so that its band is a band and not the whole ground.
    """
    low, high = min(best), max(best)
    ordered = sorted(values)
    if ordered:
        middle = ordered[len(ordered) * 85 // 100] if goal == "min" else ordered[len(ordered) * 15 // 100]
        low, high = min(low, middle), max(high, middle)
    if noise and high - low < 2 * _NEAR * noise:
        middle = (low + high) / 2
        low, high = min(low, middle - _NEAR * noise), max(high, middle + _NEAR * noise)
    room = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
    return low - room, high + room


@dataclass(frozen=True, slots=True)
class Scene:
    """What the chart shows: the points of a study by kind, and the range that they are drawn in."""

    tried: list[Point]
    """Everything with a number that is neither champion nor kept."""
    kept: list[Point]
    failed: list[tuple[float, str]]
    """Place and verdict of what has no number."""
    steps: list[Point]
    x: tuple[float, float]
    y: tuple[float, float]
    off: int
    """Points beyond the range."""


def scene_of(study: Study, figures: Figures, zoom: str = "all") -> Scene | None:
    """What to draw; None where nothing has a number yet."""
    judged = sorted((x for x in study.experiments.values() if x.verdict is not None), key=lambda x: x.id)
    points = {x.id: figure.mean for x in judged if (figure := figures.of(x)) is not None}
    if not points:
        return None
    steps = best_so_far(study, figures) or [(float(min(points)), points[min(points)])]
    last = max(8.0, float(max(study.experiments)))
    first = max(0.0, last - _RECENT) if zoom == "recent" else 0.0
    seen = {number: value for number, value in points.items() if number >= first}
    held = [y for x, y in steps if x >= first] + [y for x, y in steps if x < first][-1:]
    low, high = y_limits(list(seen.values()), held, study.contract.goal, figures.noise)
    if zoom == "near" and figures.noise:
        middle = steps[-1][1]
        low, high = middle - _NEAR * figures.noise, middle + _NEAR * figures.noise
    shown = {number: value for number, value in seen.items() if low <= value <= high}
    kept = {x.id for x in judged if x.verdict == Outcome.KEPT}
    return Scene(
        [(float(number), value) for number, value in shown.items() if number not in kept],
        [(float(number), value) for number, value in shown.items() if number in kept],
        [(float(x.id), x.verdict) for x in judged if x.id not in points and x.id >= first and x.verdict is not None],
        steps,
        (first, last),
        (low, high),
        len(seen) - len(shown),
    )


def progress_lines(study: Study, figures: Figures, scene: Scene, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The chart. What has no number has a row of its own at the bad end."""
    (low, high), (first, last) = scene.y, scene.x
    row = (high - low) / max(3, height - 3)
    worse_is_up = study.contract.goal == "min"
    floor = high + row if worse_is_up else low - row
    low, high = min(low, floor), max(high, floor)
    few = len(scene.tried) <= _MARKED
    marks = [Mark(x, y, glyphs.point, "discarded") for x, y in scene.tried] if few else []
    marks += [Mark(x, floor, glyphs.state[verdict], verdict) for x, verdict in scene.failed[-_MARKED:]]
    marks += [Mark(x, y, glyphs.state["kept"], "kept") for x, y in scene.kept[-_MARKED:]]
    if study.champion is not None and (best := figures.best) is not None:
        marks.append(Mark(study.champion, best.mean, glyphs.champion, "champion"))
    middle = scene.steps[-1][1]
    band = (middle - 2 * figures.noise, middle + 2 * figures.noise) if figures.noise else None
    digits = 4 if high - low > 0.004 * abs(high) else 6
    optimiser = _within(optimiser_steps(study, figures), first, last)
    return chart(
        [
            Series([] if few else scene.tried, "discarded", ".", "dots"),
            Series(optimiser, "automl", "~", "step"),
            Series(_within(scene.steps, first, last), "reference", "-", "step"),
        ],
        width,
        height,
        Axis(first, last, lambda value: f"{value:.0f}"),
        Axis(low, high, lambda value: number(value, digits)),
        glyphs,
        marks=marks,
        band=band,
    )


def _within(steps: list[Point], first: float, last: float) -> list[Point]:
    """A step line from `first` to `last`."""
    if not steps:
        return []
    before = [y for x, y in steps if x < first][-1:]
    return [*((first, y) for y in before), *((x, y) for x, y in steps if x >= first), (last, steps[-1][1])]


def best_so_far(study: Study, figures: Figures) -> list[Point]:
    """The champion's mean over the experiments: each champion from its own number on.

    One that a person went back to stands right after those it replaced.
    """
    points: list[Point] = []
    for experiment in (study.experiments[key] for key in study.lineage):
        if (figure := figures.of(experiment)) is not None:
            last = points[-1][0] if points else -1.0
            points.append((max(float(experiment.id), last + 0.5), figure.mean))
    return points


def optimiser_steps(study: Study, figures: Figures) -> list[Point]:
    """The best that AutoML alone has found so far, which a language model has to beat.

    It steps only where a number is better by more than twice the noise, so the luckiest of a hundred runs does not
    count. Empty where no other researcher proposes, since it would be the best so far itself; a person's own edits do
    not make them one.
    """
    tried = [x for x in study.experiments.values() if x.id and x.metric is not None and not x.imported]
    if all(x.researcher == AUTOML or x.submitted for x in tried) or (
        study.baseline is None or (base := figures.of(study.baseline)) is None
    ):
        return []
    points: list[Point] = []
    best = base.mean
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

    def __init__(self) -> None:
        super().__init__()
        self.zoom = "all"
        """A key of `ZOOMS`."""

    def scale(self) -> str:
        """Show the next of `ZOOMS`; returns what that is."""
        ways = list(ZOOMS)
        self.zoom = ways[(ways.index(self.zoom) + 1) % len(ways)]
        self.redraw_with_note()
        return ZOOMS[self.zoom]

    def content(self, width: int, height: int) -> list[Line]:
        study, figures = self.cockpit.known.study, self.cockpit.known.figures
        scene = scene_of(study, figures, self.zoom)
        if scene is None:
            return centred("no number yet: every experiment becomes a point here", width, height)
        drawn = progress_lines(study, figures, scene, width, height - 1, self.cockpit.glyphs)
        return [self._legend(study, figures, scene.off, width), *drawn]

    def _legend(self, study: Study, figures: Figures, off: int, width: int) -> Line:
        glyphs = self.cockpit.glyphs
        metric = study.contract.metric + claimed(study)
        band = f"{glyphs.plusminus}2{glyphs.sigma} {glyphs.dot}{glyphs.dot}"
        parts = [
            part(0, [(metric, "dim")]),
            part(2, [(f"{glyphs.state['kept']} kept", "kept")]),
            part(3, [(f"{glyphs.point} discarded", "discarded")]),
            part(4, [(f"{glyphs.state['crashed']} no number", "crashed")]),
            part(
                1,
                [(f"{'~' if glyphs.ascii else '━'} AutoML alone", "automl")] if optimiser_steps(study, figures) else [],
            ),
            part(1, [(f"{off} off scale", "warn")] if off else [], right=True),
            part(5, [(band, "band")] if figures.noise else [], right=True),
        ]
        return packed(parts, width + 2)[1:]

    def note(self) -> list[Span]:
        study = self.cockpit.known.study
        figures, zoom = self.cockpit.known.figures, ([] if self.zoom == "all" else [(f"{self.zoom}  ", "warn")])
        gain = figures.gain(study.best)
        if gain is None:
            return []
        if study.champion == 0:
            judged = study.judged()
            return [*zoom, (f"0 of {judged} beat the noise", "dim")] if judged else []
        noises = sigmas(gain, figures.noise).lstrip("+") if figures.noise else ""
        over = " over baseline" if self.boxed else ""
        return [*zoom, (f"{change(study)}{f' ({noises})' if noises else ''}{over}", "kept")]
