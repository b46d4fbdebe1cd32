"""A row for each slot: the run in it, how far that is and where it stands, or why there is none.

Plain data, no screen and no clock: from a `ViewState` and a time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loop.policy import ablation, idle
from loop.study import queries
from loop.study.experiment import Experiment, Run
from loop.study.readings import GaugeRead, GpuGauge
from loop.study.state import Study
from tui.model.view_state import ViewState
from tui.render.text import one_line

_GPU = re.compile(r"GPU (\d+)")

What = Literal["run", "verification", "idle"]


@dataclass(frozen=True, slots=True)
class SlotRow:
    """What one slot is at."""

    slot: str
    """Its name, such as "GPU 3"."""
    what: What
    run: str = ""
    """Such as "12.1"."""
    experiment: int | None = None
    by: str = ""
    idea: str = ""
    """Title of the experiment; of an idle slot why it is idle."""
    done: float | None = None
    """Share of its training that the run reports; None where it reports none."""
    seconds: float | None = None
    """Since the run, the verification or the idle time began; None where that is not known."""
    budget: float | None = None
    """Seconds of training that the run has; of a verification how long one usually takes, where that is known."""
    lead: float | None = None
    """How far it is ahead of the champion at equal training time; of a verification by the number to be verified."""
    in_sigmas: bool = False
    """`lead` is in units of the noise, and not of the curve."""
    gpus: tuple[GpuGauge, ...] = ()
    memory: int | None = None
    """Bytes of main memory that the run holds."""


def slot_rows(state: ViewState, now: float) -> list[SlotRow]:
    """The slots of the present supervisor in their order. A verification in a slot where the next run has begun
    already is a row of its own."""
    study = state.study
    slots = state.slots
    running = {run.slot: (x, run) for x, run in study.running()}
    also = {slot: pair for pair in running.values() for slot in pair[1].also}
    verifying: dict[int, list[tuple[Experiment, Run]]] = {}
    for x, run in study.verifying():
        verifying.setdefault(run.slot, []).append((x, run))
    usual = _usual_verification(study) if verifying else None
    rows: list[SlotRow] = []
    for index, slot in enumerate(slots):
        gpus = gpus_of(study, index, state.gauge)
        beside = [_verification(state, slot.name, gpus, *pair, usual, now) for pair in verifying.pop(index, ())]
        if index in running:
            rows.append(_run(state, slot.name, gpus, *running.pop(index), now))
        elif index in also:
            rows.append(_run(state, slot.name, gpus, *also[index], now))
        elif not beside:
            since = None if slot.since is None else max(0.0, now - slot.since)
            rows.append(SlotRow(slot.name, "idle", idea=one_line(slot.why), seconds=since, gpus=gpus))
        rows += beside
    # Of a slot that there is no longer, as after a start with fewer of them.
    rows += [_run(state, run.slot_name or str(index), (), x, run, now) for index, (x, run) in running.items()]
    for pairs in verifying.values():
        rows += [_verification(state, run.slot_name or str(run.slot), (), x, run, usual, now) for x, run in pairs]
    return rows


def gpus_of(study: Study, slot: int, gauge: GaugeRead | None) -> tuple[GpuGauge, ...]:
    """What the GPUs of a slot read; none where it has none, or nothing has been read."""
    supervisor = study.supervisor
    if supervisor is None or gauge is None or slot >= len(supervisor.slots):
        return ()
    record = supervisor.records[slot] if slot < len(supervisor.records) else None
    # Older journals have only the name.
    wanted: Sequence[int] = record.gpus if record is not None and record.gpus else ()
    wanted = wanted or [int(number) for number in _GPU.findall(supervisor.slots[slot])]
    return tuple(gpu for gpu in gauge.gpus if gpu.index in wanted)


def idle_slots(state: ViewState) -> list[idle.SlotState]:
    """Slots in which nothing runs, the longest idle first."""
    found = [slot for slot in state.slots if not slot.run]
    return sorted(found, key=lambda slot: slot.since or 0.0)


def _run(
    state: ViewState, slot: str, gpus: tuple[GpuGauge, ...], experiment: Experiment, run: Run, now: float
) -> SlotRow:
    found = state.leads.of(experiment, run)
    sigmas = found.sigmas if found is not None else None
    return SlotRow(
        slot,
        "run",
        f"{experiment.id}.{run.number}",
        experiment.id,
        _author(state.study, experiment),
        run_title(state.study, experiment, run),
        state.progress.get((experiment.id, run.number)),
        max(0.0, now - run.started_at),
        run.budget,
        sigmas if sigmas is not None else found.by if found is not None else None,
        sigmas is not None,
        gpus,
        _memory(state.gauge, experiment, run),
    )


def _verification(
    state: ViewState,
    slot: str,
    gpus: tuple[GpuGauge, ...],
    experiment: Experiment,
    run: Run,
    usual: float | None,
    now: float,
) -> SlotRow:
    study, best, noise = state.study, state.figures.best, state.figures.noise
    value = run.metrics.get(study.contract.metric)
    lead = None
    if value is not None and best is not None and noise and experiment.id != study.champion:
        lead = study.contract.better_by(value, best.mean) / noise
    return SlotRow(
        slot,
        "verification",
        f"{experiment.id}.{run.number}",
        experiment.id,
        _author(study, experiment),
        run_title(study, experiment, run),
        None,
        max(0.0, now - queries.verifying_since(study, run)),
        usual,
        lead,
        lead is not None,
        gpus,
        _memory(state.gauge, experiment, run),
    )


def _usual_verification(study: Study) -> float | None:
    found = [run.verify_seconds for run in queries.usual_runs(study) if run.verified]
    return sum(found) / len(found) if found else None


def _author(study: Study, experiment: Experiment) -> str:
    if experiment.id == study.champion and experiment.verdict is not None:
        return "champion"
    return one_line(experiment.researcher) if experiment.id else ""


def run_title(study: Study, experiment: Experiment, run: Run) -> str:
    """The idea, and what this run of it is for where it is not the first."""
    if run.rung:
        return f"{one_line(experiment.title) if experiment.id else 'your file as it was'} (on {run.rung})"
    if not experiment.id and experiment.verdict is None:
        most = study.contract.keep.baseline_runs
        if run.alone:
            return "your file as it is, alone: what runs beside it cost"
        return "your file as it is" + (f", run {run.number} of {most}: measures the noise" if most > 1 else "")
    title = one_line(experiment.title)
    if run.row:
        return ablation.row_title(study, run)
    if run.validates:
        return f"{title} (of the validation)"
    if experiment.asked and experiment.verdict is not None:
        return f"{title} (again: how alike equal seeds are)"
    if experiment.verdict is not None:
        return f"{title} (measured again)"
    nth = run.number - experiment.since_run
    return f"{title} (run {nth})" if nth > 1 else title


def _memory(gauge: GaugeRead | None, experiment: Experiment, run: Run) -> int | None:
    runs = gauge.runs if gauge is not None else ()
    return next((one.memory for one in runs if (one.experiment, one.run) == (experiment.id, run.number)), None)
