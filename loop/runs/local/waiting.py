"""How long a run had to wait for a processor because of others, measured from outside, a look at a time. Linux only.

Between two looks at the run's tree of processes, in seconds:

    own     CPU time of the tree, with what its ended processes used
    queued  what its threads stood in run queues, summed (`/proc/PID/task/TID/schedstat`)
    idle    what the processors that it may use were idle (`/proc/stat`)
    others  what was neither: the CPU time of everybody else, a hypervisor included

    short  = min(queued - idle, others), at least 0: CPU time that the run wanted and others had
    waited = time x short / (own + short), at most `short`

So a thread that waits for its siblings, or beside a free processor, has waited for nobody. A run cannot make itself
look starved: what sleeps stands in no queue; its own busy neighbours, daemons among them, are its own; a thread that is
nicer than the warden does not count; and who hides what its children used, by ignoring their ends, ends the count.

The warden loads this file with every run, so it imports only what a bare interpreter holds.
"""

from __future__ import annotations

import os
import time

from loop.runs.local import process_tree
from loop.runs.local.process_tree import read

TYPE_CHECKING = False  # as typing's own, without the 3 ms that importing typing costs
if TYPE_CHECKING:
    from collections.abc import Iterable

TICK = 1 / os.sysconf("SC_CLK_TCK")
HIDDEN_LOOKS = 3
"""Looks at which an ended process was missing from the account of its parent, until the run counts as hiding some. One
that ends in the microseconds of a look may be missing once."""


class Waiting:
    """Of one run.

    Args:
        cores: the processors that it is bound to; none for all that the warden may use.
        nice: by how much nicer than the warden it was started.

    Attributes:
        total: seconds of the clock that others have cost it until the newest look.
        own: CPU seconds of the tree until the newest look.
        known: whether that is measured: the system tells, and the run hides nothing.
    """

    def __init__(self, cores: Iterable[int] = (), nice: int = 0) -> None:
        self.total = self.own = 0.0
        self.known = process_tree.LISTS_CHILDREN and bool(read("/proc/thread-self/schedstat"))
        if not self.known:
            return
        try:
            self._policy, self._nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0) + nice
        except OSError:  # musl, the C library of Alpine, does not say
            self.known = False
        self._group_nice = _group_nice(os.getpid())
        self._cpus = frozenset(b"cpu%d" % number for number in cores or os.sched_getaffinity(0))
        self._at = self._idle = 0.0
        self._faults: dict[int, tuple[int, int]] = {}
        self._reaped = self._hidden = 0
        self._queued: dict[int, int] = {}

    def look(self, pids: Iterable[int], reaped_s: float, reaped_faults: int) -> None:
        """Count what has happened since the last look; the first counts nothing.

        Args:
            pids: the processes of the tree.
            reaped_s: CPU seconds of those that the warden itself has waited for, and `reaped_faults`: their page
                faults.
        """
        if not self.known:
            return
        own, faults, queued = reaped_s, {}, {}
        waited_ns = 0
        for pid in pids:
            # minflt, cminflt, utime, stime, cutime, cstime of proc(5); the name before them may hold anything
            fields = read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()
            if len(fields) < 15:
                continue
            own += TICK * sum(map(int, fields[11:15]))
            faults[pid] = int(fields[7]), int(fields[8])
            nice = _group_nice(pid) > self._group_nice
            for thread, delay in _queued(pid):
                queued[thread] = delay
                if not nice and self._is_ordinary(thread):
                    waited_ns += max(0, delay - self._queued.get(thread, 0))
        now, idle = time.monotonic(), _idle(self._cpus)
        if self._at:
            self._settle(faults, reaped_faults)
            self._count(now - self._at, own - self.own, waited_ns / 1e9, idle - self._idle)
        self._at, self.own, self._idle = now, own, idle
        self._faults, self._reaped, self._queued = faults, reaped_faults, queued

    def _count(self, seconds: float, own: float, queued: float, idle: float) -> None:
        others = len(self._cpus) * seconds - idle - own
        short = min(queued - idle, others)
        if short > 0:
            self.total += min(short, seconds * short / (max(0.0, own) + short))

    def _settle(self, faults: dict[int, tuple[int, int]], reaped: int) -> None:
        """See whether what has ended since the last look stands in the account of who waited for it.

        The kernel adds the CPU time and the page faults of a child to its parent's when that waits for it, and nowhere
        if that ignores its end. Faults are told exactly, CPU time in ticks that a short child does not reach.
        """
        owed = sum(sum(self._faults[pid]) for pid in self._faults.keys() - faults.keys())
        paid = reaped - self._reaped
        paid += sum(of_children - self._faults.get(pid, (0, 0))[1] for pid, (_, of_children) in faults.items())
        self._hidden += paid < owed
        if self._hidden >= HIDDEN_LOOKS:
            self.known, self.total = False, 0.0

    def _is_ordinary(self, thread: int) -> bool:
        """Whether it is scheduled as the warden is: nothing was done to make it wait."""
        try:
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            return nice <= self._nice and os.sched_getscheduler(thread) == self._policy
        except OSError:
            return False  # it has ended


def _queued(pid: int) -> list[tuple[int, int]]:
    """Each thread of a process, and the nanoseconds that it has stood in a run queue."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib takes 8 ms to import
    except OSError:
        return []
    read_all = ((int(thread), read(f"/proc/{pid}/task/{thread}/schedstat").split()) for thread in threads)
    return [(thread, int(fields[1])) for thread, fields in read_all if len(fields) == 3]


def _group_nice(pid: int) -> int:
    """The niceness of a process's whole session, which the kernel schedules as one where it groups by sessions."""
    return int(read(f"/proc/{pid}/autogroup").rpartition(b" ")[2] or 0)


def _idle(cpus: frozenset[bytes]) -> float:
    """Seconds since the start of the machine that these processors had nothing to do, together."""
    ticks = 0
    for line in read("/proc/stat").splitlines():
        if not line.startswith(b"cpu"):
            break
        name, *fields = line.split()
        if name in cpus:
            ticks += int(fields[3]) + int(fields[4])  # idle, and idle while a disk worked
    return TICK * ticks
