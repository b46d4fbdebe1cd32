"""Opening a journal: for writing by a supervisor, for reading wherever it can be read at all.

Reading never changes a journal that must not change: on a read-only file system it needs no file beside it, and if an
unfinished WAL lies there, it reads a temporary copy.
"""

import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from loop.journal import schema
from loop.journal.errors import REBUILD, JournalError, damaged, read_only, told
from loop.journal.filesystem import lies_remote

PATIENCE = 10.0
"""Seconds to wait for another process's transaction; an append takes milliseconds."""

_WAL_KEPT = 4 << 20
"""Bytes that an emptied WAL keeps, so that it need not grow again: what a WAL has when it starts anew."""


@dataclass
class Opened:
    """An open journal file."""

    db: sqlite3.Connection
    refusal: str = ""
    """Why nothing can be appended, in a sentence; empty where it can."""
    newer: bool = False
    """A newer looptop wrote it, so some of it may mean nothing to this one."""


def exists(path: Path) -> bool:
    """Whether there is a journal at `path`, in whatever state.

    Raises:
        JournalError: it is gone, and has left a WAL behind that belongs to no other.
    """
    if os.path.lexists(path):
        return True
    wal = path.with_name(f"{path.name}-wal")
    try:
        left = wal.stat().st_size
    except OSError:
        return False
    if left:
        raise JournalError(
            f"{path} is gone, and the newest events of its study are still in {wal.name} beside it; put the file back, "
            f"or {REBUILD.partition('; ')[2]}"
        )
    return False


def open_for_writing(path: Path) -> Opened:
    """Open the journal for a supervisor: make it where there is none, migrate an older one.

    Raises:
        JournalError: it cannot be written to.
    """
    if not exists(path):
        if why := read_only(path):
            raise JournalError(f"{why}, so no study can begin there")
        try:
            schema.make(path)
        except (sqlite3.Error, OSError) as error:
            raise _cannot(error, path, "made") from error
    _look(path)
    if why := read_only(path):
        raise JournalError(f"{why}, so no loop can work there; `looptop status`, `attach` and `show` can look")
    remote = lies_remote(path)
    db = _connect(path, "rw")
    try:
        if remote:
            db.execute("PRAGMA locking_mode=EXCLUSIVE")  # so that a WAL is read without shared memory
        version = _version(db, path)
        if version > schema.VERSION:
            raise JournalError(f"{path} was written by a newer looptop (layout {version}); update looptop")
        _set_mode(db, "delete" if remote else "wal")
        if version < schema.VERSION:
            schema.migrate(db, path, version)
    except (sqlite3.Error, OSError) as error:
        db.close()
        raise _cannot(error, path, "written") from error
    except BaseException:
        db.close()
        raise
    return Opened(db)


def open_for_looking(path: Path) -> Opened:
    """Open the journal for anybody else: to look, and where that can be, to append a person's request.

    Raises:
        JournalError: there is none, or it cannot even be looked at.
    """
    if not exists(path):
        raise JournalError(f"there is no study here yet ({path} does not exist); start one with `looptop`")
    _look(path)
    refusal = f"{why}, so nothing can be asked for here" if (why := read_only(path)) else ""
    db = None
    try:
        db = _connect(path, "ro" if refusal else "rw")
        version = _version(db, path)
    except sqlite3.Error as error:
        if db is not None:
            db.close()
        db, version = _beside(path, error)
        refusal = refusal or str(told(error, path, "written"))
    except BaseException:
        if db is not None:
            db.close()
        raise
    newer = version > schema.VERSION
    if newer:
        refusal = f"{path} was written by a newer looptop (layout {version}); update looptop to ask for anything here"
    return Opened(db, refusal, newer)


def _look(path: Path) -> None:
    """Refuse what is no journal, before SQLite takes an empty file for a new database.

    The file itself is not opened: on closing it, this process would lose the locks of every connection that it has to
    the same journal (https://www.sqlite.org/howtocorrupt.html#posix), and another one that closes then removes the WAL.
    """
    if path.is_dir():
        raise JournalError(f"{path} is a folder, and the journal should be a file there; move it away")
    if not path.is_file():
        raise JournalError(f"{path} is no file that could be a journal; move it away")
    if not path.stat().st_size:
        raise damaged(path, "it is empty")
    if not os.access(path, os.R_OK):
        raise JournalError(f"{path} may not be read by this user")


def _version(db: sqlite3.Connection, path: Path) -> int:
    version = schema.version_of(db)
    if version:
        db.execute("SELECT seq FROM events LIMIT 1").fetchone()
        return version
    if db.execute("PRAGMA schema_version").fetchone() == (0,):
        raise damaged(path, "it holds no events, and what was to be written to it is gone")
    raise JournalError(f"{path} is not a looptop journal but some other database; move it away")


def _connect(path: Path, mode: str, more: str = "") -> sqlite3.Connection:
    where = f"file:{quote(os.fspath(path.absolute()))}?mode={mode}{more}"
    return sqlite3.connect(where, timeout=PATIENCE, isolation_level=None, uri=True)


def _set_mode(db: sqlite3.Connection, wanted: str) -> None:
    (mode,) = db.execute("PRAGMA journal_mode").fetchone()
    if mode != wanted:
        db.execute(f"PRAGMA journal_mode={wanted}")
    if wanted == "delete":
        db.execute("PRAGMA locking_mode=NORMAL")
        db.execute("SELECT 1 FROM events LIMIT 1").fetchone()  # the lock goes with the next look
    else:
        db.execute(f"PRAGMA journal_size_limit={_WAL_KEPT}")


def _beside(path: Path, error: sqlite3.Error) -> tuple[sqlite3.Connection, int]:
    """A journal, and its layout, that SQLite does not open where it is because it can make no file beside it."""
    if (error.sqlite_errorcode & 0xFF) not in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
    ):
        raise told(error, path, "read") from error
    wal = path.with_name(f"{path.name}-wal")
    try:
        if not wal.exists() or not wal.stat().st_size:
            db = _connect(path, "ro", "&immutable=1")
            return db, _version(db, path)
        with tempfile.TemporaryDirectory(prefix="looptop-") as folder:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            shutil.copyfile(wal, copy.with_name(wal.name))
            db = _connect(copy, "rw")
            return db, _version(db, path)  # its files are open from here on, and stay readable without their names
    except (sqlite3.Error, OSError) as another:
        raise _cannot(another, path, "read") from error


def _cannot(error: sqlite3.Error | OSError, path: Path, doing: str) -> JournalError:
    if isinstance(error, sqlite3.Error):
        return told(error, path, doing)
    return JournalError(f"{path} cannot be {doing}: {error.strerror or error}")
