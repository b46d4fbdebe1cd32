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
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loop.config.program import ProgramError, watch
from loop.journal import Journal, JournalError
from loop.journal.recorder import Recorder
from loop.lineage import LineageError, locks
from loop.machine.disk import DiskError, Room
from loop.machine.gauges import Gauges
from loop.pipeline import submission
from loop.pipeline.archive import StudyArchive
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.judging import Judging
from loop.pipeline.pool import ResearcherPool
from loop.pipeline.proposals import Proposals
from loop.pipeline.workshop import AgentWorktree
from loop.policy import limits, scheduler
from loop.recovery.repair import Repair
from loop.runs.local.orphans import reap_strangers
from loop.runs.local.readiness import Readiness
from loop.runs.slot import Slot
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.state import Study
from loop.supervisor.experiment_requests import ExperimentRequests
from loop.supervisor.requests import Requests
from loop.supervisor.startup import Prepared, Startup, apply_program

log = logging.getLogger(__name__)

HEARTBEAT_BUSY, HEARTBEAT_IDLE = 2.0, 5.0
"""Seconds between two readings of the gauges with and without a run under way: 300 bytes each, 13 MB a day at most."""

DISK_INTERVAL = 30.0
"""Seconds between two walks through `.looptop/`; one takes about 1 ms per 100 files."""

MOST_TROUBLES, LONGEST_TROUBLE = 10, 60.0
"""Runs in a row that may fail by this machine's doing before the loop ends, and seconds between two of them at most."""

LONGEST_GOODBYE = 10.0
"""Seconds to wait for the current runs to end; a warden needs six at most."""


@dataclass
class End(Exception):
    """The loop is over, and why."""

    reason: str
    failed: bool = False
    signal: str = ""


class Supervisor:
    """One study's background loop.

    Args:
        prepared: as `startup.preflight` found it; the caller holds the workspace's lock.
        journal: the study's.
        slots: where runs happen.
        gauges: what the machine is read with.
    """

    def __init__(self, prepared: Prepared, journal: Journal, slots: Sequence[Slot], gauges: Gauges) -> None:
        workspace, lineage = prepared.workspace, prepared.lineage
        self._prepared, self._slots, self._gauges = prepared, tuple(slots), gauges
        self._room = Room(workspace.folder, lineage.store)
        self._recorder = Recorder(journal, self._room)
        self._journal = _identity(workspace.journal)
        self._judging = Judging(workspace, lineage, self._recorder)
        self._proposals = Proposals(lineage, self._recorder, journal, self._judging)
        self._repair = Repair(workspace, lineage, self._recorder, self._proposals, self._judging)
        self._readiness = Readiness(gauges, self._recorder)
        self._dispatcher = Dispatcher(workspace, lineage, self._recorder, prepared.sandbox, self._readiness)
        self._pool = ResearcherPool(
            self._recorder,
            self._proposals,
            StudyArchive(workspace, lineage, self._recorder, self._proposals, journal),
            AgentWorktree(workspace, lineage, self._recorder),
            len(self._slots),
            self._limit_reached,
        )
        requests = ExperimentRequests(self._recorder, self._dispatcher, self._judging)
        self._requests = Requests(self._recorder, self._pool, self._proposals, self._dispatcher, requests)
        self._claimed: set[int] = set()
        self._troubles = 0
        """Runs in a row that this machine kept from starting."""
        self._disk_used: int | None = None
        self._signal: str | None = None
        self._asked = False
        """A ctrl+c has asked to stop after the current run."""
        self._closing = False

    @property
    def study(self) -> Study:
        return self._recorder.study

    async def run(self) -> End:
        """Work until a limit, a person's request, a signal or a failure ends it; returns why."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)
            # Heard at once too, while the event loop stands still for lack of room on the disk.
            signal.signal(number, self._on_signal)
        tasks: list[asyncio.Task[None]] = []
        self._room.keep()
        try:
            loop = asyncio.get_running_loop()
            self._prepared.lineage.patience.for_ever(lambda waits: _call_in_loop(loop, self._git, waits))
            opening = Startup(self._prepared, self._recorder, self._repair, self._proposals, self._judging)
            if failure := await opening.open(self._slots):
                raise End(failure, failed=True)
            tasks = [asyncio.create_task(work) for work in self._work()]
            over = asyncio.create_task(self._recorder.until(lambda: self._over() is not None))
            await asyncio.wait([over, *tasks], return_when=asyncio.FIRST_COMPLETED)
            end = next((_ending(task) for task in tasks if task.done()), None) or self._over()
            assert end is not None
            over.cancel()
        except End as early:
            end = early
        except (LineageError, JournalError, DiskError) as error:
            end = End(str(error), failed=True)
        if end.failed and (gone := self._folder_gone()):
            end = End(gone, failed=True)  # whatever it was that failed for it first
        await self._close(tasks, end)
        return end

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        """All that goes on at the same time."""
        return [
            self._recorder.keep_up(),
            self._beat(),
            self._follow_program(),
            submission.follow(self._prepared.lineage, self._recorder),
            self._requests.fulfil_all(),
            *(self._pool.research(researcher) for researcher in self._prepared.researchers),
            *(self._serve(slot) for slot in self._slots),
        ]

    def _git(self, waits: str | None) -> None:
        """Say what a git command of ours waits for, and that it has got through."""
        if waits is not None:
            self._recorder.record(e.Fault(where="git", message=waits, next_at=time.time() + locks.MOST_WAIT_S))
        elif "git" in self.study.troubles:
            self._recorder.record(e.Recovered(where="git"))

    def _on_signal(self, number: int, _: object) -> None:
        """What can be done about a signal at any moment: nothing that cannot be written is waited for any longer."""
        self._recorder.hurry |= number == signal.SIGTERM or self._asked
        self._asked = True

    def _signalled(self, number: int) -> None:
        """SIGTERM ends the loop at once. The first ctrl+c is `looptop stop`; a second one does not wait for the run."""
        if not self._recorder.hurry and self.study.stopping == "no" and self.study.running():
            try:
                self._recorder.record(e.Stopped(who="ctrl+c"))
                return
            except JournalError:
                pass  # which ends the loop anyway
        self._signal = signal.Signals(number).name
        self._recorder.wake()

    def _over(self) -> End | None:
        """Whether the loop has reached its end, and why."""
        study = self.study
        if self._signal is not None:
            return End(f"ended by {self._signal}", signal=self._signal)
        if study.stopping == "now":
            return End("a person stopped it")
        if self._pool.broken and study.champion is None and self._no_researcher_left():
            return End(self._pool.broken, failed=True)  # before hours of baseline for nobody
        if study.running() or self._claimed:
            return None
        if study.stopping == "after run":
            return End("a person stopped it")
        if study.limit is not None and not self._work_paid_for():
            return End(f"limit reached: {study.limit.reason}")
        if self._no_researcher_left() and not study.open:
            broken = self._pool.broken
            return End(broken or "no researcher has anything left to propose", failed=bool(broken))
        return None

    def _no_researcher_left(self) -> bool:
        """Whether no researcher will propose anything more."""
        return self._pool.gone() == len(self._prepared.researchers)

    def _work_paid_for(self) -> bool:
        """Whether something that was paid for is still to be thought to its end, run or judged."""
        study = self.study
        if study.limit is None or study.limit.limit not in limits.PAID:
            return False
        return self._pool.busy or any(x.phase in ("proposed", "queued", "running") for x in study.open_experiments())

    async def _close(self, tasks: Sequence[asyncio.Task[None]], end: End) -> None:
        """End the current runs (they are run again), then everything else, and say why."""
        self._closing = self._recorder.hurry = True
        self._prepared.lineage.patience.end()
        self._dispatcher.kill_all()
        waited = time.monotonic()
        while self._dispatcher.busy and time.monotonic() - waited < LONGEST_GOODBYE:  # noqa: ASYNC110 - the journal may be
            await asyncio.sleep(0.02)  # what has failed, so no event can be relied on here
        try:  # a verdict that is in the journal gets its note
            await asyncio.wait_for(self._judging.judging.acquire(), LONGEST_GOODBYE)
        except TimeoutError:
            pass  # git hangs: it is done at the next start
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._recorder.finish(LONGEST_GOODBYE)  # what git has made is in the journal, too
        stops = [request for request in self.study.open_requests() if request.kind == "stopped"]
        fulfilled = [(e.RequestFulfilled(request=request.seq, outcome="stopped"), None, None) for request in stops]
        stopped = e.SupervisorStopped(reason=end.reason, failed=end.failed, signal=end.signal)
        try:
            self._recorder.record_all([*fulfilled, (stopped, None, None)])
        except JournalError as error:
            self._room.give_all()
            reason = end.reason if str(error) in end.reason else f"{end.reason}; {error}"
            log.error("the loop has ended, and its journal could not be told: %s. `looptop` goes on from there", reason)
            end.failed = True

    # --- what goes on at the same time -------------------------------------------------------------------------

    async def _serve(self, slot: Slot) -> None:
        """Run, verify and judge one experiment after another in `slot`."""
        while True:
            await self._recorder.until(lambda: self._claimable() is not None)
            await self._readiness.wait(slot)
            self._limit_reached()
            if (experiment := self._claimable()) is None:
                continue
            self._claimed.add(experiment.id)
            try:
                await self._serve_one(experiment, slot)
                self._limit_reached()  # now, and not with the next beat
            except (LineageError, OSError) as error:  # its worktree or its folders
                self._recorder.excuse(error)  # it is done again when there is room
                self._lose(experiment)
            finally:
                self._claimed.discard(experiment.id)
                self._recorder.wake()

    def _lose(self, experiment: Experiment) -> None:
        """What is under way by the record is so no more, and does not count."""
        for run in experiment.running():
            lost = e.RunFinished(outcome="lost", reason="the disk is full; it is run again")
            self._recorder.record(lost, experiment.id, run.number)

    async def _serve_one(self, experiment: Experiment, slot: Slot) -> None:
        unverified = self._unverified(experiment)
        if unverified is None:
            if not await self._proposals.rebase(experiment):
                return
            await self._back_off(await self._dispatcher.run(experiment, slot))
            unverified = self._unverified(experiment)
        if unverified is not None and not self._closing:
            await self._dispatcher.verify(experiment, unverified, slot)
        if not self._closing and (failure := await self._judging.consider(experiment)):
            raise End(failure, failed=True)

    async def _back_off(self, trouble: str | None) -> None:
        """Wait a while where this machine kept a run from starting, since that may pass; not for ever.

        Raises:
            End: it has happened many times in a row, and a person has to look.
        """
        if trouble is None:
            if self._troubles:
                self._troubles = 0
                self._recorder.record(e.Recovered(where="runs"))
            return
        self._troubles += 1
        if self._troubles >= MOST_TROUBLES:
            raise End(f"no run can be started here, {self._troubles} times in a row: {trouble}", failed=True)
        wait = min(2.0 ** (self._troubles - 1), LONGEST_TROUBLE)
        self._recorder.record(e.Fault(where="runs", message=trouble, next_at=time.time() + wait))
        await asyncio.sleep(wait)

    def _claimable(self) -> Experiment | None:
        """The experiment that a free slot should take now: one to verify, or else one to run."""
        if self._closing or self.study.short_of_room:
            return None
        for experiment, _ in self.study.verifying():
            if experiment.id not in self._claimed:
                return experiment
        return scheduler.next_experiment(self.study, self._claimed)

    def _unverified(self, experiment: Experiment) -> int | None:
        """Number of the experiment's run that is still to be verified."""
        return next((run.number for x, run in self.study.verifying() if x.id == experiment.id), None)

    def _limit_reached(self) -> bool:
        """Say once that a limit is reached; from then on nothing new starts."""
        now = self._recorder.now()
        found = limits.reached(self.study, now, self._disk_used) if self.study.limit is None else None
        if found is not None:
            self._recorder.record(e.LimitReached(limit=found[0], reason=found[1]))
        return self.study.limit is not None

    async def _beat(self) -> None:
        """Read the gauges: what the person sees of the machine, and the sign that the supervisor is alive."""
        walked = -DISK_INTERVAL
        while True:
            if gone := await asyncio.to_thread(self._folder_gone):
                raise End(gone, failed=True)
            reap_strangers()
            reading = await asyncio.to_thread(self._gauges.read)
            self._pool.observe(reading)
            self._recorder.stream(self._dispatcher.observe(reading))
            try:
                if self.study.contract.limits.disk is not None and time.monotonic() - walked > DISK_INTERVAL:
                    self._disk_used = await asyncio.to_thread(self._prepared.workspace.disk_used)
                    walked = time.monotonic()
                self._recorder.look_for_room()
                self._recorder.look_at_readers()
            except OSError:
                # The folder can go between the look at it above and these.
                if gone := self._folder_gone():
                    raise End(gone, failed=True) from None
                raise
            self._limit_reached()
            await asyncio.sleep(HEARTBEAT_BUSY if self.study.running() else HEARTBEAT_IDLE)

    def _folder_gone(self) -> str:
        """Why nothing that is recorded could be found again, where somebody has taken the journal's folder away."""
        workspace = self._prepared.workspace
        if self._journal == _identity(workspace.journal):
            return ""
        return (
            f"{workspace.folder} was deleted or moved while the loop was at work; put it back and start `looptop` "
            "again (every experiment is in git too: `looptop doctor` says what is there)"
        )

    async def _follow_program(self) -> None:
        """Take over each saved version of the program, or say why not."""
        refused = False
        async for found in watch(self._prepared.workspace.root):
            if isinstance(found, ProgramError):
                message = f"{found}; the version before it stays in force"
                self._recorder.record(e.Fault(where="program.md", message=message))
                refused = True
            else:
                if refused:
                    self._recorder.record(e.Recovered(where="program.md"))
                    refused = False
                apply_program(self._recorder, self._prepared.options.applied(found.contract), found.text)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _call_in_loop(loop: asyncio.AbstractEventLoop, say: Callable[[str | None], None], waits: str | None) -> None:
    """Call `say` in the event loop, from any thread; a loop that is over needs to hear nothing."""
    try:
        loop.call_soon_threadsafe(say, waits)
    except RuntimeError:
        pass


def _ending(task: asyncio.Task[None]) -> End:
    """Why a task that should go on for ever has ended."""
    error = task.exception()
    if isinstance(error, End):
        return error
    if isinstance(error, LineageError | JournalError | DiskError):
        return End(str(error), failed=True)
    log.error("the supervisor failed", exc_info=error)
    return End(f"it failed: {type(error).__name__}: {error}", failed=True)
