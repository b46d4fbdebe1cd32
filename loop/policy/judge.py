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

What is odd about a number (`doubts`) is seen twice before it is kept, and is flagged then. Where nobody verifies the
numbers, none is kept that only one seed has shown.

At equal seeds. First runs share a seed, so do second and third ones, and what such runs have in common (`pairs`) falls
out of their difference: that is how small gains are seen. No gain is kept there before as many seeds have shown it as
the baseline had, nor against the word of its later ones: the first seed chose the candidate, so it flatters, and the
later ones do not. A study that began before there were pairs goes on by the means alone.

Runs that agree to the last digit mean two things. Where nothing is random any difference counts. Where the program
fixes its own seed an edit shuffles the dice once, and only what is above a `Floor` counts.
`bench/judge.py` measures what all this is worth in whole studies; `docs/decisions/0004-a-bar-that-falls.md` and
`0007-a-noise-that-changes.md` give the reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loop.policy import doubts, pairs
from loop.policy.comparison import Goal, Look, by_words, compared, effect_of, percent, runs_of
from loop.policy.noise import Floor, Noise, at_most, check_finite, student_below, student_quantile
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

LATER = 0.95
"""Confidence that the runs after the first must reach by themselves. Where one change in twenty shines on the
first seed alone, by six times the noise, a study keeps 0.6 false ones with it and 4.6 without, see `bench/judge.py`."""

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
    doubt: str = ""
    """The same where it is so odd that it waits for a person in `review: flagged`, or if nobody verifies."""
    alike: float = 0.0
    """How alike its runs and the champion's are at equal seeds, as a correlation."""


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


def repeat_threshold(n_champion: int, n_candidate: int, noise: Noise, alike: float = 0.0) -> float:
    """The effect from which a candidate with so many runs is worth another one, in the metric's units.

    Args:
        alike: how alike its runs and the champion's are at equal seeds; 0 where the means are compared.
    """
    return _effect_at(FUTILE, n_champion, n_candidate, noise, alike)


def _effect_at(confidence: float, n_champion: int, n_candidate: int, noise: Noise, alike: float = 0.0) -> float:
    return student_quantile(noise.dof, confidence) * pairs.error(noise, n_candidate, n_champion, alike)


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
    floor: Floor | None = None,
    verified: bool = True,
    beside: pairs.Beside | None = None,
    metric: str = "",
    at_least: float = 0.0,
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
        floor: The program fixes its own seed; None where it takes ours, or nothing in it is random.
        verified: Somebody else has measured the numbers; else they are what the edited program says.
        beside: The champion's runs under the candidate's seeds; None where the means alone are compared.
        metric: Its name, which may say where its scale ends.
        at_least: The confidence below which nothing is kept, whatever the look; see `error_account`.

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
        return _without_noise(effect_of(goal, champion, candidate), last)
    look = compared(goal, champion, candidate, noise, floor, beside)
    effect, confidence, exact, size = look.effect, look.confidence, look.exact, look.size
    threshold = max(needed(keep, runs), at_least)
    sd = noise.sd if not exact else 0.0 if floor is None else floor.sd
    never = doubts.sentinel(champion, candidate)
    if not (verified or exact or never) and doubts.constant(champion, candidate):
        never = doubts.constant_said(candidate)
    never = never or doubts.off_scale(metric, goal, champion, candidate, sd)
    odd = never or doubts.implausible(effect, sd, largest)
    doubt = never
    if odd and not never and not doubts.has_scale(champion, sd):
        doubt = doubts.implausible(effect, sd, largest, sd if exact else at_most(noise))
    sure = f"{percent(confidence)} sure after {runs_of(runs)}"

    def decide(action: Action, reason: str, flag: str = "") -> Decision:
        return Decision(action, effect, noise.sd, confidence, reason, flag, doubt if flag else "", look.alike)

    clear = confidence >= threshold
    futile = confidence < min(FUTILE, keep.confidence)
    simpler = keep.simpler_wins and lines_net < 0 and not clear
    if beside is not None and not exact:
        if not settled and runs > len(beside.champion):
            return decide("remeasure", f"the champion runs again, under the seed of the newest run: {size}")
        if clear and (unseen := _unseen(keep, goal, champion, candidate, noise, beside, look)):
            if last:
                return decide("discard", f"discarded: {size}, {sure}, but {unseen}")
            return decide("again", f"run again: {size}, {sure}; {unseen}", odd)
    if clear and odd and runs == 1 and not last:
        return decide("again", f"run again: {odd}; it has to be seen twice", odd)
    if clear and not (verified or exact or last) and (once := _seen_too_little(keep, champion, candidate)):
        return decide("again", f"run again: {size}, {sure}; {once}", odd)
    near = not (clear or futile or simpler)
    if not settled and not exact and _champion_unknown(keep, len(champion), confidence, near):
        why = "too few to be replaced" if clear else "and this one is near"
        return decide("remeasure", f"the champion runs again: it is known from {runs_of(len(champion))}, {why}: {size}")
    if clear:
        if runs < (times := min(keep.baseline_runs, keep.max_runs)) and _by_its_noise_only(
            noise, effect, len(champion), runs, threshold
        ):
            why = f"clear by the noise of the newest champions only, so it has to be seen {times} times"
            return decide("again", f"run again: {size}, {sure}; {why}", odd)
        return decide("keep", f"kept: {size}" if exact else f"kept: {size}, {sure} ({percent(threshold)} needed)", odd)
    chance = f"{percent(confidence)} chance after {runs_of(runs)} that it helps"
    if simpler:
        figures = size if exact else f"{size}, {chance}"
        return decide(*_simpler(keep, runs, effect, confidence, exact, -lines_net, figures), odd)
    if exact:
        return decide("discard", f"discarded: {size}")
    if futile:
        hint = runs == 1 and not last and effect > 0
        wanted = f"; not repeated: that takes {percent(min(FUTILE, keep.confidence))}" if hint else ""
        none = "no clear gain: " if abs(effect) <= 2 * look.error else ""
        return decide("discard", f"discarded: {none}{size}, {chance}{wanted}")
    if last:
        return decide("discard", f"discarded: still unclear: {size}, {sure}, {percent(threshold)} needed")
    return decide("again", f"run again: {size}, {sure}, {percent(threshold)} needed")


def _seen_too_little(keep: Keep, champion: Sequence[float], candidate: Sequence[float]) -> str:
    """Why numbers that nobody verifies have to be shown by another seed, too; empty where they need not."""
    if len(candidate) == 1:
        return "nobody verifies it, so another seed has to show it, too"
    if doubts.constant(champion, candidate) and len(candidate) < keep.baseline_runs:
        return f"its {len(candidate)} seeds gave the very same number"
    return ""


def _unseen(
    keep: Keep,
    goal: Goal,
    champion: Sequence[float],
    candidate: Sequence[float],
    noise: Noise,
    beside: pairs.Beside,
    look: Look,
) -> str:
    """Why a gain that is clear by now is not kept yet: its later seeds have to bear it out."""
    runs, times = len(candidate), min(keep.baseline_runs, keep.max_runs)
    if runs < times:
        return f"a gain is kept once {times} seeds have shown it"
    if runs == 1:
        return ""
    alone = pairs.effect(candidate[1:], champion, beside.champion[1:] or champion, look.alike)
    error = pairs.error(noise, runs - 1, len(champion), look.alike)
    if student_below(noise.dof, (-alone if goal == "min" else alone) / error) >= LATER:
        return ""
    return f"it is the first seed that says so: the {'other' if runs == 2 else f'other {runs - 1}'} alone would not do"


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
    return student_below(before.dof, effect / pairs.error(before, n_candidate, n_champion, 0.0)) < threshold


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
        return "again", f"run again: {lines}, {figures}; the mean of {runs_of(enough)} decides"
    # Exact equality arrives here with an effect of a few rounding errors of either sign.
    if effect >= 0 or exact:
        return "keep", f"kept: {lines} and no worse in the mean: {figures}"
    return "discard", f"discarded: {lines}, but not as good in the mean: {figures}"


def _without_noise(effect: float, last: bool) -> Decision:
    """Nothing was repeated yet, so no difference means anything."""
    figures = f"{by_words(effect)}, but nothing was run twice yet, so the noise is not known"
    if last:
        return Decision("discard", effect, None, None, f"discarded: {figures}")
    return Decision("again", effect, None, None, f"run again: {figures}")
