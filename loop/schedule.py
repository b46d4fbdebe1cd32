"""What to do next, decided from the study alone. Pure: the same study gives the same answer.

The supervisor has no plan of its own that a crash could lose: after every event, and at every start, it asks here.
"""

from collections.abc import Sequence
from typing import Literal

from loop.study import Experiment, Run, Study

FIRST_SEED = 1337
"""Seed of an experiment's first run; each further run counts up. All begin alike, so no change wins by its seed."""


def unverified(study: Study) -> list[tuple[Experiment, Run]]:
    """Runs that ended well and whose number has not been measured anew yet."""
    if study.contract.verify is None:
        return []
    return [
        (experiment, run)
        for experiment in study.experiments.values()
        if experiment.verdict is None or experiment.id == study.champion
        for run in experiment.counted()
        if run.outcome == "finished" and not run.verified
    ]


def lacks_reference(study: Study) -> bool:
    """Whether the champion must run before anything can be compared with it.

    So it is at the start (the baseline is the champion to be), and again when an edit of the program changed the
    measure: numbers of another budget or metric say nothing.
    """
    if study.champion is None:
        return True
    degrees = sum(len(group) - 1 for group in study.repetitions())
    champion = study.experiments[study.champion]
    return not champion.measured(study.contract.measure) or degrees < study.contract.keep.baseline_runs - 1


def next_experiment(study: Study) -> Experiment | None:
    """The experiment whose run a free slot should start now, or None where there is nothing to run.

    An experiment that has run already and needs another run goes before one that has not: a verdict near is worth
    more than a start.
    """
    if study.paused or study.stopping != "no" or study.limit is not None:
        return None
    if lacks_reference(study):
        reference = study.experiments.get(study.champion or 0)
        return reference if reference is not None and reference.commit and reference.in_flight() is None else None
    queued = [x for x in study.experiments.values() if x.phase == "queued" and x.id != 0]
    return min(queued, key=lambda x: (not x.counted(), x.id), default=None)


def next_run(experiment: Experiment) -> tuple[int, int]:
    """Number and seed of the experiment's next run. A run that was lost is run again with its own seed."""
    return max(experiment.runs, default=0) + 1, FIRST_SEED + len(experiment.counted())


def wants_proposal(study: Study, slots: int, ahead: int, thinking: int) -> bool:
    """Whether a researcher should be asked for a proposal now.

    Args:
        slots: places where runs can happen.
        ahead: proposals that may wait while all slots are busy.
        thinking: proposals being thought about already.
    """
    if study.champion is None or study.paused or study.stopping != "no" or study.limit is not None:
        return False
    open_ones = sum(x.phase != "judged" for x in study.experiments.values()) + thinking
    most = study.contract.limits.experiments
    if most is not None and study.judged() + open_ones >= most:
        return False
    return open_ones < slots + ahead


Standing = Literal["kept", "crashed", "timed_out", "killed", "rejected", "measured", "unfinished"]


def standing(study: Study, experiment: Experiment) -> tuple[Standing, str]:
    """Where an experiment stands after its runs so far, before any comparison, with the reason.

    "measured": every counted run gave a number, so the judge may compare. "unfinished": a run is in flight, unverified,
    or none has counted yet.
    """
    runs: Sequence[Run] = experiment.counted()
    if experiment.in_flight() is not None or not runs:
        return "unfinished", ""
    for run in runs:
        if run.outcome != "finished":
            return run.outcome or "crashed", run.reason  # type: ignore[return-value]
        if study.contract.verify is not None and not run.verified:
            return "unfinished", ""
        if run.check is not None:
            return ("crashed" if run.check == "verification" else "rejected"), run.reason
        if run.metric is None:
            return "crashed", run.reason or f"the run's output has no {study.contract.metric}"
    if not experiment.measured(study.contract.measure):
        return "unfinished", ""
    return "measured", ""
