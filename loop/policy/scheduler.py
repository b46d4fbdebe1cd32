"""What to do next, decided from the study alone. Pure: the same study gives the same answer.

The supervisor keeps no plan of its own that a crash could lose: it asks here after every event and at every start.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType

from loop.policy import (
    ablation,
    calibration,
    climbing,
    honesty,
    neighbours,
    pairs,
    reservations,
    slot_units,
    validation,
)
from loop.policy.limits import PAID
from loop.policy.noise import pooled
from loop.policy.standing import alike, awaits_champion, noise, standing
from loop.study import queries
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study

FIRST_SEED = 1337
"""Seed of every experiment's first run, so that no change wins by its seed; each further run counts up by one."""

MOST_LOST = 2
"""Runs of one experiment that a slot may lose before another slot has to run it."""


def reference(study: Study) -> int:
    """The experiment that everything is measured against: the champion, or the baseline that is to become it."""
    return 0 if study.champion is None else study.champion


def lacks_reference(study: Study, kind: str | None = None) -> bool:
    """Whether the reference must run before anything can be compared with it.

    That is so at the start, and again after an edit of the program that changed the protocol: numbers of another budget
    or metric say nothing.

    Args:
        kind: of the slots in which it must; None: that of most of them.
    """
    if study.champion is None:
        return True
    kind = study.kinds[0] if kind is None else kind
    return not study.measured(study.experiments[study.champion], kind) or _lacks_noise(study, kind)


def _lacks_noise(study: Study, kind: str) -> bool:
    """Whether it is not known yet how much runs scatter on a kind of slot."""
    known = pooled([group for reign in queries.repetitions(study, kind) for group in reign])
    return known is None or known.dof < study.contract.keep.baseline_runs - 1


@dataclass(frozen=True, slots=True)
class Work:
    """What a free slot should do: start this run, or where it has ended already, measure its number anew."""

    experiment: Experiment
    run: int
    alone: bool = False
    """Nothing may be started beside it."""
    validates: bool = False
    """The run is for the validation that is under way, and counts for nothing else."""
    ablates: bool = False
    """The same for the ablation."""
    climbs: bool = False
    """The same of the climb."""
    slots: slot_units.Set = ()
    """Numbers of all slots that the run takes, where it is more than the one; `gpus`: how many of their GPUs."""
    gpus: int = 0


Claims = Mapping[tuple[int, int], int]
"""The runs that slots have in hand, from before they start until they are judged: experiment and number, and the number
of the slot."""

NONE: Claims = MappingProxyType({})


def next_work(study: Study, claimed: Claims = NONE, slot: int = 0, others: Collection[int] = ()) -> Work | None:
    """What a free slot should do now, or None where there is nothing to do.

    Args:
        claimed: what slots have in hand.
        slot: number of the free one.
        others: numbers of the other slots that work.

    A verdict near is worth more than a start: first come runs to verify, then those of a validation, then those of an
    ablation or a climb that a person has asked for, or that has its share of the time, then experiments that have run
    already and need another run, then those that have not, the most promising first (`calibration`); the runs of a
    climb and the rows of an ablation that nobody has asked for are what a slot does that has nothing else to do. Where
    one needs a run of the champion, the champion is next; other slots go on with other experiments. An experiment has
    one run at a time, so that the judge looks after each; the baseline and the champion, of which it is known how many
    runs they need, have theirs side by side.

    Numbers of two kinds of slot do not compare. So each kind measures the baseline and every champion for itself, and
    an experiment goes on where it began, unless no slot of that kind works any more.

    A slot that is reserved for a run of several takes nothing else, see `reservations`.
    """
    if study.short_of_room:
        return None
    if (held := reservations.held(study, slot)) is not None:
        return _on_several(study, claimed, slot, held)
    return work_of_one(study, claimed, slot, others)


def _on_several(study: Study, claimed: Claims, slot: int, held: slot_units.Set) -> Work | None:
    """What the first of reserved slots serves, once nothing goes on in any of them."""
    if slot != held[0] or not reservations.is_whole(held, claimed):
        return None
    for experiment, run in study.verifying():
        if run.also and (experiment.id, run.number) not in claimed:
            return Work(experiment, run.number, slots=held, gpus=int(run.gpus or 0))
    side = climbing.next_run(study, claimed, kind_of(study, slot), nothing_else=True)
    return (
        None
        if side is None
        else Work(side, _next_number(side, claimed), climbs=True, slots=held, gpus=study.reserved.gpus)
    )


def work_of_one(study: Study, claimed: Claims, slot: int, others: Collection[int] = ()) -> Work | None:
    """See `next_work`: what a free slot has to do that nobody has reserved."""
    if study.short_of_room:
        return None
    for experiment, run in study.verifying():
        if (experiment.id, run.number) not in claimed and not run.also:
            return Work(experiment, run.number)
    if (side := _next_to_validate(study, claimed, slot, others)) is not None:
        return Work(side, _next_number(side, claimed), validates=True)
    if (of := _next_to_ablate(study, claimed, slot, others)) is not None:
        return Work(of, _next_number(of, claimed), ablates=True)
    if (side := _next_to_climb(study, claimed, slot, others)) is not None:
        return Work(side, _next_number(side, claimed), climbs=True)
    found = _next_to_run(study, claimed, slot, others)
    if found is None:
        side = _next_to_climb(study, claimed, slot, others, nothing_else=True) if others else None
        if side is not None:
            return Work(side, _next_number(side, claimed), climbs=True)
        of = _next_to_ablate(study, claimed, slot, others, idle=True)
        return None if of is None else Work(of, _next_number(of, claimed), ablates=True)
    return Work(found, _next_number(found, claimed), _wants_alone(study, found, slot, others))


def _next_number(found: Experiment, claimed: Claims) -> int:
    """Number of an experiment's next run."""
    return max([*found.runs, *(run for number, run in claimed if number == found.id)], default=0) + 1


def _next_to_validate(study: Study, claimed: Claims, slot: int, others: Collection[int]) -> Experiment | None:
    """Whose run of the validation is next in a slot; it goes on where a limit is reached, for it is a study's end."""
    if study.paused or study.stopping != "no":
        return None
    side = validation.next_run(study, claimed, kind_of(study, slot))
    return None if side is None or _is_another_s(study, side, slot, others) else side


def _next_to_ablate(
    study: Study, claimed: Claims, slot: int, others: Collection[int], idle: bool = False
) -> Experiment | None:
    """The champion of which a slot runs the next row of an ablation; what was asked for goes on at a limit, too."""
    if study.paused or study.stopping != "no" or (idle and (study.limit is not None or study.does_one_thing)):
        return None
    found = ablation.next_run(study, claimed, kind_of(study, slot), idle)
    return None if found is None or _is_another_s(study, found, slot, others) else found


def _next_to_climb(
    study: Study, claimed: Claims, slot: int, others: Collection[int], nothing_else: bool = False
) -> Experiment | None:
    """Whose run of the climb is next in a slot that has the GPUs for it."""
    now = study.climb
    if now is None or slot_units.width(study, now.began.rung, kind_of(study, slot)):
        return None
    side = climbing.next_run(study, claimed, kind_of(study, slot), nothing_else=nothing_else)
    return None if side is None or _is_another_s(study, side, slot, others) else side


def _next_to_run(study: Study, claimed: Claims, slot: int, others: Collection[int]) -> Experiment | None:
    if study.paused or study.stopping != "no" or study.does_one_thing:
        return None
    if study.limit is not None and study.limit.limit not in PAID:
        return None
    kind = kind_of(study, slot)
    if lacks_reference(study, kind):
        first = study.experiments.get(reference(study))
        if (
            first is None
            or first.commit is None
            or given_up(study, first, kind)
            or _is_another_s(study, first, slot, others)
        ):
            return None
        company = neighbours.mates(study, slot, others)
        if company and _runs_alone(study, first, claimed, kind):
            return None
        if _lacks_run(study, first, claimed, kind, len(company)):
            return first
        if study.champion is None or len(study.kinds) == 1 or _lacks_noise(study, kind):
            return None  # else what ends here before the champion has is judged after it
    in_hand = {number for number, _ in claimed}
    queued = [
        x
        for x in study.open_experiments()
        if x.phase in ("queued", "running")
        and not x.running()
        and x.id not in in_hand
        and not _is_another_s(study, x, slot, others)
        and _may_run_on(study, x, kind, others)
    ]
    waiting = {x.id for x in queued if x.counted() and awaits_champion(study, x)}
    if (asked := _asked(study, kind)) is not None and not _busy_with(study, asked, claimed, kind):
        return asked
    champion = study.best
    if waiting and champion is not None and _lacks_run(study, champion, claimed, kind):
        return champion
    queued = [x for x in queued if x.id not in waiting]
    if begun := [x for x in queued if x.counted()]:
        return min(begun, key=lambda x: x.id)
    if queued:
        return calibration.order(study, queued)[0]
    if others and _worth_an_idle_slot(study, champion, claimed, kind):
        return champion
    return champion if _keeps_company(study, claimed, slot, others) else None


def upcoming(study: Study, claimed: Claims, count: int) -> list[Experiment]:
    """The first `count` experiments in the queue, in the order in which slots that fall free take them, as far as one
    can tell: which slot is free next, and what its run brings, nobody knows yet. None while nothing may start."""
    if study.champion is None or study.paused or study.stopping != "no" or study.short_of_room or study.does_one_thing:
        return []
    if study.limit is not None and study.limit.limit not in PAID:
        return []
    in_hand = {number for number, _ in claimed}
    queued = [
        x
        for x in study.open_experiments()
        if x.phase == "queued" and not x.running() and x.id not in in_hand and x.commit
    ]
    begun = sorted((x for x in queued if x.counted()), key=lambda x: x.id)  # a verdict near is worth more than a start
    fresh = [x for x in queued if not x.counted()]
    return [*begun, *(calibration.order(study, fresh) if fresh else ())][:count]


def kind_of(study: Study, slot: int) -> str:
    """Kind of the slot of that number."""
    return "" if study.supervisor is None else study.supervisor.kind(slot)


def _may_run_on(study: Study, experiment: Experiment, kind: str, others: Collection[int]) -> bool:
    """Whether an experiment may have its next run on a kind of slot: it has no run yet that counts, or has them there,
    or no slot of its kind works any more."""
    if not study.tried(experiment) or (its := study.kind_of(experiment)) == kind:
        return True
    return all(kind_of(study, other) != its for other in others)


def _is_another_s(study: Study, experiment: Experiment, slot: int, others: Collection[int]) -> bool:
    """Whether the slot has lost the experiment's runs as often as a loss is believed, and another has not: so nobody
    pays for a slot that is out of order."""
    names = study.supervisor.slots if study.supervisor is not None else ()
    present = [run for run in experiment.runs.values() if run.number > experiment.since_run]
    lost = Counter(
        run.slot
        for run in present
        if run.outcome is not None
        and run.outcome.is_lost
        and run.slot_name in ("", *names[run.slot : run.slot + 1])  # of another list of slots
    )
    return lost[slot] >= MOST_LOST and any(lost[other] < MOST_LOST for other in others)


def _busy_with(study: Study, experiment: Experiment, claimed: Claims, kind: str) -> int:
    """Runs of an experiment that are under way on a kind of slot: each is in a slot's hand before it is on record."""
    in_hand = sum(
        of == experiment.id and kind_of(study, slot) == kind and not ((its := experiment.runs.get(number)) and its.row)
        for (of, number), slot in claimed.items()
    )
    return max(in_hand, sum(study.is_of(run, kind) and not run.row for run in experiment.running()))


def _lacks_run(study: Study, champion: Experiment, claimed: Claims, kind: str, mates: int = 0) -> bool:
    """Whether another run of the champion, or of the baseline, may be under way on a kind of slot: as many may as it
    lacks of the baseline's, and one where a challenger asks for more.

    Args:
        mates: slots that share with this one; each run has company while it is found out what that costs.
    """
    least = study.contract.keep.baseline_runs
    side_by_side = min(mates, least) + 1 if study.company(kind) is None else 1
    most = max(1, -(-least // side_by_side) * side_by_side - len(study.measured(champion, kind)))
    return _busy_with(study, champion, claimed, kind) < most


def _runs_alone(study: Study, first: Experiment, claimed: Claims, kind: str) -> bool:
    """Whether a run is under way, or in hand, beside which nothing may be started."""
    if any(run.alone for run in first.running()):
        return True
    return neighbours.wants_alone(study, first, kind) and _busy_with(study, first, claimed, kind) > 0


def _wants_alone(study: Study, experiment: Experiment, slot: int, others: Collection[int]) -> bool:
    """Whether the run is to tell, with those that follow, what company costs."""
    kind = kind_of(study, slot)
    return (
        experiment.id == reference(study)
        and lacks_reference(study, kind)
        and bool(neighbours.mates(study, slot, others))
        and neighbours.wants_alone(study, experiment, kind)
    )


def given_up(study: Study, first: Experiment, kind: str) -> bool:
    """Whether what everything is to be measured against does not work on a kind of slot, so that another run of it
    there says nothing new."""
    return not study.measured(first, kind) and standing(study, first, kind)[0] not in ("measured", "unfinished")


def _worth_an_idle_slot(study: Study, champion: Experiment | None, claimed: Claims, kind: str) -> bool:
    """Whether a slot that has nothing else to do should repeat the champion: as often as the baseline, which every
    challenger that comes near would ask for. A single slot would keep the next proposal waiting with it."""
    if champion is None or study.limit is not None:
        return False
    runs = len(study.tried(champion, kind)) + _busy_with(study, champion, claimed, kind)
    return runs < study.contract.keep.baseline_runs


def _keeps_company(study: Study, claimed: Claims, slot: int, others: Collection[int]) -> bool:
    """Whether a slot that has nothing else to do should repeat the champion because a run beside it needs company."""
    known = study.company(kind_of(study, slot))
    if known is None or not known.matters or study.limit is not None:
        return False
    beside = set(neighbours.mates(study, slot, others))
    return any(where in beside and number != study.champion for (number, _), where in claimed.items())


ASKED = 2
"""Runs after its verdict of an experiment that is to tell how alike runs under one seed are."""


def _asked(study: Study, kind: str) -> Experiment | None:
    """The experiment that is to tell so of a kind of slot, or None where there is none or nobody needs to know."""
    champion = study.best
    known = noise(study, kind)
    if not study.paired or study.contract.keep.max_runs == 1 or not study.closed or champion is None:
        return None
    if study.limit is not None:
        return None
    if known is None or known.sd == 0 or honesty.floor(study) is not None:
        return None
    newest = study.experiments[next(reversed(study.closed))]
    for number in (newest.id, *study.asked):
        found = study.experiments[number]
        if found.parent != champion.id or found.verdict != Outcome.DISCARDED or found.judged_by != "judge":
            continue
        if found.effect is None or len(study.measured(found, kind)) < len(found.counted()):
            continue  # one of its runs gave no number, or one that does not compare
        if found.asked and len(found.counted()) <= ASKED:
            return found
        spent = ASKED * len(study.asked)
        of_kind = alike(study, kind).kinds.get(found.change, pairs.Scatter())
        effect = found.effect / known.sd
        if not found.asked and len(found.own()) == 1 and pairs.worth_asking(of_kind, effect, spent, study.runs):
            return found
    return None


def next_seed(experiment: Experiment, starting: Collection[int] = (), kind: str = "") -> int:
    """Seed of the experiment's next run: the first that none of its runs has which count or may yet.

    So a lost run is repeated with its own seed.

    Args:
        starting: seeds of its runs that are being started and are not on record yet.
        kind: of the slot that it is for; only runs on that kind take its seeds.
    """
    here = (run for run in experiment.runs.values() if not kind or run.device in ("", kind))
    present = (run for run in here if run.number > experiment.since_run and not run.alone)
    alive = (run for run in present if run.outcome is None or not run.outcome.is_lost)
    taken = {*(run.seed for run in alive), *starting}
    return next(seed for seed in count(FIRST_SEED) if seed not in taken)
