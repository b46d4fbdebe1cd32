"""What is found out about slots, as events."""

from typing import Literal

from loop.study.fact import Fact
from loop.study.slot_record import SlotRecord


class SlotsJoined(Fact):
    """There are more slots than the supervisor began with: another machine has joined its cluster."""

    kind: Literal["slots_joined"] = "slots_joined"
    records: tuple[SlotRecord, ...]
    """Their numbers go on behind those that there were."""


class SlotsReserved(Fact):
    """Which slots are kept for runs of more GPUs than a slot has, from here on: they take nothing else, and where
    something goes on in one of them, such a run waits for its end."""

    kind: Literal["slots_reserved"] = "slots_reserved"
    sets: tuple[tuple[int, ...], ...] = ()
    """One set of slots a run, by their numbers, the one that serves it first; none: all of them are given back."""
    gpus: int = 0
    """GPUs that each of the runs has."""
    experiment: int = 0
    rung: str = ""
    """What for: an experiment's climb to that rung."""
    why: str = ""
    """Why there is no set, or none yet for the next run, where that needs to be told."""


class NeighboursMeasured(Fact):
    """What it costs a run that others go on beside it: the baseline's run alone, against those in company."""

    kind: Literal["neighbours_measured"] = "neighbours_measured"
    slots: str
    """The kind of slot, as `SlotRecord.kind`."""
    protocol_id: str
    runs: int
    """Runs in company that it is told from; there is one alone."""
    worse: float
    """By how much the metric is worse in company, in its units; negative: better."""
    error: float
    """Standard error of that."""
    slower: float | None = None
    """Share of the steps a second that is lost in company; None where the runs print no steps."""
    slower_error: float | None = None
    """Standard error of that; None where it is not known."""
    slower_cpu: float | None = None
    """The same of the steps in a second of processor time: other programs on the machine take none of that."""
    slower_cpu_error: float | None = None
    cores_alone: float = 0.0
    """Processors that the run alone kept busy, on average."""
    cores_beside: float = 0.0
    """The same of those in company."""
    had: float = 1.0
    """Share of its processors that the run alone had; what is missing, other programs took."""
    matters: bool = False
    """Company costs more than the noise: numbers compare only where both sides had it."""
