"""An experiment and its runs, as the events of a journal amount to them: filled in by `state`, read by all."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from loop.study.contract import Contract
from loop.study.events import RunFinished, Verified
from loop.study.outcomes import Outcome

Phase = Literal["proposed", "waiting", "queued", "running", "judged"]


@dataclass(slots=True)
class Run:
    """One execution. Seconds are wall clock, memory is bytes."""

    number: int
    seed: int
    slot: int
    budget: float
    deadline: float
    protocol_id: str
    started_at: float
    pid: int
    pid_started: float
    outcome: Outcome | None = None
    """None while it runs."""
    reason: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    peak_gpu_memory: int | None = None
    gpu_others: int | None = None
    """Bytes that others held on its GPUs, at most; None where that is not known."""
    metrics: dict[str, float] = field(default_factory=dict)
    verified: bool = False
    """A verification has ended, whatever it found."""
    metric: float | None = None
    """The number that counts: the verified one, or the run's own where the program names no verification."""
    check: str | None = None
    """Name of the check that the run or its verification failed."""
    stepping: float = 0.0
    """Seconds from the first step line to the last."""
    touched: tuple[str, ...] = ()
    """Tracked files that it changed and no proposal may change."""
    verify_seconds: float = 0.0

    def finish(self, end: RunFinished, contract: Contract) -> None:
        """Take in its end. Its own metric counts where the program names no verification."""
        self.outcome, self.reason = end.outcome, end.reason
        self.seconds, self.cpu_seconds = end.seconds, end.cpu_seconds
        self.peak_memory, self.peak_gpu_memory = end.peak_memory, end.peak_gpu_memory
        self.gpu_others = end.gpu_others
        self.metrics, self.check = end.metrics, end.check
        self.stepping, self.touched = end.stepping, end.touched
        if contract.verify is None and end.check is None and end.outcome == Outcome.FINISHED:
            value = end.metrics.get(contract.metric)
            self.metric = value if value is not None and isfinite(value) else None

    def verify(self, found: Verified) -> None:
        """Take in what its verification found."""
        self.verified, self.metric, self.check = True, found.metric, found.check
        self.verify_seconds = found.seconds
        if found.check is not None:
            self.reason = found.reason


@dataclass(slots=True)
class Experiment:
    """One proposed change, its runs and its verdict. The baseline is experiment 0."""

    id: int
    researcher: str
    title: str
    hypothesis: str
    expected: str
    parent: int | None
    notes: dict[str, object]
    proposed_at: float
    proposed_seq: int = 0
    """Its place in the journal: this says what came first, since clocks may be set."""
    phase: Phase = "proposed"
    commit: str | None = None
    parent_commit: str | None = None
    lines_added: int = 0
    lines_removed: int = 0
    runs: dict[int, Run] = field(default_factory=dict)
    since_run: int = 0
    """Runs up to this number do not count: they were of another commit (it was rebased), or were put aside."""
    verdict: Outcome | None = None
    reason: str = ""
    metric: float | None = None
    effect: float | None = None
    noise: float | None = None
    confidence: float | None = None
    champion: int | None = None
    """The experiment it was measured against."""
    judged_by: str = ""
    judged_at: float | None = None
    judged_seq: int | None = None
    """Place of its verdict in the journal."""
    submitted: bool = False
    """A person made it and asked for it to be run."""
    waits_for: str = ""
    """Why a person is asked, while `phase` is "waiting"."""
    flags: tuple[str, ...] = ()
    """What a person should look at in its edit before it runs."""
    doubts: tuple[str, ...] = ()
    """What a person should look at in its number."""
    fingerprint: str = ""
    """Equal for experiments whose editable files differ in comments and layout only."""

    def counted(self) -> list[Run]:
        """Its runs that count towards a verdict: those of the present commit that have ended and are not lost."""
        return [
            run
            for run in self.runs.values()
            if run.number > self.since_run and run.outcome is not None and not run.outcome.is_lost
        ]

    def measured(self, protocol_id: str) -> list[float]:
        """Metrics of its counted runs under that protocol, in the order of the runs."""
        return [run.metric for run in self.counted() if run.metric is not None and run.protocol_id == protocol_id]

    def running(self) -> list[Run]:
        """Its runs that have not ended yet."""
        return [run for run in self.runs.values() if run.outcome is None]
