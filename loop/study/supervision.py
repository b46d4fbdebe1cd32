"""The supervisor as the journal tells of it, and what it is up against."""

from dataclasses import dataclass


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


@dataclass(slots=True)
class Trouble:
    """A fault that lasts, and that something waits for."""

    since: float
    message: str
    next_at: float | None
    """When it is tried again; None where that is not known."""
    tries: int = 1
