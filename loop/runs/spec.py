"""What a run is to do on its machine, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loop.runs.local.exit_reason import Outcome
from loop.sandbox.confinement import Confinement


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
    confinement: Confinement | None = None
    """What it may reach; None: everything that its user can."""


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
    """The summary that it printed; NaN and infinity as such."""
    tail: str
    """The end of its output: at most 60 lines and 8,000 characters, safe to show."""
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
    touched: tuple[str, ...] = ()
    """Files of its worktree that it changed and no proposal may change."""
