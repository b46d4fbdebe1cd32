"""Who holds on to a journal, and how the stream is thinned out meanwhile. Looks only; ends nobody's process.

A reader that never ends its transaction keeps the WAL from starting anew, and then each commit makes it longer by all
the pages that it touches, some 20 kB for one word. Nothing may be dropped and nobody else's process ended, so what is
left is to commit less often: the longer the WAL, the more of the stream goes into one commit.
"""

import os
from pathlib import Path

WAL_USUAL = 16 << 20
"""Bytes up to which the WAL is nobody's fault: it starts anew after 4 MB, but not while somebody just reads."""

WAL_STEP = 4 << 20
"""Bytes by which it may grow until a flush waits twice as long: some 200 flushes."""

MOST_DOUBLINGS = 12
"""0.25 s become 17 minutes: under 2 MB a day, and still a sign of life."""

_WAL_LOCKS = range(120, 128)
"""Bytes of `-shm` that are locked by whoever writes, checkpoints or reads; who merely has the journal open locks the
next one. https://www.sqlite.org/walformat.html#locks"""

_LONGEST_COMMAND = 60


def flush_factor(wal: int) -> int:
    """How many times its usual time a piece of the stream may wait, with a WAL of so many bytes."""
    return 1 << min(MOST_DOUBLINGS, max(0, wal - WAL_USUAL + WAL_STEP - 1) // WAL_STEP)


def wal_size(path: Path) -> int:
    """Bytes of the journal's WAL; 0 where there is none."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return 0


def holding(path: Path) -> list[str]:
    """The other processes that keep the journal at `path` from moving on, such as `process 4242 (sqlite3 journal.db)`.

    Where the system lists its locks (Linux) exactly those that hold one; else all that have the file open, as far as
    this user may look.
    """
    found = _lockers(path)
    if found is None:
        found = _openers(path)
    return [_named(pid) for pid in sorted(found - {os.getpid(), 0})]


def _lockers(path: Path) -> set[int] | None:
    """Processes with a lock on the journal; None where the system does not list locks.

    Asked of a list, never of the files: whoever closes any descriptor of a database loses all of its locks on it.
    """
    shared = path.with_name(f"{path.name}-shm")
    place, wanted = (shared, _WAL_LOCKS) if shared.exists() else (path, None)  # with a WAL, all have a lock on the file
    try:
        inode = place.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    found = set()
    for line in lines:  # 3: POSIX  ADVISORY  READ 4242 00:2a:1313 123 123
        words = line.split()
        if len(words) != 8 or words[1] not in ("POSIX", "OFDLCK"):
            continue
        if int(words[5].rsplit(":", 1)[1]) == inode and _touches(wanted, words[6], words[7]):
            found.add(int(words[4]))
    return found


def _touches(wanted: range | None, first: str, last: str) -> bool:
    """Whether a lock from byte `first` to `last` (or `EOF`) is on one of the bytes; None: any will do."""
    return wanted is None or (int(first) <= wanted[-1] and (last == "EOF" or int(last) >= wanted[0]))


def _openers(path: Path) -> set[int]:
    import psutil  # 10 ms, and every screen comes by here

    found = set()
    for process in psutil.process_iter():
        try:
            if any(Path(file.path) == path for file in process.open_files()):
                found.add(process.pid)
        except (psutil.Error, OSError):
            continue  # somebody's whose files we may not see
    return found


def _named(pid: int) -> str:
    import psutil

    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        words = []
    said = " ".join(" ".join([Path(words[0]).name, *words[1:]]).split())[:_LONGEST_COMMAND] if words else ""
    return f"process {pid} ({said})" if said else f"process {pid}"
