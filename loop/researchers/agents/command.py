"""A command line as a researcher: a coding agent, or any script, that changes files in a copy of the champion.

It gets the briefing on its standard input, and its output is the reasoning stream. What it proposes is what it has
changed, never what it says; its words only give the proposal a title and a reason. Its costs are recorded where it
reports them. It never sees our git, a slot or the judge; where it works is up to the workshop.
"""

import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from loop.researchers.agents.agent_events import ToolUse, Usage
from loop.researchers.agents.closing import closing, title_of
from loop.researchers.agents.command_line import UnknownResearcher, check_command, first_word
from loop.researchers.agents.listener import Listener, Shown, Words
from loop.researchers.briefing.page import for_command
from loop.researchers.protocol import Briefing, Proposal, ProposalFailed, Sink, Unusable, Work
from loop.study.events import Spent
from loop.study.outcomes import Outcome
from loop.words import listed

MOST_FAILURES = 5
"""Attempts in a row without a proposal, after which a person has to look; each may have cost money."""
MOST_WORDS = 200_000
"""Characters of its output that go into the stream for one proposal: enough to read, and the log has the rest."""
MOST_TOOLS = 1000
"""Uses of tools that are reported for one proposal, since each is a write to disk."""
LAST_WORDS = 300
_NEVER_STARTED = ("exit code 126", "exit code 127")  # by POSIX: cannot be executed, cannot be found


class AgentFailed(ProposalFailed):
    """The command itself reports a failure, such as a limit of its account, which may pass overnight."""


class Command:
    """Proposes what the command line `command` changes.

    Args:
        command: for the shell.
        deadline: seconds that it may take for one proposal.
    """

    ahead = 0

    def __init__(self, command: str, deadline: float) -> None:
        self._command, self._deadline = command, deadline
        self._failures = 0
        self.name = Path(first_word(shlex.split(command))).name
        self.about = f"the command `{command}`"[:200]

    async def prepare(self, sink: Sink) -> None:
        try:
            check_command(self._command)
        except UnknownResearcher as error:
            raise Unusable(str(error)) from None

    async def close(self) -> None:
        """The command has ended with its proposal."""

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """Run the command once, and propose what it changed.

        An exit code other than 0 does not count against a change: an agent that reaches a limit of turns after its
        last edit has done its work, and guards and judge examine it anyway. One that is stopped at the deadline was in
        the middle of something, so nothing of that is proposed.

        Raises:
            ProposalFailed: there is no change, or none that can be proposed.
            Unusable: that has happened several times in a row.
        """
        relay = _Relay(self.name, sink)
        try:
            work = await briefing.workshop.work(self._command, for_command(briefing), self._deadline, relay.feed)
        finally:
            relay.finish()
        try:
            proposal = self._proposal(briefing, work, relay.listener.final, sink)
        except ProposalFailed as failure:
            self._failures += not isinstance(failure, AgentFailed)
            if self._failures >= MOST_FAILURES:
                raise Unusable(
                    f"it made no proposal {self._failures} times in a row, the last time because {failure}; mend the "
                    f"command `{self._command}` and start the loop again"
                ) from None
            raise
        self._failures = 0
        return proposal

    def _proposal(self, briefing: Briefing, work: Work, final: str, sink: Sink) -> Proposal:
        editable = ", ".join(briefing.contract.edit)
        reason = work.reason
        if work.outcome == Outcome.CRASHED:
            reason = reason.partition(": ")[0]  # then follows the last line of its output, which may be JSON
        last = " ".join(final.split())[-LAST_WORDS:] or "none"
        if work.outcome != Outcome.FINISHED and not work.outcome.is_broken:
            raise ProposalFailed(f"it was {reason or work.outcome}; its last words: {last}")
        if work.refused:
            raise ProposalFailed(f"its change cannot be proposed: {work.refused}; only {editable} may change, as text")
        if not work.edits:
            strays = f" (it made {listed(work.strays)})" if work.strays else ""
            why = f" ({reason})" if reason else ""
            failed = work.outcome.is_broken and reason not in _NEVER_STARTED
            kind = AgentFailed if failed else ProposalFailed
            raise kind(f"it ended without changing {editable}{strays}{why}; its last words: {last}")
        if work.strays:
            sink.think(f"\n(not part of the proposal: {listed(work.strays)})\n")
        if work.outcome.is_broken:
            sink.think(f"\n(it ended with {reason}; its change is proposed all the same)\n")
        said = closing(final)
        for note in said.notes:
            sink.note(note)
        title = said.title or title_of(briefing.files, work.edits)
        return Proposal(title, said.hypothesis, work.edits, said.expected)


class _Relay:
    """Passes the output of an agent on to a sink, made readable and bounded."""

    def __init__(self, name: str, sink: Sink) -> None:
        self._name, self._sink = name, sink
        self.listener = Listener()
        self._words, self._tools = MOST_WORDS, MOST_TOOLS

    def feed(self, data: bytes) -> None:
        self._pass_on(self.listener.feed(data, time.monotonic()))

    def finish(self) -> None:
        self._pass_on(self.listener.finish(time.monotonic()))

    def _pass_on(self, shown: Sequence[Shown]) -> None:
        for one in shown:
            match one:
                case Words(text) if self._words > 0:
                    self._words -= len(text)
                    more = "" if self._words > 0 else "\n(the rest is not shown here)\n"
                    self._sink.think(text + more)
                case ToolUse(intent, result, seconds) if self._tools > 0:
                    self._tools -= 1
                    self._sink.tool(intent, result, seconds)
                case Usage():
                    tokens = one.read + one.written
                    self._sink.spend(Spent(researcher=self._name, tokens=tokens, **asdict(one)))
