"""Whether a run ended because memory ran out, whose memory that was, and how much of it was in use.

What can say so, surest first: the run's own limit (`warden`); the kernel, by a SIGKILL that nobody here has sent while
its count of such kills rose; and what the run's own library said last. Only of a run that has failed: one that catches
the error and goes on has not run out. Pure but for the two looks at the kernel's counts.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from loop.runs.local.exit_reason import REASON_CHARS, Ending
from loop.runs.output import crash_line

NEARLY_ALL = 0.7
"""Share of the machine's memory from which a SIGKILL that is not the kernel's is taken for earlyoom's or the like."""

_UNITS = {"B": 1, "bytes": 1}
_UNITS |= {f"{letter}iB": 1 << 10 * power for power, letter in enumerate("KMGT", 1)}
_UNITS |= {f"{letter}B": 1 << 10 * power for power, letter in enumerate("KMGT", 1)}  # what torch means on Apple's GPUs

_SIZE = r"([\d.]+) ?((?:[KMGT]i?)?B|bytes)\b"
# PyTorch on CUDA, ROCm, Intel and Apple, whatever the exception is called; then the drivers, and other libraries.
_GPU = re.compile(
    r"\b(?:CUDA|HIP|XPU|MPS backend|NPU) out of memory|(?:CUDA|HIP) error: out of memory|\bOutOfMemoryError\b"
    r"|cudaErrorMemoryAllocation|hipErrorOutOfMemory|CUDA_ERROR_OUT_OF_MEMORY|(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED"
    r"|RESOURCE_EXHAUSTED: .*[Oo]ut of memory|\bOOM when allocating tensor"
)
_MAIN = re.compile(
    r"\b(?:_Array)?MemoryError\b|std::bad_alloc|DefaultCPUAllocator: (?:can't allocate|not enough) memory"
    r"|Cannot allocate memory|out of shared memory|heap out of memory|memory allocation of \d+ bytes failed"
    r"|runtime: out of memory"
)
_ASKED = re.compile(rf"(?:[Tt]ried to allocate|trying to allocate|allocate) {_SIZE}")
# "has a total capacity of 79.33 GiB of which 1.19 GiB is free", its misspelling of old, and "(GPU 0; 79.33 GiB total
# capacity; 76.50 GiB already allocated; 1.19 GiB free; ...)" before that.
_CAPACITY = re.compile(
    rf"total capac(?:i)?ty of {_SIZE} of which {_SIZE} is free|{_SIZE} total capacity;.*?{_SIZE} free"
)
_APPLE = re.compile(rf"MPS allocated: {_SIZE}, other allocations: {_SIZE}, max allowed: {_SIZE}")
_OTHERS = re.compile(rf"Process (\d+) has {_SIZE} memory in use")
# What stands above a process that ran out says only that one has ended.
_LAUNCHER = re.compile(
    r"ChildFailedError|ProcessExitedException|BrokenProcessPool|exited unexpectedly|SIGABRT|Signal 6"
)
_KILLED = re.compile(r"^Killed$|signal: Killed|SIGKILL|Signal 9\b", re.MULTILINE)


@dataclass(frozen=True)
class Shortage:
    """What a library said when it got no more memory. Bytes; None where it did not say."""

    memory: Literal["GPU", "main"]
    line: str
    """The line that says so."""
    asked: int | None = None
    used: int | None = None
    """In use on that GPU, by whomever."""
    total: int | None = None
    others: tuple[tuple[int, int], ...] = ()
    """Process id and bytes of others on that GPU, as the library names them."""


def kernel_kills() -> tuple[int, ...]:
    """How often the kernel has ended a process because memory ran out: on this machine, and in our memory cgroup.

    Only a rise between two looks means anything; empty where the system does not count.
    """
    found = [_count(Path("/proc/vmstat"))]
    try:
        memberships = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        memberships = []
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if not controllers:
            found.append(_count(Path(f"/sys/fs/cgroup{path}/memory.events")))
        elif "memory" in controllers.split(","):
            found.append(_count(Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control")))
    return tuple(count for count in found if count is not None)


def said(tail: str, code: int) -> Shortage | None:
    """What the end of a failed run's output says of memory that ran out; None where it says nothing of it.

    Args:
        code: exit code of the command; negative: the signal that ended it.
    """
    last = crash_line(tail)
    # C++ that aborts says it before the fault handler's lines, a worker before its launcher's.
    lines = tail.splitlines() if code in (-6, 134) or _LAUNCHER.search(tail) else [last]
    for line in reversed(lines):
        if _GPU.search(line):
            return _of_gpu(line.strip())
        if _MAIN.search(line):
            return Shortage("main", line.strip(), _first(_ASKED, line))
    return None


def ran_out(ending: Ending, tail: str, rose: bool | None, total: int | None = None) -> str:
    """A sentence with what was used, where memory ran out on a command that nobody here has ended; else nothing.

    Args:
        rose: whether the kernel has ended anything for memory meanwhile; None where that is not known.
        total: bytes of main memory that there are; looked up where it is not given.
    """
    code = ending.code or 0
    if code == 0:
        return ""
    total = total or psutil.virtual_memory().total
    held = f"{_gb(ending.peak)} GB"
    killed = code in (-9, 128 + 9)
    if rose and (killed or _KILLED.search(tail)):
        return f"ran out of memory: it used {held}, and the kernel ended it (the machine has {_gb(total)} GB)"
    if killed and rose is not None and ending.peak >= NEARLY_ALL * total:
        return f"ran out of memory: it used {held} of the machine's {_gb(total)} GB, and something ended it by SIGKILL"
    found = said(tail, code)
    if found is None:
        return ""
    if found.memory == "main":
        return f"ran out of memory: it used {held} when it got no more ({found.line})"[:REASON_CHARS]
    return gpu_sentence(found)


def gpu_sentence(found: Shortage) -> str:
    """What a GPU's memory was in use for when it ran out, in the units that its own tools show."""
    asked = "" if found.asked is None else f" when it asked for {_gib(found.asked)} GiB more"
    if found.used is None or found.total is None:
        return f"ran out of GPU memory{asked}" if asked else f"ran out of GPU memory: {found.line}"[:REASON_CHARS]
    whose = "".join(f", {_gib(held)} GiB of it by process {pid}" for pid, held in found.others[:3])
    return f"ran out of GPU memory: {_gib(found.used)} of {_gib(found.total)} GiB were in use{whose}{asked}"


def _of_gpu(line: str) -> Shortage:
    used = total = None
    if found := _CAPACITY.search(line):
        sizes = [part for part in found.groups() if part is not None]
        total = _bytes(sizes[0], sizes[1])
        used = max(0, total - _bytes(sizes[2], sizes[3]))
    elif found := _APPLE.search(line):
        used = _bytes(found[1], found[2]) + _bytes(found[3], found[4])
        total = _bytes(found[5], found[6])
    others = tuple((int(pid), _bytes(size, unit)) for pid, size, unit in _OTHERS.findall(line))
    return Shortage("GPU", line, _first(_ASKED, line), used, total, others)


def _first(pattern: re.Pattern[str], line: str) -> int | None:
    found = pattern.search(line)
    return _bytes(found[1], found[2]) if found else None


def _bytes(size: str, unit: str) -> int:
    try:
        return int(float(size) * _UNITS[unit])
    except ValueError:  # "1.2.3": a stranger's line
        return 0


def _count(path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        pass  # no such file here, or none of ours to read
    return None


def _gb(size: float) -> str:
    return f"{size / 1e9:.3g}"


def _gib(size: float) -> str:
    return f"{size / 1024**3:.1f}" if size >= 1 << 29 else f"{size / 1024**3:.2g}"
