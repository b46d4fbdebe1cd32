"""What can be wrong with a journal, as sentences for a person. Changes nothing.

SQLite says little about a disk: one code stands for a full quota, a file system that became read-only and a bad cable.
So on a mere "input/output error" a few bytes are written beside the journal, and the system says why.
"""

import errno
import os
import sqlite3
from pathlib import Path

from loop.errors import UserError

REBUILD = "nothing was changed; `looptop doctor --rebuild` saves what can be read and adds what git knows"
"""Ends the sentence of every damage."""

_PROBE = 256 << 10
"""Bytes to write in that probe: a transaction with all its pages, and the shared memory beside it."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class JournalError(UserError):
    """The journal cannot be used; the message is a sentence for a person."""


class JournalFull(JournalError):
    """The disk is full. Nothing was written; the same can be tried again."""


class JournalBusy(JournalError):
    """Another program holds the write lock. Nothing was written; the same can be tried again."""


class JournalDamaged(JournalError):
    """The content of the file is not what was written."""


def told(error: sqlite3.Error, path: Path, doing: str) -> JournalError:
    """The sentence for an error of SQLite about the journal at `path`.

    Args:
        doing: what was attempted, such as "written".
    """
    extended = getattr(error, "sqlite_errorcode", None) or 0  # None where Python itself refused, such as a bad value
    code = extended & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return full(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return JournalBusy(
                f"another program holds {path} and lets nobody write; end it (`lsof {path}` lists who has it open)"
            )
        case sqlite3.SQLITE_CORRUPT:
            return damaged(path, _cut_off(path) or str(error))
        case sqlite3.SQLITE_NOTADB:
            return damaged(path, "it does not begin as a journal does")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
            return _of_the_disk(error, path, doing)
    return JournalError(f"{path} cannot be {doing}: {error}")


def full(path: Path) -> JournalFull:
    """The disk is full."""
    return JournalFull(f"the disk of {path} is full, so the journal takes nothing more; free some space")


def damaged(path: Path, what: str) -> JournalDamaged:
    """The file is damaged; `what` says how."""
    return JournalDamaged(f"{path} is damaged: {what}; {REBUILD}")


def read_only(path: Path) -> str:
    """Why nothing can be written at `path` although it can be read, or "" where it can."""
    if all(os.access(place, os.W_OK) for place in (path.parent, path) if place.exists()):
        return ""
    if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
        return f"{path} is on a read-only file system"
    return f"{path} may not be written by this user"


def _of_the_disk(error: sqlite3.Error, path: Path, doing: str) -> JournalError:
    found = _try_to_write(path)
    if found is not None and found.errno in _NO_ROOM:
        return full(path)
    if (why := read_only(path)) or (found is not None and found.errno == errno.EROFS):
        why = why or f"{path} is on a file system that has become read-only"
        return JournalError(f"{why}, so nothing can be {doing}; what it holds is safe")
    reason = str(error) if found is None or found.strerror is None else found.strerror
    return JournalError(f"{path} cannot be {doing}: {reason}; what it holds stays as it is")


def _try_to_write(path: Path) -> OSError | None:
    """What the system says when something is written beside the journal; None where it takes it."""
    beside = path.with_name(f"{path.name}.try")
    try:
        with beside.open("wb") as file:
            file.write(bytes(_PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    finally:
        try:
            beside.unlink(missing_ok=True)
        except OSError:
            pass  # then it was not made either
    return None


def _cut_off(path: Path) -> str:
    """How much is missing at the end of the file, where its own header says that something is."""
    try:
        header = os.pread(os.open(path, os.O_RDONLY), 100, 0)  # left open: see `connect._look`
        size = path.stat().st_size
    except OSError:
        return ""
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    page = 65536 if page == 1 else page
    if len(header) < 100 or not page or size >= page * pages:
        return ""
    return f"{page * pages - size:,} of its {page * pages:,} bytes are cut off at the end"
