"""What can happen to a run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from loop.study.aliases import renamed
from loop.study.curves import RunCurve
from loop.study.fact import Fact
from loop.study.measure import Printed
from loop.study.outcomes import RunOutcome


class RunStarted(Fact):
    kind: Literal["run_started"] = "run_started"
    seed: int
    slot: int
    budget: float
    deadline: float
    protocol_id: str = renamed("protocol_id")
    """`Contract.protocol_id` of the program that this run is under."""
    pid: int
    pid_started: float
    """Creation time of the process, so that a reused pid is not mistaken for it."""
    ref: str = ""
    """What its executor knows it by, such as "local:4711@1767225600.25"; empty in older journals."""
    device: str = ""
    """The kind of its slot, see `SlotRecord`."""
    clock: Literal["wall", "cpu"] = "wall"
    """What its budget counts, see `Contract.budget_clock`."""
    slot_name: str = ""
    """Name of its slot: another list of slots has another one at the same index."""
    alone: bool = False
    """Nothing was started beside it, to tell what company costs: its number is compared with nothing else."""
    gpus: float | None = None
    """GPUs that it had: a share of one where slots share it, 0 without; None in journals from before that was kept."""
    validates: int = 0
    """Validation, ablation or climb it is for, by its beginning's place in the journal; it counts for nothing else."""
    row: int = 0
    """Which row of an ablation it is, from 1 on: it ran that row's commit, not the experiment's."""
    rung: str = ""
    """The rung of the ladder that it is on; empty for the study's own."""
    also: tuple[int, ...] = ()
    """Numbers of the other slots whose GPUs it has, too."""


class RunAdopted(Fact):
    """The run goes on, and another supervisor than the one that started it looks after it from here on."""

    kind: Literal["run_adopted"] = "run_adopted"
    slot: int
    """Number of its slot among those of the new supervisor; `slot_name`: the name."""
    slot_name: str = ""
    also: tuple[int, ...] = ()
    """The others whose GPUs it has, as in `RunStarted`."""


class StepSampled(Fact):
    kind: Literal["step_sampled"] = "step_sampled"
    step: int | None = None
    progress: float | None = None
    """Share of the budget, 0 to 1."""
    values: dict[str, float] = {}


class Waited(BaseModel):
    """Seconds of the clock for which others on its machine kept a run from the processors (`runs/local/waiting`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    total: float = 0.0
    around: float = 0.0
    """Outside of its budget: in start-up, in the last step, in scoring."""
    steps: float = 0.0
    """Among its steps, once they had gone on for as long as its budget."""
    claim: float = 0.0
    """In the training that it claims beyond its budget."""


class RunFinished(Fact):
    """How a run ended. Seconds are wall clock; memory is the peak of the whole process tree in bytes."""

    kind: Literal["run_finished"] = "run_finished"
    outcome: RunOutcome
    reason: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waited: Waited | None = None
    """None where that is not known, as in older journals."""
    pressure: float | None = None
    """Share of its time in which anything on the machine waited for a processor, the run itself included."""
    peak_memory: int = 0
    peak_gpu_memory: int | None = None
    gpu_others: int | None = None  # as in `experiment.Run`, like the rest that says nothing here
    leftovers: int = 0
    """Processes that outlived the command and were ended."""
    metrics: dict[str, float] = {}
    """The numbers that it printed, in its summary and under the names that the program asks for; `texts`: the words."""
    texts: dict[str, str] = {}
    printed: Printed | None = None
    tail: str = ""  # the end of its output, where it did not finish
    stepping: float = 0.0
    """Seconds from its first step line to its last, by the supervisor's clock."""
    computing: float | None = None
    """Processor seconds from its first step line to its last, per core; None where that is not known."""
    cores: int = 0
    """Processors that it could use; 0 where that is not known."""
    steps: int = 0
    """Steps between these two."""
    company: float | None = None
    """Share of its time in which others ran beside it, see `policy/neighbours`; None where no slot shares with its."""
    touched: tuple[str, ...] = ()
    """Tracked files of its worktree that it changed and no proposal may change."""
    check: str | None = None
    """Name of the check that it failed although it came to its end; see `policy/run_checks`."""
    joules: float | None = None
    """Energy that its GPUs took meanwhile, by their own counters: its share where slots share one; None where they do
    not tell."""
    curve: RunCurve | None = None
    """What it reported over its training time; None where it has no step lines, and in older journals."""


class RunCondemned(Fact):
    """By its curve a run is not worth its time any more, see `policy/early_stop`."""

    kind: Literal["run_condemned"] = "run_condemned"
    then: Literal["stopped", "audited", "shadow"]
    """What became of it: it was ended, it goes on to its end to tell whether that would have been right, or it goes on
    because such runs are not ended in this study."""
    curve: str
    """Name of the value that it reports."""
    share: float
    """Of its training time, 0 to 1."""
    value: float
    beside: float
    """The champion's run under the same seed, at the same share of its time."""
    limit: float
    """How far apart the two may be, in the value's units."""
    champion: int


class Verified(Fact):
    """The metric, measured again outside the experiment's reach."""

    kind: Literal["verified"] = "verified"
    metric: float | None
    check: str | None = None
    """Name of the failed check, where there is no metric."""
    reason: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waited: float | None = None
    """Seconds that it waited for others, as in `Waited.total`."""
    joules: float | None = None  # as in `RunFinished`
    metrics: dict[str, float] = {}
    texts: dict[str, str] = {}  # what it printed stands over what the run itself said
