"""Runs that say nothing of their experiment, because the machine or somebody else on it got in their way. Pure.

A lost run is run again with its own seed, and does not count. So a run must not be able to bring its own loss about for
ever: what only its output tells, or what it could have done to its own folders, is believed `BELIEVED` times an
experiment, and counts as a crash after that.
"""

import re
from dataclasses import dataclass

from loop.runs.local.gpus import NOTHING, NOTHING_SEEN, Look, gib
from loop.runs.local.out_of_memory import Shortage, said
from loop.runs.output import crash_line
from loop.runs.spec import Lost, RunResult
from loop.study.outcomes import Outcome
from loop.words import duration, size

BELIEVED = 2

MANY = 1 << 30
"""Bytes held by others that count as the reason where a run does not say how much it asked for."""

NO_ROOM = 64 << 20
"""Bytes left on a disk that is full; file systems keep some back, so it is seldom 0."""

SHARE_OF_BUDGET = 0.01
"""Share of the budget that a clock may be wrong by before what was trained in it cannot be compared."""

# Of CUDA's errors those that no kernel or allocation of a program's own brings about.
_GPU_TROUBLE = re.compile(
    r"no CUDA-capable device is detected|CUDA-capable device\(s\) is/are busy or unavailable|GPU is lost"
    r"|fallen off the bus|uncorrectable ECC error|uncorrectable NVLink error|CUDA (?:error: )?unknown error"
    r"|CUDA driver initialization failed|[Dd]river/library version mismatch|system not yet initialized"
    r"|No CUDA GPUs are available|no NVIDIA driver on your system"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|\[Errno (?:28|122)\]|database or disk is full")


@dataclass(frozen=True)
class Around:
    """What was seen around one run of a machine. Seconds and bytes."""

    slot: str
    budget: float
    before: Look = NOTHING_SEEN
    after: Look = NOTHING_SEEN
    others: int | None = None
    """What others held on its GPUs at most while it ran; None where nobody could tell."""
    usual_others: int = 0
    """What others held beside the champion's runs."""
    disk_free: int = NO_ROOM
    tree_there: bool = True
    folder_there: bool = True


def lost(result: RunResult, around: Around) -> Lost | None:
    """Why a run says nothing of its experiment, where that is so.

    A run that came to its end is lost for one thing only, a clock that lied to it: whatever else happened did not keep
    it from its number.
    """
    if result.outcome == Outcome.KILLED:
        return None
    if why := _clock(result, around.budget):
        return Lost(why)
    if result.outcome == Outcome.FINISHED:
        return None
    if around.after.gone and not around.before.gone:
        return Lost(f"{around.slot} stopped answering while it ran")
    if why := _taken(result, around):
        return Lost(why)
    said_last = crash_line(result.tail)
    if _NO_SPACE.search(result.tail) and around.disk_free < NO_ROOM:
        return Lost(f"the disk was full, and not by its doing: {size(around.disk_free)} are left", passes=False)
    if not around.folder_there:
        return Lost("its folder in .looptop/runs was deleted while it ran", believed=False, passes=False)
    if not around.tree_there:
        return Lost("its worktree in .looptop/trees was deleted while it ran", believed=False, passes=False)
    if found := _GPU_TROUBLE.search(said_last):
        return Lost(f"{around.slot} failed ({found[0]})", believed=False, passes=False)
    return Lost(result.reason, passes=False) if result.machine else None


def others_held(result: RunResult, around: Around) -> int:
    """Bytes that others held on a run's GPUs when it ran out of memory there, by whoever saw the most of it."""
    found = _shortage(result)
    told = sum(size for _, size in found.others) if found is not None else 0
    return max(around.others or 0, around.after.others, told)


def _shortage(result: RunResult) -> Shortage | None:
    if result.outcome != Outcome.OUT_OF_MEMORY:
        return None
    found = said(result.tail, result.exit_code or -(result.signal or 0))
    return found if found is not None and found.memory == "GPU" else None


def _taken(result: RunResult, around: Around) -> str:
    """Whether a run would have had its GPU memory but for others who were not there in the champion's runs."""
    found = _shortage(result)
    if found is None:
        return ""
    extra = others_held(result, around) - around.usual_others
    if extra <= NOTHING:
        return ""
    if found.asked is not None and found.used is not None and found.total is not None:
        enough = found.asked <= found.total - found.used + extra
    else:
        enough = extra >= MANY
    if not enough:
        return ""
    return f"others took {gib(extra)} of {around.slot}'s memory from it ({around.after.whose})"


def _clock(result: RunResult, budget: float) -> str:
    most = max(1.0, SHARE_OF_BUDGET * budget)
    if result.slept >= most:
        return f"the machine was suspended for {duration(result.slept)} while it ran"
    if abs(result.clock_set) >= most:
        way = "ahead" if result.clock_set > 0 else "back"
        return f"the machine's clock was set {way} by {duration(abs(result.clock_set))} while it ran"
    return ""
