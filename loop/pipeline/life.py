"""One experiment's life in one slot: claimed, moved onto today's champion, run, verified, judged.

The study says at which stage an experiment is, and every stage may be repeated: a supervisor that was killed in the
middle of one is followed by another that goes on from there. No stage knows the next.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from functools import partial

from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.pipeline.ahead import Ahead
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.pipeline.quarantine import CannotGoOn, Quarantine
from loop.pipeline.rehearsal import Rehearsal
from loop.pipeline.run_in_flight import RunInFlight
from loop.policy import reservations, scheduler, slot_units
from loop.runs.executor import Executor, MachineFault, NodeFault
from loop.runs.slot import Slot, together
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.queries import gpu_memory_needed


class Life:
    """Serves the slots with the experiments of one study.

    Args:
        limited: says once that a limit is reached, and whether one is.
    """

    def __init__(
        self,
        recorder: Recorder,
        proposals: Proposals,
        executor: Executor,
        dispatcher: Dispatcher,
        judging: Judging,
        rehearsal: Rehearsal,
        ahead: Ahead,
        limited: Callable[[], bool],
    ) -> None:
        self._recorder, self._proposals, self._executor = recorder, proposals, executor
        self._dispatcher, self._judging = dispatcher, judging
        self._rehearsal, self._ahead, self._limited = rehearsal, ahead, limited
        self._claimed: dict[tuple[int, int], int] = {}
        """Experiment and number of the runs that slots have in hand, and which slot it is."""
        self._together: dict[tuple[int, int], slot_units.Set] = {}
        """The slots of those that have several."""
        self._quarantine = Quarantine(recorder, executor.slots)
        self.closing = False
        """The loop ends: no stage begins any more."""

    @property
    def busy(self) -> bool:
        """Whether an experiment is in a slot."""
        return bool(self._claimed)

    def has_idle_slot(self) -> bool:
        """Whether a slot has nothing to do, and is not the only one, which is to be free for the next proposal."""
        slots = self._executor.slots()
        taken = set(self._claimed.values())
        return len(slots) > 1 and any(slot.index not in taken and self._may_serve(slot) for slot in slots)

    def _may_serve(self, slot: Slot) -> bool:
        """Whether a free slot works, and nothing is to be done in it."""
        if self.closing or self._quarantine.is_drained(slot) or self._next(slot) is not None:
            return False
        return reservations.held(self._recorder.study, slot.index) is None

    # --- what is reserved ----------------------------------------------------------------------------------------

    @property
    def claimed(self) -> scheduler.Claims:
        """What slots have in hand."""
        return self._claimed

    @property
    def together(self) -> Collection[slot_units.Set]:
        """The slots of each run in hand that has several."""
        return self._together.values()

    def working(self) -> list[int]:
        """Numbers of the slots that work, and whose GPU is there and free."""
        troubles = self._recorder.study.troubles
        return [slot.index for slot in self._quarantine.working() if slot.name not in troubles]

    def is_idle(self, index: int) -> bool:
        """Whether a slot has nothing to do, were it not reserved."""
        if index in self._claimed.values():
            return False
        others = [slot.index for slot in self._quarantine.working() if slot.index != index]
        return scheduler.work_of_one(self._recorder.study, self._claimed, index, others) is None

    # --- serving -------------------------------------------------------------------------------------------------

    async def look_ahead(self) -> None:
        """Make ready, for ever, what slots will take next."""
        await self._ahead.follow(self._claimed)

    async def serve(self, slot: Slot) -> None:
        """Take one experiment after another into `slot`, for ever.

        Raises:
            CannotGoOn: no slot can run anything, or what everything is measured against does not work.
            LineageError, OSError: git or the disk fails, and not for lack of room.
        """
        for running in [one for one in self._dispatcher.adopted if one.slot.index == slot.index]:
            job = running.job
            x = self._recorder.study.experiments[job.experiment]
            await self._serve(scheduler.Work(x, job.run), running.slot, running)
        while True:
            await self._recorder.until(lambda: self._next(slot) is not None)
            if (work := self._next(slot)) is None:
                continue
            looked_at = work.slots
            await self._ready(slot, looked_at)
            self._limited()
            if (work := self._next(slot)) is not None and work.slots == looked_at:
                await self._serve(work, slot)

    async def _ready(self, slot: Slot, several: slot_units.Set) -> None:
        """Wait until a run can start in `slot`; or in several, until then or until they are no longer kept for it."""
        if not several:
            await self._ready_one(slot)
            return
        there = {one.index: one for one in self._executor.slots()}

        def is_over() -> bool:
            return (work := self._next(slot)) is None or work.slots != several

        async def all_of_them() -> None:
            for index in several:
                await self._ready_one(there[index])

        waits = [asyncio.create_task(all_of_them()), asyncio.create_task(self._recorder.until(is_over))]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        for wait in done:
            wait.result()

    async def _ready_one(self, slot: Slot) -> None:
        need = partial(gpu_memory_needed, self._recorder.study)
        await self._executor.ready(slot, need, partial(self._report, slot))
        if slot.name in self._recorder.study.troubles:  # who told of it waits no longer
            self._report(slot, "", 0.0)

    async def _serve(self, work: scheduler.Work, slot: Slot, running: RunInFlight | None = None) -> None:
        """Have one run of an experiment in `slot`, and let that rest afterwards where its machine is at fault."""
        experiment, claim = work.experiment, (work.experiment.id, work.run)
        if work.slots:
            there = {one.index: one for one in self._executor.slots()}
            slot = together([there[index] for index in work.slots], work.gpus)
        if slot.also:
            self._together[claim] = (slot.index, *slot.also)
        self._claimed[claim] = slot.index
        trouble = None
        try:
            trouble = await self._live(work, slot, running)
            self._limited()  # now, and not with the next beat
        except NodeFault as fault:
            trouble = str(fault)
            self._dispatcher.lose(experiment, trouble)
        except (MachineFault, LineageError, OSError) as error:  # its worktree or its folders
            self._recorder.disk.pause_if_full(error.cause if isinstance(error, MachineFault) else error)
            self._dispatcher.lose(experiment, "the disk is full")  # it is done again when there is room
        finally:
            self._claimed.pop(claim, None)
            self._together.pop(claim, None)
            self._recorder.wake()
        await self._quarantine.rest(slot, trouble)  # another slot may take the experiment meanwhile

    async def _live(self, work: scheduler.Work, slot: Slot, running: RunInFlight | None) -> str | None:
        """Take a run of an experiment through the stages that are before it.

        Args:
            running: it goes on already, where an earlier supervisor has started it.

        Returns:
            What of the slot's machine kept it from running, where something did.

        Raises:
            CannotGoOn: runs do not use the experiments' files, or what everything is measured against does not work.
        """
        try:
            return await self._stages(work, slot, running)
        finally:
            await self._dispatcher.closed(work.experiment, work.run)

    async def _stages(self, work: scheduler.Work, slot: Slot, running: RunInFlight | None) -> str | None:
        experiment, number, trouble = work.experiment, work.run, None
        if running is not None:
            trouble = await self._dispatcher.take_over(running)
        elif number not in experiment.runs:
            stood = experiment.verdict
            await self._ahead.let_go(experiment)
            phase = experiment.phase  # by a name of its own, since the same is asked again below
            if experiment.verdict != stood or phase == "waiting":  # it clashed there
                return None
            if (rejected := await self._proposals.rebase(experiment)) is not None:
                await self._judging.clash(experiment, rejected)
                return None
            if experiment.phase == "waiting":  # a person's own edit, which does not go together with the new champion
                return None
            if (refused := await self._rehearsal.refusal(slot)) is not None:
                raise CannotGoOn(refused)
            if self.closing:
                return None
            trouble = await self._dispatcher.run(work, slot)
            if trouble is None:
                self._quarantine.works(slot)
        if not self.closing and self._unverified(experiment, number):
            trouble = await self._dispatcher.verify(experiment, number, slot) or trouble
        if (run := experiment.runs.get(number)) is not None and run.validates:
            return trouble  # whoever looks after the validation, ablation or climb waits for it
        if not self.closing and (failure := await self._judging.consider(experiment, number)):
            raise CannotGoOn(failure)
        return trouble

    def _next(self, slot: Slot) -> scheduler.Work | None:
        """What a free slot should do now."""
        if self.closing or self._quarantine.is_drained(slot):
            return None
        others = self._quarantine.others(slot)
        return scheduler.next_work(self._recorder.study, self._claimed, slot.index, others)

    def _unverified(self, experiment: Experiment, number: int) -> bool:
        """Whether that run of the experiment has ended, and is still to be verified."""
        return any((x.id, run.number) == (experiment.id, number) for x, run in self._recorder.study.verifying())

    def _report(self, slot: Slot, why: str, wait: float) -> None:
        """See `Executor.ready`."""
        if why:
            self._recorder.record(e.Fault(where=slot.name, message=why, next_at=time.time() + wait))
        else:
            self._recorder.record(e.Recovered(where=slot.name))
