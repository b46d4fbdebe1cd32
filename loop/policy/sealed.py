"""What the sealed part of the data says of a gain: how much of it is there, and how much selection has eaten. Pure.

Each run has two numbers, the search's and the sealed one, so the luck of its seed falls out of their difference. The
gap is the champion's mean difference less the baseline's: what its number promises beyond what it keeps. Its interval
is Welch's, since the two may scatter differently.
"""

import math
import statistics
from dataclasses import dataclass

from loop.policy.comparison import by_words, figure
from loop.policy.noise import student_quantile
from loop.study.contract import Contract
from loop.study.sealed import MilestoneOpened
from loop.study.state import Study

LEVEL = 0.95


@dataclass(frozen=True)
class Opened:
    """A milestone, reckoned; all in the metric's units, gains positive where they are better."""

    at: float
    champion: int
    search_gain: float
    """Of the champion over the baseline, by the numbers that the search went by."""
    sealed_gain: float
    """The same on the sealed part."""
    champion_sealed: float
    baseline_sealed: float
    runs: int
    """Of the champion."""
    baseline_runs: int
    low: float | None
    high: float | None
    """The bounds of the gap's 95% interval; None where either side has fewer than two runs."""

    @property
    def gap(self) -> float:
        """What the search's number promises beyond what is there: positive, the search flatters."""
        return self.search_gain - self.sealed_gain


def opened(contract: Contract, at: float, milestone: MilestoneOpened) -> Opened | None:
    """What a milestone came to; None where a side has no number."""
    sides = [
        [(one.search, one.sealed) for one in milestone.numbers if one.experiment == number and one.sealed is not None]
        for number in (milestone.champion, milestone.baseline)
    ]
    if not all(sides):
        return None
    (ours_search, ours_sealed), (base_search, base_sealed) = ([_mean(side, n) for n in (0, 1)] for side in sides)
    search_gain, sealed_gain = (
        contract.better_by(ours_search, base_search),
        contract.better_by(ours_sealed, base_sealed),
    )
    half = _half(*([contract.better_by(search, sealed) for search, sealed in side] for side in sides))
    gap = search_gain - sealed_gain
    return Opened(
        at=at,
        champion=milestone.champion,
        search_gain=search_gain,
        sealed_gain=sealed_gain,
        champion_sealed=ours_sealed,
        baseline_sealed=base_sealed,
        runs=len(sides[0]),
        baseline_runs=len(sides[1]),
        low=None if half is None else gap - half,
        high=None if half is None else gap + half,
    )


def all_opened(study: Study) -> list[Opened]:
    """The milestones of a study that came to a number, oldest first."""
    found = (opened(study.contract, at, milestone) for at, milestone in study.milestones)
    return [one for one in found if one is not None]


def told(metric: str, one: Opened, times: int) -> str:
    """A milestone in a sentence without its full stop.

    Args:
        times: how often the sealed part has been opened by now.
    """
    text = (
        f"on the sealed part experiment {one.champion} has {metric} {one.champion_sealed:.6g} and the baseline "
        f"{one.baseline_sealed:.6g}: {by_words(one.sealed_gain)}, where the search saw {by_words(one.search_gain)}"
    )
    if one.low is not None and one.high is not None:
        if one.low <= 0 <= one.high:
            text += f"; the gap of {figure(abs(one.gap), 2)} is within what chance explains"
        else:
            text += (
                f"; selection has eaten {figure(one.gap, 2)}" if one.gap > 0 else f"; the gap is {figure(one.gap, 2)}"
            )
        text += f" (95% interval {one.low:+.2g} to {one.high:+.2g})"
    if times > 1:
        text += f"; opened {times} times, and each time it is a little less sealed"
    return text


def _mean(side: list[tuple[float, float]], which: int) -> float:
    return math.fsum(pair[which] for pair in side) / len(side)


def _half(ours: list[float], base: list[float]) -> float | None:
    """Half the width of Welch's interval around a difference of two means."""
    if min(len(ours), len(base)) < 2:
        return None
    parts = [statistics.variance(side) / len(side) for side in (ours, base)]
    variance = sum(parts)
    if not variance:
        return 0.0
    dof = variance**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (ours, base), strict=True))
    return student_quantile(dof, (1 + LEVEL) / 2) * math.sqrt(variance)
