"""Which slot takes runs, and which is out of work. Pure.

A slot that loses runs by its own fault, or in which one experiment after another fails while those of the other slots
come to their numbers, must not go on: it fails within seconds where a good run takes minutes, and would eat the queue.
"""

from loop.study.experiment import Experiment, Run
from loop.study.state import Study

IN_A_ROW = 3
"""Runs that a slot of several may lose, or end without a number, one after another before it is out of work."""

LOOKS = (60.0, 3600.0)
"""Seconds until it is looked at again, the first time and at most; they double from one to the other."""


def look_again(times: int) -> float:
    """Seconds that a slot is out of work for the `times`-th time running, which counts from 1."""
    return min(LOOKS[0] * 2.0 ** (times - 1), LOOKS[1])


def is_drained(study: Study, slot: str) -> bool:
    """Whether a person keeps that slot out of work."""
    return slot in study.drained


def suspect(study: Study, index: int, since: float, enough: int = IN_A_ROW) -> bool:
    """Whether the experiments fail by the doing of that slot: its last runs ended without a number, each of another
    experiment, and the last of every other slot that has had one came to its end.

    Args:
        enough: so many runs say it; one does of a slot that was out of work for it and is tried again.
        since: Unix seconds from which runs count: what it did before it was out of work has been judged.
    """
    last: dict[int, list[tuple[Experiment, Run]]] = {}
    supervisor = study.supervisor
    began = supervisor.started_at if supervisor is not None else 0.0
    for experiment in study.experiments.values():
        for run in experiment.runs.values():
            if run.outcome is not None and not run.outcome.is_lost and run.started_at >= began:
                last.setdefault(run.slot, []).append((experiment, run))
    for runs in last.values():
        runs.sort(key=lambda pair: pair[1].started_at)
    mine = [pair for pair in last.pop(index, []) if pair[1].started_at >= since][-enough:]
    if len({experiment.id for experiment, _ in mine}) < enough or not last:
        return False
    return all(_failed(run) for _, run in mine) and not any(_failed(runs[-1][1]) for runs in last.values())


def _failed(run: Run) -> bool:
    return run.outcome is not None and run.outcome.is_failure
