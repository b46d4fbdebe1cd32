"""The warden: a small process per run, which owns the run's whole tree of processes and outlives none of it.

It starts the command in a new session, watches memory and the deadline, and ends everything below it: when the
command ends, at the deadline, when it is asked to, and when the supervisor is gone, however that died. It keeps its own
time, so a supervisor that hangs does not make a run longer. `process` starts it and talks to it over three pipes:

- fd 0: the order (see `Order`), then `kill`; the end of file means that the supervisor is gone.
- fd 1: its reports, a line each: `warden PID`, `cannot WHAT ERRNO`, `look ...` (see `Warden.look`), `ended ...` (see
  `Warden.report`), `failed ERROR` where it could not do its work.
- fd 2: the run's output, which it hands on and never reads.

It stays outside of the run's sandbox, which it starts: bubblewrap is its child like any command, and Landlock it
applies between fork and exec. It never reads the run's output, writes no file and decides nothing about the result. It
starts with every run, so it imports only what costs next to nothing: all of it, ctypes included, is ready 12 ms after
the fork.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` wraps it in enums, which take 5 ms to import
import os
import select
import sys
import time

from loop.runs.local import process_tree
from loop.runs.local.order import Order, become_command
from loop.runs.local.waiting import Waiting

GRACE_S = 5.0  # from SIGTERM to SIGKILL
ORPHANED_GRACE_S = 1.0  # the same once nobody will read what the run still saves: its supervisor is gone
LEFTOVER_GRACE_S = 1.0  # the same for what outlived a command that ended by itself
PARTING_S = 0.25  # a command's own workers may outlive it this long before they count as left over
STUCK_S = 10.0  # a process that survives SIGKILL this long hangs in the kernel: report it, and let go
LOOK_S = 0.5  # between two looks at the tree's memory
LOOK_SHARE = 100  # a look never takes more than one part in this many of a core

NEVER = float("inf")


class Warden:
    """One run, from its first process to its last."""

    def __init__(self, order: Order, inherits: bool) -> None:
        self.order, self.inherits = order, inherits
        self.started = time.monotonic()
        self.began = process_tree.date_in(order.folders)
        self.deadline = self.started + order.deadline_s
        self.next_look = self.started
        self.ended = NEVER  # when the command itself ended
        self.status: int | None = None  # its wait status, as from waitpid
        self.main = 0  # its process id
        self.told = ""  # why the run must end, as soon as something says so: kill, orphaned, terminated
        self.cpu_s = 0.0
        self.faults = 0  # page faults, of what the warden has waited for as the CPU seconds are
        self.waiting = Waiting(order.cores, order.nice)
        # From its start: a run cannot put that off.
        self.end_at = self.started + order.end_s if order.end_s else NEVER
        self.end_cpu_s = NEVER
        if order.end_s and order.end_clock == "cpu" and self.waiting.known:
            self.end_at, self.end_cpu_s = NEVER, order.end_s * len(order.cores or os.sched_getaffinity(0))
        self.peak = 0
        self.poll = select.poll()
        self.wakeup = os.pipe()

    def listen(self) -> None:
        """Wake up for the control pipe and for signals; ignore what a terminal sends to whole groups."""
        for end in self.wakeup:
            os.set_blocking(end, False)
        _signal.set_wakeup_fd(self.wakeup[1], warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda number, frame: None)
        _signal.signal(_signal.SIGTERM, self.terminated)
        for number in (_signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT):
            _signal.signal(number, _signal.SIG_IGN)
        self.poll.register(0, select.POLLIN)
        self.poll.register(self.wakeup[0], select.POLLIN)
        os.set_blocking(0, False)
        os.set_blocking(1, False)

    def terminated(self, number: int, frame: object) -> None:
        self.told = self.told or "terminated"

    def start(self) -> bool:
        """Start the command; False, with a report that says why, when the system refuses."""
        self.say(f"warden {os.getpid()}")
        if self.order.rules:
            from loop.sandbox import landlock  # noqa: F401 - 2 ms, before the fork: the child has it then
        answers, answer = os.pipe()
        self.main = os.fork()
        if self.main == 0:
            become_command(self.order, answer)
        os.close(answer)
        self.started = time.monotonic()
        said = os.read(answers, 100)  # nothing, as soon as the command has replaced the child
        os.close(answers)
        if said:
            os.waitpid(self.main, 0)
            self.say(f"cannot {said.decode()}")
        return not said

    def say(self, line: str) -> None:
        """Report a line, or drop it when nobody reads: a supervisor that hangs must not stop the clock here."""
        try:
            os.write(1, line.encode() + b"\n")
        except OSError:
            pass

    def pause(self, seconds: float) -> None:
        """Sleep until something happens, and take what the control pipe says."""
        for descriptor, _ in self.poll.poll(max(0.0, seconds) * 1000):
            try:
                said = os.read(descriptor, 4096)
            except BlockingIOError:
                continue
            if descriptor == 0:
                self.told = self.told or ("kill" if said else "orphaned")
                if not said:
                    self.poll.unregister(0)  # an ended pipe is readable for ever

    def reap(self) -> bool:
        """Collect every child that has ended. True while children are left, which as a subreaper is the whole tree."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.cpu_s += usage.ru_utime + usage.ru_stime
            self.faults += usage.ru_minflt
            # The largest single process, also when it lived between two looks. Kilobytes; on macOS bytes.
            self.peak = max(self.peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
            if pid == self.main:
                self.status, self.ended = status, time.monotonic()

    def look(self, now: float) -> str:
        """Measure the tree and what it has written. Returns the name of the limit it is over, or nothing.

        It reports the bytes of memory, the monotonic clock, and until then the seconds that the run has waited for
        others and those of the processors that it has used (- where that is not known).
        """
        pids = process_tree.descendants(os.getpid())
        shared = process_tree.private_shared_memory(pids) if self.order.inner else 0
        memory = process_tree.resident_memory(pids) + shared
        self.peak = max(self.peak, memory)
        self.waiting.look(pids, self.cpu_s, self.faults)
        waited = f"{self.waiting.total:.6f} {self.waiting.own:.6f}" if self.waiting.known else "- -"
        self.say(f"look {memory} {time.monotonic():.6f} {waited}")
        over = ""
        if 0 < self.order.memory < memory and self.order.memory < process_tree.proportional_memory(pids) + shared:
            over = "memory"
        elif 0 < self.order.processes < len(pids) - self.order.inner:
            over = "processes"
        else:
            over = self.written()
        self.next_look = now + max(LOOK_S, LOOK_SHARE * (time.monotonic() - now))
        return over

    def written(self) -> str:
        """Whether the run has written too much: "file", "disk" or nothing. A file stops growing at its limit."""
        if not (self.order.file or self.order.disk):
            return ""
        largest, together = process_tree.written(self.order.folders, self.began)
        if 0 < self.order.file <= largest:
            return "file"
        return "disk" if 0 < self.order.disk < together else ""

    def watch(self) -> str:
        """Wait until the command ends or must. Returns why: exited, budget, deadline, a limit, or what it was told."""
        while True:
            self.reap()
            now = time.monotonic()
            if self.status is not None:
                return (self.status and self.written()) or "exited"
            if self.told:
                return self.told
            if now >= self.end_at or self.waiting.own >= self.end_cpu_s:
                return "budget"
            if now >= self.deadline:
                return "deadline"
            if now >= self.next_look and (limit := self.look(now)):
                return limit
            self.pause(min(self.end_at, self.deadline, self.next_look) - now)

    def end(self, grace: float, *, heard: bool = False) -> int:
        """End everything below: SIGTERM, `grace` seconds, SIGKILL until nothing is left.

        Args:
            heard: what it prints meanwhile counts: of `train.py | tee log` only the first is asked, as a person would.

        Returns:
            How many processes could not be killed.
        """
        # The sandbox's own first process would take the rest along at once, and with it what they have not saved yet.
        sandbox = {self.main} if self.order.inner else set()
        asked = [pid for pid in process_tree.descendants(os.getpid()) if pid not in sandbox]
        process_tree.ask_to_end([pid for pid in asked if not (heard and process_tree.ends_with_others(pid))])
        self.linger(grace)
        until = time.monotonic() + STUCK_S
        while self.reap() and time.monotonic() < until:
            process_tree.freeze_and_kill(lambda: process_tree.descendants(os.getpid()))
            self.pause(0.01)
        if not self.inherits:  # init does, and those that stayed in the command's group are still found by it
            try:
                os.killpg(self.main, process_tree.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        return len(process_tree.living(process_tree.descendants(os.getpid())))

    def linger(self, seconds: float) -> None:
        """Give what runs below this long to end by itself, and no longer than it takes."""
        until = time.monotonic() + seconds
        while self.reap() and (left := until - time.monotonic()) > 0:
            self.pause(min(left, 0.05))

    def finish(self, why: str) -> None:
        """End what is left of the run, and report."""
        leftovers = 0
        if why == "exited":
            self.linger(PARTING_S)
            leftovers = len(process_tree.living(process_tree.descendants(os.getpid())))
            grace = LEFTOVER_GRACE_S
        else:
            grace = ORPHANED_GRACE_S if why in ("orphaned", "terminated") else GRACE_S
        stuck = self.end(grace, heard=why == "budget")
        self.report(why, leftovers, stuck)

    def report(self, why: str, leftovers: int, stuck: int) -> None:
        """The last line: why, wait status (or -), wall seconds, CPU seconds, peak bytes, leftovers, stuck."""
        status = "-" if self.status is None else self.status
        wall = min(self.ended, time.monotonic()) - self.started
        os.set_blocking(1, True)  # nothing is left to guard, so this line may wait for its reader
        self.say(f"ended {why} {status} {wall:.6f} {self.cpu_s:.6f} {self.peak} {leftovers} {stuck}")


def main() -> None:
    """Fork: the warden guards the run, and its keeper, the process that the supervisor knows, guards the warden."""
    process_tree.become_subreaper()
    if warden := os.fork():
        keep(warden)
    else:
        os.setsid()  # no signal to one group reaches both
        guard()
    os._exit(0)  # past 2 ms of Python's tidying up


def keep(warden: int) -> None:
    """See to it that the warden can do its work; when a run has killed it, end what it leaves behind.

    As the next subreaper it inherits all of that, also a daemon with an empty environment, which nobody else could
    tell from a process of the supervisor's own.
    """
    for number in (_signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)  # the pipes are the warden's: each must end when it does
    while os.WIFSTOPPED(status := os.waitpid(warden, os.WUNTRACED)[1]):
        os.kill(warden, process_tree.SIGCONT)
    until = time.monotonic() + STUCK_S
    while os.WIFSIGNALED(status) and _children_left() and time.monotonic() < until:
        process_tree.freeze_and_kill(lambda: process_tree.descendants(os.getpid()))
        time.sleep(0.005)


def _children_left() -> bool:
    """Collect every child that has ended; True while others are left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def guard() -> None:
    """One run: read the order, start, watch, end, report."""
    inherits = process_tree.become_subreaper()
    try:
        warden = Warden(Order.read(0), inherits)
        warden.listen()
        if warden.start():
            warden.finish(warden.watch())
    except BaseException as error:  # whatever it was, no process of the run stays behind
        process_tree.freeze_and_kill(lambda: process_tree.descendants(os.getpid()))
        try:
            os.write(2, f"looptop: the warden of this run failed: {error!r}\n".encode())
            os.write(1, f"failed {type(error).__name__}\n".encode())
        except OSError:
            pass  # nobody is there to read it
