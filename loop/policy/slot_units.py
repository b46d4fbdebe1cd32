"""Which slots can be put together for one run, and what a rung of the ladder asks of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from loop.study import rungs
from loop.study.slot_record import SLICES, SlotRecord
from loop.study.state import Study

Set = tuple[int, ...]
"""Numbers of slots; the one that serves the run first."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Slots that have the same GPUs, and so go into a set together: one, unless slots share a GPU."""

    slots: Set
    gpus: int
    node: str


def width(study: Study, rung: str, kind: str) -> int:
    """GPUs of a run on a rung where a slot of that kind has fewer for it; 0 where such a slot will do."""
    there = rungs.at(study.contract, rung) if rung else None
    asked = there.rung.gpus_per_run if there is not None else None
    if asked is None:
        return 0
    own = next((record for record in _records(study) if record.kind == kind), None)
    if own is None or not own.gpus:
        return asked
    sharing = sum(_place(record) == _place(own) for record in _records(study))
    return asked if asked > len(own.gpus) / sharing else 0


def most(study: Study, kind: str) -> int:
    """GPUs that a run on slots of that kind can have at most: those of one machine."""
    return max((sum(unit.gpus for unit in group) for group in by_node(units(study, kind)).values()), default=0)


def slots_of_a_run(study: Study, rung: str, kind: str) -> int:
    """How many slots of that kind a run on a rung takes."""
    gpus, found = width(study, rung, kind), units(study, kind)
    return ceil(gpus / found[0].gpus) * len(found[0].slots) if gpus and found else 1


def kind_for(study: Study, rung: str) -> str:
    """The kind of slot on which a climb to that rung runs: that of most slots, unless only another has the GPUs."""
    usual, gpus = study.kinds[0], width(study, rung, study.kinds[0])
    return next((kind for kind in study.kinds if most(study, kind) >= gpus), usual) if gpus else usual


def _records(study: Study) -> Sequence[SlotRecord]:
    return () if study.supervisor is None else study.supervisor.records


def _place(record: SlotRecord) -> tuple[str, tuple[int, ...]]:
    """The machine and the GPUs of a slot; a machine of a cluster stands before the name, as in `beta/GPU 3`."""
    return record.name.rpartition("/")[0], record.gpus


def units(study: Study, kind: str) -> list[Unit]:
    """What sets of that kind are made of. Slices are left out: CUDA shows a process one of them."""
    found: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for number, record in enumerate(_records(study)):
        if record.kind == kind and record.gpus and max(record.gpus) < SLICES:
            found.setdefault(_place(record), []).append(number)
    return [Unit(tuple(slots), len(gpus), node) for (node, gpus), slots in found.items()]


def by_node(units: Sequence[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.node, []).append(unit)
    return found
