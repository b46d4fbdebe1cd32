"""What a run is to do on its machine, and what came of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from loop.runs.reading.wanted import Wanted
from loop.runs.waited import Curve, WaitedCurve
from loop.sandbox.confinement import Confinement
from loop.study.measure import Printed
from loop.study.outcomes import Outcome

_NOTHING = Wanted()


@dataclass(frozen=True)
class Redirected:
    """A file that the command line sends output to, which is read as if it were printed."""

    folder: Path
    path: str
    """Below `folder`, such as `logs/run.log`."""
    appends: bool = False


@dataclass(frozen=True)
class RunSpec:
    """Everything that a run needs to start."""

    argv: list[str]
    """The command, as from `environment.resolve_command`."""
    cwd: Path
    """The root of the experiment's worktree."""
    env: Mapping[str, str]
    """The whole environment, as from `environment.child_environment`."""
    log_dir: Path
    """Where the log goes. Not the run's own LOOPTOP_RUN_DIR, where it could replace the log by a link to any file."""
    deadline_s: float
    """Seconds from the start until everything is ended."""
    end_s: float = 0.0
    """Seconds from the start until a program that never stops is asked to: the end of its budget, and no failure; 0 for
    one that ends itself."""
    end_clock: Literal["wall", "cpu"] = "wall"
    """What `end_s` counts: seconds of the clock, or of processor time on each core that it may use."""
    nice: int = 0
    """How far it steps back behind the other processes of this machine; see nice(1)."""
    memory_cap: int = 0
    """Bytes that the whole tree may hold; 0 is no limit, here and below."""
    process_cap: int = 0
    """Processes that there may be at once."""
    file_cap: int = 0
    """Bytes that a file may have."""
    disk_cap: int = 0
    """Bytes that `folders` may hold together."""
    folders: tuple[Path, ...] = ()
    """Where the run can write."""
    given: tuple[str, str] = ("", "")
    """A variable, and the path of a file that the run is given open under the number that the variable says."""
    wanted: Wanted = _NOTHING
    """What its output is searched for."""
    results: tuple[Path, ...] = ()
    """Folders in which the file may be that `wanted` names; the first that has it counts."""
    confinement: Confinement | None = None
    """What it may reach; None: everything that its user can."""
    redirected: tuple[Redirected, ...] = ()
    cores: tuple[int, ...] = ()
    """Processors that it keeps to; none: it may use all."""


@dataclass(frozen=True)
class Lost:
    """Why a run says nothing of its experiment: the machine, or somebody else on it, kept it from its number."""

    reason: str
    believed: bool = True
    """It was seen from outside. False: it may also be the experiment's own doing."""
    passes: bool = True
    """It is over already, or its slot waits until it is. False: the next run may be lost by it too."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended and what it said and took."""

    outcome: Outcome
    reason: str
    """One sentence for anything but `finished`, where it is empty."""
    exit_code: int | None
    """Of the command itself; None when a signal ended it, or when it never started."""
    signal: int | None
    """The signal that ended the command itself."""
    seconds: float
    """Wall time from start to the end of the command itself."""
    cpu_seconds: float
    """CPU time of the whole tree, user and system, of every process that was waited for."""
    peak_memory: int
    """Bytes: the largest sum of resident memory over the tree (shared pages count once a process), looked at twice a
    second, or the largest single process, whichever is more. Never under the 10 MB of the process that starts it."""
    peak_gpu_memory: int | None
    """Bytes, from `LocalProcess.note_gpu_memory`; None where it was never known."""
    leftovers: int
    """Processes that outlived a command that had ended by itself, and were ended."""
    metrics: dict[str, float]
    """The summary that it printed, and the values of the names that it was asked for; NaN and infinity as such."""
    tail: str
    """The end of its output: at most 60 lines and 8,000 characters, safe to show."""
    waited: WaitedCurve | None = None
    """What it waited for others on its machine; None where that is not known."""
    computed: Curve | None = None
    """The processor time of all its processes; None where that is not known."""
    pressure: float | None = None
    """Share of its time in which anything on the machine waited for a processor; None where nobody counts."""
    slept: float = 0.0
    """Seconds that the machine was suspended while it ran."""
    clock_set: float = 0.0
    """Seconds by which somebody set the wall clock ahead while it ran; negative: back."""
    machine: bool = False
    """It crashed through a fault of the machine or of looptop, so it says nothing of the command."""
    lost: Lost | None = None
    """Why it may say nothing of its experiment. This and what follows is filled in by the executor."""
    gpu_others: int | None = None
    """Bytes that others held on its GPUs, at most; None where nobody can tell."""
    cores: int = 0
    """Processors that it could use."""
    touched: tuple[str, ...] = ()
    """Files of its worktree that it changed and no proposal may change."""
    opened: frozenset[str] | None = None
    """Editable files that it opened; None where nobody has looked, or can tell."""
    texts: dict[str, str] = field(default_factory=dict)
    """The last text, of 80 characters at most, under each name that the program requires or reports."""
    printed: Printed | None = None
    """How it printed the metric; None where it has none."""
    joules: float | None = None
    """Energy that its GPUs took; None where they do not tell."""
    missing: str = ""
    """Why it has no metric, in a sentence; empty where it has one."""


@dataclass(frozen=True)
class Tried:
    """What a short start came to."""

    result: RunResult
    values: Mapping[str, float]
    """The last of each value that it printed on its way."""

    def metric(self, name: str) -> float | None:
        """The number that it came to, on its way or at its end; None where there is none, or none that is finite."""
        value = self.result.metrics.get(name, self.values.get(name))
        return value if value is not None and math.isfinite(value) else None
