"""Everything that can happen in a study, one frozen model each.

An event is a past-tense fact with an envelope: `seq` (its place in the journal), `at` (Unix seconds by the
writer's clock), the experiment and the run it belongs to, and one of the bodies below. What a person asks for
is an event like any other; those classes are written in `requests`, and named here like the rest. A reader skips a
kind that it does not know.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AliasChoices, Field

from loop.study import aliases
from loop.study.contract import Contract
from loop.study.fact import Fact
from loop.study.outcomes import RunOutcome, Verdict
from loop.study.readings import GaugeRead
from loop.study.requests import (
    AnyRequest,
    Approved,
    Branched,
    Killed,
    Overruled,
    Paused,
    Pinned,
    Rejected,
    Request,
    Requeued,
    Resumed,
    Steered,
    Stopped,
    Submitted,
    Unpinned,
)


def _renamed(name: str) -> Any:
    """A field that older journals have under another name."""
    return Field(validation_alias=AliasChoices(name, aliases.FIELDS[name]))


# --- the study -------------------------------------------------------------------------------------------------


class StudyStarted(Fact):
    kind: Literal["study_started"] = "study_started"
    tag: str
    branch: str
    base: str
    """The commit that the person had checked out."""
    contract: Contract
    text: str = ""
    """`program.md` below its front matter."""


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
    """Those that differ from the experiment that the checkout builds on; empty when none does any more."""
    parent: int = 0
    """That experiment."""
    lines_added: int = 0
    lines_removed: int = 0


# --- researchers -----------------------------------------------------------------------------------------------


class ResearcherJoined(Fact):
    kind: Literal["researcher_joined"] = "researcher_joined"
    name: str
    about: str
    """What it is, in one line for a person."""


class Thought(Fact):
    """A piece of the reasoning stream. Pieces are joined without a separator."""

    kind: Literal["thought"] = "thought"
    researcher: str
    text: str


class ToolCalled(Fact):
    kind: Literal["tool_called"] = "tool_called"
    researcher: str
    intent: str
    result: str
    seconds: float


class NoteWritten(Fact):
    kind: Literal["note_written"] = "note_written"
    researcher: str
    text: str


class NotebookRewritten(Fact):
    """The notebook had outgrown its share of a briefing; from here on `text` is all of it."""

    kind: Literal["notebook_rewritten"] = "notebook_rewritten"
    researcher: str
    text: str


class Spent(Fact):
    """What one call of a model cost, in tokens as the endpoint counted them."""

    kind: Literal["spent"] = "spent"
    researcher: str
    tokens: int
    """Read and written together."""
    usd: float | None = None
    """None: the price is not known, which is not zero."""
    model: str = ""
    read: int = 0
    """Tokens of the prompt, those from a cache included."""
    cached: int = 0
    written: int = 0
    """Tokens of the answer, those of its reasoning included."""
    reasoning: int = 0


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


class ApprovalAsked(Fact):
    kind: Literal["approval_asked"] = "approval_asked"
    reason: str


class RunStarted(Fact):
    kind: Literal["run_started"] = "run_started"
    seed: int
    slot: int
    budget: float
    deadline: float
    protocol_id: str = _renamed("protocol_id")
    """`Contract.protocol_id` of the program that this run is under."""
    pid: int
    pid_started: float
    """Creation time of the process, so that a reused pid is not mistaken for it."""
    ref: str = ""
    """What its executor knows it by, such as "local:4711@1767225600.25"; empty in older journals."""


class StepSampled(Fact):
    kind: Literal["step_sampled"] = "step_sampled"
    step: int | None = None
    progress: float | None = None
    """Share of the budget, 0 to 1."""
    values: dict[str, float] = {}


class RunFinished(Fact):
    """How a run ended. Seconds are wall clock; memory is the peak of the whole process tree in bytes."""

    kind: Literal["run_finished"] = "run_finished"
    outcome: RunOutcome
    reason: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    peak_gpu_memory: int | None = None
    gpu_others: int | None = None
    """Bytes that others held on its GPUs meanwhile, at most; None where that is not known."""
    leftovers: int = 0
    """Processes that outlived the command and were ended."""
    metrics: dict[str, float] = {}
    """The run's own summary, as it printed it."""
    tail: str = ""
    """The end of its output, where it did not finish."""
    stepping: float = 0.0
    """Seconds from its first step line to its last, by the supervisor's clock."""
    touched: tuple[str, ...] = ()
    """Tracked files of its worktree that it changed and no proposal may change."""
    check: str | None = None
    """Name of the check that it failed although it came to its end; see `policy/run_checks`."""


class Verified(Fact):
    """The metric, measured again outside the experiment's reach."""

    kind: Literal["verified"] = "verified"
    metric: float | None
    """None where a check failed."""
    check: str | None = None
    """Name of the failed check."""
    reason: str = ""
    seconds: float = 0.0


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


class RequestFulfilled(Fact):
    """A person's request took effect, or could not."""

    kind: Literal["request_fulfilled"] = "request_fulfilled"
    request: int = _renamed("request")
    """`seq` of the request."""
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
    | GaugeRead
    | ResearcherJoined
    | Thought
    | ToolCalled
    | NoteWritten
    | NotebookRewritten
    | Spent
    | ExperimentProposed
    | EditsRecorded
    | ExperimentQueued
    | ApprovalAsked
    | RunStarted
    | StepSampled
    | RunFinished
    | Verified
    | ExperimentJudged
    | ChampionChanged
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
