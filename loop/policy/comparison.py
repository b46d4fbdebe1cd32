"""A candidate beside the champion: how large the difference is, how sure, and in which words. Pure."""

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loop.policy import pairs
from loop.policy.noise import QUIET, Floor, Noise, mean, student_below

SCATTERED = 4.0
"""A candidate whose own runs have a standard deviation of so many times the noise is judged by that instead.

Honest runs do so once in 15,000 pairs. A change that is brilliant on one seed and ordinary on the next always does.
"""

_ROUNDING = 4 * sys.float_info.epsilon
"""Relative size of differences that come from float arithmetic rather than measurement."""

Goal = Literal["min", "max"]


@dataclass(frozen=True)
class Look:
    """A candidate beside the champion."""

    effect: float
    error: float
    """Standard deviation of the effect; 0 where the numbers are exact."""
    confidence: float
    exact: bool
    """Repeated runs agree to the last digit, so any difference counts."""
    size: str
    """The effect in words."""
    alike: float = 0.0
    """As in `Decision`."""


def compared(
    goal: Goal,
    champion: Sequence[float],
    candidate: Sequence[float],
    noise: Noise,
    floor: Floor | None,
    beside: pairs.Beside | None,
) -> Look:
    effect, runs = effect_of(goal, champion, candidate), len(candidate)
    size = max(map(abs, (*champion, *candidate)))
    rounding = _ROUNDING * size
    quiet = rounding if floor is None else QUIET * size
    own = statistics.stdev(candidate) if runs > 1 else 0.0
    told = 0.0 if abs(effect) <= rounding else effect
    if own > max(quiet, SCATTERED * noise.sd):
        error = math.sqrt(own**2 / runs + noise.sd**2 / len(champion))
        scatter = f"its own runs scatter by {figure(own, 2)}, so the noise of others says nothing"
        return Look(effect, error, student_below(runs - 1, effect / error), False, f"{scatter}: {_size(told, own)}")
    if noise.sd <= quiet:
        bound = 0.0 if floor is None else floor.bound
        return Look(effect, 0.0, 0.5 if 0 <= told <= bound else float(told > 0), True, _exact_size(told, floor))
    alike = 0.0
    if beside is not None and len(beside.champion) == runs:
        differences = [one - other for one, other in zip(candidate, beside.champion, strict=True)]
        alike = beside.alike.correlation(beside.kind, noise, differences)
    words = _size(told, noise.sd)
    error = pairs.error(noise, runs, len(champion), alike)
    if alike and beside is not None:
        effect = pairs.effect(candidate, champion, beside.champion, alike)
        effect = -effect if goal == "min" else effect
        words = f"{_size(effect, noise.sd)}, ±{figure(error, 2)} at equal seeds"
    return Look(effect, error, student_below(noise.dof, effect / error), False, words, alike)


def effect_of(goal: Goal, champion: Sequence[float], candidate: Sequence[float]) -> float:
    difference = mean(champion) - mean(candidate)
    return difference if goal == "min" else -difference


def _size(effect: float, sd: float) -> str:
    """Such as "better by 0.0123 (+3.1σ; σ 0.0040)"; σ is the noise of one run."""
    if not effect:
        return f"exactly the same (σ is {figure(sd, 2)})"
    return f"{by_words(effect)} ({effect / sd:+.1f}σ; σ {figure(sd, 2)})"


def _exact_size(effect: float, floor: Floor | None) -> str:
    """The same where repeated runs agree."""
    size = by_words(effect) if effect else "exactly the same"
    if floor is not None:
        by = f", by {floor.told} experiments" if floor.told else ""
        bound = f"a gain of up to {figure(floor.bound, 2)} proves nothing{by}"
        return f"{size} (the program's seed is fixed, so its noise is not known: {bound})"
    return f"{size} (the repeated runs agree to the last digit, so any difference counts)"


def by_words(effect: float) -> str:
    return f"{'better' if effect > 0 else 'worse'} by {figure(abs(effect), 3)}"


def figure(value: float, digits: int) -> str:
    return f"{value:#.{digits}g}".rstrip(".")


def percent(share: float) -> str:
    """Rounded down, so that a threshold just missed never reads as reached."""
    if share > 0.9999:
        return "over 99.99%"
    if share < 0.01:
        return "under 1%"
    return f"{math.floor(share * 10_000) / 100:.2f}%" if share >= 0.99 else f"{math.floor(share * 100)}%"


def runs_of(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
