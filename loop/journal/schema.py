"""The journal's layout: its table, the triggers that guard it, and the migration of an older file.

No step can be left half done: a new file is renamed into place when it is complete, and an older one is migrated in one
transaction, after a copy was made.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import disk_usage

from loop.journal.errors import JournalError
from loop.words import size

VERSION = 2
"""Layout of the file, in SQLite's `user_version`. An older one can be read and appended to as it is, and a supervisor
migrates it; a newer one is only looked at.

1. The table and its indexes.
2. Triggers that refuse to change, remove or replace a row, whichever program asks."""

_APPLICATION_ID = 0x6C6F6F70  # "loop", so that `file` and we can tell the journal from any other database
_TABLE = """
CREATE TABLE IF NOT EXISTS events(
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, experiment INTEGER, run INTEGER, body TEXT NOT NULL)
;;
CREATE INDEX IF NOT EXISTS events_by_kind ON events(kind, seq)
;;
CREATE INDEX IF NOT EXISTS events_by_experiment ON events(experiment, kind, seq) WHERE experiment IS NOT NULL
"""
_GUARDS = """
CREATE TRIGGER IF NOT EXISTS nothing_is_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: no event is ever changed'); END
;;
CREATE TRIGGER IF NOT EXISTS nothing_is_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: no event is ever removed'); END
;;
CREATE TRIGGER IF NOT EXISTS nothing_is_replaced BEFORE INSERT ON events
WHEN NEW.seq > 0 AND EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: no event is ever replaced'); END
"""


def version_of(db: sqlite3.Connection) -> int:
    """Layout of an open file; 0 where it is a database, but no journal."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version) if application == _APPLICATION_ID else 0


def lay_out(db: sqlite3.Connection) -> None:
    """Turn an empty database into a journal, or migrate an older one: in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in f"{_TABLE};;{_GUARDS}".split(";;"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def make(path: Path) -> None:
    """Put an empty journal at `path`, where there is none; a kill leaves either none or a complete one."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as db:
        lay_out(db)
    put(new, path)


def migrate(db: sqlite3.Connection, path: Path, version: int) -> Path:
    """Migrate the journal at `path`, open as `db`; returns where a copy of the old one is kept.

    Raises:
        JournalError: there is not enough space for the copy; nothing was changed.
    """
    copy = path.with_name(f"{path.stem}.layout-{version}{path.suffix}")
    (pages,), (page,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    free = disk_usage(path.parent).free
    if free < 2 * pages * page:  # the copy, and what the migration itself writes
        raise JournalError(
            f"{path} was written by an older looptop (layout {version}); to keep a copy before it is brought up to "
            f"date, {size(2 * pages * page)} must be free and {size(free)} are; free some space first"
        )
    new = copy.with_name(f"{copy.name}.new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as kept:
        db.backup(kept)
        kept.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself
    put(new, copy)
    lay_out(db)
    return copy


def put(new: Path, path: Path) -> None:
    """Give a finished file its name, so that a power cut cannot undo it."""
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
