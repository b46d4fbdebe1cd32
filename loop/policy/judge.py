"""The judge: keep, discard or run again, from the numbers of the runs alone.

Pure statistics on plain floats. It knows no experiment, no git and no clock, and it never looks at what a change
does, only at what was measured and at how many lines it adds or removes.

The rule. A candidate with n runs is compared with the champion's m runs by a one-sided Student test: the effect is
the difference of the two means (never of the luckiest runs), its standard error is `sd * sqrt(1/n + 1/m)` with the
noise of `present_noise`. At or above the look's own bar (`needed`) it is kept, below `FUTILE` it is discarded at once,
in between somebody runs again, up to `keep.max_runs`: the champion as long as it is the one that is known too little,
then the candidate with another seed.

One noise for the whole study, until it shows otherwise: a champion of another kind may scatter by a tenth of what the
baseline did, or by five times that. Where the newest champions' repetitions differ from all before them, they alone
say what the noise is; and what only their narrower noise makes clear is seen as often as the baseline was.

The champion first. Who has just won has won by its luck too, so its own runs flatter it (the winner's curse), and every
challenger pays for what is not known of it. So a champion that a challenger comes near is measured anew, and none is
replaced before it has run as often as the baseline: its own repetitions are the first that tell of a wider noise.

What is too good to be true (`implausible`) is seen twice before it is kept, and is flagged then.
`bench/judge.py` says what all this is worth in whole studies; `docs/decisions/0004-a-bar-that-falls.md` and
`0007-a-noise-that-changes.md` why it is so.
"""

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loop.policy.distributions import f_below, student_below, student_quantile
from loop.study.contract import Keep

FUTILE = 0.88
"""Confidence below which another run is not worth its time.

Seven in eight changes without effect end here after one run, and a real gain of twice the standard error passes with
79%. In simulated studies of 700 runs, 0.85 to 0.90 found the same gain; 0.8 spent twice the extra runs for less of it.
"""

SPREAD = 4.0
"""How much stricter the first look is than `keep.confidence`, and the last one laxer.

Early looks are many (every candidate has one), late ones few (who comes there has been lucky or good for a while), so
an error permitted early costs the most. At 99% and five runs the bars are 99.75, 98.81, 97.88, 96.94 and 96%.
"""

PROMISING = 0.5
"""Confidence from which a challenger is a reason to run a champion that has fewer runs than the baseline had."""

BEYOND_HISTORY, BEYOND_NOISE = 3.0, 20.0
"""An effect beyond so many times the study's largest kept one, and so many times the noise, is too good to be true."""

SCATTERED = 4.0
"""A candidate whose own runs have a standard deviation so many times the noise is judged by that instead.

Honest runs do so once in 15,000 pairs. A change that is brilliant on one seed and ordinary on the next always does.
"""

CHANGED, CHANGED_DOF = 0.01, 2
"""The two-sided level at which the newest champions' noise differs from that before them, and the least degrees of
freedom that may say so. At 3% a study of one noise lost 0.5% of its gain; more degrees of freedom only came later."""

_ROUNDING = 4 * sys.float_info.epsilon
"""Relative size of differences that are float arithmetic rather than measurement."""

Action = Literal["keep", "discard", "again", "remeasure"]
"""`again`: the candidate runs again; `remeasure`: the champion does, and then the candidate is judged anew."""


@dataclass(frozen=True)
class Noise:
    """How much one run's metric varies when nothing changes but the seed."""

    sd: float
    """Standard deviation of one run, in the metric's units."""
    dof: int
    """Degrees of freedom behind it; at least 1."""
    before: "Noise | None" = None
    """That of earlier champions, where this one was told apart from it and is of the newest ones alone."""


@dataclass(frozen=True)
class Decision:
    """What is to be done with a candidate, and why."""

    action: Action
    effect: float
    """Better than the champion by so much, in the metric's units; negative is worse, whatever the goal."""
    noise: float | None
    """Standard deviation of one run; None while nothing was repeated."""
    standard_error: float | None
    """Standard deviation of `effect`; None while nothing was repeated."""
    confidence: float | None
    """One-sided confidence of this look that the candidate is better; None while nothing was repeated."""
    needed: float | None
    """The confidence from which this look keeps."""
    reason: str
    """A sentence for a person."""
    flag: str = ""
    """What a person should look at before they believe it; empty almost always."""


def pooled(groups: Sequence[Sequence[float]]) -> Noise | None:
    """The noise of one run, pooled over the repeated runs of one change each.

    The first group is the reference (the baseline) and counts whole. Of every later group the first run is left
    out: the change was run again because that run looked lucky, and its distance from the next ones is the luck, not
    the noise. With it, simulated studies ended with a noise 35% too wide; without it, within 6%.

    Returns:
        None where no group has a repetition to offer.

    Raises:
        ValueError: a number is not finite.
    """
    return _scatter([*groups[:1], *(group[1:] for group in groups[1:])])


def present_noise(reigns: Sequence[Sequence[Sequence[float]]]) -> Noise | None:
    """The noise of one run as it is now: of the whole study, or of its newest champions where theirs is another.

    Every champion that another one took over from is a place where the noise may have changed. At each the variance
    after it is compared with that before it (F test, two-sided); the clearest one below `CHANGED` is believed. So a
    new champion of the same kind goes on with all that was known, and one of another kind with its own repetitions.

    Args:
        reigns: for each champion from the first to the present one, the runs of one change each, as `pooled` takes
            them: its own, and those of what was measured on it. The very first group is the reference.

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


def needed(keep: Keep, look: int) -> float:
    """The confidence that a candidate must reach to be kept after its run number `look`.

    The permitted share of false keeps, `1 - keep.confidence`, is divided by `SPREAD` at the first look and multiplied
    by it at the last, in equal steps between; with one look it is what the person said. A bar never falls below
    `FUTILE` or, where that is lower, below `keep.confidence` itself.

    Of changes without effect, measured against a champion of three honest runs, 2.6% are kept at the default of 99% and
    five looks; in whole studies of 700 of them, where one champion is measured better and better, one or none is.
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
        effect: better by so much than the champion.
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
    goal: Literal["min", "max"],
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
        settled: The champion is not to run again, however little is known of it.

    Raises:
        ValueError: either side has no run, or a number is not finite.
    """
    for side in (champion, candidate):
        if not side:
            raise ValueError("champion and candidate need a run each to be compared")
        _check(side)
    effect = _mean(champion) - _mean(candidate)
    effect = effect if goal == "min" else -effect
    runs = len(candidate)
    last = runs >= keep.max_runs
    if noise is None:
        return _without_noise(effect, last)

    rounding = _ROUNDING * max(map(abs, (*champion, *candidate)))
    own = statistics.stdev(candidate) if runs > 1 else 0.0
    scattered = own > max(rounding, SCATTERED * noise.sd)
    exact = noise.sd <= rounding and not scattered
    threshold = needed(keep, runs)
    if scattered:
        error = math.sqrt(own**2 / runs + noise.sd**2 / len(champion))
        confidence = student_below(runs - 1, effect / error)
    elif exact:
        error = 0.0
        confidence = 0.5 if abs(effect) <= rounding else float(effect > 0)
    else:
        error = _standard_error(noise, len(champion), runs)
        confidence = student_below(noise.dof, effect / error)
    odd = implausible(effect, None if exact else noise, largest) or ""

    def decide(action: Action, reason: str, flag: str = "") -> Decision:
        return Decision(action, effect, noise.sd, error, confidence, threshold, reason, flag)

    size = _size(0.0 if abs(effect) <= rounding else effect, own if scattered else noise.sd, exact)
    if scattered:
        size = f"its own runs scatter by {_figure(own, 2)}, so the noise of others says nothing: {size}"
    sure = f"{_percent(confidence)} sure after {_runs(runs)}"
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
    within = "within the noise, " if not exact and abs(effect) <= 2 * error else ""
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


def _champion_unknown(keep: Keep, runs: int, confidence: float, near: bool) -> bool:
    """Whether a challenger of this confidence is reason enough to run a champion of so many runs again.

    It gets as many runs as the baseline had as soon as anything looks better than it, and one fewer than an experiment
    may use once a challenger is `near`, worth another run itself: in simulated studies the fifth paid for itself no
    more. With `max_runs: 1` nothing is repeated, and neither is it.
    """
    if keep.max_runs == 1 or confidence < PROMISING:
        return False
    return runs < (max(keep.baseline_runs, keep.max_runs - 1) if near else keep.baseline_runs)


def _by_its_noise_only(noise: Noise, effect: float, n_champion: int, n_candidate: int, threshold: float) -> bool:
    """Whether an effect is clear by a noise that has become narrower, and was not by the one before it.

    The candidate may be of the older, wider kind, and then its one run is luck that the narrow noise takes for a gain.
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
    half a standard error still passes one time in three: that is the price the person chose with `simpler_wins`.
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
    word = "better" if effect > 0 else "worse"
    figures = f"{word} by {_figure(abs(effect), 3)}, but nothing was run twice yet, so the noise is not known"
    if last:
        return Decision("discard", effect, None, None, None, None, f"discarded: {figures}")
    return Decision("again", effect, None, None, None, None, f"run again: {figures}")


def _scatter(samples: Sequence[Sequence[float]]) -> Noise | None:
    """The noise of samples that count whole, each about its own mean."""
    deviations: list[float] = []
    dof = 0
    for sample in samples:
        _check(sample)
        if len(sample) > 1:
            mean = _mean(sample)
            deviations += [value - mean for value in sample]
            dof += len(sample) - 1
    # Sorted, so that the same runs in another order give the same bits; hypot, so that no square overflows.
    return Noise(math.hypot(*sorted(deviations)) / math.sqrt(dof), dof) if dof else None


def _together(noises: Sequence[Noise | None]) -> Noise | None:
    known = [noise for noise in noises if noise is not None]
    dof = sum(noise.dof for noise in known)
    return Noise(math.hypot(*(noise.sd * math.sqrt(noise.dof / dof) for noise in known)), dof) if known else None


def _same(one: Noise, other: Noise) -> float:
    """How likely two noises that are one lie so far apart (F test of two variances, two-sided)."""
    if other.sd == 0:
        return float(one.sd == 0)
    ratio = one.sd / other.sd
    below = f_below(one.dof, other.dof, min(ratio * ratio, sys.float_info.max))
    return 2 * min(below, 1 - below)


def _check(values: Sequence[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value} is no measurement; a run without a finite metric is a crash, not a number")


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _standard_error(noise: Noise, n_champion: int, n_candidate: int) -> float:
    return noise.sd * math.sqrt(1 / n_candidate + 1 / n_champion)


def _size(effect: float, sd: float, exact: bool) -> str:
    """Such as "better by 0.0123 (3.1× the noise of 0.0040)"."""
    word = "better" if effect > 0 else "worse"
    if exact:
        told = "the repeated runs agree to the last digit, so any difference counts"
        return f"{word} by {_figure(abs(effect), 3)} ({told})" if effect else f"exactly the same ({told})"
    if not effect:
        return f"exactly the same (the noise is {_figure(sd, 2)})"
    return f"{word} by {_figure(abs(effect), 3)} ({abs(effect) / sd:.1f}× the noise of {_figure(sd, 2)})"


def _figure(value: float, digits: int) -> str:
    return f"{value:#.{digits}g}".rstrip(".")


def _percent(share: float) -> str:
    """Rounded down, so that a bar just missed never reads as reached."""
    if share > 0.9999:
        return "over 99.99%"
    if share < 0.01:
        return "under 1%"
    return f"{math.floor(share * 10_000) / 100:.2f}%" if share >= 0.99 else f"{math.floor(share * 100)}%"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
