"""Everything that can happen in a study, one frozen model each.

An event is a past-tense fact with an envelope: `seq` (its place in the journal), `at` (Unix seconds by the
writer's clock), the experiment and the run it belongs to, and one of the bodies below. What a person asks for
is an event like any other; those classes are written in `requests`, and named here like the rest. A reader skips a
kind that it does not know.

This module knows no storage, no clock and nobody above it.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from loop.study import aliases
from loop.study.contract import Contract
from loop.study.fact import Fact
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

Verdict = Literal["kept", "discarded", "crashed", "out_of_memory", "timed_out", "killed", "rejected"]
Outcome = Literal["finished", "crashed", "out_of_memory", "timed_out", "killed", "lost"]

FAILURES: frozenset[str] = frozenset({"crashed", "out_of_memory", "timed_out"})
"""Judging of what ended by itself, or at a limit, without a number."""


def _renamed(name: str) -> Any:
    """A field that journals of before have under another name."""
    return Field(validation_alias=AliasChoices(name, aliases.FIELDS[name]))


# --- the study -------------------------------------------------------------------------------------------------


class StudyStarted(Fact):
    kind: Literal["study_started"] = "study_started"
    tag: str
    branch: str
    base: str
    """Commit the person stood on."""
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
    """Flags it was started with, in force until others are given."""
    sandbox: str = ""
    """What confines the runs: `bubblewrap`, `landlock` or `off`; empty from before there was any."""


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
    """Something outside the experiments went wrong; the loop says what it does about it."""

    kind: Literal["fault"] = "fault"
    where: str
    message: str
    next_at: float | None = None
    """When it is tried again, in Unix seconds; None where nothing is waited for."""


class Recovered(Fact):
    """What a fault at `where` stood in the way of works again."""

    kind: Literal["recovered"] = "recovered"
    where: str


class ClockMoved(Fact):
    """The wall clock and the monotonic one went apart: times before and after differ by so much that nobody lived."""

    kind: Literal["clock_moved"] = "clock_moved"
    set_by: float = 0.0
    """Seconds by which somebody set the wall clock ahead; negative: back."""
    slept: float = 0.0
    """Seconds that the machine was suspended."""


class CheckoutChanged(Fact):
    """A person has edited files that a proposal may change, in their own checkout; `looptop submit` would take that."""

    kind: Literal["checkout_changed"] = "checkout_changed"
    files: tuple[str, ...] = ()
    """Those that differ from the experiment they build on; empty when none does any more."""
    parent: int = 0
    """The experiment they build on."""
    lines_added: int = 0
    lines_removed: int = 0


class GpuGauge(BaseModel):
    """One GPU; None where the device does not tell."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    index: int
    name: str
    utilisation: float | None = None
    """Per cent of the last sampling period in which a kernel ran."""
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    """Degrees Celsius."""
    power: float | None = None
    """Watts."""
    gone: bool = False
    """It was there once, and does not answer any more."""


class GpuProcess(BaseModel):
    """Somebody on a GPU."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    pid: int
    """As the driver has it."""
    memory: int | None = None
    """Bytes on this GPU."""
    user: str = ""
    command: str = ""
    """User and command are empty where they cannot be known."""
    run: str = ""
    """The current run that it is of, such as "12.1"; empty for somebody else's."""


class GpuUse(BaseModel):
    """Who is on one GPU."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    index: int
    processes: tuple[GpuProcess, ...] | None = None
    """None where the driver does not tell."""


class RunGauge(BaseModel):
    """What one current run holds, in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    experiment: int
    run: int
    memory: int
    """Main memory of its whole process tree."""
    gpu_memory: int | None = None
    """On all GPUs; None where the driver does not tell whose it is."""


class GaugeRead(Fact):
    """The machine, and by its arrival the supervisor's heartbeat. Sizes in bytes."""

    kind: Literal["gauge_read"] = "gauge_read"
    cpu: float
    """Per cent of all processors."""
    cpus: int | None = None
    """Processors that a run may use."""
    ram_used: int
    ram_total: int
    disk_free: int
    gpus: tuple[GpuGauge, ...] = ()
    runs: tuple[RunGauge, ...] = ()
    gpu_use: tuple[GpuUse, ...] | None = None
    """None in a reading that did not ask: process lists are asked for seldom, because they slow a training run."""
    foreign_pids: bool = False
    """The driver numbers processes as a host does and we are in a container, so nobody knows whose they are."""


# --- researchers -----------------------------------------------------------------------------------------------


class ResearcherJoined(Fact):
    kind: Literal["researcher_joined"] = "researcher_joined"
    name: str
    about: str
    """What it is, in one line a person reads."""


class Thought(Fact):
    """A piece of the reasoning stream. Pieces join without a separator."""

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
    """The notebook had outgrown its share of a briefing; `text` stands for all of it from here on."""

    kind: Literal["notebook_rewritten"] = "notebook_rewritten"
    researcher: str
    text: str


class Spent(Fact):
    """What one call of a model took. Tokens as the endpoint counted them."""

    kind: Literal["spent"] = "spent"
    researcher: str
    tokens: int
    """All of them: read and written."""
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
    """A proposal as it was handed over; its edits come in the same transaction, so from here on nothing can be lost."""

    kind: Literal["experiment_proposed"] = "experiment_proposed"
    researcher: str
    title: str
    hypothesis: str = ""
    expected: str = ""
    parent: int | None = None
    """Experiment whose file it changes; None for the baseline."""
    fingerprint: str = ""
    """Equal for two experiments whose editable files differ in comments and layout only; see `guards`."""
    notes: dict[str, Any] = {}
    """The researcher's own bookkeeping, such as the parameters an optimiser chose."""
    submitted: bool = False
    """A person made it and asked for it to be run, so it waits for nobody's approval."""


class EditsRecorded(Fact):
    """The proposal's edits, apart because readers can do without: once it is queued, git has them too."""

    kind: Literal["edits_recorded"] = "edits_recorded"
    edits: dict[str, str]
    """New full text of each changed file, by path."""


class ExperimentQueued(Fact):
    """The proposal is a commit and waits for a slot; again with another parent when it moved onto a new champion."""

    kind: Literal["experiment_queued"] = "experiment_queued"
    commit: str
    parent: int | None
    parent_commit: str
    lines_added: int = 0
    lines_removed: int = 0
    flags: tuple[str, ...] = ()
    """What a person should look at in it, a sentence each; see `loop/policy/review_flags.py`."""


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
    """`Contract.protocol_id` this run is under."""
    pid: int
    pid_started: float
    """Creation time of the process, so that a recycled pid is not mistaken for it."""
    ref: str = ""
    """What its executor knows it by, such as "local:4711@1767225600.25"; empty from before there was any."""


class StepSampled(Fact):
    kind: Literal["step_sampled"] = "step_sampled"
    step: int | None = None
    progress: float | None = None
    """Share of the budget, 0 to 1."""
    values: dict[str, float] = {}


class RunFinished(Fact):
    """How a run ended. Seconds are wall clock; memory is the peak of the whole process tree in bytes."""

    kind: Literal["run_finished"] = "run_finished"
    outcome: Outcome
    reason: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    peak_gpu_memory: int | None = None
    gpu_others: int | None = None
    """Bytes that others held on its GPUs meanwhile, at most; None where nobody could tell."""
    leftovers: int = 0
    """Processes that outlived the command and were ended."""
    metrics: dict[str, float] = {}
    """The run's own summary: what it says of itself."""
    tail: str = ""
    stepping: float = 0.0
    """Seconds from its first step line to its last, by the supervisor's clock."""
    touched: tuple[str, ...] = ()
    """Tracked files of its worktree that it changed and no proposal may change."""
    check: str | None = None
    """Name of the check that it failed although it came to its end; see `loop/policy/run_checks.py`."""


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
    """Better by so much than the champion, in the metric's units; negative is worse."""
    noise: float | None = None
    """Standard deviation of one run."""
    confidence: float | None = None
    """One-sided confidence that the candidate is better."""
    champion: int | None = None
    """What it was measured against."""
    by: str = "judge"
    flags: tuple[str, ...] = ()
    """What a person should look at before they believe the number."""


class ChampionChanged(Fact):
    """The branch has moved: everything is now measured against this experiment."""

    kind: Literal["champion_changed"] = "champion_changed"
    commit: str
    metric: float | None = None


class RequestFulfilled(Fact):
    """A person's request took effect, or could not; so the record says when."""

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

_ADAPTER: TypeAdapter[Body] = TypeAdapter(Body)
_BODIES: Sequence[type[Fact]] = get_args(get_args(Body)[0])

KINDS: frozenset[str] = frozenset(body.model_fields["kind"].default for body in _BODIES)
"""Every kind this version knows."""

READABLE: frozenset[str] = KINDS | frozenset(aliases.KINDS)
"""The same, and the names that some of them had before."""

STREAM: frozenset[str] = frozenset({"thought", "step_sampled", "gauge_read"})
"""Kinds that come by the thousand, many a second, and never change the state of a study."""

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


def encode(body: Body) -> str:
    """The JSON text that `decode` reads back. Text that is no Unicode (lone surrogates) comes back as `?`."""
    try:
        return body.model_dump_json()
    except PydanticSerializationError:
        return type(body).model_validate(_unicode(body.model_dump())).model_dump_json()


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_unicode(key): _unicode(item) for key, item in value.items()}
    return [_unicode(item) for item in value] if isinstance(value, list | tuple) else value


def decode(text: str | bytes) -> Body:
    """The body in `text`.

    Raises:
        pydantic.ValidationError: not a body this version understands.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        if error.errors()[0]["type"] != "union_tag_invalid":
            raise
        found = json.loads(text)
        if (kind := aliases.KINDS.get(str(found["kind"]))) is None:
            raise
        return _ADAPTER.validate_json(json.dumps(found | {"kind": kind}))
