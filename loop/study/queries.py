"""What is asked of a study's past. Pure: each answer follows from the events alone."""

from collections.abc import Callable
from heapq import nlargest
from itertools import chain
from math import isfinite

from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study

HOUR = 3600.0
"""Seconds in which the machine is taken to be the same."""


def built_on(study: Study) -> list[int]:
    """The champion, the experiment it was built on, and so on down to the baseline: the branch, newest first."""
    found: list[int] = []
    at = study.champion
    while at in study.experiments and at not in found:
        found.append(at)
        at = study.experiments[at].parent
    return found


def doubted(study: Study) -> list[int]:
    """Experiments that have run and wait for a person's word on their number, in order."""
    return [found.id for found in study.open_experiments() if found.doubted]


def uncounted(found: Experiment | Run, contract: Contract) -> float | None:
    """The number that was measured and does not count: of a run that failed a check or did not end as it should, and
    of an experiment whose verdict takes no number (of its newest run that has one). None where a number counts, where
    it is not known yet whether one does, and where there is none."""
    if isinstance(found, Run):
        settled = found.outcome is not None and (found.check is not None or found.outcome != Outcome.FINISHED)
        settled = settled and found.outcome != Outcome.STOPPED_EARLY  # what it printed was on its way
        value = found.metrics.get(contract.metric) if settled and found.metric is None else None
        return value if value is not None and isfinite(value) else None
    if found.verdict is None or found.verdict.has_number:
        return None
    values = [run.metric if run.metric is not None else uncounted(run, contract) for run in found.counted()]
    told = found.metric, *reversed(values)
    return next((value for value in told if value is not None), None)


def failures_in_a_row(study: Study) -> int:
    """How many of the newest verdicts are failures, back to the last one that is none."""
    count = 0
    for number in reversed(study.closed):
        verdict = study.experiments[number].verdict
        if verdict is None or not verdict.is_failure or study.experiments[number].imported:
            break
        count += 1
    return count


def repetitions(study: Study, kind: str | None = None) -> list[list[list[float]]]:
    """The metrics that the noise is computed from, under the present protocol.

    Args:
        kind: of the slots that they are from; None: that of most of them.

    Returns:
        For each champion on the branch, from the first to the present one, its own metrics and those of the experiments
        measured on it, run by run. Of the experiments that ran once only the very first one counts, as the reference.
        What was built on a champion that is no longer on the branch stands with the first.
    """
    place = {number: index for index, number in enumerate(reversed(built_on(study)))}
    reigns: list[list[list[float]]] = [[] for _ in place or [0]]
    kind = study.kinds[0] if kind is None else kind
    # Champions first: an experiment that was rebased onto one may have the smaller number.
    measured = (n for n in chain(place, study.experiments) if study.measured(study.experiments[n], kind))
    first = next(measured, None)
    telling = study.repeated if first is None else {first, *study.repeated}
    for number in sorted(telling, key=lambda n: (place.get(n, len(place)), n)):
        experiment = study.experiments[number]
        if group := study.measured(experiment, kind):
            on = experiment.parent if experiment.parent is not None else number
            reigns[place.get(number, place.get(on, 0))].append(group)
    return [reign for reign in reigns if reign]


def by_seed(study: Study, experiment: Experiment, kind: str) -> dict[int, float]:
    """Metrics of its runs on slots of that kind that compare with today's, by their seeds, in the order of the runs."""
    return {run.seed: run.metric for run in study.tried(experiment, kind) if run.metric is not None}


def differences(study: Study, kind: str) -> list[tuple[str, list[float]]]:
    """What repeated experiments differ by from their champions on slots of that kind, seed by seed, under the present
    protocol.

    Returns:
        For each, its kind of change and the differences at the seeds that both have. The first seed of one that was
        repeated for looking good is left out: it was chosen for its luck there.
    """
    found = []
    for number in sorted(study.repeated):
        experiment = study.experiments[number]
        on = study.experiments.get(-1 if experiment.parent is None else experiment.parent)
        if on is None or number == on.id:
            continue
        beside = by_seed(study, on, kind)
        values = list(by_seed(study, experiment, kind).items())[0 if experiment.asked else 1 :]
        found.append((experiment.change, [value - beside[seed] for seed, value in values if seed in beside]))
    return found


def largest_gain(study: Study) -> float | None:
    """The largest effect kept under the present protocol, in the metric's units."""
    kept = (study.experiments[number] for number in study.lineage if number)
    return max((x.effect for x in kept if x.effect and x.effect > 0 and study.measured(x)), default=None)


def verifying_since(study: Study, run: Run) -> float:
    """When the verification of a run began, in Unix seconds: as the run ended, or anew as the supervisor started."""
    began = 0.0 if study.supervisor is None else study.supervisor.started_at
    return max(began, run.started_at + run.seconds)


def usual_runs(study: Study, kind: str | None = None) -> list[Run]:
    """The runs with which others are compared in time and in the files they touch: those of the first champion that has
    any under the present protocol. That is the baseline where the protocol never changed.

    Args:
        kind: of the slots that they were in; None: that of most of them.
    """
    kind = study.kinds[0] if kind is None else kind
    for number in study.lineage:
        runs = study.tried(study.experiments[number], kind)
        if found := [run for run in runs if run.outcome == Outcome.FINISHED]:
            return found
    return []


def newest_runs(study: Study, count: int) -> list[Run]:
    """The newest runs that have ended, whatever came of them."""
    runs = (run for x in study.experiments.values() for run in x.runs.values() if run.outcome is not None)
    return nlargest(count, runs, key=lambda run: run.started_at)


def is_cold(study: Study, run: Run) -> bool:
    """Whether a run began on a machine on which no other had ended since the loop started, or since that machine was
    last in trouble: what it read was in no cache yet."""
    if study.supervisor is None:
        return False
    machine = run.slot_name.rpartition("/")[0]  # of a slot on a node of a cluster; empty at home
    since = max((at for at, fault in study.faults if fault.where == machine), default=0.0)
    since = max(since, study.supervisor.started_at)
    there = (one for x in study.experiments.values() for one in x.runs.values()
             if one is not run and one.outcome is not None and one.slot_name.rpartition("/")[0] == machine)  # fmt: skip
    return not any(since <= one.started_at and one.started_at + one.seconds <= run.started_at for one in there)


def slower_of_late(study: Study, at: float, took: Callable[[Run], float], kind: str | None = None) -> float:
    """Seconds by which the champion took longer in the hour before `at` than when it was first run: the machine's
    doing, since it is the same file. 0 where it was not run since, and where its runs are the usual ones anyway.

    Args:
        at: in Unix seconds.
        took: the seconds that count.
        kind: of the slots, as in `usual_runs`.
    """
    if study.best is None:
        return 0.0
    kind = study.kinds[0] if kind is None else kind
    runs = [run for run in study.tried(study.best, kind) if run.outcome == Outcome.FINISHED]
    late = [took(run) for run in runs[1:] if 0 <= at - run.started_at <= HOUR]
    if not late or runs[0] in usual_runs(study, kind):
        return 0.0
    return max(0.0, max(late) - took(runs[0]))


def gpu_memory_needed(study: Study) -> int | None:
    """Bytes that a run of the champion takes on its GPUs; None where nobody has seen that."""
    runs = study.best.counted() if study.best is not None else []
    peaks = [
        run.peak_gpu_memory - (run.gpu_others or 0)
        for run in runs
        if run.outcome == Outcome.FINISHED and run.peak_gpu_memory is not None
    ]
    return min(peaks, default=None)


def usual_gpu_others(study: Study) -> int:
    """Bytes that others held on the GPUs beside the champion's runs: so much of theirs excuses no run of today."""
    runs = study.best.counted() if study.best is not None else []
    return max((run.gpu_others or 0 for run in runs), default=0)
