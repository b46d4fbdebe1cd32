"""The interface between the supervisor and any researcher.

A researcher gets a briefing and a sink, streams its reasoning into the sink, and returns one proposal. It sees no
journal, no git, no slot and no judge: what it cannot do by construction needs no rule in a prompt. The briefing's
archive is what it may look up, read-only; its workshop gives a command a copy of the files to work in.

An expected failure is `ProposalFailed`, `NothingLeft` or `Unusable`. Any other exception is a defect.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loop.errors import UserError
from loop.policy.limits import Left
from loop.policy.noise import Floor, Noise
from loop.policy.pairs import Alike
from loop.study.contract import Contract
from loop.study.curves import Point
from loop.study.events import GaugeRead, Spent
from loop.study.experiment import Experiment
from loop.study.minds import Thinking
from loop.study.outcomes import Outcome
from loop.study.slot_record import SlotRecord


@dataclass(frozen=True)
class Proposal:
    """One change to try."""

    title: str
    hypothesis: str
    edits: Mapping[str, str]
    """New full text of each changed file, by path from the root."""
    expected: str = ""
    submitted: bool = False
    """A person made it and asked to have it run."""
    notes: Mapping[str, object] = field(default_factory=dict)
    """The researcher's own bookkeeping (JSON values), returned to it in `Experiment.notes`."""
    parent: int | None = None
    """The experiment that it changes, where that is not the champion of the briefing: it may be followed by another."""


class Archive(Protocol):
    """What a researcher may look up, read-only: git and the disk, but nothing that verification keeps hidden.

    A read that fails returns a sentence instead of the text, so that the researcher can go on.
    """

    def later(self, number: int) -> Sequence[Experiment]:
        """Experiments with a larger number, in order: those that have come since a briefing."""

    async def champion(self) -> tuple[Experiment, Mapping[str, str]]:
        """Today's champion, which may have changed since the briefing, and its editable files, text by path."""

    async def paths(self) -> Sequence[str]:
        """Every file of the champion's commit, by path from the root."""

    async def read(self, path: str) -> str | None:
        """Text of a file of the champion's commit; None where there is no such text file."""

    async def edits(self, experiment: int) -> Mapping[str, str]:
        """New full text of each file that an experiment changed, as it was proposed."""

    async def diff(self, experiment: int) -> str:
        """The change of an experiment, as a unified diff."""

    async def log(self, experiment: int) -> str:
        """The end of the output of its newest run, or of that run's verification where it failed: untrusted data."""

    async def refusal(self, edits: Mapping[str, str]) -> str | None:
        """Why a proposal of these edits on the champion would be rejected before it runs, or None."""


@dataclass(frozen=True)
class Closing:
    """What an agent says about its change; empty where it says nothing. `closing` finds it in words."""

    title: str = ""
    hypothesis: str = ""
    expected: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Work:
    """What a command did in the workshop."""

    edits: Mapping[str, str]
    """New full text of every tracked or editable file that it changed; deleted files are left out."""
    strays: Sequence[str]
    """Other files that it made; they are not part of a proposal."""
    refused: str = ""
    """Why its change cannot be proposed (a file that is not text, a deleted file), in a sentence."""
    outcome: Outcome = Outcome.FINISHED
    """As of a run."""
    reason: str = ""
    seconds: float = 0.0
    output: str = ""
    """The end of what it printed."""
    said: Closing | None = None
    """What it has said of its change by the tools of `looptop mcp`; None where it has used none."""
    place: int = 0
    """Number of the folder that it worked in: agents know their sessions by it."""


class Workshop(Protocol):
    """Runs a command of the person's in a copy of the champion's files, and finds out what it changed."""

    async def work(
        self,
        command: str,
        text: str,
        deadline: float,
        heard: Callable[[bytes], None],
        edits: Mapping[str, str] = ...,
        stop: asyncio.Event | None = None,
        place: int = 0,
    ) -> Work:
        """Run a shell command in a worktree of the champion, with `text` on its standard input.

        Its whole process tree is ended at the deadline (in seconds), when the caller is cancelled, and with the loop.

        Args:
            heard: receives each piece of its output as it comes, standard error included.
            edits: new full text of editable files, by path, that it finds changed already.
            stop: ends it once it is set; what it has changed until then comes back all the same.
            place: the folder that it is to work in, where nobody else does; 0 is any.
        """


class NoScratch(UserError):
    """A scratch run was not made; the sentence says why."""


@dataclass(frozen=True)
class Scratch:
    """What a scratch run came to."""

    ended: str
    """How it ended, in a sentence without a subject."""
    failed: bool
    seconds: float
    per_step: float | None
    """Seconds of a step; None where it has printed no steps."""
    points: Sequence[tuple[int | None, Mapping[str, float]]]
    """What it printed on its way: values by name, with the step where it said that; the metric is left out."""
    memory: int
    """Bytes that it held at most."""
    gpu_memory: int | None
    """The same on its GPUs; None where nobody knows."""
    output: str
    """The end of its output, without the metric: untrusted data."""


class ScratchRuns(Protocol):
    """Starts a draft for a moment, confined as a run, beside the runs. It is no experiment, and nothing is recorded.

    Both end what they have started when they are cancelled.

    Args of both:
        edits: new full text of files that may be edited, on top of today's champion.

    Raises:
        NoScratch: there is no room for it, or the guards or the machine refuse it.
    """

    async def try_draft(self, edits: Mapping[str, str], steps: int | None = None) -> Scratch:
        """Run the study's command for a tenth of the budget, or until it has made so many steps."""
        ...

    async def time_code(self, edits: Mapping[str, str], code: str) -> Scratch:
        """Run a piece of Python in the project's folder for some seconds."""
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
    """How much the metric of one run varies, as the judge uses it; None while unknown."""
    notebook: Sequence[str]
    words: Sequence[str]
    """What the person said since the last proposal; anything later comes from `Sink.messages`."""
    next_id: int
    """The number that the proposal will get."""
    archive: Archive
    workshop: Workshop
    scratch: ScratchRuns | None = None
    """Tries a draft out; None where nothing can."""
    pins: Sequence[str] = ()
    """Standing guidance of the person, in force until it is unpinned."""
    left: Sequence[Left] = ()
    """Limits of the loop, and how much of each is used."""
    gauge: GaugeRead | None = None
    """The newest reading of the machine."""
    vitals: Mapping[str, float] = field(default_factory=dict)
    """Numbers that the champion's newest run printed about itself: its summary, else its last step line."""
    notices: Sequence[str] = ()
    """What stands over the study's numbers, such as a seed that the program does not take."""
    alike: Alike | None = None
    """How alike runs under one seed are; None where the judge goes by the means alone."""
    floor: Floor | None = None
    """What a difference has to exceed where the program's seed is fixed."""
    worths: str = ""
    """What each kept change was found to be worth in the champion; empty where nobody has measured it."""
    thoughts: Sequence[Thinking] = ()
    """What other conversations are about, this researcher's own and those of others."""
    ladder: Sequence[str] = ()
    """What has climbed to larger rungs and whether it held there, a sentence each without its full stop."""
    role: str = ""
    """Its part among the researchers, in the person's words."""
    refused: str = ""
    """Why its proposal before this one was not taken; empty where it was."""
    sample: str = ""
    """The beginning of the training data, where that is known and may be shown."""
    curve: tuple[str, Sequence[Point], str] = ("", (), "s")
    """What the champion's newest run showed: the name of that, about ten points, and what they lie along: "%" of its
    training where it says how far that is, else "s", seconds since its start."""
    measuring: Mapping[str, str] = field(default_factory=dict)
    """Files that measure and may not be edited, by path: what the contract's commands start."""
    imported: Sequence[str] = ()
    """Files that the editable ones import and that may not be edited."""
    ideas: Mapping[int, str] = field(default_factory=dict)
    """What somebody thought of and nobody has tried yet, by number."""
    held: str = ""
    """How its promises have held so far, in a line; empty where too few have a result."""
    slots: Sequence[SlotRecord] = ()
    """Where runs go on, and what one gets there."""

    @property
    def kind(self) -> str:
        """The kind of most slots; empty where nothing was ever measured on another one."""
        ran = {run.device for x in self.experiments for run in x.runs.values() if run.device}
        kinds = Counter(slot.kind for slot in self.slots).most_common()
        return kinds[0][0] if kinds and ran - {kinds[0][0]} else ""


class Sink(Protocol):
    """Where a researcher reports while it works. Never blocks, never fails."""

    def think(self, text: str, thinking: bool = False) -> None:
        """Append a piece to the stream; pieces are joined without a separator.

        Args:
            thinking: it is a model's reasoning, and no part of its answer.
        """

    def tool(self, intent: str, result: str, seconds: float) -> None:
        """Report the use of a tool: what for, with what result, for how long."""

    def note(self, text: str) -> None:
        """Write a lesson into the notebook."""

    def lesson(self, experiment: int, text: str) -> None:
        """Record what the result of an experiment taught."""

    def idea(self, text: str) -> None:
        """Put an idea on the list of those that nobody has tried. A proposal whose notes have its number as `idea`
        takes it off."""

    def rewrite(self, text: str) -> None:
        """Replace the whole notebook, which has become too long, by `text`."""

    def claim(self, title: str) -> str:
        """Say what is about to be tried, so that no other researcher thinks about the same.

        Returns:
            Who is busy with nearly the same, in a sentence, or nothing.
        """

    def claimed(self) -> Sequence[str]:
        """What others are thinking about now, as far as they have said so."""

    def messages(self) -> Sequence[str]:
        """What the person said since the last call; it counts as delivered from now on."""

    def spend(self, spent: Spent) -> None:
        """Record what a call of a model cost."""

    def last_call(self) -> str | None:
        """Why the next call of a model must be the last one, in a sentence, or None."""

    def trouble(self, message: str, wait: float | None = None) -> None:
        """Report what stands in the way; `wait` is the number of seconds until the next try."""

    def recovered(self) -> None:
        """Report that the last trouble is over."""


class ProposalFailed(UserError):
    """This attempt ended without a proposal; the researcher is asked again later."""


class Fruitless(ProposalFailed):
    """Several attempts in a row ended without a proposal, so another researcher may stand in until the next.

    Args:
        sentence: what became of them.
        hopeless: where nobody can stand in, a person has to look.
    """

    def __init__(self, sentence: str, hopeless: bool) -> None:
        super().__init__(sentence)
        self.hopeless = hopeless


class NothingLeft(UserError):
    """The researcher has nothing more to propose."""


class Unusable(UserError):
    """The researcher cannot go on until a person has mended something."""


class Researcher(Protocol):
    """Proposes experiments. It may be asked for several at once, as many as its entry in the program allows."""

    name: str
    about: str
    """What it is, in one line."""
    ahead: bool
    """It thinks so long that proposals are made ahead, while all slots are busy. False: no slot waits for it, and where
    nobody thinks longer it gets every result first."""

    async def prepare(self, sink: Sink) -> None:
        """Find out whether it can work at all; called once, while the baseline runs.

        Raises:
            Unusable: it cannot.
        """

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        """Think, then hand over a proposal.

        Cancelled when the person interrupts or the loop stops. Asked again for the same `next_id`, which no other
        thought has meanwhile, it may continue where it was. Any other exception is a defect of the researcher: it is
        recorded with its traceback, and the researcher is asked again later, too.

        Raises:
            ProposalFailed: it makes no proposal this time.
            NothingLeft: it has nothing more to propose.
            Unusable: a person has to mend something first.
        """

    async def close(self) -> None:
        """Close connections and the like; called once, when the loop ends."""
