"""What is found out about slots, as events."""

from typing import Literal

from loop.study.fact import Fact
from loop.study.slot_record import SlotRecord


class SlotsJoined(Fact):
    """There are more slots than the supervisor began with: another machine has joined its cluster."""

    kind: Literal["slots_joined"] = "slots_joined"
    records: tuple[SlotRecord, ...]
    """Their numbers go on behind those that there were."""


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
