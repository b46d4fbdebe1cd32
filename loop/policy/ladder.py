"""The ladder: what a climb's runs amount to, and how well the small rung predicts the larger ones. Pure.

The gate is the judge's rule on the rung's own noise: an experiment is better there where the one-sided confidence of
its differences at equal seeds reaches `keep: confidence`. Their scatter is pooled over all climbs to that rung, as
noise is, so that a few expensive runs are not judged by themselves alone.
"""

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from loop.policy import climbing, honesty
from loop.policy.comparison import by_words, figure
from loop.policy.noise import student_below, student_quantile
from loop.study import rungs
from loop.study.climb import Climb, ClimbEnded, Mark
from loop.study.contract import Contract
from loop.study.curves import PARTS, RunCurve
from loop.study.experiment import Experiment, Run
from loop.study.figures import Figures
from loop.study.state import Study

LEVEL = 0.95

MARKS = {"stable": "holds", "bound": "is not better", "harmful": "is worse", "": "was not told"}
"""What a mark says of an experiment, before the name of the rung."""

SHORT = {"stable": "stable", "bound": "bound to its scale", "harmful": "harmful there", "": "not told"}
"""The same in a table."""


@dataclass(frozen=True)
class Interval:
    """An effect in the metric's units, positive is better, and its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Scatter:
    """Standard deviation of one difference at equal seeds, and the degrees of freedom behind it."""

    sd: float
    dof: int


def pooled(scatters: Collection[Scatter]) -> Scatter | None:
    """Several as one, weighted by their degrees of freedom; None of none."""
    dof = sum(one.dof for one in scatters)
    if not dof:
        return None
    return Scatter(math.sqrt(math.fsum(one.sd**2 * one.dof for one in scatters) / dof), dof)


def interval(differences: Sequence[float], scatter: Scatter | None) -> Interval | None:
    """What differences at equal seeds say; None where nothing tells their scatter."""
    if not differences or scatter is None:
        return None
    mean = statistics.fmean(differences)
    reach = student_quantile(scatter.dof, (1 + LEVEL) / 2) * scatter.sd / math.sqrt(len(differences))
    return Interval(mean, mean - reach, mean + reach)


def confidence(differences: Sequence[float], scatter: Scatter | None, bound: float = 0.0) -> float | None:
    """One-sided confidence that the mean of differences is more than nothing.

    Args:
        bound: differences up to it prove nothing where all of them agree.
    """
    if not differences or scatter is None:
        return None
    mean = statistics.fmean(differences)
    if scatter.sd == 0:
        return 0.5 if abs(mean) <= bound else float(mean > 0)
    return student_below(scatter.dof, mean / (scatter.sd / math.sqrt(len(differences))))


def marked(sure: float | None, needed: float) -> Mark:
    """What an experiment is on a rung, by the confidence that it is better there than what it had to beat.

    Args:
        needed: `keep: confidence`.
    """
    if sure is None:
        return ""
    return "stable" if sure >= needed else "harmful" if 1 - sure >= needed else "bound"


# --- what a climb came to ----------------------------------------------------------------------------------------


def result(study: Study, now: Climb, reason: str = "") -> ClimbEnded:
    """What the runs so far amount to.

    Args:
        reason: why it ends before all of them have run.
    """
    began = now.began
    there = rungs.at(study.contract, began.rung)
    contract = study.contract if there is None else there.contract
    sides = [
        {run.seed: run for run in climbing.ended(study, now, number) if run.metric is not None} for number in now.sides
    ]
    seeds = [seed for seed in began.seeds if all(seed in side for side in sides)]
    numbers = [[_metric(side[seed]) for seed in seeds] for side in sides]
    own, base = numbers[0], numbers[-1]
    over_base = [contract.better_by(one, other) for one, other in zip(own, base, strict=True)]
    steps = [contract.better_by(one, other) for one, other in zip(own, numbers[1], strict=True)]
    scatter = Scatter(statistics.stdev(steps), len(steps) - 1) if len(steps) > 1 else None
    known = pooled([*_earlier(study, now), *([scatter] if scatter is not None else [])])
    floor = honesty.floor(study)
    sure = confidence(steps, known, 0.0 if floor is None else floor.bound)
    if reason and climbing.does_not_run(study, now):
        mark: Mark = "harmful"
    else:
        mark = "" if reason else marked(sure, contract.keep.confidence)
    gain, step = interval(over_base, _of(over_base, known)), interval(steps, known)
    return ClimbEnded(
        experiment=began.experiment,
        rung=began.rung,
        mark=mark,
        pairs=len(seeds),
        gain=None if gain is None else gain.mean,
        low=None if gain is None else gain.low,
        high=None if gain is None else gain.high,
        against=began.against,
        step=None if step is None or began.against is None else step.mean,
        step_low=None if step is None or began.against is None else step.low,
        step_high=None if step is None or began.against is None else step.high,
        confidence=sure,
        scatter=None if scatter is None else scatter.sd,
        dof=0 if scatter is None else scatter.dof,
        metric=statistics.fmean(own) if own else None,
        baseline_metric=statistics.fmean(base) if base else None,
        small=Figures(study).gain(study.experiments.get(began.experiment)),
        time=_time(contract, [(sides[0][seed].curve, sides[-1][seed].curve) for seed in seeds]),
        reason=reason,
    )


def _metric(run: Run) -> float:
    assert run.metric is not None
    return run.metric


def _earlier(study: Study, now: Climb) -> list[Scatter]:
    """What earlier climbs to the same rung say of the scatter there."""
    return [
        Scatter(one.ended.scatter, one.ended.dof)
        for one in study.climbs
        if one is not now
        and one.ended is not None
        and one.ended.scatter is not None
        and (one.began.rung, one.began.protocol_id, one.began.device)
        == (now.began.rung, now.began.protocol_id, now.began.device)
    ]


def _of(differences: Sequence[float], known: Scatter | None) -> Scatter | None:
    """The scatter of differences to the baseline: their own, or the rung's where it is known better and larger."""
    own = Scatter(statistics.stdev(differences), len(differences) - 1) if len(differences) > 1 else None
    return known if own is None or (known is not None and known.dof > own.dof and known.sd >= own.sd) else own


def _time(contract: Contract, curves: Sequence[tuple[RunCurve | None, RunCurve | None]]) -> float | None:
    """Share of its time in which it comes to where the baseline ends: the mean over the seeds; None where a curve is
    missing, or one of them never does."""
    shares = [time_to(contract, own, base) for own, base in curves]
    found = [share for share in shares if share is not None]
    return statistics.fmean(found) if found and len(found) == len(shares) else None


def time_to(contract: Contract, own: RunCurve | None, base: RunCurve | None) -> float | None:
    """Share of a run's training time in which its curve comes to where another's ends. Both are taken as the mean over
    a quarter of the time, so that no lucky batch decides; so a run reaches itself at 1.

    Args:
        contract: of the rung; its goal holds for the curve of the metric, every other curve is a loss.
    """
    if own is None or base is None or (own.name, own.by) != (base.name, base.by):
        return None
    sign = -1.0 if own.name == contract.metric and contract.goal == "max" else 1.0
    window = PARTS // 4
    reached, target = _smooth(own, window), _smooth(base, window)
    if PARTS not in target or not reached:
        return None
    before: tuple[int, float] | None = None
    for part, value in reached.items():
        if sign * value <= sign * target[PARTS]:
            if before is None or before[1] == value:
                return part / PARTS
            share = (before[1] - target[PARTS]) / (before[1] - value)
            return (before[0] + share * (part - before[0])) / PARTS
        before = part, value
    return None


def _smooth(curve: RunCurve, window: int) -> dict[int, float]:
    """A curve by the part at which each window ends, counted from 1: the mean of what it reported in the window."""
    found = {}
    for end in range(window, len(curve.values) + 1):
        known = [value for value in curve.values[end - window : end] if value is not None]
        if known and curve.values[end - 1] is not None:
            found[end] = statistics.fmean(known)
    return found


# --- how well small predicts large ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over `of` experiments, with its 95% interval; None of fewer than four."""

    rank: float
    low: float | None
    high: float | None
    of: int


def correlation(pairs: Sequence[tuple[float, float]]) -> Correlation | None:
    """How well the order of one effect is that of the other; None of fewer than three, and where one does not differ.

    The interval is Fisher's, with the standard error of Bonett and Wright (2000) for ranks.

    Args:
        pairs: the effect on the small rung and on the large one, an experiment each.
    """
    if len(pairs) < 3:
        return None
    ranks = [_ranks([pair[side] for pair in pairs]) for side in (0, 1)]
    try:
        rank = statistics.correlation(*ranks)
    except statistics.StatisticsError:
        return None
    if len(pairs) < 4 or abs(rank) >= 1:
        bounds: tuple[float | None, float | None] = (None, None)
        if len(pairs) >= 4:  # as Fisher's does not go that far: by the nearest that is no perfect one
            bounds = _bounds(math.copysign(1 - 1 / len(pairs) ** 2, rank), len(pairs))
            bounds = (bounds[0], 1.0) if rank > 0 else (-1.0, bounds[1])
    else:
        bounds = _bounds(rank, len(pairs))
    return Correlation(rank, bounds[0], bounds[1], len(pairs))


def _bounds(rank: float, of: int) -> tuple[float, float]:
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt((1 + rank**2 / 2) / (of - 3))
    return math.tanh(math.atanh(rank) - reach), math.tanh(math.atanh(rank) + reach)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1 on; equal values share the mean of theirs."""
    order = sorted(values)
    return [order.index(value) + (order.count(value) + 1) / 2 for value in values]


def results(study: Study, rung: str) -> list[ClimbEnded]:
    """The newest result of each experiment on a rung under the present program, in the order of the experiments."""
    there = rungs.at(study.contract, rung)
    found = {
        one.began.experiment: one.ended
        for one in study.climbs
        if one.began.rung == rung
        and one.ended is not None
        and one.ended.mark
        and there is not None
        and one.began.protocol_id == there.protocol_id
    }
    return [found[number] for number in sorted(found)]


def predicts(study: Study, rung: str) -> Correlation | None:
    """How well the gain on the study's own rung predicts that on a larger one, over all that climbed there."""
    told = results(study, rung)
    return correlation([(one.small, one.gain) for one in told if one.small is not None and one.gain is not None])


# --- in words -------------------------------------------------------------------------------------------------------


def told(study: Study, ended: ClimbEnded) -> str:
    """A climb's result, in a sentence without its full stop."""
    x = f"experiment {ended.experiment}"
    if ended.gain is None or ended.low is None or ended.high is None:
        if ended.mark == "harmful":
            return f"{x} does not run on {ended.rung}: {ended.reason}"
        return f"the climb of {x} to {ended.rung} gave no result: {ended.reason or 'too few runs gave a number'}"
    says = {
        "stable": f"{x} transfers to {ended.rung}",
        "bound": f"{x} does not transfer to {ended.rung}",
        "harmful": f"{x} is harmful on {ended.rung}",
        "": f"{x} on {ended.rung}, broken off",
    }[ended.mark]
    text = f"{says}: {by_words(ended.gain)} than the baseline there ({span(ended.low, ended.high)})"
    if ended.against is not None and ended.step is not None:
        assert ended.step_low is not None and ended.step_high is not None
        beside = f"{by_words(ended.step)} than experiment {ended.against}"
        text += f", {beside}, which it had to beat ({span(ended.step_low, ended.step_high)})"
    if ended.time is not None and ended.gain > 0:
        text += f"; it reaches the baseline's number in {ended.time:.2f} of its time"
    return text + (f"; {ended.reason}" if ended.reason else "")


def span(low: float, high: float) -> str:
    """An interval in words."""
    if figure(low, 3) == figure(high, 3):
        return "the same under each seed"
    return f"95% interval {figure(low, 3)} to {figure(high, 3)}"


def brief(ended: ClimbEnded) -> str:
    """A climb's result in a few words, such as `large: stable, better by 0.0123`."""
    size = f", {by_words(ended.gain)}" if ended.gain is not None else ""
    return f"{ended.rung}: {SHORT[ended.mark]}{size}"


def sentence(study: Study) -> str:
    """What a study's ladder has come to, for a summary; empty where nothing has climbed."""
    parts = []
    for rung in rungs.names(study.contract):
        found = results(study, rung)
        if not found:
            continue
        stable = sum(one.passed for one in found)
        parts.append(f"{stable} of {len(found)} that climbed to {rung} transfer")
        if (ranked := predicts(study, rung)) is not None:
            parts[-1] += f" ({ranked_words(ranked)})"
    return "; ".join(parts)


def ranked_words(found: Correlation) -> str:
    """`rank correlation with the small rung 0.80, 95% interval 0.31 to 0.96`."""
    between = "" if found.low is None else f", 95% interval {found.low:.2f} to {found.high:.2f}"
    return f"rank correlation with the small rung {found.rank:.2f}{between}, {found.of} experiments"


def of_experiment(study: Study, x: Experiment) -> list[ClimbEnded]:
    """What an experiment came to on each rung under the present program, from small to large."""
    return [one for rung in rungs.names(study.contract) for one in results(study, rung) if one.experiment == x.id]


SHOWN = 6
"""Results of climbs that a briefing has, the newest."""


def briefed(study: Study) -> list[str]:
    """What researchers are told of the ladder: what transferred and what did not, a clause each, the newest last."""
    newest = [one for one in study.climbs if one.ended is not None and one.ended in results(study, one.began.rung)]
    said = []
    for one in newest[-SHOWN:]:
        assert one.ended is not None
        title = study.experiments[one.began.experiment].title
        size = f", {by_words(one.ended.gain)} than the baseline there" if one.ended.gain is not None else ""
        if one.ended.against is not None and one.ended.step is not None:
            size = f", {by_words(one.ended.step)} than #{one.ended.against} there"
        said.append(f"#{one.began.experiment} ({title:.60}) {MARKS[one.ended.mark]} on {one.began.rung}{size}")
    return said
