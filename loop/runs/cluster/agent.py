"""The agent: what is at work on a node for one study, and holds an executor of that machine's own.

It starts what it is told to, ends it, and keeps what it has seen: the raw output with its offsets, what a run holds,
how it ended. So a supervisor that takes over from one that was killed hears all of it from the beginning. The agent
reads no output, judges nothing, and has no plan. Who does not hear from a supervisor for the length of the lease ends
everything: its runs are being run again elsewhere by then.

It is an asyncio object of one event loop. All that it is asked is asked by `call`, in one session at a time.
"""

import asyncio
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path

from loop.errors import UserError
from loop.machine.gauges import Gauges
from loop.runs.cluster import agent_run, parcels
from loop.runs.cluster.agent_run import AgentRun
from loop.runs.cluster.wire import Batch, Ended, Event, Going, Heard, Holds, Opened
from loop.runs.executor import Executor, Job, MachineFault
from loop.runs.output import Sample
from loop.runs.slot import Slot, together
from loop.runs.spec import Lost, RunResult
from loop.study.outcomes import Outcome
from loop.workspace import Workspace

log = logging.getLogger(__name__)

BATCH = 1 << 20
"""Bytes of output in one answer, about."""

GAUGED_S = 2.0
"""Seconds between two looks at what the runs hold."""

LONGEST_WAIT = 5.0
"""Seconds that a slot is waited for in one call."""

SILENT = "its node, which had not heard from the supervisor"


class _Deaf:
    """The output is read by the supervisor."""

    def sampled(self, samples: Sequence[Sample]) -> None:
        pass


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
        short: why the disk here has no room for runs, where it has none. Blocks.
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
        short: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._executor, self._workspace, self._take, self._gauges = executor, workspace, take, gauges
        self._lease, self._code, self._gone, self._let_go = lease, code, gone, let_go
        self._short = short
        self.session = 0
        """See `Opened`."""
        self.over = False
        """Whether it has given the node back."""
        self._runs: dict[str, AgentRun] = {}
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
        piece = run.hear(token, data)
        if run.unclaimed:
            return
        self._say(piece)
        run.waiting += len(data)
        if run.waiting > agent_run.KEPT:
            self._drop(token, run)

    # --- what the supervisor asks -----------------------------------------------------------------------------

    async def begin(self) -> Opened:
        """A supervisor is there, maybe a new one. Runs of an earlier one wait to be adopted; whatever else it has left
        is ended, before this returns."""
        self.session += 1
        self._word = time.monotonic()
        left = {token: run for token, run in self._runs.items() if run.job.kind == "run" and not run.stop}
        for run in left.values():
            run.unclaimed, run.waiting = True, 0
        await self._end_but(left)
        self._events.clear()
        folders = [self._workspace.run_folder(run.job.experiment, run.job.run) for run in left.values()]
        await asyncio.to_thread(_empty, self._workspace.runs, folders)
        if not left:
            await self._executor.sweep()
        slots, notes = tuple(self._executor.slots()), tuple(self._executor.notes)
        now = time.monotonic()
        going = tuple(
            Going(token, run.job, tuple(run.slots), run.gpus, now - run.began, run.ended.result if run.ended else None)
            for token, run in left.items()
            if token in self._runs
        )
        return Opened(self.session, self._code, slots, notes, going)

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
            "adopt": self._adopt,
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

    async def _start(self, token: str, job: Job, slots: Sequence[int], gpus: int, packs: Sequence[bytes]) -> float:
        """Start a run; asked twice, it is started once.

        Args:
            slots: one, or those of which it has that many GPUs.

        Returns:
            The clock here.
        """
        if token in self._runs:
            return time.monotonic()
        run = self._runs[token] = AgentRun(job, slots, gpus)
        try:
            if reason := await asyncio.to_thread(self._short):
                raise UserError(reason)
            async with self._storing:
                for packed in packs:
                    await asyncio.to_thread(self._take, packed)
            place = [self._slot(number) for number in slots]
            run.handle = await self._executor.start(job, together(place, gpus) if gpus else place[0], _Deaf())
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

    async def _adopt(self, tokens: Sequence[str]) -> None:
        """Say of these runs all that has been heard, from the beginning; the others of earlier supervisors are ended.
        Asked twice, it is said twice."""
        for token in tokens:
            if (run := self._runs.get(token)) is None:
                self._say(Ended(token, None, "it is not there any more"))
                continue
            self._events = deque(one for one in self._events if one[1].token != token)
            run.unclaimed, run.waiting = False, sum(len(piece.data) for piece in run.past)
            for piece in run.past:
                self._say(piece)
            if run.ended is not None:
                self._say(run.ended)
        await self._end_but([token for token, run in self._runs.items() if not run.unclaimed])

    async def _end(self) -> None:
        """The supervisor goes: end everything, and leave the node to whoever comes. This agent is not begun again: its
        process ends a while later, and the next study must not have to wait for that."""
        await self._end_all("the supervisor")
        self.over = True
        self.session += 1
        self._let_go()

    async def stop(self) -> None:
        """End everything, this agent too."""
        for task in self._watching:
            task.cancel()
        await self._end_all("the supervisor")
        self._let_go()

    # --- inside ------------------------------------------------------------------------------------------------

    async def _follow(self, token: str, run: AgentRun) -> None:
        assert run.handle is not None
        result, fault = None, ""
        try:
            result = await run.handle.wait()
            if result.lost is None and (reason := await self._incomplete(run, result)):
                result = replace(result, lost=Lost(reason, believed=False, passes=False))
        except UserError as error:
            fault = str(error)
        finally:
            run.over.set()
        run.ended = Ended(token, result, fault, run.left, run.heard)
        if not run.unclaimed:
            self._say(run.ended)

    async def _incomplete(self, run: AgentRun, result: RunResult) -> str:
        """Why this disk may have kept a run from what it was to write, so that nothing of it counts; else empty."""
        job = run.job
        finished = job.kind == "run" and result.outcome == Outcome.FINISHED
        failed = result.outcome in (Outcome.CRASHED, Outcome.NO_METRIC)
        if (failed or (finished and job.contract.verify)) and (reason := await asyncio.to_thread(self._short)):
            return reason  # it may have filled the disk itself
        if finished:
            out = self._workspace.run_folder(job.experiment, job.run) / "out"
            try:
                run.left = await asyncio.to_thread(parcels.pack, out, self._archive(job))
            except UserError as error:
                return str(error)
        return ""

    def _stop(self, run: AgentRun, by: str) -> None:
        run.stop = run.stop or by
        if run.handle is not None:
            run.handle.stop(by)

    async def _end_all(self, by: str) -> None:
        await self._end_but((), by)
        await self._executor.close()

    async def _end_but(self, tokens: Collection[str], by: str = "the supervisor") -> None:
        """End all runs but these, and remove what is left of them."""
        others = {token: run for token, run in self._runs.items() if token not in tokens}
        for run in others.values():
            self._stop(run, by)
        await asyncio.gather(*(run.over.wait() for run in others.values()))
        for token, run in others.items():
            await self._close(token)
            if run.job.kind == "run":
                folder = self._workspace.run_folder(run.job.experiment, run.job.run)
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

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
                if run.handle is not None and not run.over.is_set() and not run.unclaimed:
                    gauge = run.handle.gauge()
                    self._say(Holds(token, gauge.memory, gauge.gpu_memory))

    def _say(self, event: Event) -> None:
        self._last += 1
        self._events.append((self._last, event))
        self._news.set()

    def _drop(self, token: str, run: AgentRun) -> None:
        """Forget the oldest half of what waits of a run's output: its offsets tell what is missing."""
        kept: deque[tuple[int, Event]] = deque()
        for number, event in self._events:
            if isinstance(event, Heard) and event.token == token and run.waiting > agent_run.KEPT // 2:
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


def _empty(folder: Path, but: Collection[Path]) -> None:
    """Remove all that is in a folder, but for these. Blocks."""
    for path in folder.glob("*"):
        if path not in but:
            shutil.rmtree(path, ignore_errors=True)
