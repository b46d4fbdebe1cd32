"""Bundles: near wins that were discarded one by one go together into one candidate. Pure.

A gain of one noise is hardly ever seen alone: it takes a dozen runs. Six of them are a gain of six noises, which one
run shows. So what measured better than its champion, and too little better to be kept, is not thrown away: how much
each is likely worth is reckoned from what all ideas of the study were worth (`likely`), and those that are likely a
gain are made on today's champion together. What becomes of a bundle says something of its parts in turn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loop.policy import supply
from loop.policy.standing import noise
from loop.study import queries
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study

NAME = "bundles"
"""Who proposes them."""

MOST, ENOUGH, LEAST = 8, 4, 2
"""Parts of a bundle at most; near wins from which there is one while ideas wait; and where no idea does."""

WORTH = 0.5
"""Likely gain of a bundle in noises below which it is not worth its run."""

IDLE = 0.5
"""Length of a thought in runs from which a slot without an idea is one that waits for long."""

OFTEN = 2
"""Bundles that one experiment may be a part of: what has been in two of them that were discarded is no win."""

NEAR = 4.0
"""Effects beyond so many noises say nothing of those near zero, whose spread is looked for."""

PRIOR_MEAN, PRIOR_SD, PRIOR_WEIGHT = -0.5, 1.0, 5.0
"""What ideas are worth before any was measured, in noises, and how many experiments that counts for."""


@dataclass(frozen=True, slots=True)
class NearWin:
    """A discarded experiment that is likely a gain."""

    id: int
    gain: float
    """What it is likely worth, in the metric's units; positive is better."""


@dataclass(slots=True)
class _Belief:
    mean: float
    variance: float
    """Both in noises."""


def near_wins(study: Study) -> list[NearWin]:
    """The near wins that may go into a bundle on today's champion, the likeliest first.

    They were judged against a champion that today's builds on, as today's runs are measured, and are in no champion nor
    open bundle.
    """
    known, line = noise(study), queries.built_on(study)
    if known is None or not known.sd or study.champion is None:
        return []
    beliefs = likely(study, known.sd)
    in_it = {part for number in line for part in (number, *study.experiments[number].parts)}
    used: dict[int, int] = {}
    for x in study.experiments.values():
        for part in x.parts:
            used[part] = used.get(part, 0) + (OFTEN if x.verdict is None else 1)
    found = [
        NearWin(number, belief.mean * known.sd)
        for number, belief in beliefs.items()
        if belief.mean > 0
        and number not in in_it
        and used.get(number, 0) < OFTEN
        and study.experiments[number].verdict == Outcome.DISCARDED
        and not study.experiments[number].parts
        and study.experiments[number].champion in line
    ]
    return sorted(found, key=lambda one: (-one.gain, one.id))


def likely(study: Study, sd: float) -> dict[int, _Belief]:
    """What each judged change is likely worth, in noises: its effect, shrunk towards what ideas here are worth.

    Args:
        sd: the noise of one run.
    """
    judged = [study.experiments[number] for number in study.closed if _counts(study, study.experiments[number])]
    single = [x for x in judged if not x.parts]
    seen = {x.id: ((x.effect or 0.0) / sd, _error(study, x)) for x in judged}
    near = [seen[x.id] for x in single if abs(seen[x.id][0]) <= NEAR]
    weight = PRIOR_WEIGHT + len(near)
    mean = (PRIOR_WEIGHT * PRIOR_MEAN + sum(effect for effect, _ in near)) / weight
    scatter = sum((effect - mean) ** 2 - error**2 for effect, error in near)
    variance = max((PRIOR_WEIGHT * PRIOR_SD**2 + scatter) / weight, 0.1)
    beliefs: dict[int, _Belief] = {}
    for x in single:
        effect, error = seen[x.id]
        trust = variance / (variance + error**2)
        beliefs[x.id] = _Belief(mean + trust * (effect - mean), variance * (1 - trust))
    for x in judged:
        if x.parts and all(part in beliefs for part in x.parts):
            _learn(beliefs, x.parts, *seen[x.id])
    return beliefs


def _learn(beliefs: dict[int, _Belief], parts: Sequence[int], effect: float, error: float) -> None:
    """Share out among its parts what a bundle measured above or below what they were thought to be worth."""
    together = sum(beliefs[part].variance for part in parts)
    surprise = effect - sum(beliefs[part].mean for part in parts)
    for part in parts:
        belief = beliefs[part]
        share = belief.variance / (together + error**2)
        belief.mean += share * surprise
        belief.variance *= 1 - share


def _counts(study: Study, x: Experiment) -> bool:
    """Whether its verdict was by numbers that compare with today's."""
    if not x.id or x.imported or x.id in study.placebos or x.judged_by != "judge":
        return False
    return x.commit is not None and x.effect is not None and bool(study.measured(x))


def _error(study: Study, x: Experiment) -> float:
    """Standard error of its effect, in noises, as if no two runs were alike."""
    on = study.experiments.get(-1 if x.champion is None else x.champion)
    beside = len(study.measured(on)) if on is not None else 0
    return math.sqrt(1 / max(1, len(study.measured(x))) + 1 / max(1, beside))


def is_on(study: Study) -> bool:
    """Whether the study makes bundles: where its program says nothing, if it began since there are any."""
    given = study.contract.bundles
    return study.rules >= 1 if given is None else given


def has_room(study: Study, slots: int) -> bool:
    """Whether there may be a bundle now: no other is open, and no more ideas than slots wait to be run.

    Args:
        slots: places where runs can happen.
    """
    return is_on(study) and not any(x.parts for x in study.open_experiments()) and has_queue(study, slots)


def has_queue(study: Study, slots: int) -> bool:
    """Whether one more candidate may join the queue: the study goes on, and no more ideas than slots wait in it."""
    if study.champion is None or study.paused or study.stopping != "no" or study.short_of_room:
        return False
    if study.limit is not None or study.does_one_thing or _fresh(study) > slots:
        return False
    most = study.contract.limits.experiments
    return most is None or study.judged() + len(study.open) < most


def is_due(study: Study, found: Sequence[NearWin]) -> bool:
    """Whether there are near wins enough for a bundle; where a slot waits for a thought, a few are.

    Args:
        found: the `near_wins` of now.
    """
    idle = not _fresh(study) and (supply.runs_per_thought(study) or 0.0) > IDLE
    return len(found) >= (LEAST if idle else ENOUGH) and is_worth_it(study, found[:MOST])


def _fresh(study: Study) -> int:
    """Ideas that wait for their first run."""
    return sum(x.phase in ("proposed", "queued") and not x.counted() for x in study.open_experiments())


def is_worth_it(study: Study, parts: Sequence[NearWin]) -> bool:
    """Whether parts are likely to gain enough together to be worth a run."""
    known = noise(study)
    return known is not None and len(parts) >= LEAST and sum(one.gain for one in parts) >= WORTH * known.sd
