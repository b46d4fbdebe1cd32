"""One run as a process on this machine: started, read, measured and ended, with one result.

The run's process tree belongs to its warden (`warden.py`). This side works in the supervisor's event loop: it feeds the
output into the log and the reader, and never blocks the loop for long, whatever the run prints. It judges nothing: a
run that printed no metric and exited with 0 is `finished` here.
"""

import asyncio
import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import psutil

from loop.runs.local import out_of_memory, process_tree
from loop.runs.local.exit_reason import MACHINE, Ending, cannot_start, exited, over_limit
from loop.runs.local.meanwhile import Meanwhile
from loop.runs.local.order import Order
from loop.runs.local.orphans import sweep_orphans
from loop.runs.local.redirected import RedirectedFiles
from loop.runs.local.result_file import ResultFile
from loop.runs.local.warden import GRACE_S, STUCK_S
from loop.runs.log import CappedLog
from loop.runs.output import SAMPLE_EVERY_S, OutputReader, Sample
from loop.runs.reading.search import Answers
from loop.runs.spec import RunResult, RunSpec
from loop.sandbox import backend
from loop.sandbox.bubblewrap import SIGNALLED
from loop.sandbox.confinement import Confinement
from loop.study.command_line import SHELLS
from loop.study.outcomes import Outcome

# One turn of the event loop takes this much of a run's output, and no longer than this...
TURN_BYTES = 64 * 1024
READ_BYTES = 16 * 1024
TURN_S = 0.004
# ...and as long as more is waiting, rests as long as it took, 5 ms at least: 13 MB/s and half a core at most. A run
# that prints more waits for us in its own write calls.
REST_S = 0.005
# What a pipe can still hold when every writer is gone: 64 kB, or 1 MB where the run made it larger.
DRAIN_BYTES = 2 << 20
# The warden keeps the deadline, and this much later has reported whatever happened. If not, the run has stopped both of
# its guards, and we end them.
BACKSTOP_S = GRACE_S + STUCK_S + 1

# Isolated, without site: nothing in the run's environment or folder changes what the warden imports.
_ROOTS = [str(Path(__file__).parents[3])]
if not process_tree.LISTS_CHILDREN:
    _ROOTS.append(str(Path(psutil.__file__).parents[1]))
_WARDEN = [sys.executable, "-I", "-S", "-c"]
_WARDEN += ["import sys; sys.path += sys.argv[1:]; from loop.runs.local.warden import main; main()", *_ROOTS]

# How bubblewrap says that the system does not start the command; its own exit code is 1 then.
_NOT_STARTED = re.compile(r"^bwrap: execvp .*: (.+)$\s*\Z", re.MULTILINE)
_ERRORS = {os.strerror(number): number for number in (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR)}


class LocalProcess:
    """A run under way. Make one with `start`; all of it happens in the event loop that called it."""

    def __init__(
        self, spec: RunSpec, on_samples: Callable[[list[Sample]], None], on_output: Callable[[bytes], None]
    ) -> None:
        self.spec = spec
        self.memory = 0
        """Bytes that the tree held when the warden last looked (twice a second)."""
        self.pid = 0
        """Process id of the warden's keeper, which ends when all of the run has; 0 when it could not be started."""
        self.created = 0.0
        """When that was created, in epoch seconds as psutil has it: the two together name one process for ever."""
        self._on_samples, self._on_output = on_samples, on_output
        self._reader = OutputReader(spec.wanted)
        self._log = CappedLog(spec.log_dir)
        self._loop = asyncio.get_running_loop()
        self._reports = b""
        self._cannot: tuple[str, int] | None = None
        self._failed = ""
        self._ending: Ending | None = None
        self._meanwhile = Meanwhile()
        self._guard = 0  # process id of the warden itself
        self._killed_by = ""
        self._overdue = False
        self._gpu_memory: int | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._result_file = ResultFile(spec.wanted, spec.results)
        self._redirected = RedirectedFiles(spec.redirected, self._take_redirected)
        self._torn = False  # the last line of the output has not ended yet
        self._gone = asyncio.Event()  # the warden has closed its reports, so it has ended
        self._warden: subprocess.Popen[bytes] | None = None
        self._result: asyncio.Task[RunResult]

    @classmethod
    async def start(
        cls,
        spec: RunSpec,
        on_samples: Callable[[list[Sample]], None] = lambda _: None,
        after: Awaitable[Confinement | None] | None = None,
        on_output: Callable[[bytes], None] = lambda _: None,
    ) -> Self:
        """Start a run. What cannot be started is a run all the same, which `wait` says has crashed, and why.

        It makes this process a child subreaper, so that not even a run that kills its warden leaves anything behind.

        Args:
            spec: the run.
            on_samples: called in the event loop with each batch of samples, at most twice a second.
            after: what must be done before the command starts, such as making `spec.cwd`; the warden starts meanwhile,
                which takes as long (10 ms). It may say what the command may reach, if `spec` does not. When it fails
                nothing has run, and its exception is raised here.
            on_output: called in the event loop with each piece of output as it is read, cut anywhere. The time it takes
                is part of a turn, so a flood waits for it too; the last piece has been given before `wait` returns.
        """
        process_tree.become_subreaper()
        run = cls(spec, on_samples, on_output)
        try:
            run._launch()
        except OSError as error:
            run._cannot = ("fork", error.errno or 0)
            run._gone.set()
        run._result = asyncio.create_task(run._supervise())
        try:
            if after is not None and (confinement := await after) is not None:
                run.spec = replace(spec, confinement=confinement)
            order = await asyncio.to_thread(run._order)
        except BaseException:
            if run._warden and run._warden.stdin:
                run._warden.stdin.close()  # it has had no order, and ends with its pipe
            await run.wait()
            raise
        run._tell(order.encode())  # the deadline counts from here
        run._redirected.follow()
        return run

    async def wait(self) -> RunResult:
        """How it ended, once no process of it is left. May be awaited by several, and cancelled without harm."""
        return await asyncio.shield(self._result)

    def kill(self, by: str = "a person") -> None:
        """End the whole tree: SIGTERM, five seconds, SIGKILL. A run that is ending already goes on ending as it was."""
        self._killed_by = self._killed_by or f"killed by {by}"
        if not self._gone.is_set():
            self._tell(b"kill")
            self._loop.call_later(BACKSTOP_S, self._give_up)

    def note_gpu_memory(self, used: int | None) -> None:
        """Take note of the bytes in use on the slot's GPUs now; the largest is the result's `peak_gpu_memory`."""
        if used is not None:
            self._gpu_memory = max(used, self._gpu_memory or 0)

    def _launch(self) -> None:
        self._warden = subprocess.Popen(
            _WARDEN,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self.spec.env),
            bufsize=0,
            start_new_session=True,  # a ctrl+c at the supervisor's terminal is not for the run
        )
        self.pid = self._warden.pid
        self.created = psutil.Process(self.pid).create_time()
        assert self._warden.stdin and self._warden.stdout and self._warden.stderr
        os.set_blocking(self._warden.stdout.fileno(), False)
        os.set_blocking(self._warden.stderr.fileno(), False)
        self._loop.add_reader(self._warden.stdout.fileno(), self._take_reports)
        self._loop.add_reader(self._warden.stderr.fileno(), self._take_output)

    def _order(self) -> Order:
        """What the warden is to do. It looks at links and folders, so it waits until they are there."""
        spec = self.spec
        self._redirected.look()
        self._result_file.look()
        argv, rules = backend.confine(spec.confinement, spec.argv, str(spec.cwd))
        return Order(
            argv,
            str(spec.cwd),
            spec.deadline_s,
            spec.end_s,
            spec.end_clock,
            spec.nice,
            memory=spec.memory_cap,
            processes=spec.process_cap,
            file=spec.file_cap,
            disk=spec.disk_cap,
            folders=tuple(map(str, spec.folders)),
            rules=tuple(rules),
            inner=2 if self._wrapped else 0,
            given=spec.given,
            cores=spec.cores,
        )

    @property
    def _wrapped(self) -> bool:
        """Whether two processes of bubblewrap's stand above the command."""
        return self.spec.confinement is not None and self.spec.confinement.kind == "bubblewrap"

    def _tell(self, said: bytes) -> None:
        """Write to the warden."""
        if self._warden and self._warden.stdin:
            try:
                self._warden.stdin.write(said)
            except OSError:
                pass  # it has ended already, and the result will say so

    def _take_reports(self) -> None:
        assert self._warden and self._warden.stdout
        descriptor = self._warden.stdout.fileno()
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(descriptor)
            self._gone.set()
        *lines, rest = (self._reports + data).split(b"\n")
        self._reports = rest[-4096:]
        for line in lines:
            try:
                self._take_report(line.decode().split())
            except ValueError:
                pass  # not the warden's: a run of the same user can write into this pipe if it looks for it

    def _take_report(self, report: list[str]) -> None:
        match report:
            case ["warden", pid] if not self._guard:  # said before the run can say anything
                self._guard = int(pid)
            case ["failed", error]:
                self._failed = error
            case ["look", memory, at, waited, computed]:
                self.memory = int(memory)
                self._meanwhile.look(at, waited, computed)
            case ["cannot", what, number]:
                self._cannot = (what, int(number))
            case ["ended", why, status, wall, cpu, peak, leftovers, stuck]:
                code = None if status == "-" else os.waitstatus_to_exitcode(int(status))
                wrapped = self._wrapped or Path(self.spec.argv[0]).name in SHELLS
                if wrapped and code is not None and SIGNALLED < code <= SIGNALLED + signal.SIGRTMAX:
                    code = SIGNALLED - code
                self._ending = Ending(why, code, float(wall), float(cpu), int(peak), int(leftovers), int(stuck))

    def _take_output(self) -> None:
        """One turn: some output, then a rest if more is waiting, so that nothing else in the loop waits for a flood."""
        assert self._warden and self._warden.stderr
        descriptor = self._warden.stderr.fileno()
        began = time.monotonic()
        taken = 0
        while taken < TURN_BYTES and time.monotonic() - began < TURN_S:
            count = self._take_piece(descriptor)
            if count == 0:
                self._loop.remove_reader(descriptor)
            if count < READ_BYTES:
                return
            taken += count
        self._loop.remove_reader(descriptor)
        rest = max(REST_S, time.monotonic() - began)
        self._rest = self._loop.call_later(rest, self._loop.add_reader, descriptor, self._take_output)

    def _take_piece(self, descriptor: int) -> int:
        """Read one piece. Returns its size; 0 at the end, -1 when there is nothing now."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return -1
        if data:
            self._take(data)
        return len(data)

    def _take(self, data: bytes) -> None:
        self._torn = data[-1:] not in (b"\n", b"\r")
        self._log.write(data)
        self._on_output(data)
        self._hand_on(self._reader.feed(data, time.monotonic()))

    def _take_redirected(self, data: bytes) -> None:
        self._take(b"\n" + data if self._torn else data)

    def _hand_on(self, samples: list[Sample]) -> None:
        if samples:
            self._on_samples(samples)
        if self._reader.waiting and self._flush is None:
            self._flush = self._loop.call_later(SAMPLE_EVERY_S, self._flush_samples)

    def _flush_samples(self) -> None:
        self._flush = None
        self._hand_on(self._reader.feed(b"", time.monotonic()))

    def _give_up(self) -> None:
        """The run should have been gone for long: whatever holds its guards up, end them and sweep what is left."""
        if self._warden and not self._gone.is_set():
            self._overdue = True
            self._warden.kill()
            self._gone.set()

    async def _supervise(self) -> RunResult:
        began = time.monotonic()
        backstop = self._loop.call_later(self.spec.deadline_s + BACKSTOP_S, self._give_up)
        await self._gone.wait()
        backstop.cancel()
        if self._warden:
            if self._warden.poll() is None:
                await asyncio.to_thread(self._warden.wait)
            if self._warden.returncode or not (self._ending or self._cannot):
                await asyncio.to_thread(sweep_orphans, self.spec.env.get("LOOPTOP_RUN_DIR", ""), self._guard)
            await self._drain(self._warden)
        await self._redirected.finish()
        if self._flush:
            self._flush.cancel()
        self._hand_on(self._reader.finish(time.monotonic()))
        self._log.close()
        printed = self._reader.answers()
        answers = await asyncio.to_thread(self._result_file.complete, printed, self._ending)
        return self._conclude(time.monotonic() - began, answers)

    async def _drain(self, warden: subprocess.Popen[bytes]) -> None:
        """Take what the pipe still holds; no process that could add to it is left."""
        assert warden.stdin and warden.stdout and warden.stderr
        descriptor = warden.stderr.fileno()
        if self._rest:
            self._rest.cancel()
        self._loop.remove_reader(descriptor)
        self._loop.remove_reader(warden.stdout.fileno())
        taken = 0
        while taken < DRAIN_BYTES and (count := self._take_piece(descriptor)) > 0:
            taken += count
            await asyncio.sleep(0)
        for pipe in (warden.stdin, warden.stdout, warden.stderr):
            pipe.close()

    def _conclude(self, seconds: float, found: Answers) -> RunResult:
        tail = self._reader.tail()
        ending = self._ending or Ending(seconds=seconds)
        outcome, reason = self._verdict(ending, tail)
        if ending.stuck:
            stuck = f"{ending.stuck} of its processes hang in the kernel and could not be ended"
            reason = f"{reason}; {stuck}" if reason else stuck
        return RunResult(
            outcome=outcome,
            reason=reason,
            exit_code=ending.code if ending.code is not None and ending.code >= 0 else None,
            signal=-ending.code if ending.code is not None and ending.code < 0 else None,
            seconds=ending.seconds,
            cpu_seconds=ending.cpu_seconds,
            peak_memory=ending.peak,
            peak_gpu_memory=self._gpu_memory,
            leftovers=ending.leftovers,
            metrics=found.metrics,
            texts=found.texts,
            printed=found.printed,
            missing=found.missing,
            tail=tail,
            waited=self._meanwhile.waited,
            computed=self._meanwhile.computed,
            pressure=self._meanwhile.pressure(ending.seconds),
            slept=self._meanwhile.slept,
            clock_set=self._meanwhile.clock_set,
            machine=bool(self._failed) or (self._cannot is not None and self._cannot[0] in MACHINE),
        )

    def _verdict(self, ending: Ending, tail: str) -> tuple[Outcome, str]:
        spec = self.spec
        if self._wrapped and ending.code == 1 and (said := _NOT_STARTED.search(tail)):
            self._cannot = ("start", _ERRORS.get(said[1], errno.EIO))
        if self._cannot:
            return Outcome.CRASHED, cannot_start(spec.argv[0], spec.cwd, *self._cannot)
        if (
            ending.why == "exited"
            and ending.code
            and (why := out_of_memory.ran_out(ending, tail, self._meanwhile.kernel_ended))
        ):
            return Outcome.OUT_OF_MEMORY, why
        if ending.why in ("exited", "terminated", "budget"):
            return exited(ending, tail)
        if ending.why == "memory":
            over = f"used more than its {spec.memory_cap / 1e9:g} GB of memory ({ending.peak / 1e9:.3g} GB)"
            return Outcome.OUT_OF_MEMORY, f"{over}, and was ended"
        if told := over_limit(ending.why, spec):
            return Outcome.CRASHED, f"{told}, and was ended"
        if ending.why == "deadline" or (self._overdue and not self._killed_by):
            force = " by force" if self._overdue else ""
            return Outcome.TIMED_OUT, f"not done after its deadline of {spec.deadline_s:g} s, and ended{force}"
        if self._killed_by:
            return Outcome.KILLED, self._killed_by
        if self._failed:
            return Outcome.CRASHED, f"the process that guards the run failed ({self._failed}); its log says how"
        return (
            Outcome.CRASHED,
            "the process that guards the run was killed, by the run or by the kernel; all of it was ended",
        )
