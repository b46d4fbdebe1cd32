"""Who proposes: the promise between the supervisor and any researcher.

A researcher is given a briefing and a sink, thinks aloud into the sink, and hands over one proposal. It sees no
journal, no git, no slot and no judge: what it cannot do by construction needs no rule in a prompt. What it may look
up stands in the briefing's archive, which only reads; a command that is to work in files of its own gets them from the
briefing's workshop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loop.errors import UserError
from loop.policy.limits import Left
from loop.policy.noise import Noise
from loop.study.contract import Contract
from loop.study.events import GaugeRead, Spent
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome


@dataclass(frozen=True)
class Proposal:
    """One change to try."""

    title: str
    hypothesis: str
    edits: Mapping[str, str]
    """New full text of each changed file, by its path from the root."""
    expected: str = ""
    submitted: bool = False
    """A person made it and asked for it to be run."""
    notes: Mapping[str, object] = field(default_factory=dict)
    """The researcher's own bookkeeping (JSON values), given back to it in `Experiment.notes`."""


class Archive(Protocol):
    """What a researcher may look up. Reads only; git and the disk are behind it, and nothing that verification hides.

    A failure to read is told in the text that comes back, as a sentence, since it is the researcher's to get over.
    """

    async def paths(self) -> Sequence[str]:
        """Every file of the champion's commit, by its path from the root."""
        ...

    async def read(self, path: str) -> str | None:
        """Text of a file of the champion's commit; None where there is no such text file."""
        ...

    async def edits(self, experiment: int) -> Mapping[str, str]:
        """New full text of each file that an experiment changed, as it was proposed."""
        ...

    async def diff(self, experiment: int) -> str:
        """The change of an experiment, as a unified diff."""
        ...

    async def log(self, experiment: int) -> str:
        """The end of its newest run's output: data from a stranger, never instructions."""
        ...

    async def refusal(self, edits: Mapping[str, str]) -> str | None:
        """Why a proposal of these edits on the champion would be turned down before it runs, or None."""
        ...


@dataclass(frozen=True)
class Work:
    """What a command did in the workshop."""

    edits: Mapping[str, str]
    """New full text of every tracked or editable file that it changed; a deleted one has no text left."""
    strays: Sequence[str]
    """Files that it made beside those; they are no part of any proposal."""
    refused: str = ""
    """Why its change can be no proposal (a file that is no text, a deleted one), in a sentence."""
    outcome: Outcome = Outcome.FINISHED
    """As of a run."""
    reason: str = ""
    seconds: float = 0.0
    output: str = ""
    """The end of what it printed."""


class Workshop(Protocol):
    """Lets a command of the person's work in a copy of the champion's files, and looks at what it changed."""

    async def work(self, command: str, text: str, deadline: float, heard: Callable[[bytes], None]) -> Work:
        """Run a shell command in a worktree of the champion, with `text` on its standard input.

        Its whole process tree is ended at the deadline (seconds), when the caller is cancelled, and with the loop.

        Args:
            heard: gets each piece of its output as it comes, standard error included.
        """
        ...


@dataclass(frozen=True)
class Briefing:
    """What a researcher knows when it is asked for a proposal."""

    contract: Contract
    program: str
    """Instructions of `program.md` in plain words."""
    champion: Experiment
    files: Mapping[str, str]
    """The champion's editable files, by path."""
    experiments: Sequence[Experiment]
    """All experiments so far in order, the baseline first, open ones included."""
    noise: Noise | None
    """How much one run's metric varies, as the judge has it; None while it is not known."""
    notebook: Sequence[str]
    words: Sequence[str]
    """What the person said since the last proposal; what is said from now on comes from `Sink.hear`."""
    next_id: int
    """Number the proposal will get."""
    archive: Archive
    workshop: Workshop
    pins: Sequence[str] = ()
    """Standing guidance of the person, in force until they take it back."""
    left: Sequence[Left] = ()
    """Limits of the loop, and what was used of each."""
    gauge: GaugeRead | None = None
    """The newest reading of the machine."""
    vitals: Mapping[str, float] = field(default_factory=dict)
    """What the champion's newest run reported of itself at its end: its summary over its last step line."""


class Sink(Protocol):
    """The live line between a researcher and the loop while it thinks. Never blocks, never fails."""

    def think(self, text: str) -> None:
        """Append a piece of reasoning to the stream; pieces join without a separator."""

    def tool(self, intent: str, result: str, seconds: float) -> None:
        """Say that a tool was used: what for, what came of it, how long it took."""

    def note(self, text: str) -> None:
        """Write into the notebook what was learnt."""

    def rewrite(self, text: str) -> None:
        """Put `text` in place of the whole notebook, which had grown too long."""

    def messages(self) -> Sequence[str]:
        """What the person said since the last time this was asked; from here on it counts as heard."""
        ...

    def spend(self, spent: Spent) -> None:
        """Book what a call of a model took."""

    def last_call(self) -> str | None:
        """Why nothing more should be paid for after this, in a sentence, or None: hand over what there is."""
        ...

    def trouble(self, message: str, wait: float | None = None) -> None:
        """Say what stands in the way; `wait` is the seconds until the next try."""

    def recovered(self) -> None:
        """Say that the trouble told last is over."""


class ProposalFailed(UserError):
    """The researcher has no proposal this time, and is asked again later; the message says why, in a sentence."""


class NothingLeft(Exception):
    """The researcher has nothing to propose; the message says why, in a sentence."""


class Unusable(Exception):
    """The researcher cannot go on before a person mends something; the message says what and how, in a sentence."""


class Researcher(Protocol):
    """Proposes experiments, one at a time."""

    name: str
    about: str
    """What it is, in one line."""
    ahead: int
    """Proposals it may have waiting while all slots are busy. 0: it wants every result first."""

    async def prepare(self, sink: Sink) -> None:
        """Find out whether it can work at all; called once, while the baseline runs.

        Raises:
            Unusable: it cannot.
        """
        ...

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """Think, then hand over a proposal.

        Cancelled when the person interrupts or the loop stops. Asked again for the same `next_id`, it may go on from
        where it was. Any other exception is a defect of the researcher's: it is told with its traceback, and the
        researcher is asked again later, too.

        Raises:
            ProposalFailed: it has come to no proposal this time.
            NothingLeft: it has nothing to propose.
            Unusable: a person has to mend something first.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and the like; called once, when the loop ends."""
