"""What is asked of a study's past. Pure: each answer follows from the events alone."""

from itertools import chain

from loop.study.experiment import Run
from loop.study.outcomes import Outcome
from loop.study.state import Study


def built_on(study: Study) -> list[int]:
    """The champion, the experiment it was built on, and so on down to the baseline: the branch, newest first."""
    found: list[int] = []
    at = study.champion
    while at in study.experiments and at not in found:
        found.append(at)
        at = study.experiments[at].parent
    return found


def failures_in_a_row(study: Study) -> int:
    """How many of the newest verdicts are failures, back to the last one that is none."""
    count = 0
    for number in reversed(study.closed):
        verdict = study.experiments[number].verdict
        if verdict is None or not verdict.is_failure:
            break
        count += 1
    return count


def repetitions(study: Study) -> list[list[list[float]]]:
    """The metrics that the noise is computed from, under the present protocol.

    Returns:
        For each champion on the branch, from the first to the present one, its own metrics and those of the experiments
        measured on it, run by run. Of the experiments that ran once only the very first one counts, as the reference.
        What was built on a champion that is no longer on the branch stands with the first.
    """
    place = {number: index for index, number in enumerate(reversed(built_on(study)))}
    reigns: list[list[list[float]]] = [[] for _ in place or [0]]
    protocol_id = study.contract.protocol_id
    # Champions first: an experiment that was rebased onto one may have the smaller number.
    measured = (n for n in chain(place, study.experiments) if study.experiments[n].measured(protocol_id))
    first = next(measured, None)
    telling = study.repeated if first is None else {first, *study.repeated}
    for number in sorted(telling, key=lambda n: (place.get(n, len(place)), n)):
        experiment = study.experiments[number]
        if group := experiment.measured(protocol_id):
            on = experiment.parent if experiment.parent is not None else number
            reigns[place.get(number, place.get(on, 0))].append(group)
    return [reign for reign in reigns if reign]


def largest_gain(study: Study) -> float | None:
    """The largest effect kept under the present protocol, in the metric's units."""
    protocol_id = study.contract.protocol_id
    kept = (study.experiments[number] for number in study.lineage if number)
    return max((x.effect for x in kept if x.effect and x.effect > 0 and x.measured(protocol_id)), default=None)


def usual_runs(study: Study) -> list[Run]:
    """The runs with which others are compared in time and in the files they touch: those of the first champion that has
    any under the present protocol. That is the baseline where the protocol never changed."""
    protocol_id = study.contract.protocol_id
    for number in study.lineage:
        runs = study.experiments[number].counted()
        if found := [run for run in runs if run.protocol_id == protocol_id and run.outcome == Outcome.FINISHED]:
            return found
    return []


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
