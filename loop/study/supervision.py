"""The supervisor as the journal tells of it, and what it is up against."""

from dataclasses import dataclass

from loop.study.events import Fault, SupervisorStarted, SupervisorStopped
from loop.study.slot_record import SlotRecord


@dataclass(slots=True)
class Supervisor:
    """The newest supervisor."""

    pid: int
    host: str
    version: str
    slots: tuple[str, ...]
    started_at: float
    stopped_at: float | None = None
    reason: str = ""
    failed: bool = False
    signal: str = ""
    """The signal that ended it; empty where none did."""
    sandbox: str = ""
    """What confines the runs: `bubblewrap`, `landlock` or `off`."""
    device: str = ""
    """The kind of most of its slots. Empty where that is not known."""
    records: tuple[SlotRecord, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its slots, that of most of them first; numbers compare within a kind only."""
        return tuple(dict.fromkeys((self.device, *(record.kind for record in self.records))))

    def kind(self, slot: int) -> str:
        """Kind of the slot of that index."""
        return self.records[slot].kind if slot < len(self.records) else self.device

    def join(self, records: tuple[SlotRecord, ...]) -> None:
        """Take in slots that have come since its start."""
        self.slots += tuple(record.name for record in records)
        self.records += records

    @classmethod
    def begun(cls, started: SupervisorStarted, at: float) -> "Supervisor":
        """One that has just started."""
        return cls(
            pid=started.pid,
            host=started.host,
            version=started.version,
            slots=started.slots,
            started_at=at,
            sandbox=started.sandbox,
            device=started.device,
            records=started.records,
        )

    def stop(self, stopped: SupervisorStopped, at: float) -> None:
        """Take in its end."""
        self.stopped_at = at
        self.reason, self.failed, self.signal = stopped.reason, stopped.failed, stopped.signal


@dataclass(slots=True)
class Trouble:
    """A fault that lasts, and that something waits for."""

    since: float
    message: str
    next_at: float | None
    """When it is tried again; None where that is not known."""
    tries: int = 1

    @classmethod
    def told(cls, known: "Trouble | None", at: float, fault: Fault) -> "Trouble":
        """As a fault tells it; one that is `known` already goes on."""
        since, tries = (known.since, known.tries + 1) if known is not None else (at, 1)
        return cls(since, fault.message, fault.next_at, tries)
