"""What to do next, decided from the study alone. Pure: the same study gives the same answer.

The supervisor has no plan of its own that a crash could lose: after every event, and at every start, it asks here.
"""

from collections import Counter
from collections.abc import Container, Mapping
from itertools import count
from types import MappingProxyType
from typing import Literal, cast

from loop.policy.judge import Decision, Noise, judge, pooled, present_noise
from loop.policy.limits import PAID
from loop.study.experiment import Experiment
from loop.study.state import Study

FIRST_SEED = 1337
"""Seed of an experiment's first run; each further run counts up. All begin alike, so no change wins by its seed."""

MOST_WAITING = 4
"""Proposals that may wait for a person. The loop thinks on meanwhile, but not into a pile nobody will read."""


def reference(study: Study) -> int:
    """The experiment that everything is measured against: the champion, or the baseline that is to become it."""
    return 0 if study.champion is None else study.champion


def lacks_reference(study: Study) -> bool:
    """Whether the reference must run before anything can be compared with it.

    So it is at the start, and again when an edit of the program changed the measure: numbers of another budget or
    metric say nothing.
    """
    if study.champion is None:
        return True
    champion = study.experiments[study.champion]
    known = pooled([group for reign in study.repetitions() for group in reign])
    enough = study.contract.keep.baseline_runs - 1
    return not champion.measured(study.contract.protocol_id) or known is None or known.dof < enough


def next_experiment(study: Study, claimed: Container[int] = ()) -> Experiment | None:
    """The experiment whose run a free slot should start now, or None where there is nothing to run.

    Args:
        claimed: experiments that a slot has taken already.

    An experiment that has run already and needs another run goes before one that has not: a verdict near is worth
    more than a start. Where what it needs is a run of the champion, that is the one; other slots go on with others.
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


def noise(study: Study) -> Noise | None:
    """The noise of one run that the judge goes by now; None while nothing was repeated."""
    return present_noise(study.repetitions())


def decision(study: Study, experiment: Experiment) -> Decision:
    """What the judge says of an experiment that stands "measured", from its runs and the champion's so far."""
    contract, champion = study.contract, study.best
    assert champion is not None
    tried = [run for run in champion.counted() if run.protocol_id == contract.protocol_id]
    return judge(
        contract.keep,
        contract.goal,
        champion=champion.measured(contract.protocol_id),
        candidate=experiment.measured(contract.protocol_id),
        noise=noise(study),
        lines_net=experiment.lines_added - experiment.lines_removed,
        largest=study.largest_gain(),
        # A champion that fails now and then is not run for ever: what it has must do.
        settled=len(tried) >= max(contract.keep.max_runs, contract.keep.baseline_runs),
    )


def awaits_champion(study: Study, experiment: Experiment) -> bool:
    """Whether an open experiment cannot be judged before the champion has run once more."""
    return (
        experiment.parent == study.champion
        and standing(study, experiment)[0] == "measured"
        and decision(study, experiment).action == "remeasure"
    )


def next_run(experiment: Experiment, starting: Mapping[int, int] = MappingProxyType({})) -> tuple[int, int]:
    """Number and seed of the experiment's next run: the first seed that none of its runs has which count or may yet.

    So a run that was lost is run again with its own seed.

    Args:
        starting: seeds, by number, of its runs that are being started and are not on record yet.
    """
    alive = (run for run in experiment.runs.values() if run.number > experiment.since_run and run.outcome != "lost")
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


Standing = Literal["crashed", "out_of_memory", "timed_out", "killed", "rejected", "measured", "unfinished"]

_CHECKS: dict[str, Standing] = {"verification": "crashed", "memory": "out_of_memory", "killed": "killed"}
"""What it means when the verification itself did not come to an end; any other check that fails rejects."""

WORDS: dict[Standing, str] = {
    "crashed": "crashed",
    "out_of_memory": "ran out of memory",
    "timed_out": "ran out of time",
    "killed": "was killed",
    "rejected": "was rejected by the verification",
}


def standing(study: Study, experiment: Experiment) -> tuple[Standing, str]:
    """Where an experiment stands after its runs so far, before any comparison, with the reason.

    "measured": every counted run gave a number, so the judge may compare. "unfinished": a run is under way, unverified,
    or none has counted yet.
    """
    protocol_id = study.contract.protocol_id
    runs = [run for run in experiment.counted() if run.protocol_id == protocol_id]
    if experiment.running() or not runs:
        return "unfinished", ""
    for run in runs:
        if run.outcome != "finished":
            return cast(Standing, run.outcome), run.reason
        if study.awaits_verification(run):
            return "unfinished", ""
        if run.check is not None:
            return _CHECKS.get(run.check, "rejected"), run.reason
        if run.metric is None:
            return "crashed", run.reason or f"the run's output has no {study.contract.metric}"
    return "measured", ""
