"""What is odd about numbers that would make an experiment champion. Pure; each doubt is a sentence for a person.

The judge asks how likely it is that a difference is luck, this whether it is a measurement. A wrapper that prints 0
where it found no number, and a grep that finds yesterday's, give the best results of any study. A verification finds
that out by itself; where nobody verifies, such an experiment waits for a person.

Noise alone is no yardstick for that: a quiet clock and a deterministic score have next to none, and an honest change
may halve them. So a number with a scale of its own, one that lies far from zero beside its noise, is held to that
scale.
"""

import math
import re
import statistics
from collections.abc import Sequence
from decimal import Decimal

SENTINELS = (0.0, -1.0)
"""What programs print where they have no number; infinity and NaN are none anyway."""

BEYOND_HISTORY, BEYOND_NOISE = 3.0, 20.0
"""An effect of more than so many times the largest kept one, and so many times the noise, is worth a second look."""

MANY_TIMES = 10.0
"""So many times better in one step is no improvement that anybody expects: reading a file whole instead of in pieces is
worth three, a better algorithm five. A broken measurement is rarely that close."""

FAR = 5.0
"""Standard deviations of one run from zero, from which a ratio of two numbers means something: a reward of 0.1 ± 0.1
may become 2, and a correlation may change its sign."""

RESOLVED = 3.0
"""Steps of the last digit that make up the noise, from which three equal numbers are no coincidence (1 in 100)."""

_LEFT = 0.01
"""Share of a scale, below which it no longer matters how little is left: from 98% to 100% is one case in fifty."""

_SHARES = re.compile(
    r"\b(?:acc|accuracy|auc|auroc|f1|precision|recall|m?iou|dice|m?ap\d*|ndcg|em|r2|top ?[15]|"
    r"(?:pass|win|success|hit|solve) rate)\b"
)
"""Words in the name of a metric whose scale ends at 1, or at 100 where it is told in per cent."""


def sentinel(champion: Sequence[float], candidate: Sequence[float]) -> str:
    """Whether a run of the candidate gave exactly what stands for "no number", and none of the champion's did."""
    found = next((value for value in candidate if value in SENTINELS and value not in champion), None)
    return "" if found is None else f"it is exactly {found or 0.0:g}, which programs print where they have no number"


def constant(champion: Sequence[float], candidate: Sequence[float]) -> bool:
    """Whether the candidate's runs agree to the last digit, whatever their seed, where the champion's all differ.

    Where some of the champion's agree, too, the metric is a coarse one, such as a share of a hundred cases; so it is
    where the noise, at the candidate's size, is no more than a few steps of the last digit.
    """
    if len(champion) < 2 or len(set(champion)) < len(champion) or len(candidate) < 2 or len(set(candidate)) > 1:
        return False
    own, theirs = abs(candidate[0]), abs(statistics.fmean(champion))
    noise = statistics.stdev(champion) * (min(1.0, own / theirs) if own and theirs else 1.0)
    return noise >= RESOLVED * _last_digit((*champion, *candidate))


def _last_digit(values: Sequence[float]) -> float:
    """What the last digit counts of numbers that were printed with as many as the longest of them."""
    exponents = [Decimal(repr(value)).normalize().as_tuple().exponent for value in values if value]
    return 10.0 ** min((place for place in exponents if isinstance(place, int)), default=0)


def constant_said(candidate: Sequence[float]) -> str:
    """That in words."""
    return f"each of its {len(candidate)} seeds gave exactly {candidate[0]:.6g}, and the champion's runs differ"


def has_scale(champion: Sequence[float], sd: float) -> bool:
    """Whether the champion's numbers lie so far from zero that a change of sign, or a multiple, means something."""
    low, high = min(champion), max(champion)
    return (low > 0 or high < 0) and abs(statistics.fmean(champion)) > FAR * sd


def off_scale(metric: str, goal: str, champion: Sequence[float], candidate: Sequence[float], sd: float) -> str:
    """Whether a better number is off the metric's own scale: past its end, of the other sign, or many times better.

    Args:
        metric: its name, which tells whether it is a share.
        goal: "min" or "max".
        sd: the noise of one run; 0 where there is none.
    """
    was, now = statistics.fmean(champion), statistics.fmean(candidate)
    if (now - was) * (1 if goal == "max" else -1) <= 0:
        return ""
    top = _top(metric, goal, champion)
    if top is not None and max(candidate) > top:
        return f"it is {max(candidate):.6g}, and {metric} cannot be above {top:g}"
    if not has_scale(champion, sd):
        return ""
    if was * now < 0:
        return f"too good to be true? it is {now:.6g}, of the other sign than the champion's {was:.6g}"
    if top is not None:
        before, after = (max(1 - value / top, _LEFT) for value in (was, now))
        if before / after >= MANY_TIMES:
            return f"too good to be true? {now:.6g} leaves a {_nth(before / after)} of what {was:.6g} left to {top:g}"
        return ""
    small, large = sorted((abs(was), abs(now)))
    times = large / small if small else math.inf
    if times < MANY_TIMES:
        return ""
    told = f"{times:,.0f}" if times < 1e6 else f"{times:.1g}"
    return f"too good to be true? {now:.6g} is {told} times better than {was:.6g}"


def _top(metric: str, goal: str, champion: Sequence[float]) -> float | None:
    """Where the scale of a metric ends; None where its name does not say that it does."""
    if goal != "max" or not _SHARES.search(" ".join(re.findall(r"[a-z0-9]+", metric.lower()))):
        return None
    return next((top for top in (1.0, 100.0) if min(champion) >= 0 and max(champion) <= top), None)


def _nth(times: float) -> str:
    return "tenth" if times < 1.5 * MANY_TIMES else f"{times:.0f}th"


def implausible(effect: float, sd: float, largest: float | None, most: float | None = None) -> str:
    """What is odd about the size of an effect beside the noise; empty where nothing is, or there is no noise.

    Args:
        effect: by how much it is better than the champion.
        sd: the noise of one run; 0 where there is none.
        largest: the largest effect that this study has kept so far; None while there is none.
        most: what the noise is at most, where that is to be compared with; None compares with `sd`.
    """
    if sd <= 0 or effect <= max(BEYOND_HISTORY * (largest or 0.0), BEYOND_NOISE * (sd if most is None else most)):
        return ""
    before = f" and {effect / largest:.1f}× the largest gain before it" if largest else ""
    return f"too good to be true? better by {f'{effect:#.3g}'.rstrip('.')} is {effect / sd:.0f}× the noise{before}"
