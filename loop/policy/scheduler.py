"""What to do next, decided from the study alone. Pure: the same study gives the same answer.

The supervisor keeps no plan of its own that a crash could lose: it asks here after every event and at every start.
"""

from collections import Counter
from collections.abc import Container, Mapping
from itertools import count
from types import MappingProxyType

from loop.policy.limits import PAID
from loop.policy.noise import pooled
from loop.policy.standing import awaits_champion
from loop.study import queries
from loop.study.experiment import Experiment
from loop.study.state import Study

FIRST_SEED = 1337
"""Seed of every experiment's first run, so that no change wins by its seed; each further run counts up by one."""

MOST_WAITING = 4
"""Proposals that may wait for a person. Researchers go on meanwhile, but not into a pile that nobody will read."""


def reference(study: Study) -> int:
    """The experiment that everything is measured against: the champion, or the baseline that is to become it."""
    return 0 if study.champion is None else study.champion


def lacks_reference(study: Study) -> bool:
    """Whether the reference must run before anything can be compared with it.

    That is so at the start, and again after an edit of the program that changed the protocol: numbers of another budget
    or metric say nothing.
    """
    if study.champion is None:
        return True
    champion = study.experiments[study.champion]
    known = pooled([group for reign in queries.repetitions(study) for group in reign])
    enough = study.contract.keep.baseline_runs - 1
    return not champion.measured(study.contract.protocol_id) or known is None or known.dof < enough


def next_experiment(study: Study, claimed: Container[int] = ()) -> Experiment | None:
    """The experiment whose run a free slot should start now, or None where there is nothing to run.

    Args:
        claimed: experiments that a slot has taken already.

    An experiment that has run already and needs another run goes before one that has not: a verdict near is worth more
    than a start. Where it needs a run of the champion, the champion is next; other slots go on with other experiments.
    """
    if study.paused or study.short_of_room or study.stopping != "no":
        return None
    if study.limit is not None and study.limit.limit not in PAID:
        return None
    if lacks_reference(study):
        first = study.experiments.get(reference(study))
        if first is None or first.commit is None or first.running() or first.id in claimed:
            return None
        return first
    queued = [
        x
        for x in study.open_experiments()
        if x.phase in ("queued", "running") and not x.running() and x.id not in claimed
    ]
    waiting = {x.id for x in queued if x.counted() and awaits_champion(study, x)}
    champion = study.best
    if waiting and champion is not None and not champion.running() and champion.id not in claimed:
        return champion
    queued = [x for x in queued if x.id not in waiting]
    return min(queued, key=lambda x: (not x.counted(), x.id), default=None)


def next_run(experiment: Experiment, starting: Mapping[int, int] = MappingProxyType({})) -> tuple[int, int]:
    """Number and seed of the experiment's next run: the first seed that none of its runs has which count or may yet.

    So a lost run is repeated with its own seed.

    Args:
        starting: seeds, by number, of its runs that are being started and are not on record yet.
    """
    present = (run for run in experiment.runs.values() if run.number > experiment.since_run)
    alive = (run for run in present if run.outcome is None or not run.outcome.is_lost)
    taken = {*(run.seed for run in alive), *starting.values()}
    seed = next(seed for seed in count(FIRST_SEED) if seed not in taken)
    return max([*experiment.runs, *starting], default=0) + 1, seed


def wants_proposal(study: Study, slots: int, ahead: int, thinking: int) -> bool:
    """Whether a researcher should be asked for a proposal now.

    Args:
        slots: places where runs can happen.
        ahead: proposals that may wait while all slots are busy.
        thinking: proposals being thought about already.
    """
    if study.champion is None or study.paused or study.short_of_room:
        return False
    if study.stopping != "no" or study.limit is not None:
        return False
    phases = Counter(x.phase for x in study.open_experiments())
    open_ones = phases.total() + thinking
    most = study.contract.limits.experiments
    if most is not None and study.judged() + open_ones >= most:
        return False
    if phases["waiting"] >= MOST_WAITING:
        return False
    return open_ones - phases["waiting"] < slots + ahead
