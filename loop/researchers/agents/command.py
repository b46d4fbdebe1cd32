"""A researcher that is a command line: a coding agent, or any script, that changes files in a copy of the champion.

It gets the briefing on its standard input, and its output is the reasoning stream. What it proposes is what it has
changed, never what it says; its words give the proposal a title and a reason only. What it costs is booked where it
says so itself. It never sees a git of ours, a slot or the judge, and where it works is the workshop's matter.
"""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from loop.researchers import UnknownResearcher, check_command, first_word
from loop.researchers.agents.closing import closing, title_of
from loop.researchers.agents.dialects import Tool, Usage
from loop.researchers.agents.listener import Listener, Said, Words
from loop.researchers.briefing.page import for_command
from loop.researchers.protocol import Briefing, Proposal, ProposalFailed, Sink, Unusable, Work
from loop.study.events import Spent
from loop.words import listed

MOST_FAILURES = 5
"""Times in a row that it may work and come to no proposal; each may have cost money."""
MOST_WORDS = 200_000
"""Characters of one proposal's output that go into the stream: a person reads them, and the log has the rest."""
MOST_TOOLS = 1000
"""Tools of one proposal that are told, at a write to the disk each."""
LAST_WORDS = 300
_NEVER_STARTED = ("exit code 126", "exit code 127")  # by POSIX, what a shell cannot execute or cannot find


class NoProposal(ProposalFailed):
    """It ended without a change that could be a proposal; the message is a sentence.

    Args:
        failed: it says itself that it could not work, as at a limit of its account, which may pass overnight.
    """

    def __init__(self, sentence: str, failed: bool = False) -> None:
        super().__init__(sentence)
        self.failed = failed


class Command:
    """Proposes what the command line `command` changes.

    Args:
        command: for the shell.
        deadline: seconds it may take for one proposal.
    """

    ahead = 0

    def __init__(self, command: str, deadline: float) -> None:
        self._command, self._deadline = command, deadline
        self._failures = 0
        self.name = Path(first_word(shlex.split(command))).name
        self.about = f"the command `{command}`"[:200]

    async def prepare(self, sink: Sink) -> None:
        """See `Researcher`."""
        try:
            check_command(self._command)
        except UnknownResearcher as error:
            raise Unusable(str(error)) from None

    async def close(self) -> None:
        """See `Researcher`. Each command has ended with its proposal."""

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """Let it work once, and propose its change.

        An exit code that is not 0 does not count against a change: an agent that runs into a limit of its turns behind
        its last edit has done what it was asked for, the guards read the file and the judge measures it. At the
        deadline it is cut off in the midst of something, so nothing of that is proposed.

        Raises:
            NoProposal: there is no change, or none that can be proposed.
            Unusable: that has happened several times in a row.
        """
        teller = _Teller(self.name, sink)
        try:
            work = await briefing.workshop.work(self._command, for_command(briefing), self._deadline, teller.hear)
        finally:
            teller.finish()
        try:
            proposal = self._proposal(briefing, work, teller.final, sink)
        except NoProposal as failure:
            self._failures += not failure.failed
            if self._failures >= MOST_FAILURES:
                raise Unusable(
                    f"it made no proposal {self._failures} times in a row, the last time because {failure}; see to the "
                    f"command `{self._command}` and start the loop again"
                ) from None
            raise
        self._failures = 0
        return proposal

    def _proposal(self, briefing: Briefing, work: Work, final: str, sink: Sink) -> Proposal:
        editable = ", ".join(briefing.contract.edit)
        reason = work.reason
        if work.outcome == "crashed":
            reason = reason.partition(": ")[0]  # behind it is the last line of output, of JSON for all we know
        last = " ".join(final.split())[-LAST_WORDS:] or "none"
        if work.outcome in ("timed_out", "killed"):
            raise NoProposal(f"it was {reason or work.outcome}; its last words: {last}")
        if work.refused:
            raise NoProposal(f"its change cannot be proposed: {work.refused}; only {editable} may change, as text")
        if not work.edits:
            strays = f" (it made {listed(work.strays)})" if work.strays else ""
            why = f" ({reason})" if reason else ""
            failed = work.outcome in ("crashed", "out_of_memory") and reason not in _NEVER_STARTED
            raise NoProposal(f"it ended without changing {editable}{strays}{why}; its last words: {last}", failed)
        if work.strays:
            sink.think(f"\n(no part of the proposal: {listed(work.strays)})\n")
        if work.outcome in ("crashed", "out_of_memory"):
            sink.think(f"\n(it ended with {reason}; its change is proposed all the same)\n")
        said = closing(final)
        for note in said.notes:
            sink.note(note)
        title = said.title or title_of(briefing.files, work.edits)
        return Proposal(title, said.hypothesis, work.edits, said.expected)


class _Teller:
    """Passes what an agent prints on to a sink, made readable, and no more of it than a person could read."""

    def __init__(self, name: str, sink: Sink) -> None:
        self._name, self._sink = name, sink
        self._listener = Listener()
        self._words, self._tools = MOST_WORDS, MOST_TOOLS

    @property
    def final(self) -> str:
        return self._listener.final

    def hear(self, data: bytes) -> None:
        self._tell(self._listener.feed(data, time.monotonic()))

    def finish(self) -> None:
        self._tell(self._listener.finish(time.monotonic()))

    def _tell(self, said: Sequence[Said]) -> None:
        for one in said:
            match one:
                case Words(text) if self._words > 0:
                    self._words -= len(text)
                    more = "" if self._words > 0 else "\n(it says more than is shown here)\n"
                    self._sink.think(text + more)
                case Tool(intent, result, seconds) if self._tools > 0:
                    self._tools -= 1
                    self._sink.tool(intent, result, seconds)
                case Usage():
                    self._sink.spend(_spent(self._name, one))


def _spent(name: str, usage: Usage) -> Spent:
    return Spent(
        researcher=name,
        tokens=usage.read + usage.written,
        usd=usage.usd,
        model=usage.model,
        read=usage.read,
        cached=usage.cached,
        written=usage.written,
        reasoning=usage.reasoning,
    )
