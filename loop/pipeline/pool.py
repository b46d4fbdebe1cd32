"""The pool of researchers: who is asked for a proposal, when, with which briefing, and what comes of it.

Each researcher has as many chairs as it may hold conversations at once; whose turn it is follows from the study
(`policy/supply`). A person's words reach a researcher at its next call of a model, and an interrupt ends its present
thoughts. A researcher that fails is asked again, after longer and longer waits. Nothing here runs or judges anything.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from loop.journal import JournalError
from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.machine.disk import DiskError
from loop.pipeline.archive import StudyArchive
from loop.pipeline.briefed import briefing_of
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.pipeline.sink import Chair, ResearcherSink, fulfilments
from loop.policy import calibration, shares, supply
from loop.researchers.protocol import (
    Briefing,
    Fruitless,
    NothingLeft,
    Proposal,
    ProposalFailed,
    Researcher,
    ScratchRuns,
    Unusable,
    Workshop,
)
from loop.study import events as e
from loop.study.asked import Request
from loop.study.state import Study
from loop.study.team import Member

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds after which it is looked anew at how long a researcher's first thought lasts."""

PATIENCE = (1.0, 300.0)
"""First and longest wait in seconds after a researcher failed; the wait doubles from one to the other."""


class Repeated(ProposalFailed):
    """The proposal is that of an earlier experiment, so it became none."""


class ResearcherPool:
    """Asks the researchers of one study, for as long as the loop runs.

    Args:
        team: what the program says of the researchers, by name.
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
        team: Mapping[str, Member],
        slots: int,
        limited: Callable[[], bool],
        scratch: ScratchRuns | None = None,
    ) -> None:
        self._recorder, self._proposals, self._judging = recorder, proposals, judging
        self._archive, self._workshop = archive, workshop
        self._team, self._slots, self._limited = team, slots, limited
        self._scratch = scratch
        self._chairs: list[Chair] = []
        self._thinking: dict[Chair, asyncio.Task[Proposal]] = {}
        self._interrupting: set[int] = set()
        self.gone: list[str] = []
        """Researchers that will propose nothing more."""
        self._gauge: e.GaugeRead | None = None
        self._earned: tuple[tuple[object, ...], Mapping[str, float]] = ((), {})
        self.broken = ""
        """Why a researcher that is gone needs a person, where one does."""

    @property
    def _study(self) -> Study:
        return self._recorder.study

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
        terms = self._team.get(researcher.name) or Member(kind=researcher.name)
        chairs = [Chair(researcher, terms) for _ in range(terms.at_once or 1)]
        try:
            await self._prepare(chairs[0])
            self._chairs += chairs
            async with asyncio.TaskGroup() as group:
                for chair in chairs:
                    group.create_task(self._ask_on(chair))
        except ExceptionGroup as failed:  # it ends the loop, by whichever chair it came
            raise failed.exceptions[0] from None
        finally:
            await researcher.close()

    async def _prepare(self, chair: Chair) -> None:
        """Let a researcher find out whether it can work, as often as it takes."""
        wait = PATIENCE[0]
        while True:
            try:
                return await chair.researcher.prepare(self._sink(chair))
            except Exception as error:
                await self._fail(chair, error, wait)
                wait = min(2 * wait, PATIENCE[1])

    async def _ask_on(self, chair: Chair) -> None:
        wait, refused = PATIENCE[0], ""
        while True:
            try:
                await self._turn(chair)
                if self._limited():
                    continue
                if up := supply.spent_up(self._study.minds.of.get(chair.name), chair.terms.usd):
                    await self._leave(chair, NothingLeft(up))
                await self._ask(chair, refused)
                wait, refused = PATIENCE[0], ""
            except NothingLeft as nothing:
                await self._run_dry(chair, nothing)
            except Exception as error:
                if isinstance(error, Repeated) and not refused:
                    refused = str(error)  # it is told, and asked again at once
                    continue
                refused = str(error) if isinstance(error, Repeated) else ""
                await self._fail(chair, error, wait)
                wait = min(2 * wait, PATIENCE[1])

    async def _turn(self, chair: Chair) -> None:
        """Wait until it is the turn of this chair."""
        chair.idle, chair.resting = True, False
        self._recorder.wake()  # its researcher may be asked again, in whichever chair
        try:
            await self._recorder.until(lambda: self._is_next(chair))
        finally:
            chair.idle = False

    def _is_next(self, chair: Chair) -> bool:
        if any(one.interrupted and one is not chair and one.name not in self.gone for one in self._chairs):
            return False  # a thought that a person cut short goes on first
        idle: dict[str, Chair] = {}
        away = {*self.gone, *(one.name for one in self._chairs if one.resting)}
        for one in self._chairs:
            if one.idle and one.name not in away:
                idle.setdefault(one.name, one)
        if chair.interrupted and chair.name not in away:
            return self._wants_proposal(chair.researcher)
        if idle.get(chair.name) is not chair or not self._wants_proposal(chair.researcher):
            return False
        if chair.name in self._study.troubles and any(one.name == chair.name for one in self._thinking):
            return False  # after a failure one thought at a time finds out whether it works again: each may cost money
        could = [name for name, one in idle.items() if one is chair or self._wants_proposal(one.researcher)]
        return supply.in_turn(self._study, self._shares(), could) == chair.name

    def _shares(self) -> Mapping[str, float]:
        """The share of each researcher that is still there; those that are earned change with each verdict."""
        given = {name: member.share for name, member in self._team.items() if name not in self.gone}
        if self._study.contract.shares == "fixed":
            return given
        key = (len(self._study.closed), *given)
        if self._earned[0] != key:  # 400 draws take milliseconds, and this is asked for after every event
            self._earned = key, shares.earned(self._study, given)
        return self._earned[1]

    def _wants_proposal(self, researcher: Researcher) -> bool:
        here = [one for one in self._chairs if one.name not in self.gone]
        thinks = any(one.researcher.ahead for one in here)
        held_up = self._study.troubles.keys()  # such as by an endpoint that does not answer: others supply its part
        there = {one.name for one in here if not one.resting and one.name not in held_up} | {researcher.name}
        shares = {name: share for name, share in self._shares().items() if name in there}
        asked = supply.Asked(researcher.name, shares, not researcher.ahead)
        ahead = thinks and self._study.contract.ahead
        return supply.wants_proposal(self._study, self._slots, ahead, asked, self._recorder.now())

    async def _ask(self, chair: Chair, refused: str = "") -> None:
        """Have a researcher think, and take in what it proposes. Returns early when a person interrupts it."""
        study = self._study
        assert study.champion is not None
        if chair.number is None:
            chair.number, chair.since, chair.told = self.next_number(), study.seq, set()
        number, chair.interrupted = chair.number, False
        began = e.ThoughtBegan(researcher=chair.name, champion=study.champion)
        self._recorder.record(began, number)
        line = self._sink(chair)
        briefing = self._briefing(chair, number, line.deliver_messages("before"), refused)
        task = asyncio.create_task(chair.researcher.propose(briefing, line))
        self._thinking[chair] = task
        try:
            await self._watched(chair, task)
            chair.interrupted = task.cancelled()
            self._take_in(chair, briefing, task, line)
        finally:
            task.cancel()
            await asyncio.wait([task])  # whatever it had started, such as a coding agent, has ended from here on
            del self._thinking[chair]
            if not chair.interrupted:
                chair.number = None
            self._recorder.wake()
        if not chair.interrupted:
            experiment = self._study.experiments[number]
            await self._judging.settle(experiment, await self._proposals.commit(experiment))

    async def _watched(self, chair: Chair, task: asyncio.Task[Proposal]) -> None:
        """Wait until a thought has ended. While no length of its researcher's is known, how long its first one has
        lasted says how many are needed beside it, so there it is looked again and again whether another may begin."""
        while not task.done():
            mind = self._study.minds.of.get(chair.name)
            untold = mind is not None and not mind.lengths
            await asyncio.wait([task], timeout=LOOK if untold else None)
            its = [one.number or 0 for one in self._thinking if one.name == chair.name]
            if untold and chair.number == min(its):
                self._recorder.wake()

    def _take_in(self, chair: Chair, briefing: Briefing, task: asyncio.Task[Proposal], line: ResearcherSink) -> None:
        """Record what came of a thought.

        Raises:
            Repeated: it is the proposal of an earlier experiment.
            Exception: what the researcher raised.
        """
        number, ended, repeated = briefing.next_id, "interrupted", False
        try:
            if task.cancelled():
                line.think("\n(interrupted)\n")
                return
            ended = str(task.exception() or "")
            chair.resting = True  # before anything is recorded, which wakes the researcher's other chairs
            proposal = task.result()
            parent = briefing.champion.id if proposal.parent is None else proposal.parent
            if repeats := self._proposals.repeated(parent, proposal.edits):
                ended, repeated = f"“{proposal.title:.120}”, was not taken: {repeats}", True
                raise Repeated(ended)
            line.recovered()
            self._proposals.record(number, parent, proposal, chair.name)
            chair.resting = False
        finally:
            if number not in self._study.experiments:
                self._recorder.record(e.ThoughtEnded(researcher=chair.name, why=ended, repeated=repeated), number)

    def next_number(self) -> int:
        """The smallest number without an experiment or a thought under way: an abandoned thought leaves no gap."""
        taken = self._study.experiments.keys() | {chair.number for chair in self._chairs}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    def _sink(self, chair: Chair) -> ResearcherSink:
        return ResearcherSink(self._recorder, chair, self._limited)

    def _briefing(self, chair: Chair, number: int, words: Sequence[str], refused: str) -> Briefing:
        known = briefing_of(
            self._study,
            self._recorder.now(),
            number,
            files=self._proposals.champion_files(),
            archive=self._archive,
            workshop=self._workshop,
            words=words,
            gauge=self._gauge,
        )
        held = calibration.told(self._study, chair.name)
        return replace(known, scratch=self._scratch, role=chair.terms.role or "", refused=refused, held=held)

    # --- what fails, and who leaves ----------------------------------------------------------------------------

    async def _fail(self, chair: Chair, error: Exception, wait: float) -> None:
        """Put a failure on record, and let `wait` seconds pass; end the loop where nothing of ours can go on."""
        if isinstance(error, JournalError | DiskError):
            raise error
        if isinstance(error, Unusable | NothingLeft):
            await self._leave(chair, error)
        if isinstance(error, LineageError):  # such as a coding agent's worktree
            self._recorder.disk.pause_if_full(error)
            await self._recorder.disk.wait_for_space()
            return
        expected = isinstance(error, ProposalFailed)
        if not expected:
            log.error("the researcher %s failed", chair.name, exc_info=error)
        said = str(error) if expected else f"{type(error).__name__}: {error}"
        self._sink(chair).trouble(said, wait)
        await self._rest(chair, error, wait)

    async def _run_dry(self, chair: Chair, nothing: NothingLeft) -> None:
        """Wait for another champion, from which there may be more to propose; leave where nothing can bring one."""
        champion = self._study.champion
        up = supply.spent_up(self._study.minds.of.get(chair.name), chair.terms.usd)
        if not up:
            chair.dry = True
            self._recorder.wake()  # others may have waited for this one to bring a champion
            try:
                await self._recorder.until(lambda: self._study.champion != champion or not self._undecided())
            finally:
                chair.dry = False
        if up or self._study.champion == champion:
            await self._leave(chair, nothing)

    def _undecided(self) -> bool:
        """Whether anything goes on that may change the champion without a person, or somebody still has proposals."""
        dry = {one.name for one in self._chairs if one.dry}
        if {one.name for one in self._chairs} - dry - {*self.gone}:
            return True
        return bool(self._thinking) or any(not x.doubted for x in self._study.open_experiments())

    async def _leave(self, chair: Chair, why: NothingLeft | Unusable | Fruitless) -> None:
        """Take a researcher out of the study, for as long as the loop runs: others may have something left."""
        if chair.name not in self.gone:
            self._recorder.record(e.Fault(where=chair.name, message=str(why), gone=True))
            self.gone.append(chair.name)
            if not isinstance(why, NothingLeft):
                self.broken = f"{chair.name}: {why}"
            if ends := fulfilments(self._recorder):
                self._recorder.record_all(ends)
        self._recorder.wake()
        await asyncio.Future()

    async def _rest(self, chair: Chair, failure: Exception, wait: float) -> None:
        """Let `wait` seconds pass before a researcher that has failed is asked again.

        Where it fails again and again, and no other is there, constants are tuned meanwhile; where there are none, a
        person has to look.
        """
        until = time.monotonic() + wait
        if isinstance(failure, Fruitless):
            others = any(one.name not in (chair.name, *self.gone) and not one.dry for one in self._chairs)
            if not others and not await self._tuned(until) and failure.hopeless:
                await self._leave(chair, failure)
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _tuned(self, until: float) -> bool:
        """Have AutoML propose, where there is room, until that time; whether it had anything to propose."""
        from loop.researchers.automl.automl import AutoML  # takes 0.2 s to import, and is seldom needed

        chair = Chair(AutoML(), Member(kind="automl"))
        self._chairs.append(chair)
        try:
            while time.monotonic() < until:
                try:
                    async with asyncio.timeout(until - time.monotonic()):
                        await self._turn(chair)
                except TimeoutError:
                    break
                if not self._limited():
                    await self._ask(chair)
        except NothingLeft:
            return False
        except Repeated:
            return True  # it has something, and so has somebody else
        finally:
            self._chairs.remove(chair)
            await chair.researcher.close()
        return True

    # --- interrupting ------------------------------------------------------------------------------------------

    def interrupts(self, request: Request) -> bool:
        """Whether words of a person are to cut a thought short, and have not done so yet."""
        body = request.body
        if not isinstance(body, e.Steered) or not body.interrupt or request.seq in self._interrupting:
            return False
        return any(self._addressed(chair, body) for chair in self._thinking)

    def interrupt(self, request: Request) -> None:
        """End the present thoughts of whom the words are for; they are asked again at once, with the words."""
        self._interrupting.add(request.seq)
        for chair, task in self._thinking.items():
            if isinstance(request.body, e.Steered) and self._addressed(chair, request.body):
                task.cancel()

    @staticmethod
    def _addressed(chair: Chair, body: e.Steered) -> bool:
        return body.to in ("", chair.name)
