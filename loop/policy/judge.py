"""The judge: keep, discard or run again, from the numbers of the runs alone.

Pure statistics on plain floats. It knows no experiment, no git and no clock, and it never looks at what a change
does, only at what was measured and at how many lines it adds or removes.

The rule. A candidate with n runs is compared with the champion's m runs by a one-sided Student test: the effect is
the difference of the two means (never of the luckiest runs), its standard error is `sd * sqrt(1/n + 1/m)` with the
noise of `present_noise`. At or above the look's threshold (`needed`) it is kept, below `FUTILE` it is discarded at
once, and in between something runs again, up to `keep.max_runs`: the champion while too little is known of it, then
the candidate with another seed.

One noise for the whole study, until the numbers say otherwise: a champion of another kind may scatter by a tenth of
what the baseline did, or by five times that. Where the newest champions' repetitions differ from all before them, they
alone give the noise; and what only their narrower noise makes clear must be seen as often as the baseline was.

The champion first. A new champion has won by its luck too, so its own runs flatter it (the winner's curse), and every
challenger pays for that uncertainty. So a champion that a challenger comes near is measured again, and none is
replaced before it has run as often as the baseline: its own repetitions are the first to show a wider noise.

What is too good to be true (`implausible`) is seen twice before it is kept, and is flagged then.
`bench/judge.py` measures what all this is worth in whole studies; `docs/decisions/0004-a-bar-that-falls.md` and
`0007-a-noise-that-changes.md` give the reasons.
"""

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loop.policy.noise import Noise, check_finite, mean, student_below, student_quantile
from loop.study.contract import Keep

FUTILE = 0.88
"""Confidence below which another run is not worth its time.

Seven in eight changes without effect end here after one run, and a real gain of twice the standard error passes with
79%. In simulated studies of 700 runs, 0.85 to 0.90 found the same gain; 0.8 spent twice the extra runs for less of it.
"""

SPREAD = 4.0
"""How much stricter the first look is than `keep.confidence`, and the last one laxer.

Early looks are many (every candidate has one) and late ones few (only candidates that were good or lucky so far), so
an error permitted early costs the most. At 99% and five runs the thresholds are 99.75, 98.81, 97.88, 96.94 and 96%.
"""

PROMISING = 0.5
"""Confidence from which a challenger is a reason to run a champion that has fewer runs than the baseline had."""

BEYOND_HISTORY, BEYOND_NOISE = 3.0, 20.0
"""An effect of more than so many times the largest kept one, and so many times the noise, is too good to be true."""

SCATTERED = 4.0
"""A candidate whose own runs have a standard deviation of so many times the noise is judged by that instead.

Honest runs do so once in 15,000 pairs. A change that is brilliant on one seed and ordinary on the next always does.
"""

_ROUNDING = 4 * sys.float_info.epsilon
"""Relative size of differences that come from float arithmetic rather than measurement."""

Goal = Literal["min", "max"]

Action = Literal["keep", "discard", "again", "remeasure"]
"""`again`: the candidate runs again; `remeasure`: the champion does, and the candidate is judged after that."""


@dataclass(frozen=True)
class Decision:
    """What to do with a candidate, and why."""

    action: Action
    effect: float
    """Better than the champion by so much, in the metric's units; negative is worse, whatever the goal."""
    noise: float | None
    """Standard deviation of one run; None while nothing was repeated."""
    confidence: float | None
    """One-sided confidence, at this look, that the candidate is better; None while nothing was repeated."""
    reason: str
    """A sentence for a person."""
    flag: str = ""
    """What a person should look at before believing it; almost always empty."""


def needed(keep: Keep, look: int) -> float:
    """The confidence that a candidate must reach to be kept after its run number `look`.

    The permitted share of false keeps, `1 - keep.confidence`, is divided by `SPREAD` at the first look and multiplied
    by it at the last, in equal steps between; with one look it is what the program says. The threshold never falls
    below `FUTILE` or, where that is lower, below `keep.confidence` itself.

    Of changes without effect, measured against a champion of three honest runs, 2.6% are kept at the default of 99% and
    five looks; in whole studies of 700 of them, where the champion is known better and better, one or none is.
    """
    permitted = 1 - keep.confidence
    if keep.max_runs > 1:
        way = (min(look, keep.max_runs) - 1) / (keep.max_runs - 1)
        permitted *= 1 / SPREAD + way * (SPREAD - 1 / SPREAD)
    return 1 - min(permitted, max(1 - FUTILE, 1 - keep.confidence))


def keep_threshold(keep: Keep, n_champion: int, n_candidate: int, noise: Noise) -> float:
    """The effect from which a candidate with so many runs is kept, in the metric's units."""
    return _effect_at(needed(keep, n_candidate), n_champion, n_candidate, noise)


def repeat_threshold(n_champion: int, n_candidate: int, noise: Noise) -> float:
    """The effect from which a candidate with so many runs is worth another one, in the metric's units."""
    return _effect_at(FUTILE, n_champion, n_candidate, noise)


def _effect_at(confidence: float, n_champion: int, n_candidate: int, noise: Noise) -> float:
    return student_quantile(noise.dof, confidence) * _standard_error(noise, n_champion, n_candidate)


def implausible(effect: float, noise: Noise | None, largest: float | None) -> str | None:
    """What is odd about an effect, or None.

    Args:
        effect: by how much it is better than the champion.
        largest: the largest effect that this study has kept so far; None while there is none.
    """
    measures = [BEYOND_HISTORY * largest] if largest else []
    measures += [BEYOND_NOISE * noise.sd] if noise is not None and noise.sd > 0 else []
    if not measures or effect <= max(measures):
        return None
    times = "" if noise is None or noise.sd == 0 else f" is {effect / noise.sd:.0f}× the noise"
    before = "" if not largest else f"{' and' if times else ' is'} {effect / largest:.1f}× the largest gain before it"
    return f"too good to be true? better by {_figure(effect, 3)}{times}{before}"


def judge(
    keep: Keep,
    goal: Goal,
    champion: Sequence[float],
    candidate: Sequence[float],
    noise: Noise | None,
    lines_net: int = 0,
    *,
    largest: float | None = None,
    settled: bool = False,
) -> Decision:
    """Decide on a candidate after its newest run.

    Args:
        keep: The person's thresholds.
        goal: Whether a lower or a higher metric is better.
        champion: Metrics of all the champion's runs.
        candidate: Metrics of all the candidate's runs so far, under the same measure.
        noise: From `present_noise`, the candidate's own runs included.
        lines_net: Lines the candidate adds less those it removes; negative is simpler.
        largest: The largest effect that was kept before, in the metric's units.
        settled: The champion must not run again, however little is known of it.

    Raises:
        ValueError: either side has no run, or a number is not finite.
    """
    for side in (champion, candidate):
        if not side:
            raise ValueError("champion and candidate need a run each to be compared")
        check_finite(side)
    runs = len(candidate)
    last = runs >= keep.max_runs
    if noise is None:
        return _without_noise(_effect(goal, champion, candidate), last)
    look = _compared(goal, champion, candidate, noise)
    effect, confidence, exact, size = look.effect, look.confidence, look.exact, look.size
    threshold = needed(keep, runs)
    odd = implausible(effect, None if exact else noise, largest) or ""
    sure = f"{_percent(confidence)} sure after {_runs(runs)}"

    def decide(action: Action, reason: str, flag: str = "") -> Decision:
        return Decision(action, effect, noise.sd, confidence, reason, flag)

    clear = confidence >= threshold
    futile = confidence < min(FUTILE, keep.confidence)
    simpler = keep.simpler_wins and lines_net < 0 and not clear
    if clear and odd and runs == 1 and not last:
        return decide("again", f"run again: {odd}; it has to be seen twice", odd)
    near = not (clear or futile or simpler)
    if not settled and not exact and _champion_unknown(keep, len(champion), confidence, near):
        why = "too few to be replaced" if clear else "and this one is near"
        return decide("remeasure", f"the champion runs again: it is known from {_runs(len(champion))}, {why}: {size}")
    if clear:
        if runs < (times := min(keep.baseline_runs, keep.max_runs)) and _by_its_noise_only(
            noise, effect, len(champion), runs, threshold
        ):
            why = f"clear by the noise of the newest champions only, so it has to be seen {times} times"
            return decide("again", f"run again: {size}, {sure}; {why}", odd)
        return decide("keep", f"kept: {size}" if exact else f"kept: {size}, {sure}", odd)
    within = "within the noise, " if not exact and abs(effect) <= 2 * look.error else ""
    if simpler:
        figures = size if exact else f"{within}{size}, {sure} that it is better"
        return decide(*_simpler(keep, runs, effect, confidence, exact, -lines_net, figures))
    if exact:
        return decide("discard", f"discarded: {size}")
    if futile:
        hint = runs == 1 and not last and effect > 0
        wanted = f"; a first run is repeated from {_percent(min(FUTILE, keep.confidence))} on" if hint else ""
        return decide("discard", f"discarded: {within}{size}, {sure} that it is better{wanted}")
    if last:
        return decide("discard", f"discarded: still unclear: {size}, {sure}, {_percent(threshold)} needed")
    return decide("again", f"run again: {size}, {sure}, {_percent(threshold)} needed")


@dataclass(frozen=True)
class _Look:
    """A candidate beside the champion."""

    effect: float
    error: float
    """Standard deviation of the effect; 0 where the numbers are exact."""
    confidence: float
    exact: bool
    """Repeated runs agree to the last digit, so any difference counts."""
    size: str
    """The effect in words."""


def _compared(goal: Goal, champion: Sequence[float], candidate: Sequence[float], noise: Noise) -> _Look:
    effect, runs = _effect(goal, champion, candidate), len(candidate)
    rounding = _ROUNDING * max(map(abs, (*champion, *candidate)))
    own = statistics.stdev(candidate) if runs > 1 else 0.0
    told = 0.0 if abs(effect) <= rounding else effect
    if own > max(rounding, SCATTERED * noise.sd):
        error = math.sqrt(own**2 / runs + noise.sd**2 / len(champion))
        scatter = f"its own runs scatter by {_figure(own, 2)}, so the noise of others says nothing"
        return _Look(effect, error, student_below(runs - 1, effect / error), False, f"{scatter}: {_size(told, own)}")
    if noise.sd <= rounding:
        return _Look(effect, 0.0, float(told > 0) if told else 0.5, True, _exact_size(told))
    error = _standard_error(noise, len(champion), runs)
    return _Look(effect, error, student_below(noise.dof, effect / error), False, _size(told, noise.sd))


def _effect(goal: Goal, champion: Sequence[float], candidate: Sequence[float]) -> float:
    difference = mean(champion) - mean(candidate)
    return difference if goal == "min" else -difference


def _champion_unknown(keep: Keep, runs: int, confidence: float, near: bool) -> bool:
    """Whether a challenger of this confidence is reason enough to run a champion of so many runs again.

    The champion gets as many runs as the baseline had as soon as anything looks better than it, and one fewer than an
    experiment may use once a challenger is `near`, worth another run itself: in simulated studies the fifth no longer
    paid for itself. With `max_runs: 1` nothing is repeated, the champion included.
    """
    if keep.max_runs == 1 or confidence < PROMISING:
        return False
    return runs < (max(keep.baseline_runs, keep.max_runs - 1) if near else keep.baseline_runs)


def _by_its_noise_only(noise: Noise, effect: float, n_champion: int, n_candidate: int, threshold: float) -> bool:
    """Whether an effect is clear by a noise that has become narrower, and would not be by the one before it.

    The candidate may be of the older, wider kind: then its one run is luck that the narrow noise takes for a gain.
    """
    before = noise.before
    if before is None or before.sd <= noise.sd:
        return False
    return student_below(before.dof, effect / _standard_error(before, n_champion, n_candidate)) < threshold


def _simpler(
    keep: Keep, runs: int, effect: float, confidence: float, exact: bool, fewer: int, figures: str
) -> tuple[Action, str]:
    """The verdict on a candidate that removes lines and is not clearly better.

    It is kept where its mean is no worse than the champion's after as many runs as the baseline had. A true loss of
    half a standard error still passes one time in three: that is the price of `simpler_wins`.
    """
    lines = f"{fewer} {'line' if fewer == 1 else 'lines'} fewer"
    if confidence <= 1 - FUTILE:
        return "discard", f"discarded: {lines}, but {figures}"
    if not exact and runs < (enough := min(keep.baseline_runs, keep.max_runs)):
        return "again", f"run again: {lines}, {figures}; the mean of {_runs(enough)} decides"
    # Exact equality arrives here with an effect of a few rounding errors of either sign.
    if effect >= 0 or exact:
        return "keep", f"kept: {lines} and no worse in the mean: {figures}"
    return "discard", f"discarded: {lines}, but not as good in the mean: {figures}"


def _without_noise(effect: float, last: bool) -> Decision:
    """Nothing was repeated yet, so no difference means anything."""
    figures = f"{_by(effect)}, but nothing was run twice yet, so the noise is not known"
    if last:
        return Decision("discard", effect, None, None, f"discarded: {figures}")
    return Decision("again", effect, None, None, f"run again: {figures}")


def _standard_error(noise: Noise, n_champion: int, n_candidate: int) -> float:
    return noise.sd * math.sqrt(1 / n_candidate + 1 / n_champion)


def _size(effect: float, sd: float) -> str:
    """Such as "better by 0.0123 (3.1× the noise of 0.0040)"."""
    if not effect:
        return f"exactly the same (the noise is {_figure(sd, 2)})"
    return f"{_by(effect)} ({abs(effect) / sd:.1f}× the noise of {_figure(sd, 2)})"


def _exact_size(effect: float) -> str:
    """The same where there is no noise."""
    size = _by(effect) if effect else "exactly the same"
    return f"{size} (the repeated runs agree to the last digit, so any difference counts)"


def _by(effect: float) -> str:
    return f"{'better' if effect > 0 else 'worse'} by {_figure(abs(effect), 3)}"


def _figure(value: float, digits: int) -> str:
    return f"{value:#.{digits}g}".rstrip(".")


def _percent(share: float) -> str:
    """Rounded down, so that a threshold just missed never reads as reached."""
    if share > 0.9999:
        return "over 99.99%"
    if share < 0.01:
        return "under 1%"
    return f"{math.floor(share * 10_000) / 100:.2f}%" if share >= 0.99 else f"{math.floor(share * 100)}%"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
