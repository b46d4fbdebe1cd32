"""One experiment's life in one slot: claimed, moved onto today's champion, run, verified, judged.

The study says at which stage an experiment is, and every stage may be repeated: a supervisor that was killed in the
middle of one is followed by another that goes on from there. No stage knows the next.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from loop.errors import UserError
from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.policy import scheduler
from loop.runs.executor import Executor, MachineFault
from loop.runs.slot import Slot
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.queries import gpu_memory_needed

MOST_TROUBLES, LONGEST_TROUBLE = 10, 60.0
"""Runs in a row that a slot may lose by its machine's doing before it counts as out of order, and seconds that it waits
between two of them at most."""


class CannotGoOn(UserError):
    """The study cannot go on; the message is a sentence for a person."""


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
        limited: Callable[[], bool],
    ) -> None:
        self._recorder, self._proposals, self._executor = recorder, proposals, executor
        self._dispatcher, self._judging, self._limited = dispatcher, judging, limited
        self._claimed: set[int] = set()
        self._troubles: Counter[int] = Counter()
        """Runs in a row that each slot has lost by its machine's doing."""
        self.closing = False
        """The loop ends: no stage begins any more."""

    @property
    def busy(self) -> bool:
        """Whether an experiment is in a slot."""
        return bool(self._claimed)

    async def serve(self, slot: Slot) -> None:
        """Take one experiment after another into `slot`, for ever.

        Raises:
            CannotGoOn: no slot can run anything, or what everything is measured against does not work.
            LineageError, OSError: git or the disk fails, and not for lack of room.
        """
        report = partial(self._report, slot)
        while True:
            await self._recorder.until(lambda: self._next() is not None)
            await self._executor.ready(slot, lambda: gpu_memory_needed(self._recorder.study), report)
            self._limited()
            if (experiment := self._next()) is None:
                continue
            self._claimed.add(experiment.id)
            trouble = None
            try:
                trouble = await self._live(experiment, slot)
                self._limited()  # now, and not with the next beat
            except (MachineFault, LineageError, OSError) as error:  # its worktree or its folders
                self._recorder.disk.pause_if_full(error.cause if isinstance(error, MachineFault) else error)
                self._dispatcher.lose(experiment, "the disk is full")  # it is done again when there is room
            finally:
                self._claimed.discard(experiment.id)
                self._recorder.wake()
            if trouble is not None:  # another slot may take the experiment meanwhile
                await self._back_off(slot, trouble)

    async def _live(self, experiment: Experiment, slot: Slot) -> str | None:
        """Take an experiment through the stages that are before it.

        Returns:
            What of the slot's machine kept it from running, where something did.
        """
        trouble = None
        if (number := self._unverified(experiment)) is None:
            if (rejected := await self._proposals.rebase(experiment)) is not None:
                await self._judging.settle(experiment, rejected)
                return None
            trouble = await self._dispatcher.run(experiment, slot)
            if trouble is None and self._troubles.pop(slot.index, 0):
                self._recorder.record(e.Recovered(where=self._where(slot)))
            number = self._unverified(experiment)
        if number is not None and not self.closing:
            await self._dispatcher.verify(experiment, number, slot)
        if not self.closing and (failure := await self._judging.consider(experiment)):
            raise CannotGoOn(failure)
        return trouble

    def _next(self) -> Experiment | None:
        """The experiment that a free slot should take now: one to verify, or else one to run."""
        if self.closing or self._recorder.study.short_of_room:
            return None
        for experiment, _ in self._recorder.study.verifying():
            if experiment.id not in self._claimed:
                return experiment
        return scheduler.next_experiment(self._recorder.study, self._claimed)

    def _unverified(self, experiment: Experiment) -> int | None:
        """Number of the experiment's run that is still to be verified."""
        return next((run.number for x, run in self._recorder.study.verifying() if x.id == experiment.id), None)

    # --- slots in trouble --------------------------------------------------------------------------------------

    async def _back_off(self, slot: Slot, trouble: str) -> None:
        """Keep a slot out of work for a while after its machine has lost a run, since that may pass.

        Raises:
            CannotGoOn: every slot has lost many in a row, and a person has to look.
        """
        self._troubles[slot.index] += 1
        times = self._troubles[slot.index]
        if all(self._troubles[one.index] >= MOST_TROUBLES for one in self._executor.slots()):
            raise CannotGoOn(f"no run can be started here, {times} times in a row: {trouble}")
        wait = min(2.0 ** min(times - 1, MOST_TROUBLES), LONGEST_TROUBLE)
        self._recorder.record(e.Fault(where=self._where(slot), message=trouble, next_at=time.time() + wait))
        await asyncio.sleep(wait)

    def _where(self, slot: Slot) -> str:
        """What a slot's trouble goes by: each has its own where there are several."""
        return "runs" if len(self._executor.slots()) == 1 else f"runs on {slot.name}"

    def _report(self, slot: Slot, why: str, wait: float) -> None:
        """See `Executor.ready`."""
        if why:
            self._recorder.record(e.Fault(where=slot.name, message=why, next_at=time.time() + wait))
        else:
            self._recorder.record(e.Recovered(where=slot.name))
