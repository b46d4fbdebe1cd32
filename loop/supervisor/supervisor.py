"""The supervisor: researchers fill a queue, slots empty it, one judge decides in order; and a person's requests.

Invariants:
- It holds no plan in memory. What to do next is asked of `scheduler`, from the study that the journal folds to; so
  there is one code path, whether it has been at work for days or was started a moment ago after `kill -9`.
- It never waits for a screen, and nothing a screen does can hold it up.
- One supervisor a workspace: the caller holds `workspace.supervise`.
- However it ends, no process of a run outlives it (each run's warden sees to that).
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from loop.errors import UserError
from loop.journal import JournalError
from loop.lineage import locks
from loop.machine.disk import DiskError
from loop.pipeline import submission
from loop.policy import ablation, climbing, ladder, limits, validation
from loop.study import events as e
from loop.study import queries
from loop.study.state import Study
from loop.supervisor.build import Parts
from loop.supervisor.startup import follow_program

log = logging.getLogger(__name__)

LONGEST_GOODBYE = 10.0
"""Seconds to wait for the current runs to end; a warden needs six at most."""

NEW_SLOTS_S = 1.0
"""Seconds between two looks at whether there are more slots."""


@dataclass
class End:
    """The loop is over, and why."""

    reason: str
    failed: bool = False
    signal: str = ""


class Supervisor:
    """One study's background loop, made of `build.build`'s parts."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._prepared = parts, parts.prepared
        self._recorder, self._life, self._pool = parts.recorder, parts.life, parts.pool
        self._tasks: list[asyncio.Task[None]] = []
        self._served: dict[int, asyncio.Task[None]] = {}
        """What serves each slot, by its index."""
        self._signal: str | None = None
        self._asked = False
        """A ctrl+c has asked to stop after the current run."""

    @property
    def study(self) -> Study:
        return self._recorder.study

    # --- from its start to its end -----------------------------------------------------------------------------

    async def run(self) -> End:
        """Work until a limit, a person's request, a signal or a failure ends it; returns why."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)
            # Heard at once too, while the event loop stands still for lack of room on the disk.
            signal.signal(number, self._on_signal)
        self._parts.reserve.reserve()
        loop = asyncio.get_running_loop()
        self._prepared.lineage.git.patience.for_ever(lambda waits: _call_in_loop(loop, self._git, waits))
        try:
            failure = await self._parts.startup.open(self._parts.executor)
            end = End(failure, failed=True) if failure else await self._work()
        except (UserError, DiskError) as error:
            end = End(str(error), failed=True)
        if end.failed and (gone := self._parts.heartbeat.folder_gone()):
            end = End(gone, failed=True)  # whatever it was that failed for it first
        await self._close(end)
        return end

    async def _work(self) -> End:
        """Do all that goes on at the same time, until something ends it."""
        works: list[Coroutine[Any, Any, None]] = [
            self._recorder.keep_up(),
            self._parts.heartbeat.beat(),
            self._parts.notices.tell(),
            follow_program(self._prepared, self._recorder),
            submission.follow(self._prepared.lineage, self._recorder),
            self._parts.requests.fulfil_all(),
            self._parts.filing.follow(),
            self._life.look_ahead(),
            self._parts.validating.follow(self._is_done),
            self._parts.ablating.follow(),
            self._parts.climbing.follow(self._parts.life.has_idle_slot, self._is_done),
            self._parts.reserving.follow(),
            self._parts.bundling.follow(),
            self._parts.placebos.follow(),
            *(self._pool.research(researcher) for researcher in self._prepared.researchers),
            self._serve_slots(),
        ]
        self._tasks = [asyncio.create_task(work) for work in works]
        end = None
        while end is None:  # a run may begin before it is acted upon that there was nothing left to do
            over = asyncio.create_task(self._recorder.until(lambda: self._over() is not None))
            await asyncio.wait([over, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            end = next((_ending(task) for task in self._tasks if task.done()), None) or self._over()
            over.cancel()
        return end

    async def _serve_slots(self) -> None:
        """Serve all slots, also those that come later; returns never, and fails as soon as one of them does."""
        served = self._served  # whose runs are ended in `_close`, each with its end on record
        while True:
            left = [running.slot for running in self._parts.dispatcher.adopted]  # whose node may have gone meanwhile
            slots = {slot.index: slot for slot in (*left, *self._parts.executor.slots())}
            came = [slot for index, slot in sorted(slots.items()) if index not in served]
            known = len(self.study.supervisor.slots) if self.study.supervisor is not None else 0
            if new := tuple(slot.record for slot in came if slot.index >= known):
                self._recorder.record(e.SlotsJoined(records=new))
            for slot in came:
                served[slot.index] = asyncio.create_task(self._life.serve(slot))
            beat = asyncio.create_task(asyncio.sleep(NEW_SLOTS_S))
            await asyncio.wait([beat, *served.values()], return_when=asyncio.FIRST_COMPLETED)
            beat.cancel()
            for task in served.values():
                if task.done():
                    task.result()

    def _over(self) -> End | None:
        """Whether the loop has reached its end, and why."""
        study = self.study
        if self._signal is not None:
            return End(f"ended by {self._signal}", signal=self._signal)
        if study.stopping == "now":
            return End("a person stopped it")
        if self._pool.broken and study.champion is None and self._no_researcher_left():
            return End(self._pool.broken, failed=True)  # before hours of baseline for nobody
        if study.running() or self._life.busy:
            return None
        if study.stopping == "after run":
            return End("a person stopped it")
        asked = e.Approved | e.Rejected | e.Overruled | e.Validated | e.Ablated | e.Without | e.Promoted
        if any(isinstance(request.body, asked) for request in study.open_requests()):
            return None  # a person's word on what waited when the loop ended
        if study.validation is not None or (study.ablation is not None and study.ablation.began.request is not None):
            return None
        if study.climb is not None and climbing.will_go_on(study, study.climb):
            return None
        if (only := study.validated_alone) is not None:
            return End(validation.told(study.contract.metric, only))
        if (found := study.ablated_alone) is not None:
            return End(ablation.told(found))
        done = self._done()
        at_end = done is not None and not done.failed
        if (at_end and validation.is_owed(study)) or climbing.owed(study, idle=False, at_end=at_end) is not None:
            return None
        if (alone := study.climbed_alone) is not None:
            return End(ladder.told(study, alone))
        return done

    def _is_done(self) -> bool:
        """Whether nothing is left to be done but what a study ends with."""
        study = self.study
        if study.stopping != "no" or study.paused or study.running() or self._life.busy:
            return False
        done = self._done()
        return done is not None and not done.failed

    def _done(self) -> End | None:
        """Whether a limit is reached or nothing is left to try, and nothing of before goes on."""
        study = self.study
        if study.limit is not None and not self._work_paid_for():
            return End(f"limit reached: {study.limit.reason}")
        if self._parts.bundling.busy:
            return None
        if self._no_researcher_left() and not self._pool.busy and len(study.open) == len(queries.doubted(study)):
            broken = self._pool.broken
            nothing = f"no researcher has anything left to propose{limits.waiting(study)}{limits.offered(study)}"
            return End(broken or nothing, failed=bool(broken))
        return None

    def _no_researcher_left(self) -> bool:
        """Whether no researcher will propose anything more."""
        return len(self._pool.gone) == len(self._prepared.researchers)

    def _work_paid_for(self) -> bool:
        """Whether something that was paid for is still being thought about, or waits to be run or judged."""
        study = self.study
        if study.limit is None or study.limit.limit not in limits.PAID:
            return False
        return self._pool.busy or any(x.phase in ("proposed", "queued", "running") for x in study.open_experiments())

    async def _close(self, end: End) -> None:
        """End the current runs (they will run again), then everything else, and record why."""
        self._life.closing = self._recorder.hurry = True
        self._prepared.lineage.git.patience.end()
        dispatcher, began = self._parts.dispatcher, time.monotonic()
        dispatcher.kill_all()
        while dispatcher.busy and time.monotonic() - began < LONGEST_GOODBYE:  # noqa: ASYNC110 - the journal may be
            await asyncio.sleep(0.02)  # what has failed, so no event can be relied on here
        try:  # a verdict that is in the journal gets its note
            await asyncio.wait_for(self._parts.judging.judging.acquire(), LONGEST_GOODBYE)
            await asyncio.wait_for(self._parts.filing.finish(), LONGEST_GOODBYE)
        except (TimeoutError, UserError, DiskError, OSError):
            pass  # git hangs, or fails: it is done at the next start
        tasks = [*self._tasks, *self._served.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._parts.executor.close()
        await self._recorder.disk.finish(LONGEST_GOODBYE)  # what git has made is in the journal, too
        stops = [request for request in self.study.open_requests() if request.kind == "stopped"]
        fulfilled = [(e.RequestFulfilled(request=request.seq, outcome="stopped"), None, None) for request in stops]
        stopped = e.SupervisorStopped(reason=end.reason, failed=end.failed, signal=end.signal)
        try:
            self._recorder.record_all([*fulfilled, (stopped, None, None)])
            await self._parts.notices.finish()
        except JournalError as error:
            self._parts.reserve.release_all()
            reason = end.reason if str(error) in end.reason else f"{end.reason}; {error}"
            log.error("the loop has ended, and its journal could not be told: %s. `looptop` goes on from there", reason)
            end.failed = True

    # --- signals, and a git that waits ------------------------------------------------------------------------

    def _git(self, waits: str | None) -> None:
        """Record what a git command of ours waits for, and when it has got through."""
        if waits is not None:
            self._recorder.record(e.Fault(where="git", message=waits, next_at=time.time() + locks.MOST_WAIT_S))
        elif "git" in self.study.troubles:
            self._recorder.record(e.Recovered(where="git"))

    def _on_signal(self, number: int, _: object) -> None:
        """The part of a signal that takes effect at any moment: no write is waited for any longer."""
        self._recorder.hurry |= number == signal.SIGTERM or self._asked
        self._asked = True

    def _signalled(self, number: int) -> None:
        """SIGTERM ends the loop at once. The first ctrl+c is `looptop stop`; the second does not wait for the run."""
        if not self._recorder.hurry and self.study.stopping == "no" and self.study.running():
            try:
                self._recorder.record(e.Stopped(who="ctrl+c"))
                return
            except JournalError:
                pass  # which ends the loop anyway
        self._signal = signal.Signals(number).name
        self._recorder.wake()


def _call_in_loop(loop: asyncio.AbstractEventLoop, say: Callable[[str | None], None], waits: str | None) -> None:
    """Call `say` in the event loop, from any thread; nothing where the loop is over."""
    try:
        loop.call_soon_threadsafe(say, waits)
    except RuntimeError:
        pass


def _ending(task: asyncio.Task[None]) -> End:
    """Why a task that should never end has ended."""
    error = task.exception()
    if isinstance(error, UserError | DiskError):
        return End(str(error), failed=True)
    log.error("the supervisor failed", exc_info=error)
    return End(f"it failed: {type(error).__name__}: {error}", failed=True)
