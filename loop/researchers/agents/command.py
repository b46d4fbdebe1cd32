"""A command line as a researcher: a coding agent, or any script, that changes files in a copy of the champion.

It gets the briefing on its standard input, and its output is the reasoning stream. What it proposes is what it has
changed, never what it says; its words only give the proposal a title and a reason. Its costs are recorded where it
reports them. It never sees our git, a slot or the judge; where it works is up to the workshop.

Where the agent can resume a session, one that asked a question is answered in it, and one whose experiment came to
nothing goes on in it.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from loop.config.settings import Prices
from loop.researchers.agents import failures, sessions
from loop.researchers.agents.command_line import UnknownResearcher, check_command, model_named, speaker
from loop.researchers.agents.failures import Kind
from loop.researchers.agents.followups import again, answered
from loop.researchers.agents.listener import Listener
from loop.researchers.agents.relay import Relay
from loop.researchers.briefing.page import for_command
from loop.researchers.closing import closing, title_of
from loop.researchers.protocol import Briefing, Closing, Fruitless, Proposal, ProposalFailed, Sink, Unusable, Work
from loop.study.experiment import CLASH, Experiment
from loop.study.outcomes import Outcome
from loop.words import listed

STAND_IN_AFTER = 2
"""Attempts in a row without a proposal, after which constants are tuned until the next."""
MOST_FAILURES = 5
"""Attempts in a row without a proposal, after which a person has to look where nobody can stand in; each may have cost
money."""
REPAIRS = 2
"""Experiments in a row that one session may mend."""
_NEVER_STARTED = ("exit code 126", "exit code 127")  # by POSIX: cannot be executed, cannot be found


class AgentFailed(ProposalFailed):
    """The command itself reports a failure, such as a limit of its account, which may pass overnight."""


class Pausing(AgentFailed):
    """The account is at a limit, and it is known when another try is worth it.

    Args:
        wait: seconds.
    """

    def __init__(self, sentence: str, wait: float) -> None:
        super().__init__(sentence)
        self.wait = wait


class Asked(ProposalFailed):
    """It ended with a question, and without a change."""

    def __init__(self, question: str, session: str, place: int) -> None:
        super().__init__(f"it asks: {question}")
        self.question, self.session, self.place = question, session, place


class Command:
    """Proposes what the command line `command` changes.

    Args:
        command: for the shell.
        deadline: seconds that it may take for one proposal.
        name: what it is called; after its program where nobody says.
        prices: of the settings; None goes by the model's name.
    """

    ahead = True

    def __init__(self, command: str, deadline: float, name: str = "", prices: Prices | None = None) -> None:
        self._command, self._deadline, self._prices = command, deadline, prices
        self._failures = 0
        self._gone_back: set[int] = set()
        """Experiments whose session was gone back to: once, since it may have been deleted, or be busy with it."""
        self.name = name or speaker(command)
        self.about = f"the command `{command}`"[:200]

    async def prepare(self, sink: Sink) -> None:
        try:
            check_command(self._command)
        except UnknownResearcher as error:
            raise Unusable(str(error)) from None

    async def close(self) -> None:
        """The command has ended with its proposal."""

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """Run the command, and propose what it changed.

        An exit code other than 0 does not count against a change: an agent that reaches a limit of turns after its
        last edit has done its work, and guards and judge examine it anyway. One that is stopped at the deadline was in
        the middle of something, so nothing of that is proposed.

        Raises:
            ProposalFailed: there is no change, or none that can be proposed.
            Fruitless: that has happened several times in a row.
            Unusable: a person has to mend its account first.
        """
        try:
            proposal = await self._in_its_session(briefing, sink)
        except AgentFailed:
            raise
        except ProposalFailed as failure:
            self._failures += 1
            if self._failures < STAND_IN_AFTER:
                raise
            if self._failures < MOST_FAILURES:
                raise Fruitless(str(failure), hopeless=False) from None
            raise Fruitless(
                f"it made no proposal {self._failures} times in a row, the last time because {failure}; mend the "
                f"command `{self._command}` and start the loop again",
                hopeless=True,
            ) from None
        self._failures = 0
        return proposal

    async def _in_its_session(self, briefing: Briefing, sink: Sink) -> Proposal:
        """One proposal, in the session whose experiment came to nothing where there is one, else in a new session."""
        if (mended := self._mended(briefing)) is None:
            return await self._answering(self._command, for_command(briefing), {}, briefing, sink)
        self._gone_back.add(mended.id)
        place = mended.notes.get("place")
        back = await self._back_to(mended, briefing, sink)
        return _signed(await self._answering(*back, briefing, sink, place if isinstance(place, int) else 0), mended)

    async def _answering(
        self, command: str, text: str, edits: Mapping[str, str], briefing: Briefing, sink: Sink, place: int = 0
    ) -> Proposal:
        """One proposal; a limit of the account is waited for, and a question is answered once."""
        answered_already = False
        while True:
            try:
                return await self._attempt(command, text, edits, briefing, sink, place)
            except Pausing as limit:
                sink.trouble(str(limit), limit.wait)
                await asyncio.sleep(limit.wait)
            except Asked as asked:
                if answered_already:
                    raise ProposalFailed(f"it asks again, though it was told to decide: {asked.question}") from None
                answered_already = True
                sink.trouble(f"it asks: {asked.question} (it is told that nobody is there, and to decide by itself)")
                resumed = sessions.resumed(self._command, asked.session)
                command, place = resumed or self._command, asked.place
                text = answered(asked.question, "" if resumed else text)

    async def _attempt(
        self, command: str, text: str, edits: Mapping[str, str], briefing: Briefing, sink: Sink, place: int
    ) -> Proposal:
        """Run a command line once."""
        relay = Relay(self.name, sink, model_named(command), self._prices)
        watching = asyncio.create_task(relay.watch())
        try:
            work = await briefing.workshop.work(command, text, self._deadline, relay.feed, edits, relay.hopeless, place)
        finally:
            watching.cancel()
            relay.finish()
        if work.edits == edits:  # what it was given has come to nothing before
            work = replace(work, edits={})
        return self._proposal(briefing, work, relay.listener, sink)

    def _proposal(self, briefing: Briefing, work: Work, heard: Listener, sink: Sink) -> Proposal:
        editable = ", ".join(briefing.contract.edit)
        last = failures.last_words(heard.final) or "none"
        stopped = work.outcome != Outcome.FINISHED and not work.outcome.is_broken
        if work.outcome == Outcome.KILLED and heard.failure is not None:
            stopped = False  # by us, since its account refuses every call
        if stopped:
            why = failures.sentence(heard.failure) if heard.failure is not None else f"its last words: {last}"
            raise ProposalFailed(f"it was {work.reason or work.outcome}; {why}")
        if work.refused:
            raise ProposalFailed(f"its change cannot be proposed: {work.refused}; only {editable} may change, as text")
        edits = {path: new for path, new in work.edits.items() if new != briefing.files.get(path)}
        if not edits:
            raise self._nothing(work, heard, editable, last)
        if work.strays:
            sink.think(f"\n(not part of the proposal: {listed(work.strays)})\n")
        if work.outcome.is_broken:
            sink.think(f"\n(it ended with {_reason(work)}; its change is proposed all the same)\n")
        said = _over(work.said, closing(heard.final))
        for note in said.notes:
            sink.note(note)
        notes: dict[str, object] = {"session": heard.session, "place": work.place} if heard.session else {}
        title = said.title or title_of(briefing.files, edits)
        return Proposal(title, said.hypothesis, edits, said.expected, notes=notes)

    def _nothing(self, work: Work, heard: Listener, editable: str, last: str) -> Exception:
        """Why there is no change, and who has to do something about it."""
        made = f" (it made {listed(work.strays)})" if work.strays else ""
        reason = _reason(work)
        exit_code = f" ({reason})" if reason and work.outcome.is_broken else ""
        refused = f"; it lacked the permission for {listed(heard.refused)}" if heard.refused else ""
        failure = heard.failure or (failures.in_text(heard.final) if not heard.question else None)
        if failure is None:
            if question := heard.question or _question(heard.final):
                return Asked(question, heard.session, work.place)
            broken = work.outcome.is_broken and reason not in _NEVER_STARTED
            kind = AgentFailed if broken else ProposalFailed
            return kind(f"it ended without changing {editable}{made}{exit_code}{refused}; its last words: {last}")
        why = failures.sentence(failure)
        match failures.kind(failure):
            case Kind.PERSON if heard.failure is not None or work.outcome.is_broken:
                return Unusable(f"it cannot use its account or its model ({why}); mend that, and start `looptop` again")
            case Kind.CREDIT | Kind.LIMIT if (wait := failures.pause(failure, time.time())) is not None:
                return Pausing(f"its account is at a limit ({why})", wait)
            case Kind.UNKNOWN if not work.outcome.is_broken:
                return ProposalFailed(f"it ended without changing {editable}{made}{refused}: {why}")
            case _:
                return AgentFailed(f"it ended without changing {editable}{made}{exit_code}{refused}: {why}")

    # --- going on in a session ---------------------------------------------------------------------------------

    def _mended(self, briefing: Briefing) -> Experiment | None:
        """The newest experiment of ours, where it came to nothing and its session may mend it."""
        ended = (x for x in reversed(briefing.experiments) if x.researcher == self.name and x.verdict is not None)
        newest = next(ended, None)
        if newest is None or newest.verdict is None or newest.id in self._gone_back:
            return None
        clashed = newest.judged_by == CLASH
        if newest.verdict.has_number and not clashed:
            return None
        ended_by_us = clashed or (newest.verdict == Outcome.REJECTED and newest.judged_by in ("guard", "judge"))
        session = newest.notes.get("session")
        if not (newest.verdict.is_failure or ended_by_us) or not isinstance(session, str):
            return None
        able = sessions.resumed(self._command, session) is not None
        return newest if able and _repaired(newest) < REPAIRS else None

    async def _back_to(self, mended: Experiment, briefing: Briefing, sink: Sink) -> tuple[str, str, Mapping[str, str]]:
        """The command line, the text and the files with which a session goes on after its experiment failed."""
        command = sessions.resumed(self._command, str(mended.notes["session"])) or self._command
        sink.think(f"Experiment {mended.id} came to nothing ({mended.reason}). Back to its session.\n")
        edits = await briefing.archive.edits(mended.id)
        log = await briefing.archive.log(mended.id) if mended.runs else ""
        moved = mended.parent != briefing.champion.id
        kept = {} if moved else {path: text for path, text in edits.items() if path in briefing.files}
        return command, again(mended, log, REPAIRS - _repaired(mended), moved, briefing.words), kept


def _over(by_tool: Closing | None, in_words: Closing) -> Closing:
    """What an agent says of its change: by tool where it has used one, else in the lines of its last message."""
    if by_tool is None:
        return in_words
    return Closing(
        title=by_tool.title or in_words.title,
        hypothesis=by_tool.hypothesis or in_words.hypothesis,
        expected=by_tool.expected or in_words.expected,
        notes=tuple(dict.fromkeys((*by_tool.notes, *in_words.notes))),
    )


def _repaired(experiment: Experiment) -> int:
    """How many experiments in a row its session had to mend before it."""
    before = experiment.notes.get("repaired", 0)
    return before if isinstance(before, int) else 0


def _signed(proposal: Proposal, mended: Experiment) -> Proposal:
    """The proposal with our bookkeeping: which experiment it repairs."""
    notes = {**proposal.notes, "repairs": mended.id, "repaired": _repaired(mended) + 1}
    return replace(proposal, title=f"{proposal.title[:100]} (repair of {mended.id})", notes=notes)


def _reason(work: Work) -> str:
    """How it ended, without the last line of its output, which may be JSON."""
    return work.reason.partition(": ")[0] if work.outcome == Outcome.CRASHED else work.reason


def _question(final: str) -> str:
    """The question that a last message ends with; empty where it asks none."""
    lines = [line.strip() for line in final.strip().splitlines() if line.strip()][-4:]
    asked = next((line for line in reversed(lines) if "?" in line), "")
    return failures.shortened(asked)
