"""progress: every experiment as a point, the best so far as a step line, and the noise around it."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.policy import false_discovery
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
"""What `y` goes round in."""

_FOOTED = 9
"""Lines from which there is room for the line below the chart."""

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
    failed: int
    """How many have no number."""
    steps: list[Point]
    x: tuple[float, float]
    y: tuple[float, float]
    above: int
    """Points beyond the range, at its upper and its lower end: they are counted, and never drawn at the rim."""
    below: int


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
        sum(x.id not in points and x.id >= first for x in judged),
        steps,
        (first, last),
        (low, high),
        sum(value > high for value in seen.values()),
        sum(value < low for value in seen.values()),
    )


def progress_lines(study: Study, figures: Figures, scene: Scene, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The chart."""
    (low, high), (first, last) = scene.y, scene.x
    few = len(scene.tried) <= _MARKED
    marks = [Mark(x, y, glyphs.point, "discarded") for x, y in scene.tried] if few else []
    marks += [Mark(x, y, glyphs.state["kept"], "kept") for x, y in scene.kept[-_MARKED:]]
    if study.champion is not None and (best := figures.best) is not None and low <= best.mean <= high:
        marks.append(Mark(study.champion, best.mean, glyphs.champion, "champion"))
    middle = scene.steps[-1][1]
    told = len(scene.tried) + len(scene.kept) > 1  # around the baseline alone it would be all that there is
    band = (middle - 2 * figures.noise, middle + 2 * figures.noise) if figures.noise and told else None
    digits = 4 if high - low > 0.004 * abs(high) else 6
    optimiser = _within(optimiser_steps(study, figures), scene)
    return chart(
        [
            Series([] if few else scene.tried, "discarded", ".", "dots"),
            Series(optimiser, "automl", "~", "step"),
            Series(_within(scene.steps, scene), "reference", "-", "step"),
        ],
        width,
        height,
        Axis(first, last, lambda value: f"{value:.0f}"),
        Axis(low, high, lambda value: number(value, digits)),
        glyphs,
        marks=marks,
        band=band,
    )


def _within(steps: list[Point], scene: Scene) -> list[Point]:
    """A step line over the range that is shown, without what lies beyond it."""
    (first, last), (low, high) = scene.x, scene.y
    if not steps:
        return []
    before = [y for x, y in steps if x < first][-1:]
    points = [*((first, y) for y in before), *((x, y) for x, y in steps if x >= first), (last, steps[-1][1])]
    return [(x, y) for x, y in points if low <= y <= high]


def kept_per_hundred(study: Study) -> list[int]:
    """How many of each hundred experiments were kept, the oldest hundred first; the last may not be complete."""
    last = max(study.experiments, default=0)
    counts = [0] * (-(-last // 100))
    for x in study.experiments.values():
        if x.id and x.verdict == Outcome.KEPT and not x.imported:
            counts[(x.id - 1) // 100] += 1
    return counts


def footer(study: Study, figures: Figures, width: int, glyphs: Glyphs) -> Line:
    """What the points come to: how much is still kept, and how much of that is to be expected false."""
    judged = study.judged()
    if not judged:
        noise = f"its runs scatter by {glyphs.sigma} {number(figures.noise, 2)}: a change must beat that"
        return packed([part(0, [(noise, "dim")] if figures.noise else [])], width + 2)[1:] if figures.noise else ()
    kept, counts = study.verdicts()[Outcome.KEPT], kept_per_hundred(study)
    rate = f"kept {kept} of {judged}"
    long = f"kept per 100: {' '.join(map(str, counts[-12:]))}" if len(counts) > 1 else rate
    false = false_discovery.of(study)
    told = "" if false is None else f"expected false: {'under 0.1' if false < 0.1 else f'{false:.1f}'} of {kept}"
    return packed([part(0, [(rate, "dim")], [(long, "dim")]), part(1, [(told, "dim")] if told else [])], width + 2)[1:]


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
        glyphs = self.cockpit.glyphs
        below = [footer(study, figures, width, glyphs)] if height >= _FOOTED else []
        drawn = progress_lines(study, figures, scene, width, height - 1 - len(below), glyphs)
        return [self._legend(study, figures, scene, width), *drawn, *below]

    def _legend(self, study: Study, figures: Figures, scene: Scene, width: int) -> Line:
        glyphs = self.cockpit.glyphs
        up, down = ("^", "v") if glyphs.ascii else ("▴", "▾")
        off = " ".join(f"{sign}{count}" for sign, count in ((up, scene.above), (down, scene.below)) if count)
        metric = study.contract.metric + claimed(study)
        band = f"{glyphs.plusminus}2{glyphs.sigma} {glyphs.dot}{glyphs.dot}"
        parts = [
            part(0, [(metric, "dim")]),
            part(2, [(f"{glyphs.state['kept']} kept", "kept")]),
            part(3, [(f"{glyphs.point} discarded", "discarded")]),
            part(4, [(f"{glyphs.state['crashed']} {scene.failed} without number", "crashed")] if scene.failed else []),
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
