"""An experiment and its runs, as the events of a journal amount to them: filled in by `state`, read by all."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from loop.study.contract import Contract
from loop.study.curves import RunCurve
from loop.study.events import (
    ExperimentJudged,
    ExperimentProposed,
    ExperimentQueued,
    RunAdopted,
    RunCondemned,
    RunFinished,
    RunStarted,
    Verified,
    Waited,
)
from loop.study.measure import Printed
from loop.study.outcomes import Outcome

CLASH = "clash"
"""Who ends an experiment that does not go together with a new champion: it is rejected, or discarded if it has run."""

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
    waited: Waited | None = None
    """What others on its machine took from it; None where that is not known."""
    peak_memory: int = 0
    peak_gpu_memory: int | None = None
    gpu_others: int | None = None
    """Bytes that others held on its GPUs, at most; None where that is not known."""
    metrics: dict[str, float] = field(default_factory=dict)
    printed: Printed | None = None
    """How it printed its own metric; None where it has none, and in journals from before this was kept."""
    last_line: str = ""
    """The last line of its output, where it did not finish."""
    texts: dict[str, str] = field(default_factory=dict)
    """What it said in words under the names that the program requires or reports."""
    verified: bool = False
    """A verification has ended, whatever it found."""
    metric: float | None = None
    """The number that counts: the verified one, or the run's own where the program names no verification."""
    check: str | None = None
    """Name of the check that the run or its verification failed."""
    stepping: float = 0.0
    """Seconds from the first step line to the last."""
    computing: float | None = None
    """Processor seconds between them, per core; None where that is not known."""
    cores: int = 0
    """Processors that it could use; 0 where that is not known."""
    clock: Literal["wall", "cpu"] = "wall"
    """What its budget counts."""
    touched: tuple[str, ...] = ()
    """Tracked files that it changed and no proposal may change."""
    verify_seconds: float = 0.0
    device: str = ""
    """The kind of its slot, such as "NVIDIA H100 80GB HBM3"; empty where that is not known."""
    slot_name: str = ""
    alone: bool = False
    """As in `RunStarted`, like the next."""
    validates: int = 0
    row: int = 0
    rung: str = ""
    also: tuple[int, ...] = ()
    steps: int = 0
    company: float | None = None
    """As in `RunFinished`."""
    verify_waited: float = 0.0
    gpus: float | None = None
    """GPUs that it had, as in `RunStarted`."""
    joules: float | None = None
    """Energy of its GPUs, verification included, as far as they told it."""
    curve: RunCurve | None = None
    """As in `RunFinished`."""
    ref: str = ""
    """Its name with its executor."""
    condemned: RunCondemned | None = None
    """That it was held for hopeless while it ran."""

    def adopt(self, adopted: RunAdopted) -> None:
        """Take in that another supervisor looks after it."""
        self.slot, self.slot_name = adopted.slot, adopted.slot_name
        self.also = adopted.also

    @property
    def slots(self) -> int:
        """How many slots it takes."""
        return 1 + len(self.also)

    @property
    def serves(self) -> Literal["", "attribution", "climbing", "validation"]:
        """What it is for that counts for nothing else; empty: for its experiment."""
        if self.row:
            return "attribution"
        return "climbing" if self.rung else "validation" if self.validates else ""

    @property
    def had(self) -> float:
        """Share of its time in which others did not keep it from the processors; 1 where that is not known."""
        return 1 - self.waited.total / self.seconds if self.waited is not None and self.seconds else 1.0

    def finish(self, end: RunFinished, contract: Contract) -> None:
        """Take in its end. Its own metric counts where the program names no verification."""
        self.outcome, self.reason = end.outcome, end.reason
        self.seconds, self.cpu_seconds, self.waited = end.seconds, end.cpu_seconds, end.waited
        self.peak_memory, self.peak_gpu_memory = end.peak_memory, end.peak_gpu_memory
        self.gpu_others = end.gpu_others
        self.metrics, self.texts, self.check = end.metrics, end.texts, end.check
        self.printed = end.printed
        self.last_line = next((line.strip() for line in reversed(end.tail.splitlines()) if line.strip()), "")[:500]
        self.stepping, self.touched = end.stepping, end.touched
        self.computing, self.cores = end.computing, end.cores
        self.steps, self.company, self.curve = end.steps, end.company, end.curve
        self.joules = end.joules
        if contract.verify is None and end.check is None and end.outcome == Outcome.FINISHED:
            value = end.metrics.get(contract.metric)
            self.metric = value if value is not None and isfinite(value) else None

    def verify(self, found: Verified) -> None:
        """Take in what its verification found."""
        self.verified, self.metric, self.check = True, found.metric, found.check
        self.verify_seconds, self.verify_waited = found.seconds, found.waited or 0.0
        self.metrics, self.texts = self.metrics | found.metrics, self.texts | found.texts
        if self.joules is not None and found.joules is not None:
            self.joules += found.joules
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
    change: str = ""
    """What kind of change it is, see `policy/changes`."""
    schedule: bool = False
    """As in `ExperimentQueued`."""
    asked: bool = False
    """It was discarded, and ran again to tell how alike runs under one seed are; see `policy/pairs`."""
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
    imported: bool = False
    """Another loop's, from before it was adopted: its number is that loop's word, and it never ran here."""
    waits_for: str = ""
    """Why a person is asked, while `phase` is "waiting"."""
    flags: tuple[str, ...] = ()
    """What a person should look at in its edit before it runs."""
    doubts: tuple[str, ...] = ()
    """What a person should look at in its number."""
    places: tuple[str, ...] = ()
    """The constants, functions and methods that it touches."""
    seal: str = ""
    """As in `ExperimentProposed`."""
    parts: tuple[int, ...] = ()
    """Discarded experiments whose changes it brings together."""
    lesson: str = ""
    """What its result taught, in the words of a researcher; empty until one has said it."""
    note: str = ""
    """What a person has noted on it; empty where nobody has."""
    noted_by: str = ""
    fingerprint: str = ""
    """Equal for experiments whose editable files differ in comments and layout only."""

    @classmethod
    def begun(cls, number: int, proposed: ExperimentProposed, at: float, seq: int) -> "Experiment":
        """One that has just been proposed."""
        return cls(
            id=number,
            researcher=proposed.researcher,
            title=proposed.title,
            hypothesis=proposed.hypothesis,
            expected=proposed.expected,
            parent=proposed.parent,
            notes=proposed.notes,
            proposed_at=at,
            proposed_seq=seq,
            submitted=proposed.submitted,
            imported=proposed.imported,
            fingerprint=proposed.fingerprint,
            places=proposed.places,
            parts=proposed.parts,
            seal=proposed.seal,
        )

    def queue(self, queued: ExperimentQueued) -> None:
        """Take in that it is a commit and waits for a slot: what ran before was of another commit."""
        self.phase, self.verdict = "queued", None
        self.judged_at = self.judged_seq = None
        self.since_run = max(self.runs, default=0)
        self.commit, self.parent_commit, self.parent = queued.commit, queued.parent_commit, queued.parent
        self.lines_added, self.lines_removed = queued.lines_added, queued.lines_removed
        self.flags, self.doubts = queued.flags, ()
        self.change, self.schedule = queued.change, queued.schedule
        self.title = queued.title or self.title

    def start(self, started: RunStarted, number: int, at: float) -> None:
        """Take in that a run of it has started."""
        if self.verdict is None:  # what is measured again after its verdict stays judged
            self.phase = "running"
        self.asked |= self.verdict == Outcome.DISCARDED and not started.validates
        self.runs[number] = Run(
            number=number,
            seed=started.seed,
            slot=started.slot,
            budget=started.budget,
            deadline=started.deadline,
            protocol_id=started.protocol_id,
            started_at=at,
            pid=started.pid,
            pid_started=started.pid_started,
            device=started.device,
            clock=started.clock,
            slot_name=started.slot_name,
            alone=started.alone,
            gpus=started.gpus,
            validates=started.validates,
            row=started.row,
            rung=started.rung,
            also=started.also,
            ref=started.ref,
        )

    def judge(self, judged: ExperimentJudged, at: float, seq: int) -> None:
        """Take in its verdict."""
        self.phase, self.verdict, self.reason = "judged", judged.verdict, judged.reason
        self.metric, self.effect = judged.metric, judged.effect
        self.noise, self.confidence = judged.noise, judged.confidence
        self.champion, self.judged_by = judged.champion, judged.by
        self.judged_at, self.judged_seq = at, seq
        self.doubts = judged.flags

    def between(self) -> tuple[str, str] | None:
        """The two commits that its change lies between; None where it is no commit that git may have."""
        before, after = self.parent_commit, self.commit
        if self.imported:
            before, after = (str(self.notes.get(key) or "") for key in ("parent_commit", "commit"))
        return (before, after) if before and after else None

    @property
    def clashed(self) -> bool:
        """It changes lines that a champion since has changed: nobody's result, so no experiment is used up."""
        return self.verdict == Outcome.REJECTED and self.judged_by == CLASH

    @property
    def doubted(self) -> bool:
        """It has run, and a person is asked whether its number is to be believed."""
        return self.phase == "waiting" and bool(self.counted())

    def own(self) -> list[Run]:
        """Its runs for itself, whatever has come of them. Those of an ablation are of other files, those of a climb on
        another scale, and those of a validation say nothing of what it took to find it."""
        return [run for run in self.runs.values() if not run.serves]

    @property
    def newest(self) -> Run | None:
        """The newest of those; None until it has run."""
        return next(reversed(self.own()), None)

    def counted(self) -> list[Run]:
        """Its runs that count towards a verdict: those of the present commit that have ended and are not lost. One
        that was to be alone counts where it failed: its number says something else. Those of a validation, an ablation
        or a climb do not."""
        return [
            run
            for run in self.own()
            if run.number > self.since_run
            and run.outcome is not None
            and not run.outcome.is_lost
            and not (run.alone and run.metric is not None)
        ]

    def validating(self, validation: int) -> list[Run]:
        """Its runs for the validation, ablation or climb that began at that place in the journal, under way or ended;
        without the lost."""
        runs = (run for run in self.runs.values() if run.validates == validation)
        return [run for run in runs if run.outcome is None or not run.outcome.is_lost]

    @property
    def stopped_at(self) -> RunCondemned | None:
        """Where its curve was when its run was stopped early; None where none was."""
        stopped = (run.condemned for run in self.counted() if run.outcome == Outcome.STOPPED_EARLY)
        return next(stopped, None)

    def values(self) -> dict[str, float | str]:
        """What its counted runs printed: the mean of each number that all of them have, and the newest run's words."""
        runs = [run for run in self.counted() if run.metrics or run.texts]
        if not runs:
            return {}
        numbers = [run.metrics for run in runs]
        shared = [name for name in numbers[-1] if all(name in one for one in numbers)]
        words = {name: text for name, text in runs[-1].texts.items() if name not in shared}
        return {name: sum(one[name] for one in numbers) / len(numbers) for name in shared} | words

    def measured(self, protocol_id: str, kind: str = "") -> list[float]:
        """Metrics of its counted runs under that protocol, in the order of the runs.

        Args:
            kind: of the slots that they were in; empty: any.
        """
        runs = (run for run in self.counted() if not kind or run.device in ("", kind))
        return [run.metric for run in runs if run.metric is not None and run.protocol_id == protocol_id]

    def running(self) -> list[Run]:
        """Its runs that have not ended yet."""
        return [run for run in self.runs.values() if run.outcome is None]
