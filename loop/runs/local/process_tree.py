"""The tree of processes below a run: who is in it, what memory it holds, and how to end it whole.

On Linux a child subreaper inherits every orphan below it, so "below me" stays true of a daemon that double-forked and
called setsid. The warden loads this file before each run starts, so it imports only what a bare interpreter already
holds; psutil comes in lazily, where /proc has no lists of children (macOS, some old kernels).
It never signals the calling process itself.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # as typing's own, without the 3 ms that importing typing costs
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SIGKILL, SIGTERM = 9, 15  # by POSIX; `import signal` costs 5 ms, for its enums
SIGSTOP, SIGCONT = (19, 18) if sys.platform.startswith("linux") else (17, 19)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

SHELLS = frozenset({b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"fish", b"make"})

PAGE = os.sysconf("SC_PAGE_SIZE")
LISTS_CHILDREN = os.access("/proc/thread-self/children", os.R_OK)


def become_subreaper() -> bool:
    """Make this process inherit every orphan below it.

    Returns:
        False where the system has no such thing (anything but Linux): a daemon that leaves its group gets away there.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # 3 ms, and the only way to prctl

    refused: int = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return not refused


def children(pid: int) -> list[int]:
    """The direct children of a process, zombies included; none for a process that is gone."""
    if not LISTS_CHILDREN:
        return _psutil_children(pid)
    found: list[int] = []
    try:
        with os.scandir(f"/proc/{pid}/task") as threads:
            for thread in threads:  # each thread lists only the children that it forked itself
                found += map(int, read(f"{thread.path}/children").split())
    except OSError:
        pass  # ended while we looked: its children are someone else's now, and the next walk finds them there
    return found


def descendants(root: int) -> list[int]:
    """Every process below `root`, parents before their children, `root` itself left out.

    One look at a moving thing: what forks or changes parents meanwhile may be missing, so whoever must be sure looks
    again until nothing is found.
    """
    if not LISTS_CHILDREN:
        return _psutil_children(root, recursive=True)
    found: dict[int, None] = {}
    queue = [root]
    while queue:
        for pid in children(queue.pop(0)):
            if pid not in found:
                found[pid] = None
                queue.append(pid)
    return list(found)


def living(pids: Iterable[int]) -> list[int]:
    """Those that still run: neither gone nor a zombie that waits for its parent."""
    return [pid for pid in pids if _state(pid) not in ("", "Z", "X")]


def zombies(pids: Iterable[int]) -> list[int]:
    """Those that have ended and wait for their parent."""
    return [pid for pid in pids if _state(pid) == "Z"]


def resident_memory(pids: Iterable[int]) -> int:
    """Bytes of memory the processes hold together, shared pages counted once for each: an upper bound, and cheap."""
    if not LISTS_CHILDREN:
        return _psutil_memory(pids)
    pages = 0
    for pid in pids:
        fields = read(f"/proc/{pid}/statm").split()
        pages += int(fields[1]) if len(fields) > 1 else 0
    return pages * PAGE


def proportional_memory(pids: Iterable[int]) -> int:
    """Bytes of memory the processes hold together, shared pages counted once in all (the kernel's PSS).

    It walks page tables, tens of milliseconds for a process of 10 GB: for a decision, not for a gauge. A process whose
    maps cannot be read counts with its resident memory.
    """
    total = 0
    for pid in pids:
        for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) * 1024
                break
        else:
            total += resident_memory([pid])
    return total


def private_shared_memory(pids: Iterable[int]) -> int:
    """Bytes of files in the memory file systems of a mount namespace that some of the processes have to themselves.

    They are in nobody's resident memory. 0 where /dev/shm is the machine's own.
    """
    try:
        outside = os.stat("/dev/shm").st_dev  # noqa: PTH116 - pathlib takes 8 ms to import
    except OSError:
        return 0
    for pid in pids:
        try:
            inside = os.statvfs(place := f"/proc/{pid}/root/dev/shm")
            if os.stat(place).st_dev != outside:  # noqa: PTH116
                return (inside.f_blocks - inside.f_bfree) * inside.f_frsize
        except OSError:
            continue  # it is gone, or still on its way into the namespace
    return 0


def date_in(folders: Sequence[str]) -> float:
    """Now, by the clock that dates files, which may lie some milliseconds behind the others (epoch seconds)."""
    for folder in folders:
        try:
            os.utime(folder)
            return os.stat(folder).st_ctime  # noqa: PTH116
        except OSError:
            continue
    return 0.0


def written(folders: Iterable[str], since: float) -> tuple[int, int]:
    """The size of the largest file below `folders` that was changed since, and the bytes of all such on the disk.

    Args:
        since: as from `date_in`. Files are compared by the time that the system itself keeps, which nobody can set.
    """
    largest = together = 0
    waiting = list(folders)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    if found.st_ctime <= since:
                        continue
                    together += found.st_blocks * 512
                    if entry.is_file(follow_symlinks=False):
                        largest = max(largest, found.st_size)
        except OSError:
            continue  # removed while we looked
    return largest, together


def send(pids: Iterable[int], number: int) -> None:
    """Send one signal to each; a process that is gone, or another user's, is passed over."""
    for pid in pids:
        if pid > 1 and pid != os.getpid():
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                pass


def ask_to_end(pids: list[int]) -> None:
    """SIGTERM to each, and SIGCONT behind it, since a stopped process would hear of it only when it is continued."""
    send(pids, SIGTERM)
    send(pids, SIGCONT)


def ends_with_others(pid: int) -> bool:
    """Whether it ends by itself once others have: a shell that waits for what it has started (bubblewrap ends all of a
    run with its first process), or who reads a pipe, such as `tee`. False where the system does not tell."""
    try:
        reads = os.readlink(f"/proc/{pid}/fd/0").startswith("pipe:")  # noqa: PTH115 - pathlib takes 8 ms to import
    except OSError:
        reads = False
    return reads or read(f"/proc/{pid}/comm").strip() in SHELLS


def freeze_and_kill(walk: Callable[[], Iterable[int]], patience: float = 0.5) -> None:
    """SIGKILL everything that `walk` finds, frozen first so that nothing forks its way out between two looks.

    Args:
        walk: looks for the processes, anew at each call.
        patience: seconds after which it stops freezing and kills what it has; the caller looks again anyway.
    """
    frozen: dict[int, None] = {}
    until = time.monotonic() + patience
    while fresh := [pid for pid in walk() if pid not in frozen]:
        send(fresh, SIGSTOP)
        frozen.update(dict.fromkeys(fresh))
        if time.monotonic() > until:
            break
    send(frozen, SIGKILL)


def read(path: str) -> bytes:
    """A small file of /proc, whole; empty when the process is gone or not ours to look at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _state(pid: int) -> str:
    """The kernel's letter for what the process does; empty when it is gone."""
    if not LISTS_CHILDREN:
        return _psutil_state(pid)
    stat = read(f"/proc/{pid}/stat")
    return stat[stat.rfind(b")") + 2 :][:1].decode()  # the name before it is the process's own choice


def _psutil_children(pid: int, *, recursive: bool = False) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=recursive)]
    except psutil.Error:
        return []


def _psutil_state(pid: int) -> str:
    import psutil

    try:
        return "Z" if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else "R"
    except psutil.Error:
        return ""


def _psutil_memory(pids: Iterable[int]) -> int:
    import psutil

    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            pass
    return total
