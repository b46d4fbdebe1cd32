"""This machine's clocks against each other: whether the wall clock was set, and whether the machine slept.

Durations are measured on the monotonic clock, which nobody can set and which stands still while the machine is
suspended. The journal's times are wall-clock times; so when the two clocks diverge, that is recorded, and whoever folds
the journal can correct differences of times.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

SLACK_S = 2.0
"""Seconds that the wall clock may drift before it counts as set: what NTP slews is less for hours."""


@dataclass(frozen=True)
class Moment:
    """One moment on three clocks, in seconds."""

    wall: float
    """Unix time; a person, NTP or a hypervisor may set it."""
    awake: float
    """Never set, and stands still in suspend."""
    since_boot: float
    """Never set, and goes on in suspend. As `awake` where the system has no such clock."""

    @classmethod
    def now(cls) -> "Moment":
        awake = time.monotonic()
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        return cls(time.time(), awake, awake if boot is None else time.clock_gettime(boot))

    def slept(self, earlier: "Moment") -> float:
        """Seconds of suspend since `earlier`."""
        return max(0.0, (self.since_boot - earlier.since_boot) - (self.awake - earlier.awake))

    def set_by(self, earlier: "Moment") -> float:
        """Seconds by which the wall clock was set ahead since `earlier`; negative: back."""
        return (self.wall - earlier.wall) - (self.since_boot - earlier.since_boot)


class Clocks:
    """Watches the clocks of one process."""

    def __init__(self, now: Callable[[], Moment] = Moment.now) -> None:
        self._now = now
        self._last = now()

    def moved(self) -> tuple[float, float] | None:
        """Seconds by which the wall clock was set and which the machine slept since the last time there were any.

        None where neither has come to `SLACK_S`.
        """
        now = self._now()
        set_by, slept = now.set_by(self._last), now.slept(self._last)
        if abs(set_by) < SLACK_S and slept < SLACK_S:
            return None
        self._last = now
        return set_by, slept
