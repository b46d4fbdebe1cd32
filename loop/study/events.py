"""Everything that can happen in a study, one frozen model each.

An event is a past-tense fact: `seq` (its place in the journal), `at` (Unix seconds by the writer's clock), experiment,
run, and a body: those of runs are in `run_events`, of researchers in `researcher_events`, of what a person asks for in
`requests`, and the others below. A reader skips an unknown kind.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field

from loop.study import aliases
from loop.study.ablation import AblationBegan, AblationEnded, Worth
from loop.study.aliases import renamed
from loop.study.climb import ClimbBegan, ClimbEnded
from loop.study.contract import Contract
from loop.study.fact import Fact
from loop.study.outcomes import Verdict
from loop.study.readings import GaugeRead
from loop.study.rehearsal import Rehearsed
from loop.study.requests import (
    Ablated,
    AnyRequest,
    Approved,
    Branched,
    Drained,
    Killed,
    Noted,
    Overruled,
    Paused,
    Pinned,
    Promoted,
    Rejected,
    Request,
    Requeued,
    Resumed,
    Steered,
    Stopped,
    Submitted,
    Undrained,
    Unpinned,
    Validated,
    Without,
)
from loop.study.researcher_events import (
    Claimed,
    Heard,
    IdeaWritten,
    LessonWritten,
    NotebookRewritten,
    NoteWritten,
    ResearcherJoined,
    Spent,
    Thought,
    ThoughtBegan,
    ThoughtEnded,
    ToolCalled,
)
from loop.study.run_events import RunAdopted, RunCondemned, RunFinished, RunStarted, StepSampled, Verified, Waited
from loop.study.sealed import MilestoneOpened, SealedNumber
from loop.study.slot_events import NeighboursMeasured, SlotsJoined, SlotsReserved
from loop.study.slot_record import SlotRecord
from loop.study.validation import ValidationBegan, ValidationEnded

# --- the study -------------------------------------------------------------------------------------------------


class StudyStarted(Fact):
    kind: Literal["study_started"] = "study_started"
    tag: str
    branch: str
    base: str
    """The commit that the person had checked out."""
    names: tuple[str, ...] | None = None  # what its files name, see `policy/honesty`; None where nobody has looked
    contract: Contract
    text: str = ""
    """`program.md` below its front matter."""
    pairs: bool = False
    """Its candidates are compared at equal seeds, unless the program says otherwise; earlier studies' were not."""
    rules: int = 0
    """What else it does unless the program says otherwise; earlier studies' are 0. From 1 on: a validation at its end,
    bundles, placebos, and hopeless runs are ended once their forecasts have proved right."""


class ProgramChanged(Fact):
    """The program in force from the next proposal on."""

    kind: Literal["program_changed"] = "program_changed"
    contract: Contract
    text: str = ""
    changed: tuple[str, ...] = ()
    """Keys of the contract that differ, and "instructions" where the text does."""


class SupervisorStarted(Fact):
    kind: Literal["supervisor_started"] = "supervisor_started"
    pid: int
    host: str
    version: str
    slots: tuple[str, ...] = ()
    """What each slot is, such as "GPU 0" or "CPU"."""
    device: str = ""
    """What most of them are, such as "NVIDIA H100 80GB HBM3"; empty in journals from before that was kept."""
    records: tuple[SlotRecord, ...] = ()
    """Each slot in more words, in the order of `slots`; empty in journals from before that was kept."""
    options: dict[str, Any] = {}
    """Options that it was started with; they stay in force until others are given."""
    sandbox: str = ""
    """What confines the runs: `bubblewrap`, `landlock` or `off`; empty in journals from before there was a sandbox."""


class SupervisorStopped(Fact):
    kind: Literal["supervisor_stopped"] = "supervisor_stopped"
    reason: str
    failed: bool = False
    signal: str = ""
    """The signal that ended it, such as SIGTERM at a shutdown; empty where none did."""


class LimitReached(Fact):
    kind: Literal["limit_reached"] = "limit_reached"
    limit: str
    """Key under `limits:`."""
    reason: str


class Fault(Fact):
    """Something outside the experiments went wrong; the message says what the loop does about it."""

    kind: Literal["fault"] = "fault"
    where: str
    message: str
    next_at: float | None = None
    """When it is tried again, in Unix seconds; None where nothing waits for it."""
    gone: bool = False
    """`where` is a researcher, and it proposes nothing more until the loop is started again."""


class Recovered(Fact):
    """What the fault at `where` prevented works again."""

    kind: Literal["recovered"] = "recovered"
    where: str


class ClockMoved(Fact):
    """The wall clock moved against the monotonic one: times before and after differ by this much more than passed."""

    kind: Literal["clock_moved"] = "clock_moved"
    set_by: float = 0.0
    """Seconds by which the wall clock was set ahead; negative: back."""
    slept: float = 0.0
    """Seconds that the machine was suspended."""


class CheckoutChanged(Fact):
    """A person has edited editable files in their own checkout; `looptop submit` would propose that edit."""

    kind: Literal["checkout_changed"] = "checkout_changed"
    files: tuple[str, ...] = ()
    """Those that differ from `parent`, the experiment that it builds on; empty when none does any more."""
    parent: int = 0
    lines_added: int = 0
    lines_removed: int = 0


# --- experiments -----------------------------------------------------------------------------------------------


class ExperimentProposed(Fact):
    """A proposal as it was handed over. Its edits are in the same transaction, so from here on nothing can be lost."""

    kind: Literal["experiment_proposed"] = "experiment_proposed"
    researcher: str
    title: str
    hypothesis: str = ""
    expected: str = ""
    parent: int | None = None
    """Experiment whose file it changes; None for the baseline."""
    fingerprint: str = ""
    """Equal for experiments whose editable files differ in comments and layout only; see `policy/guards`."""
    notes: dict[str, Any] = {}
    """The researcher's own bookkeeping, such as the parameters an optimiser chose."""
    submitted: bool = False
    """A person made it and asked for it to be run, so it needs no approval."""
    places: tuple[str, ...] = ()
    """The constants, functions and methods that it touches; see `policy/places`."""
    imported: bool = False  # see `Experiment.imported`
    seal: str = ""
    """A digest by which it is told after its verdict whether it was a placebo; see `policy/placebos`."""
    parts: tuple[int, ...] = ()
    """The experiments whose changes it brings together; see `policy/bundles`."""


class EditsRecorded(Fact):
    """The proposal's edits, in an event of their own that readers may skip: once it is queued, git has them too."""

    kind: Literal["edits_recorded"] = "edits_recorded"
    edits: dict[str, str]
    """New full text of each changed file, by path."""


class ExperimentQueued(Fact):
    """The proposal is a commit and waits for a slot; once more, with another parent, when it was rebased."""

    kind: Literal["experiment_queued"] = "experiment_queued"
    commit: str
    parent: int | None
    parent_commit: str
    lines_added: int = 0
    lines_removed: int = 0
    flags: tuple[str, ...] = ()
    """What a person should look at in it, a sentence each; see `policy/review_flags`."""
    change: str = ""
    """What kind of change it is, see `policy/changes`; "" in journals from before it was told."""
    schedule: bool = False
    """It touches what happens when in the training."""
    title: str = ""
    """What it is called from here on, where its values were put onto a champion that had moved the same constants."""
    fingerprint: str = ""
    """Of its files there, as in `ExperimentProposed`."""


class ApprovalAsked(Fact):
    kind: Literal["approval_asked"] = "approval_asked"
    reason: str


class ExperimentJudged(Fact):
    kind: Literal["experiment_judged"] = "experiment_judged"
    verdict: Verdict
    reason: str
    metric: float | None = None
    """Mean over the experiment's runs; None where there is no number."""
    effect: float | None = None
    """How much better than the champion, in the metric's units; negative is worse."""
    noise: float | None = None
    """Standard deviation of one run."""
    confidence: float | None = None
    """One-sided confidence that the candidate is better."""
    champion: int | None = None
    """What it was measured against."""
    by: str = "judge"
    flags: tuple[str, ...] = ()
    """What a person should look at before believing the number."""


class ChampionChanged(Fact):
    """The branch has moved: everything is now measured against this experiment."""

    kind: Literal["champion_changed"] = "champion_changed"
    commit: str
    metric: float | None = None


class PlaceboOpened(Fact):
    """The experiment was a placebo: its seal is the digest of this, see `policy/placebos`."""

    kind: Literal["placebo_opened"] = "placebo_opened"
    nonce: str
    kept: bool | None = None
    """Whether the judge would have kept it; None where it never came to that."""
    confidence: float | None = None


class RequestFulfilled(Fact):
    """A person's request, by its `seq`, took effect or could not."""

    kind: Literal["request_fulfilled"] = "request_fulfilled"
    request: int = renamed("request")
    outcome: str


Body = Annotated[
    StudyStarted
    | ProgramChanged
    | SupervisorStarted
    | SupervisorStopped
    | LimitReached
    | Fault
    | Recovered
    | ClockMoved
    | CheckoutChanged
    | Rehearsed
    | GaugeRead
    | ResearcherJoined
    | ThoughtBegan
    | Claimed
    | ThoughtEnded
    | Heard
    | Thought
    | ToolCalled
    | NoteWritten
    | NotebookRewritten
    | LessonWritten
    | IdeaWritten
    | Spent
    | ExperimentProposed
    | EditsRecorded
    | ExperimentQueued
    | ApprovalAsked
    | RunStarted
    | RunAdopted
    | StepSampled
    | RunCondemned
    | RunFinished
    | Verified
    | NeighboursMeasured
    | SlotsJoined
    | SlotsReserved
    | MilestoneOpened
    | ExperimentJudged
    | ChampionChanged
    | ValidationBegan
    | ValidationEnded
    | AblationBegan
    | AblationEnded
    | ClimbBegan
    | ClimbEnded
    | PlaceboOpened
    | AnyRequest
    | RequestFulfilled,
    Field(discriminator="kind"),
]

_BODIES: Sequence[type[Fact]] = get_args(get_args(Body)[0])

KINDS: frozenset[str] = frozenset(body.model_fields["kind"].default for body in _BODIES)
"""Every kind that this version knows."""

READABLE: frozenset[str] = KINDS | frozenset(aliases.KINDS)
"""The same, and the names that some of them had before."""

STREAM: frozenset[str] = frozenset({"thought", "step_sampled", "gauge_read"})
"""Kinds that come several times a second and never change the state of a study."""

REQUESTS: frozenset[str] = frozenset(body.model_fields["kind"].default for body in _BODIES if issubclass(body, Request))
"""What a person asks for."""

Entry = tuple[Body, int | None, int | None]
"""A body to be recorded, with its experiment and its run."""


class Event(NamedTuple):
    """A body with its envelope."""

    seq: int
    at: float
    experiment: int | None
    run: int | None
    body: Body

    @property
    def kind(self) -> str:
        return self.body.kind
