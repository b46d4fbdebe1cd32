"""What slots will take next is made ready while they are busy: moved onto today's champion, and checked out.

Slots that fall free together would wait for each other's gits; and after a new champion each of them would first have
to move its experiment. Nothing here is needed: whatever is not ready, or could not be made so, the slot does by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.policy import scheduler
from loop.runs.executor import MachineFault
from loop.study.experiment import Experiment


class Checkouts(Protocol):
    """Who checks commits out before their runs start."""

    async def prepare(self, run: str, commit: str) -> None:
        """Check out `commit` for the run of that name, such as "12.1".

        Raises:
            MachineFault: that cannot be done; nothing is left then.
        """

    async def forget(self, run: str) -> None:
        """Remove what was made ready for a run that will not be; nothing happens where there is none.

        Raises:
            MachineFault: it cannot be removed.
        """


class Ahead:
    """Looks ahead of the slots of one study.

    Args:
        checkouts: None where runs are checked out as they start.
        slots: how many runs can be under way at once.
    """

    def __init__(
        self,
        recorder: Recorder,
        proposals: Proposals,
        judging: Judging,
        checkouts: Checkouts | None,
        slots: Callable[[], int],
    ) -> None:
        self._recorder, self._proposals, self._judging = recorder, proposals, judging
        self._checkouts, self._slots = checkouts, slots
        self._ready: dict[str, tuple[int, str]] = {}
        """Experiment and commit that are checked out, by the name of the run."""
        self._failed: set[tuple[int, str | None, int | None]] = set()
        """Experiment, commit and champion with which it did not work: the slot will say why."""
        self._near: tuple[object, list[Experiment]] = None, []
        """What comes next, and of when that is."""
        self._at: tuple[int, asyncio.Event] | None = None
        """The experiment that is made ready just now, and what is set when it is."""

    async def follow(self, claimed: scheduler.Claims) -> None:
        """Make ready what comes next, for ever.

        Args:
            claimed: what slots have in hand, as it is at any time.
        """
        while True:
            await self._recorder.until(lambda: self._work(claimed) is not None)
            if (work := self._work(claimed)) is not None:
                await work()

    async def let_go(self, experiment: Experiment) -> None:
        """Wait until an experiment that a slot has taken is out of hand here."""
        while self._at is not None and self._at[0] == experiment.id:
            await self._at[1].wait()

    def _work(self, claimed: scheduler.Claims) -> Callable[[], Awaitable[None]] | None:
        """What is to be done first, or None."""
        count, study = self._slots(), self._recorder.study
        key = study.seq, frozenset(claimed)
        if self._near[0] != key:  # this is asked for whenever anything happens
            self._near = key, scheduler.upcoming(study, claimed, 2 * count)
        near = self._near[1]
        wanted = {_next_run(x) for x in near}
        in_hand = {f"{number}.{run}" for number, run in claimed}
        for run in self._ready:
            if run not in in_hand and run not in wanted:
                return partial(self._forget, run)
        for experiment in near[:count]:
            if (experiment.id, experiment.commit, study.champion) in self._failed:
                continue
            ready = self._ready.get(_next_run(experiment)) == (experiment.id, experiment.commit)
            if experiment.parent != study.champion or (self._checkouts is not None and not ready):
                return partial(self._make_ready, experiment)
        return None

    async def _make_ready(self, experiment: Experiment) -> None:
        key = experiment.id, experiment.commit, self._recorder.study.champion
        over = asyncio.Event()
        self._at = experiment.id, over
        try:
            if (clash := await self._proposals.rebase(experiment)) is not None:
                await self._judging.clash(experiment, clash)
            elif experiment.parent != self._recorder.study.champion:
                self._failed.add(key)  # another champion has come meanwhile, or somebody has decided
            elif self._checkouts is not None and experiment.phase == "queued" and experiment.commit is not None:
                run = _next_run(experiment)
                if self._ready.pop(run, None) is not None:
                    await self._checkouts.forget(run)
                await self._checkouts.prepare(run, experiment.commit)
                self._ready[run] = experiment.id, experiment.commit
        except (LineageError, MachineFault, OSError):
            self._failed.add(key)
        finally:
            self._at = None
            over.set()
            self._recorder.wake()

    async def _forget(self, run: str) -> None:
        self._ready.pop(run, None)
        try:
            if self._checkouts is not None:
                await self._checkouts.forget(run)
        except (MachineFault, OSError):
            pass  # the next start removes it


def _next_run(experiment: Experiment) -> str:
    return f"{experiment.id}.{max(experiment.runs, default=0) + 1}"
