"""How much a run's metric varies when nothing changes but the seed: the unit of every comparison.

Pure statistics on plain floats. SciPy is imported by the first call that needs a distribution: with NumPy behind it
that takes a third of a second, and neither a starting loop nor a screen needs one.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

CHANGED, CHANGED_DOF = 0.01, 2
"""The two-sided level at which the newest champions' noise differs from the noise before them, and the least degrees of
freedom that may decide so. At 3% a study with a single noise lost 0.5% of its gain; asking for more degrees of freedom
only delayed the decision."""

QUIET = 1e-5
"""Share of the metric up to which runs under one fixed seed differ by the order in which a GPU adds."""


@dataclass(frozen=True)
class Noise:
    """How much one run's metric varies when nothing changes but the seed."""

    sd: float
    """Standard deviation of one run, in the metric's units."""
    dof: int
    """Degrees of freedom behind it; at least 1."""
    before: "Noise | None" = None
    """The noise of earlier champions, where this one differs from it and comes from the newest champions alone."""


@dataclass(frozen=True)
class Floor:
    """What differences mean where the program's seed is its own, so that repeated runs agree whatever the noise is."""

    bound: float
    """Differences up to it prove nothing, in the metric's units."""
    sd: float = 0.0
    """What an edit without effect moves the metric by; 0 while too few experiments tell."""
    told: int = 0
    """How many experiments tell it."""


def pooled(groups: Sequence[Sequence[float]]) -> Noise | None:
    """The noise of one run, pooled over groups of repeated runs, one group for each change.

    The first group is the reference (the baseline) and counts whole. Of every later group the first run is left
    out: the change was run again because that run looked lucky, so its distance from the next ones is selection, not
    noise. With it, simulated studies ended with a noise 35% too wide; without it, within 6%.

    Returns:
        None where no group has a repetition to offer.

    Raises:
        ValueError: a number is not finite.
    """
    return _scatter([*groups[:1], *(group[1:] for group in groups[1:])])


def present_noise(reigns: Sequence[Sequence[Sequence[float]]]) -> Noise | None:
    """The noise of one run as it is now: of the whole study, or of its newest champions where theirs differs.

    The noise may have changed at every change of champion. At each of them the variance after it is compared with the
    variance before it (F test, two-sided); the most significant one below `CHANGED` wins. So a new champion of the same
    kind inherits all that is known, and one of another kind starts from its own repetitions.

    Args:
        reigns: for each champion from the first to the present one, groups as `pooled` takes them: the champion's own
            runs, and those of the changes measured on it. The very first group is the reference.

    Returns:
        None where no group has a repetition to offer.

    Raises:
        ValueError: a number is not finite.
    """
    whole = pooled([group for reign in reigns for group in reign])
    parts = [_scatter([group[1:] for group in reign]) for reign in reigns[1:]]
    clearest, found = CHANGED, whole
    before = pooled(reigns[0]) if reigns else None
    for start, part in enumerate(parts):
        since = _together(parts[start:])
        if before is not None and since is not None and since.dof >= CHANGED_DOF:
            chance = _same(since, before)
            if chance < clearest:
                clearest, found = chance, Noise(since.sd, since.dof, before)
        before = _together([before, part])
    return found


def mean(values: Sequence[float]) -> float:
    """The mean, no further out than the values: three of 0.97 have 0.97 and scatter by nothing, not by a last bit."""
    return min(max(values), max(min(values), math.fsum(values) / len(values)))


def check_finite(values: Sequence[float]) -> None:
    """Refuse numbers that are no measurement.

    Raises:
        ValueError: one of them is not finite.
    """
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value} is no measurement; a run without a finite metric is a crash, not a number")


def student_below(dof: float, value: float) -> float:
    """Probability that Student's t with `dof` degrees of freedom is at most `value`."""
    from scipy.special import stdtr

    return float(stdtr(dof, value))


def student_quantile(dof: float, probability: float) -> float:
    """The value that Student's t with `dof` degrees of freedom stays at or below with `probability`."""
    from scipy.special import stdtrit

    return float(stdtrit(dof, probability))


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The value that a beta distribution stays at or below with `probability`."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, probability))


def at_most(noise: Noise) -> float:
    """What the noise is at most, with 99% confidence: a few runs may lie close together by chance."""
    from scipy.special import chdtri

    return noise.sd * math.sqrt(noise.dof / float(chdtri(noise.dof, 0.99)))


def f_below(dof: float, other_dof: float, value: float) -> float:
    """Probability that Fisher's F, the ratio of two estimates of one variance, is at most `value`."""
    from scipy.special import fdtr

    return float(fdtr(dof, other_dof, value))


def _scatter(samples: Sequence[Sequence[float]]) -> Noise | None:
    """The noise of samples that count whole, each about its own mean."""
    deviations: list[float] = []
    dof = 0
    for sample in samples:
        check_finite(sample)
        if len(sample) > 1:
            middle = mean(sample)
            deviations += [value - middle for value in sample]
            dof += len(sample) - 1
    # Sorted, so that the same runs in another order give the same bits; hypot, so that no square overflows.
    return Noise(math.hypot(*sorted(deviations)) / math.sqrt(dof), dof) if dof else None


def _together(noises: Sequence[Noise | None]) -> Noise | None:
    """Several estimates pooled, weighted by their degrees of freedom."""
    known = [noise for noise in noises if noise is not None]
    dof = sum(noise.dof for noise in known)
    return Noise(math.hypot(*(noise.sd * math.sqrt(noise.dof / dof) for noise in known)), dof) if known else None


def _same(one: Noise, other: Noise) -> float:
    """How likely two estimates of one noise differ by so much (F test of two variances, two-sided)."""
    if other.sd == 0:
        return float(one.sd == 0)
    ratio = one.sd / other.sd
    below = f_below(one.dof, other.dof, min(ratio * ratio, sys.float_info.max))
    return 2 * min(below, 1 - below)
