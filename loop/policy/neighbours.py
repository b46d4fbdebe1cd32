"""What runs that share a GPU, or the cores of a machine, cost each other, and when that matters. Pure.

The baseline runs once alone, under the seed of its first run in company: that is the one extra run. The difference says
what company costs, in the metric and in steps a second. Where it costs more than the noise, a run that had no company
would win by that alone. So there runs compare that had company, and a slot with nothing to do keeps others company with
a run of the champion.
"""

import math
import statistics
from collections.abc import Callable, Collection, Sequence

from loop.policy import pairs
from loop.policy.changes import CONSTANTS
from loop.policy.noise import mean
from loop.policy.standing import alike, noise
from loop.study.experiment import Experiment, Run
from loop.study.slot_events import NeighboursMeasured
from loop.study.state import Study
from loop.words import listed

LITTLE = 0.9
"""Share of its processors below which other programs have distorted what a run did by the clock."""


def mates(study: Study, slot: int, others: Collection[int]) -> list[int]:
    """Those of the `others` that share their GPU, or the machine's cores, with a slot."""
    return [other for other in others if other != slot and shares(study, slot) == shares(study, other) != ""]


def shares(study: Study, slot: int) -> str:
    records = study.supervisor.records if study.supervisor is not None else ()
    return records[slot].shares if slot < len(records) else ""


def runs_alone(study: Study, experiment: Experiment, kind: str) -> list[Run]:
    """Its runs without company on a kind of slot, under the present protocol, that go on or have come to a number."""
    protocol_id = study.contract.protocol_id
    runs = (run for run in experiment.runs.values() if run.alone and run.number > experiment.since_run)
    return [
        run
        for run in runs
        if study.is_of(run, kind) and run.protocol_id == protocol_id and not (run.outcome and run.outcome.is_lost)
    ]


def wants_alone(study: Study, experiment: Experiment, kind: str) -> bool:
    """Whether what everything is measured against has to run alone first, to tell what company costs."""
    return study.company(kind) is None and not runs_alone(study, experiment, kind)


def measure(study: Study, kind: str) -> NeighboursMeasured | None:
    """What company costs on a kind of slot; None where that is on record, or cannot be told yet."""
    first = study.experiments.get(0 if study.champion is None else study.champion)
    if first is None or study.company(kind) is not None:
        return None
    alone = [run for run in runs_alone(study, first, kind) if run.metric is not None]
    beside = [run for run in study.tried(first, kind) if run.metric is not None]
    known = noise(study, kind)
    if not alone or len(beside) < max(2, study.contract.keep.baseline_runs) or known is None:
        return None
    one, values = alone[0], [run.metric for run in beside if run.metric is not None]
    seed = [run.metric for run in beside if run.seed == one.seed and run.metric is not None]
    like = alike(study, kind).correlation(CONSTANTS, known, []) if seed else 0.0
    assert one.metric is not None
    difference = pairs.effect([one.metric], values, seed or values, like)
    worse = difference if study.contract.goal == "max" else -difference
    error = pairs.error(known, 1, len(values), like)
    slower, slower_error = _slower(one, beside, lambda run: run.stepping)
    slower_cpu, slower_cpu_error = _slower(one, beside, lambda run: run.stepping * run.had)
    return NeighboursMeasured(
        slots=kind,
        protocol_id=study.contract.protocol_id,
        runs=len(beside),
        worse=worse,
        error=error,
        slower=slower,
        slower_error=slower_error,
        slower_cpu=slower_cpu,
        slower_cpu_error=slower_cpu_error,
        cores_alone=_cores(one),
        cores_beside=mean([_cores(run) for run in beside]),
        had=one.had,
        matters=worse > max(known.sd, error) > 0,
    )


def _slower(alone: Run, beside: Sequence[Run], seconds: Callable[[Run], float]) -> tuple[float | None, float | None]:
    """Share of the steps a second that runs in company lose, and its standard error."""
    rates = [run.steps / seconds(run) for run in beside if run.steps > 0 and seconds(run) > 0]
    if not rates or not (alone.steps > 0 and seconds(alone) > 0):
        return None, None
    rate = alone.steps / seconds(alone)
    if len(rates) < 2:
        return 1 - mean(rates) / rate, None
    return 1 - mean(rates) / rate, statistics.stdev(rates) / rate * math.sqrt(1 + 1 / len(rates))


def _cores(run: Run) -> float:
    return run.cpu_seconds / run.seconds if run.seconds else 0.0


def company_of(study: Study, run: Run, seconds: float) -> float | None:
    """Share of its time in which a run that has just ended had company, 0 to 1, on average over the slots that share
    with its own; None where none does.

    Args:
        seconds: that it took.
    """
    records = study.supervisor.records if study.supervisor is not None else ()
    mine = next((record.shares for record in records if record.name == run.slot_name), "")
    names = {record.name for record in records if record.shares == mine != "" and record.name != run.slot_name}
    if not names or seconds <= 0:
        return None
    start, end = run.started_at, run.started_at + seconds
    together = 0.0
    for x in study.experiments.values():
        for other in x.runs.values():
            if other.slot_name in names and other is not run:
                ended = end if other.outcome is None else other.started_at + other.seconds + other.verify_seconds
                together += max(0.0, min(end, ended) - max(start, other.started_at))
    return min(1.0, together / (seconds * len(names)))


def told(found: NeighboursMeasured, metric: str) -> str:
    """In words, such as "runs beside it cost a run 0.0031 ±0.0012 of val_bpb and 18% ±1% of its steps"."""
    worse = f"{abs(found.worse):.2g} ±{found.error:.2g} of {metric}{' (it is better so)' if found.worse < 0 else ''}"
    parts = [worse]
    if found.slower is not None:
        parts.append(f"{_percent(found.slower, found.slower_error)} of its steps a second")
    if found.slower_cpu is not None and found.had < LITTLE:
        parts.append(f"{_percent(found.slower_cpu, found.slower_cpu_error)} of those in a second of processor time")
    said = f"runs beside it cost a run {listed(parts)}"
    if found.had < LITTLE:
        said += f"; other programs had {1 - found.had:.0%} of its processors meanwhile, so only the last of these tells"
    return f"{said}; only runs in company are compared" if found.matters else said


def _percent(share: float, error: float | None) -> str:
    return f"{share:.1%}" + ("" if error is None else f" ±{error:.1%}")
