"""The agent: what is at work on a node for one study, and holds an executor of that machine's own.

It starts what it is told to, ends it, and keeps what it has seen until the supervisor has fetched it: the raw output
with its offsets, what a run holds, how it ended. It reads no output, judges nothing, and has no plan. Who does not hear
from the supervisor for the length of the lease ends everything: its runs are being run again elsewhere by then.

It is an asyncio object of one event loop. All that it is asked is asked by `call`, in one session at a time.
"""

import asyncio
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loop.errors import UserError
from loop.machine.gauges import Gauges
from loop.runs.cluster import parcels
from loop.runs.cluster.wire import Batch, Ended, Event, Heard, Holds, Opened
from loop.runs.executor import Executor, Job, MachineFault, RunHandle
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.study.outcomes import Outcome
from loop.workspace import Workspace

log = logging.getLogger(__name__)

BATCH = 1 << 20
"""Bytes of output in one answer, about."""

KEPT = 8 << 20
"""Bytes of a run's output that wait here at most; of more that nobody fetches, the oldest goes."""

GAUGED_S = 2.0
"""Seconds between two looks at what the runs hold."""

LONGEST_WAIT = 5.0
"""Seconds that a slot is waited for in one call."""

SILENT = "its node, which had not heard from the supervisor"


class _Deaf:
    """The output is read by the supervisor."""

    def sampled(self, samples: Sequence[Sample]) -> None:
        pass


@dataclass
class _Run:
    """A run here, from when it is asked for."""

    job: Job
    handle: RunHandle | None = None
    heard: int = 0
    """Bytes of its output so far."""
    waiting: int = 0
    """Of those, bytes that nobody has fetched."""
    stop: str = ""
    left: int = 0
    """See `Ended`."""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Agent:
    """One study's on one node.

    Args:
        executor: this machine's; it is to hand each piece of output to `heard`.
        workspace: where runs have their folders here.
        take: stores a pack of commits; raises a `UserError`.
        lease: see `Opening`.
        code: see `Opened`.
        gone: called when the lease is over and all runs are.
        let_go: gives the node back to other studies.
    """

    def __init__(
        self,
        executor: Executor,
        workspace: Workspace,
        take: Callable[[bytes], None],
        gauges: Gauges,
        lease: float,
        code: str,
        gone: Callable[[], None],
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        self._executor, self._workspace, self._take, self._gauges = executor, workspace, take, gauges
        self._lease, self._code, self._gone, self._let_go = lease, code, gone, let_go
        self.session = 0
        """See `Opened`."""
        self._runs: dict[str, _Run] = {}
        self._events: deque[tuple[int, Event]] = deque()
        self._last = 0
        self._news = asyncio.Event()
        self._storing = asyncio.Lock()
        self._word = time.monotonic()
        self._tasks: set[asyncio.Task[object]] = set()
        self._watching = [asyncio.create_task(self._watch()), asyncio.create_task(self._gauge())]

    def heard(self, job: Job, data: bytes) -> None:
        """Take a piece of a run's output."""
        token = next((token for token, run in self._runs.items() if run.job is job), None)
        if token is None:
            return
        run = self._runs[token]
        self._say(Heard(token, run.heard, data, time.monotonic()))
        run.heard += len(data)
        run.waiting += len(data)
        if run.waiting > KEPT:
            self._drop(token, run)

    # --- what the supervisor asks -----------------------------------------------------------------------------

    async def begin(self) -> Opened:
        """A supervisor is there, maybe a new one. What an earlier one has left is ended, before this returns."""
        self.session += 1
        self._word = time.monotonic()
        for run in self._runs.values():
            self._stop(run, "a new supervisor")
        await asyncio.gather(*(run.over.wait() for run in self._runs.values()))
        for token in list(self._runs):
            await self._close(token)
        self._events.clear()
        await asyncio.to_thread(shutil.rmtree, self._workspace.runs, ignore_errors=True)
        await self._executor.sweep()
        slots, notes = tuple(self._executor.slots()), tuple(self._executor.notes)
        return Opened(self.session, self._code, slots, notes)

    async def call(self, session: int, method: str, *arguments: object) -> object:
        """Do what the supervisor of that session asks.

        Raises:
            UserError: it is an earlier one, or what is asked for fails; a sentence.
        """
        if session != self.session:
            raise UserError("another supervisor has taken over this node")
        self._word = time.monotonic()
        asked = {
            "poll": self._poll,
            "ready": self._ready,
            "start": self._start,
            "stop": self._ask_to_stop,
            "close": self._close,
            "piece": self._piece,
            "has": self._has,
            "bring": self._bring,
            "keep": self._keep,
            "end": self._end,
        }[method]
        try:
            return await asked(*arguments)  # type: ignore[operator]
        except MachineFault as fault:
            raise UserError(str(fault)) from fault

    async def _poll(self, after: int, hold: float) -> Batch:
        """What has happened after that event, as soon as something has, or nothing after `hold` seconds."""
        while self._events and self._events[0][0] <= after:
            _, event = self._events.popleft()
            if isinstance(event, Heard) and event.token in self._runs:
                self._runs[event.token].waiting -= len(event.data)
        if not self._events:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), hold)
            except TimeoutError:
                pass
        events: list[Event] = []
        last, size = after, 0
        for number, event in self._events:
            if size > BATCH:
                break
            last = number
            events.append(event)
            size += len(event.data) if isinstance(event, Heard) else 1000
        return Batch(last, events)

    async def _ready(self, slot: int, need: int | None) -> str:
        """Why no run can start in that slot; empty where one can."""
        said = ""

        def report(why: str, wait: float) -> None:
            nonlocal said
            said = why

        waiting = self._executor.ready(self._slot(slot), lambda: need, report)
        try:
            await asyncio.wait_for(waiting, LONGEST_WAIT)
        except TimeoutError:
            return said or "it is looked at"
        return ""

    async def _start(self, token: str, job: Job, slot: int, packs: Sequence[bytes]) -> float:
        """Start a run; asked twice, it is started once.

        Returns:
            The clock here.
        """
        if token in self._runs:
            return time.monotonic()
        run = self._runs[token] = _Run(job)
        try:
            async with self._storing:
                for packed in packs:
                    await asyncio.to_thread(self._take, packed)
            run.handle = await self._executor.start(job, self._slot(slot), _Deaf())
        except BaseException:
            self._runs.pop(token, None)
            run.over.set()
            raise
        self._spawn(self._follow(token, run))
        if run.stop:
            run.handle.stop(run.stop)
        return time.monotonic()

    async def _ask_to_stop(self, token: str, by: str) -> None:
        if token in self._runs:
            self._stop(self._runs[token], by)

    async def _close(self, token: str) -> None:
        """Remove what is left of a run, but for what its verification needs."""
        run = self._runs.pop(token, None)
        if run is None:
            return
        if run.handle is not None:
            await run.handle.close()
        job = run.job
        if job.kind == "verify" or (job.kind == "run" and not (run.left and job.contract.verify)):
            folder = self._workspace.run_folder(job.experiment, job.run)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self._archive(job).unlink(missing_ok=True)

    async def _piece(self, token: str, offset: int) -> bytes:
        return await asyncio.to_thread(parcels.piece, self._archive(self._runs[token].job), offset)

    async def _has(self, experiment: int, run: int) -> bool:
        """Whether what that run has written is still here."""
        return (self._workspace.run_folder(experiment, run) / "out").is_dir()

    async def _bring(self, experiment: int, run: int, offset: int, data: bytes, last: bool) -> None:
        """Take a piece of what a run has written elsewhere."""
        folder = self._workspace.run_folder(experiment, run)
        archive = folder / "out.tar"
        await asyncio.to_thread(parcels.add, archive, offset, data)
        if last:
            await asyncio.to_thread(parcels.unpack, archive, folder / "out")

    async def _keep(self, tokens: Sequence[str]) -> list[str]:
        """End all runs but these; those of these that are not here."""
        for token, run in self._runs.items():
            if token not in tokens:
                self._stop(run, "the supervisor")
        return [token for token in tokens if token not in self._runs]

    async def _end(self) -> None:
        """The supervisor goes: end everything."""
        await self._end_all("the supervisor")

    async def stop(self) -> None:
        """End everything, this agent too."""
        for task in self._watching:
            task.cancel()
        await self._end_all("the supervisor")
        self._let_go()

    # --- inside ------------------------------------------------------------------------------------------------

    async def _follow(self, token: str, run: _Run) -> None:
        assert run.handle is not None
        result, fault = None, ""
        try:
            result = await run.handle.wait()
            if run.job.kind == "run" and result.outcome == Outcome.FINISHED:
                out = self._workspace.run_folder(run.job.experiment, run.job.run) / "out"
                run.left = await asyncio.to_thread(parcels.pack, out, self._archive(run.job))
        except UserError as error:
            fault = str(error)
        finally:
            run.over.set()
        self._say(Ended(token, result, fault, run.left, run.heard))

    def _stop(self, run: _Run, by: str) -> None:
        run.stop = run.stop or by
        if run.handle is not None:
            run.handle.stop(by)

    async def _end_all(self, by: str) -> None:
        runs = list(self._runs.values())
        for run in runs:
            self._stop(run, by)
        await asyncio.gather(*(run.over.wait() for run in runs))
        for token in list(self._runs):
            await self._close(token)
        await self._executor.close()

    async def _watch(self) -> None:
        """End everything when the lease is over."""
        while (left := self._word + self._lease - time.monotonic()) > 0:  # noqa: ASYNC110 - for time, not for an event
            await asyncio.sleep(left)
        log.warning("no word from the supervisor for %g s: all runs here are ended", self._lease)
        self.session += 1
        await self._end_all(SILENT)
        self._let_go()
        self._gone()

    async def _gauge(self) -> None:
        while True:
            await asyncio.sleep(GAUGED_S)
            if not self._runs:
                continue
            self._executor.observe(await asyncio.to_thread(self._gauges.read))
            for token, run in self._runs.items():
                if run.handle is not None and not run.over.is_set():
                    gauge = run.handle.gauge()
                    self._say(Holds(token, gauge.memory, gauge.gpu_memory))

    def _say(self, event: Event) -> None:
        self._last += 1
        self._events.append((self._last, event))
        self._news.set()

    def _drop(self, token: str, run: _Run) -> None:
        """Forget the oldest half of what waits of a run's output: its offsets tell what is missing."""
        kept: deque[tuple[int, Event]] = deque()
        for number, event in self._events:
            if isinstance(event, Heard) and event.token == token and run.waiting > KEPT // 2:
                run.waiting -= len(event.data)
            else:
                kept.append((number, event))
        self._events = kept

    def _slot(self, number: int) -> Slot:
        return next(slot for slot in self._executor.slots() if slot.index == number)

    def _archive(self, job: Job) -> Path:
        return self._workspace.folder / f"{job.name}.tar"

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
