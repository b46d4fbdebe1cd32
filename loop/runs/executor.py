"""What the loop asks of a kind of place where runs happen: this machine, or others.

A `Job` names commits and the program, and no path of any machine: the worktree, the folders, the environment and the
sandbox are made on the machine that runs it. An executor never reads the journal, the study or git by itself, judges
nothing, and raises nothing but `MachineFault`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from loop.errors import UserError
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study.contract import Contract
from loop.study.readings import GaugeRead, RunGauge

Report = Callable[[str, float], None]
"""Says what a slot waits for, and in how many seconds it looks again; an empty text when it waits no longer."""


class MachineFault(UserError):
    """A machine did not do its part: a worktree or a folder could not be made, looked at or removed."""

    def __init__(self, cause: UserError | OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class NodeFault(MachineFault):
    """The same of another machine than the loop's: nothing is wrong here, and the loop goes on without it."""


@dataclass(frozen=True)
class Job:
    """One run of an experiment, the verification of one, which needs what the run has left, or a short start to try
    something out, of which nothing is kept: the study's setup ("try"), or a draft ("scratch", which makes way for
    runs)."""

    experiment: int
    run: int
    kind: Literal["run", "verify", "try", "scratch"]
    commit: str
    """The experiment's commit."""
    base: str
    """The study's first commit: a verification takes from it all but the experiment's editable files."""
    contract: Contract
    """The program in force: the command, the editable files, the budget, the limits, and what a run reads."""
    seed: int
    deadline: float
    """Seconds from the start until everything is ended."""
    usual_others: int = 0
    """Bytes that others held on the GPUs beside the champion's runs, and that say nothing against a run of today."""
    sealed: bool = False
    """A verification on the sealed part of the data: it has folders and a log of its own."""
    instead: Mapping[str, bytes] = field(default_factory=dict)
    """What files of the worktree hold in the place of what the commit has."""

    @property
    def run_name(self) -> str:
        """The run as a person knows it, such as "12.1"."""
        return f"{self.experiment}.{self.run}"

    @property
    def name(self) -> str:
        """The same, told apart from its verification."""
        return self.run_name if self.kind == "run" else f"{self.run_name}.{'sealed' if self.sealed else self.kind}"


class RunListener(Protocol):
    """Whoever follows a run while it goes on. Called in the event loop."""

    def sampled(self, samples: Sequence[Sample]) -> None:
        """Take what the run printed of its progress, twice a second at most."""


class AdoptedListener(RunListener, Protocol):
    """Whoever follows a run that an earlier supervisor has started."""

    def recalled(self, samples: Sequence[Sample]) -> None:
        """Take what it printed of its progress before, as far as the earlier supervisor had heard it."""


Listen = Callable[[Job, Slot], AdoptedListener | None]
"""Who is to follow a run that is offered with its job and its slot; None: it is not to go on."""


class RunHandle(Protocol):
    """One run that was started."""

    job: Job
    slot: Slot
    ref: str
    """Its name with its executor for ever, such as "local:4711@1767225600.25"; it is on record."""
    pid: int
    pid_started: float
    """The process that keeps it and when that was created; 0 where it is another machine's."""

    async def wait(self) -> RunResult:
        """How it ended, once no process of it is left and what nobody needs again is removed.

        Raises:
            MachineFault: what it left cannot be looked at.
        """
        ...

    def stop(self, by: str) -> None:
        """End all of it, as `by` asks; one that is ending already goes on ending as it was."""

    def gauge(self) -> RunGauge:
        """What it holds now, as last looked at."""
        ...

    async def close(self) -> None:
        """Remove its worktree, once its end is on record.

        Raises:
            MachineFault: something in it cannot be removed.
        """


class Executor(Protocol):
    """A kind of place where runs happen."""

    name: str

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of its slots, such as a GPU that none of them uses; a sentence each."""
        ...

    def slots(self) -> Sequence[Slot]:
        """Where runs can happen now."""
        ...

    async def ready(self, slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        """Wait until a run can start in `slot`, as long as it takes.

        Args:
            need: bytes of GPU memory that a run takes, by those of the champion; None where that is not known.
            report: hears what is waited for, and when that is over.
        """

    async def start(self, job: Job, slot: Slot, listener: RunListener) -> RunHandle:
        """Start a run. A command that cannot be started is a run that has crashed.

        Raises:
            MachineFault: there is no worktree or no folder for it; nothing is left then.
        """
        ...

    async def adopt(self, refs: Collection[str], listen: Listen) -> Sequence[RunHandle]:
        """Take over the runs of those names that an earlier supervisor has started, once at each start.

        Whatever else such a supervisor has left, and what nobody listens to, is ended.

        Returns:
            Those that go on, or have ended meanwhile and wait to be heard; the others are lost.
        """
        ...

    async def sweep(self) -> Sequence[str]:
        """End what earlier supervisors left behind; returns the command lines of what was found."""
        ...

    def observe(self, reading: GaugeRead) -> GaugeRead:
        """Take note of this machine's gauges, for the runs on it; returns them with its runs named on the GPUs."""
        ...

    async def close(self) -> None:
        """Let go of everything but the runs, which are stopped before that."""
