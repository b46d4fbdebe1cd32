"""Which runs are hopeless by their curve, and whether they are ended for it. Pure.

A candidate's first run has the seed of the champion's first run, so both see the same data in the same order, and what
is left between their curves at the same share of the training time is the change. What such a gap is worth is learnt
from this study's own finished runs: how far the gap at a share of the time has been from what the end showed. How much
of a gap is the luck of its batches, its own jitter from part to part tells: a change of the batch or of the speed sees
other data at the same time. A run is held for hopeless where its gap, at two looks in a row, is beyond what a run that
comes out level has ever a fair chance to make good.

Nothing is said before `stop.after` finished runs (20), before `FIRST` of a run's time, of the baseline, of a champion,
of the second run of anything, where the end of the curve does not tell which of two numbers is the better one, and of
changes of the schedule: those look hopeless for most of their time, and cross late.

Being wrong is found out, for ever: at first every run that is held for hopeless goes on to its end ("shadow"), and once
`PROVED` of them in a row have come to nothing they are ended; but of those, one in `AUDIT` goes on to its end still.
One that proves worth another run puts the study back to the beginning of that. `bench/early_stop.py` and
`docs/decisions/0020-the-end-of-hopeless-runs.md` give the figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median
from typing import Literal

from loop.policy.noise import student_quantile
from loop.policy.standing import noise as noise_of
from loop.study.curves import PARTS, RunCurve
from loop.study.events import RunCondemned
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study

FIRST, LAST = 0.2, 0.8
"""Shares of the training time between which a run is looked at; after the last there is little left to save. Before the
first, gaps close fast: of recorded runs worth another one, one in 27 would have been ended by a look at 15%."""

SURE = 0.9938
"""One-sided confidence of one look, 2.5 standard deviations."""

LEVEL = 2.0
"""Noises by which a run may have come out worse and still be one of those that the spread is learnt from."""

LEAST_LEVEL = 6
"""So many of these there are at least: where there are fewer, the best ones are taken for it."""

LEFT = 0.5
"""Noises by which the end of a run may still differ from what its curve shows, at equal seeds: what two runs leave to
each other whose correlation is 0.87, as of the less alike changes of constants. Where they are less alike than that,
the gaps scatter more, and that is learnt."""

SPAN = 3
"""Parts of the time over whose mean a gap is taken."""

NORMAL, EFFICIENCY = 1.4826, 0.37
"""From a median of distances to a standard deviation, and how much less it tells than a mean of squares. A mean would
let one curve of another shape, of a warm-up say, hide all the others."""

CLEAR, LEAST_CLEAR, AGREE = 2.0, 10, 0.8
"""Of pairs of runs whose numbers differ by so many noises, of which there must be so many, this share must be ordered
alike by the ends of their curves: else the metric is not on the curve."""

MOST = 150
"""The newest finished runs that count: a study's changes grow smaller."""

PROVED = 20
"""Runs held for hopeless that must have come to nothing, one after another, before any is ended."""

AUDIT = 10
"""One in so many goes on to its end all the same."""

Mode = Literal["off", "shadow", "on"]


# --- the rule ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """A finished run beside its champion's of the same seed."""

    gaps: Sequence[float | None]
    """What it reported in each part of its time, less what the champion's did."""
    end: float
    """The same of the ends of the curves."""
    effect: float
    """How much better its number is, in noises."""


@dataclass(frozen=True)
class Spread:
    """What a gap is worth in a study. Gaps are in the units of the curve."""

    sign: int
    """1 where higher on the curve is worse, -1 where it is better."""
    noise: float
    """What one noise of the final number is on the curve."""
    parts: Sequence[float]
    """How far gaps in each part are from what the end shows, as a standard deviation; infinite where nobody knows."""
    runs: int
    """Runs that came out level, from which that is known."""

    def limit(self, part: int, jitter: float) -> float:
        """The gap from which a run is hopeless by one look.

        Args:
            jitter: of the run's own gaps from part to part, as a standard deviation.
        """
        scatter = math.hypot(self.parts[part], LEFT * self.noise, jitter / math.sqrt(SPAN))
        return student_quantile(max(2.0, EFFICIENCY * self.runs), SURE) * scatter


def spread(past: Sequence[Past], enough: int) -> Spread | None:
    """What gaps are worth, learnt from finished runs; None where they do not tell, or are fewer than `enough`."""
    past = past[-MOST:]
    if len(past) < enough or (sign := _sign(past)) is None:
        return None
    steep = [sign * one.end / -one.effect for one in past if abs(one.effect) >= CLEAR]
    slope = median(steep)
    if slope <= 0:
        return None
    level = [one for one in past if one.effect >= -LEVEL]
    if len(level) < LEAST_LEVEL:
        level = sorted(past, key=lambda one: -one.effect)[:LEAST_LEVEL]
    parts = []
    for part in range(PARTS):
        # What came out better lay ahead of the champion for that, and says as much of the spread.
        off = [sign * gap + slope * one.effect for one in level if (gap := gap_at(one.gaps, part)) is not None]
        known = len(off) >= LEAST_LEVEL
        parts.append(NORMAL * median(map(abs, off)) if known else math.inf)
    return Spread(sign, slope, parts, len(level))


def gap_at(gaps: Sequence[float | None], part: int) -> float | None:
    """The gap after a part of the time: the mean over that part and those just before it; None where it has none."""
    known = [gap for gap in gaps[max(0, part - SPAN + 1) : part + 1] if gap is not None]
    return sum(known) / len(known) if known and gaps[part] is not None else None


def jitter(gaps: Sequence[float | None], part: int) -> float | None:
    """How much gaps scatter from one part to the next, up to that part; None where there are too few.

    The first part is left out: there everything falls steeply.
    """
    steps = [late - early for early, late in pairwise(gaps[1 : part + 1]) if early is not None and late is not None]
    return math.sqrt(sum(step**2 for step in steps) / len(steps) / 2) if steps else None


def _sign(past: Sequence[Past]) -> int | None:
    """1 where the higher end of a curve goes with the worse number, -1 where it goes with the better one."""
    agree = told = 0
    for one, other in combinations(past, 2):
        if abs(one.effect - other.effect) >= CLEAR and one.end != other.end:
            told += 1
            agree += (one.end > other.end) == (one.effect < other.effect)
    if told < LEAST_CLEAR:
        return None
    share = agree / told
    return 1 if share >= AGREE else -1 if share <= 1 - AGREE else None


def gaps(own: RunCurve, theirs: RunCurve) -> list[float | None]:
    """What a run reported in each part of its time, less what another did."""
    pairs = [(own.at(part), theirs.at(part)) for part in range(PARTS)]
    return [None if one is None or other is None else one - other for one, other in pairs]


@dataclass(frozen=True)
class Rule:
    """By which one run is looked at while it goes on."""

    champion: int
    beside: RunCurve
    """The champion's run under the same seed."""
    spread: Spread

    def look(self, curve: RunCurve, part: int) -> tuple[float, float] | None:
        """How a run stands after a part of its time: its gap to the champion's, behind it where that is above 0, and
        the limit. None where one of them reported nothing there."""
        found = gaps(curve, self.beside)
        gap, own = gap_at(found, part), jitter(found, part)
        return None if gap is None or own is None else (self.spread.sign * gap, self.spread.limit(part, own))

    def hopeless(self, curve: RunCurve, part: int) -> bool:
        """Whether a run is hopeless by its curve up to that part."""
        if part / PARTS < FIRST or (part + 1) / PARTS > LAST:
            return False
        if (curve.name, curve.by) != (self.beside.name, self.beside.by):
            return False
        looks = [self.look(curve, at) for at in (part - 1, part)]
        return all(look is not None and look[0] > look[1] for look in looks)


def rule(study: Study, experiment: Experiment, seed: int, kind: str) -> Rule | None:
    """The rule for the next run of an experiment; None where it is to come to its end whatever its curve.

    Args:
        seed: of the run.
        kind: of its slot.
    """
    if mode(study) == "off" or experiment.id == 0 or experiment.verdict is not None or experiment.counted():
        return None
    if experiment.schedule:
        return None
    champion = study.experiments.get(-1 if experiment.parent is None else experiment.parent)
    if champion is None or champion.id != study.champion or (beside := _under(study, champion, seed, kind)) is None:
        return None
    assert beside.curve is not None
    known = spread(finished(study, kind, beside.curve), study.contract.stop.after)
    return None if known is None else Rule(champion.id, beside.curve, known)


def finished(study: Study, kind: str, like: RunCurve) -> list[Past]:
    """The finished runs of a study whose curve is of the same value, each beside its champion's of the same seed.

    Args:
        kind: of the slots that they were in.
    """
    known = noise_of(study, kind)
    if known is None or known.sd <= 0:
        return []
    found = []
    for experiment in study.experiments.values():
        parent = study.experiments.get(-1 if experiment.parent is None else experiment.parent)
        if parent is None or experiment.id == 0:
            continue
        for run in study.tried(experiment, kind):
            beside = _under(study, parent, run.seed, kind)
            past = None if beside is None else _past(study, run, beside, like, known.sd)
            if past is not None:
                found.append(past)
    return found


def _under(study: Study, champion: Experiment, seed: int, kind: str) -> Run | None:
    """The champion's run under a seed that has a curve and a number."""
    runs = (run for run in study.tried(champion, kind) if run.seed == seed)
    return next((run for run in runs if run.metric is not None and run.curve is not None), None)


def _past(study: Study, run: Run, beside: Run, like: RunCurve, sd: float) -> Past | None:
    own, theirs = run.curve, beside.curve
    if own is None or theirs is None or run.metric is None or beside.metric is None:
        return None
    if {(own.name, own.by), (theirs.name, theirs.by)} != {(like.name, like.by)}:
        return None
    if own.last is None or theirs.last is None:
        return None
    return Past(gaps(own, theirs), own.last - theirs.last, study.contract.better_by(run.metric, beside.metric) / sd)


# --- whether it acts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """What has become of the runs that were held for hopeless."""

    stopped: int = 0
    """Ended for it."""
    audited: int = 0
    """Went on to their end, and it is known what they came to."""
    false: int = 0
    """Of these, worth another run: ending them would have been a mistake."""
    in_a_row: int = 0
    """The newest of these that came to nothing, one after another."""
    saved: float = 0.0
    """Seconds of training that the stopped ones would have taken."""

    @property
    def at_most(self) -> float:
        """The share of false ones that is not exceeded, with 95% confidence (Clopper and Pearson)."""
        return upper(self.false, self.audited)


def upper(false: int, of: int, confidence: float = 0.95) -> float:
    """One-sided upper bound of a share of which `false` in `of` were seen."""
    if false >= of:
        return 1.0
    low, high = false / of, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        below = sum(math.comb(of, k) * middle**k * (1 - middle) ** (of - k) for k in range(false + 1))
        low, high = (middle, high) if below > 1 - confidence else (low, middle)
    return high


def account(study: Study) -> Account:
    """The account of a study so far."""
    stopped = audited = false = in_a_row = 0
    saved = 0.0
    for number in study.condemned:
        experiment = study.experiments[number]
        for run in experiment.runs.values():
            if run.condemned is None:
                continue
            if run.outcome == Outcome.STOPPED_EARLY:
                stopped += 1
                saved += (1 - run.condemned.share) * run.budget
            elif (worth := worth_another(experiment, run)) is not None:
                audited += 1
                false += worth
                in_a_row = 0 if worth else in_a_row + 1
    return Account(stopped, audited, false, in_a_row, saved)


def worth_another(experiment: Experiment, run: Run) -> bool | None:
    """Whether a run that came to its end was worth another one, by what the judge did; None while nobody knows, and
    where it says nothing (lost, killed by a person)."""
    if run.outcome is None or run.outcome.is_lost or run.outcome == Outcome.KILLED:
        return None
    if experiment.verdict == Outcome.KEPT:
        return True
    later = any(other.number > run.number and not _aside(other) for other in experiment.runs.values())
    if later and not experiment.asked:
        return True
    return None if experiment.verdict is None else False


def _aside(run: Run) -> bool:
    """Whether a run says nothing of how its experiment was judged."""
    return bool(run.validates) or (run.outcome is not None and run.outcome.is_lost)


def mode(study: Study) -> Mode:
    """Whether hopeless runs are ended, or only told, or neither."""
    asked = study.contract.stop.hopeless
    if asked is not None:
        return asked
    return "on" if study.rules >= 1 and account(study).in_a_row >= PROVED else "shadow"


def sentence(study: Study) -> str:
    """What a person should know of it, in a few words; empty while there is nothing to say."""
    found, now = account(study), mode(study)
    if now == "off" or not study.condemned:
        return ""
    told = f"false stops: {found.false} of {found.audited} audited, at most {found.at_most:.0%}"
    if not found.audited:
        told = "false stops: none audited yet"
    if now == "shadow":
        return f"{told}; nothing is stopped yet" if study.contract.stop.hopeless is None else told
    return f"{found.stopped} stopped early; {told}"


def then(study: Study) -> Literal["stopped", "audited", "shadow"]:
    """What becomes of the next run that is held for hopeless."""
    if mode(study) != "on":
        return "shadow"
    runs = (run for number in study.condemned for run in study.experiments[number].runs.values())
    acted = sum(run.condemned is not None and run.condemned.then != "shadow" for run in runs)
    return "audited" if acted % AUDIT == 0 else "stopped"


def condemn(study: Study, rule: Rule, curve: RunCurve, part: int) -> RunCondemned | None:
    """What is to be recorded of a run, and done with it, once a part of its time is over; None: it just goes on."""
    look = rule.look(curve, part)
    if look is None or not rule.hopeless(curve, part):
        return None
    value, beside = curve.at(part), rule.beside.at(part)
    assert value is not None and beside is not None
    return RunCondemned(
        then=then(study),
        curve=curve.name,
        share=(part + 1) / PARTS,
        value=value,
        beside=beside,
        limit=look[1],
        champion=rule.champion,
    )


def told(condemned: RunCondemned) -> str:
    """Where the curve was, in a clause."""
    return (
        f"{condemned.curve} {condemned.value:.5g} after {condemned.share:.0%} of its time, where experiment "
        f"{condemned.champion} had {condemned.beside:.5g} under the same seed: "
        f"{abs(condemned.value - condemned.beside):.3g} behind, and the limit is {condemned.limit:.3g}"
    )


def announced(condemned: RunCondemned) -> str:
    """That a run was held for hopeless and what becomes of it, as the predicate of a sentence."""
    said = {
        "stopped": "is stopped early",
        "audited": f"looks hopeless; one such run in {AUDIT} goes on, to audit the rule",
        "shadow": "looks hopeless; it goes on, since nothing is stopped yet",
    }[condemned.then]
    return f"{said}: {told(condemned)}"
