"""Designs: which factors are in and out in which run, so that a few runs tell the worth of each; and what the runs say.

Pure. In a design of Plackett and Burman every run tells something of every factor, so the error of a worth is that of a
comparison of all runs, half against half: with 24 runs 0.41 noises, where leaving each of 19 factors out in a run of
its own gives 1.0 to 1.4. Such designs exist for multiples of four. Few factors get all their combinations. Where there
are runs enough, each has its mirror image, in which whatever was in is out: main effects are free of what two factors
do together then, and the two share a seed, so that its luck falls out.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from loop.policy.noise import Noise, f_below, student_quantile

LEVEL = 0.95
FULL = 4
"""Factors up to which all combinations are run."""
USUAL = 16
"""Runs of few factors where nobody says how many: the error of a worth is half the noise of one run."""
SPARE = 5
"""Runs more than factors at least, where nobody says how many, so that the runs tell their own noise: four degrees of
freedom, with which an interval is a third wider than with many."""
DIFFERS = 0.05
"""The two-sided level at which the runs' own noise differs from the study's."""
LARGEST = 400
ROUNDING = 1e-12
"""Share of the numbers up to which what is left unexplained comes from float arithmetic."""

Row = tuple[bool, ...]


class TooFewRuns(ValueError):
    """So many runs do not tell so many factors apart.

    Attributes:
        least: how many would.
    """

    def __init__(self, least: int) -> None:
        super().__init__(f"it takes {least} runs at least")
        self.least = least


@dataclass(frozen=True)
class Design:
    """Rows to run, shape (runs, factors), and which of them are under one seed."""

    rows: tuple[Row, ...]
    blocks: tuple[int, ...]
    """Number of each row's seed, from 0 on."""


def design(factors: int, runs: int | None = None) -> Design:
    """A design for so many factors.

    Args:
        factors: at least 1.
        runs: at most so many; None: as many as they need.

    Raises:
        TooFewRuns: that is too few to tell them apart.
        ValueError: there is no factor, or more of them than designs are known for.
    """
    if factors < 1:
        raise ValueError("there is nothing to take out")
    most = _usual(factors) if runs is None else min(runs, LARGEST)
    if factors <= FULL and 2**factors <= most:
        half = [(True, *rest) for rest in product((True, False), repeat=factors - 1)]
        return _mirrored(half, most)
    sizes = [size for size in range(4, LARGEST + 1, 4) if size > factors and _known(size)]
    if not sizes:
        raise ValueError(f"{factors} changes are more than one design holds")
    halves = (size for size in range(4, most // 2 + 1, 4) if size >= factors + SPARE - 2 and _known(size))
    if half_size := max(halves, key=lambda size: (most // (2 * size) * size, size), default=0):
        # Its mean is told by no column, so the first one holds a factor, too.
        return _mirrored([tuple(sign > 0 for sign in row[:factors]) for row in hadamard(half_size)], most)
    fits = [size for size in sizes if size <= most]
    if not fits:
        raise TooFewRuns(min(sizes[0], 2**factors))
    rows = [tuple(sign > 0 for sign in row[1 : factors + 1]) for row in hadamard(fits[-1])]
    return Design(tuple(rows), tuple(range(len(rows))))


def _usual(factors: int) -> int:
    if factors + SPARE <= USUAL:
        return USUAL
    return next((size for size in range(factors + SPARE, LARGEST + 1) if size % 4 == 0 and _known(size)), LARGEST)


def _mirrored(half: Sequence[Row], most: int) -> Design:
    """The rows with their mirror images beside them, as often as there are runs for it."""
    times = max(1, most // (2 * len(half)))
    rows: list[Row] = []
    for row in [*half] * times:
        mirror = tuple(not on for on in row)
        rows += [row, mirror] if len(rows) % 4 == 0 else [mirror, row]  # who goes first changes
    return Design(tuple(rows), tuple(index // 2 for index in range(len(rows))))


def hadamard(size: int) -> list[list[int]]:
    """A matrix of 1 and -1 whose columns are orthogonal; its first row and its first column are all 1.

    Raises:
        ValueError: none of that size is known here.
    """
    if size in (1, 2):
        return [[1] * size, [1, -1]][:size]
    q, half = size - 1, size // 2
    if _is_prime(q) and q % 4 == 3:
        squares = _squares(q)
        core = [[-1 if (j - i) % q in squares or i == j else 1 for j in range(q)] for i in range(q)]
        found = [[1] * size, *([1, *row] for row in core)]
    elif half % 2 == 0 and _known(half):
        found = [a + [sign * one for one in a] for sign in (1, -1) for a in hadamard(half)]
    elif half % 2 == 0 and _is_prime(half - 1) and (half - 1) % 4 == 1:
        found = _second_paley(half - 1)
    else:
        raise ValueError(f"no design of {size} runs is known")
    signs = found[0]  # the first row and the first column are all in: it is the whole champion
    found = [[one * sign for one, sign in zip(row, signs, strict=True)] for row in found]
    return [[one * row[0] for one in row] for row in found]


def _second_paley(q: int) -> list[list[int]]:
    squares = _squares(q)
    inner = [[0 if i == j else 1 if (j - i) % q in squares else -1 for j in range(q)] for i in range(q)]
    symmetric = [[0] + [1] * q, *([1, *row] for row in inner)]
    found: list[list[int]] = []
    for i, row in enumerate(symmetric):
        upper, lower = list[int](), list[int]()
        for j, one in enumerate(row):
            upper += [1, -1] if i == j else [one, one]
            lower += [-1, -1] if i == j else [one, -one]
        found += [upper, lower]
    return found


def _known(size: int) -> bool:
    """Whether `hadamard` makes one of that size."""
    if size in (1, 2):
        return True
    half = size // 2
    if size % 4:
        return False
    paley = _is_prime(size - 1) or (_is_prime(half - 1) and (half - 1) % 4 == 1)
    return paley or _known(half)


def _squares(q: int) -> set[int]:
    return {i * i % q for i in range(1, q)}


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % k for k in range(2, math.isqrt(n) + 1))


# --- what the runs say ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A mean effect, in the metric's units; positive is better."""

    value: float
    error: float
    low: float
    high: float
    """The bounds of its 95% interval."""


@dataclass(frozen=True)
class Estimates:
    """What the runs of a design say."""

    worths: tuple[Estimate, ...]
    """Of each factor."""
    together: Estimate
    """The sum of the worths."""
    noise: Noise
    """Of one run beside another under its seed, by which the intervals are made."""
    noise_from: Literal["study", "runs", "both"]


def estimates(
    rows: Sequence[Row], blocks: Sequence[int], values: Sequence[float], known: Noise | None
) -> Estimates | None:
    """Worths by least squares; rows without a number are left out by the caller.

    The noise is what the factors leave unexplained, pooled with the study's where the two agree; where they differ, as
    where changes do not add up, or where seeds explain much, it is the runs' own. Without a run to spare it is the
    study's.

    Args:
        rows: shape (runs, factors).
        blocks: of each row; those of one block share a seed.
        values: of each row, larger is better.
        known: the study's noise of one run; None where it is not known.

    Returns:
        None where these rows do not tell every factor, or nothing tells the noise.
    """
    import numpy as np

    factors = len(rows[0]) if rows else 0
    shared = any(times > 1 for times in Counter(blocks).values())
    seeds = sorted(set(blocks)) if shared else []
    means = [[float(block == seed) for seed in seeds] or [1.0] for block in blocks]
    x = np.array([[float(on) for on in row] + mean for row, mean in zip(rows, means, strict=True)])
    if not factors or np.linalg.matrix_rank(x[:, factors:]) + factors > np.linalg.matrix_rank(x):
        return None
    y = np.array(values, dtype=float)
    y -= y.mean()
    inverse = np.linalg.pinv(x.T @ x)
    found = inverse @ x.T @ y
    dof = len(rows) - int(np.linalg.matrix_rank(x))
    left = float(((y - x @ found) ** 2).sum())
    if left <= (ROUNDING * float(np.abs(y).max())) ** 2 * len(rows):
        left = 0.0
    noise, told = _noise(Noise(math.sqrt(left / dof), dof) if dof else None, known)
    if noise is None:
        return None
    reach = student_quantile(noise.dof, (1 + LEVEL) / 2)

    def told_of(value: float, variance: float) -> Estimate:
        error = noise.sd * math.sqrt(max(variance, 0.0))
        return Estimate(value, error, value - reach * error, value + reach * error)

    each = tuple(told_of(float(found[i]), float(inverse[i, i])) for i in range(factors))
    sums = float(found[:factors].sum()), float(inverse[:factors, :factors].sum())
    return Estimates(each, told_of(*sums), noise, told)


def _noise(own: Noise | None, known: Noise | None) -> tuple[Noise | None, Literal["study", "runs", "both"]]:
    if own is None or known is None:
        return (own, "runs") if own is not None else (known, "study")
    if known.sd == 0 or own.sd == 0:
        return (own, "runs") if own.sd or own.dof > 2 else (known, "study")
    below = f_below(own.dof, known.dof, (own.sd / known.sd) ** 2)
    if 2 * min(below, 1 - below) < DIFFERS and (own.sd > known.sd or own.dof > 2):
        return own, "runs"
    dof = own.dof + known.dof
    return Noise(math.hypot(*(one.sd * math.sqrt(one.dof / dof) for one in (own, known))), dof), "both"
