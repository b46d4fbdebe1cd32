"""The pool of researchers: who is asked for a proposal, when, with which briefing, and what comes of it.

A person's words reach a researcher at its next call of a model, and an interrupt ends its present thought. A researcher
that fails is asked again, after longer and longer waits. Nothing here runs or judges anything.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from loop.journal import JournalError
from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.machine.disk import DiskError
from loop.pipeline.archive import StudyArchive
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.pipeline.sink import ResearcherSink
from loop.policy import limits, scheduler
from loop.policy.standing import noise
from loop.researchers.protocol import (
    Briefing,
    NothingLeft,
    Proposal,
    ProposalFailed,
    Researcher,
    Unusable,
    Workshop,
)
from loop.study import events as e
from loop.study.state import Request

log = logging.getLogger(__name__)

PATIENCE = (1.0, 300.0)
"""First and longest wait in seconds after a researcher failed; the wait doubles from one to the other."""


class ResearcherPool:
    """Asks the researchers of one study, for as long as the loop runs.

    Args:
        slots: how many runs can be under way at once.
        limited: says once that a limit is reached, and whether one is.
    """

    def __init__(
        self,
        recorder: Recorder,
        proposals: Proposals,
        judging: Judging,
        archive: StudyArchive,
        workshop: Workshop,
        slots: int,
        limited: Callable[[], bool],
    ) -> None:
        self._recorder, self._proposals, self._judging = recorder, proposals, judging
        self._archive, self._workshop = archive, workshop
        self._slots, self._limited = slots, limited
        self._thinking: dict[int, asyncio.Task[Proposal]] = {}
        self._interrupting: set[int] = set()
        self.gone: list[str] = []
        """Researchers that will propose nothing more."""
        self._gauge: e.GaugeRead | None = None
        self.broken = ""
        """Why a researcher that is gone needs a person, where one does."""

    @property
    def busy(self) -> bool:
        """Whether a researcher is thinking about a proposal."""
        return bool(self._thinking)

    def observe(self, reading: e.GaugeRead) -> None:
        """Take note of the machine, for the briefings."""
        self._gauge = reading

    # --- asking ----------------------------------------------------------------------------------------------

    async def research(self, researcher: Researcher) -> None:
        """Ask one researcher for a proposal whenever there is room for one, until it has nothing left."""
        try:
            await self._ask_on(researcher)
        finally:
            await researcher.close()

    async def _ask_on(self, researcher: Researcher) -> None:
        wait = PATIENCE[0]
        prepared = False
        while True:
            try:
                if not prepared:
                    await researcher.prepare(ResearcherSink(self._recorder, researcher, None, self._limited))
                    prepared = True
                await self._recorder.until(lambda: self._wants_proposal(researcher))
                if self._limited():
                    continue
                await self._ask(researcher)
                wait = PATIENCE[0]
            except (NothingLeft, Unusable) as nothing:
                self._recorder.record(e.Fault(where=researcher.name, message=str(nothing)))
                self.gone.append(researcher.name)
                if isinstance(nothing, Unusable):
                    self.broken = f"{researcher.name}: {nothing}"
                self._recorder.wake()
                await asyncio.Future()  # until the loop ends: others may have something left
            except (JournalError, DiskError):
                raise
            except LineageError as error:  # such as a coding agent's worktree
                self._recorder.disk.pause_if_full(error)
                await self._recorder.disk.wait_for_space()
            except Exception as error:
                expected = isinstance(error, ProposalFailed)
                if not expected:
                    log.exception("the researcher %s failed", researcher.name)
                said = str(error) if expected else f"{type(error).__name__}: {error}"
                ResearcherSink(self._recorder, researcher, None, self._limited).trouble(said, wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, PATIENCE[1])

    async def _ask(self, researcher: Researcher) -> None:
        """Have a researcher think, and take in what it proposes. Returns early when a person interrupts it."""
        number = self.next_number()
        line = ResearcherSink(self._recorder, researcher, number, self._limited)
        briefing = self._briefing(number, line.deliver_messages("before"))
        task = asyncio.create_task(researcher.propose(briefing, line))
        self._thinking[number] = task
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            await asyncio.wait([task])  # whatever it had started, such as a coding agent, has ended from here on
            del self._thinking[number]
        if task.cancelled():
            line.think("\n(interrupted)\n")
            return
        proposal = task.result()
        line.recovered()
        self._proposals.record(number, briefing.champion.id, proposal, researcher.name)
        experiment = self._recorder.study.experiments[number]
        await self._judging.settle(experiment, await self._proposals.commit(experiment))

    def _wants_proposal(self, researcher: Researcher) -> bool:
        return scheduler.wants_proposal(self._recorder.study, self._slots, researcher.ahead, len(self._thinking))

    def next_number(self) -> int:
        """The smallest number without an experiment or a thought under way: an abandoned thought leaves no gap."""
        taken = self._recorder.study.experiments.keys() | self._thinking.keys()
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    def _briefing(self, number: int, words: Sequence[str]) -> Briefing:
        study = self._recorder.study
        assert study.best is not None
        return Briefing(
            contract=study.contract,
            program=study.program,
            champion=study.best,
            files=self._proposals.champion_files(),
            experiments=tuple(study.experiments.values()),
            noise=noise(study),
            notebook=tuple(study.notebook),
            words=words,
            next_id=number,
            archive=self._archive,
            workshop=self._workshop,
            pins=tuple(study.pins.values()),
            left=tuple(limits.limits(study, self._recorder.now())),
            gauge=self._gauge,
            vitals=self._archive.vitals(study.best),
        )

    # --- interrupting ------------------------------------------------------------------------------------------

    def interrupts(self, request: Request) -> bool:
        """Whether words of a person are to cut a thought short, and have not done so yet."""
        body = request.body
        return isinstance(body, e.Steered) and body.interrupt and self.busy and request.seq not in self._interrupting

    def interrupt(self, request: Request) -> None:
        """End all present thoughts; their researchers are asked again at once, with the person's words."""
        self._interrupting.add(request.seq)
        for task in self._thinking.values():
            task.cancel()
