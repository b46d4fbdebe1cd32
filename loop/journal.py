"""The journal: one SQLite file that holds every event of a study, in order, for ever.

- `append` is the one way to make a fact. A batch is one transaction: all of it is there, or nothing.
- Nothing updates or deletes a row, and no code here can.
- Any number of processes read while one or more append; a reader never blocks a writer (WAL).
- On a remote file system WAL's shared memory does not work, so there it is a rollback journal.

Stream kinds (thoughts, step samples, gauges) survive the death of any process; everything else is also on the
disk itself, through a power cut, before `append` returns.
"""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from loop.events import KINDS, STREAM, Body, Event, decode, encode

VERSION = 1
"""Layout of the file, in SQLite's `user_version`; raised only when an older looptop could no longer read it."""

FOLLOW_INTERVAL = 0.08
"""Seconds between two looks of `follow`, so that an event is seen within 100 ms. A look is an indexed query of 3 µs;
what costs is waking up for it, 12 times a second: 0.3% of a processor on a virtual machine, less on bare metal."""

_APPLICATION_ID = 0x6C6F6F70  # "loop", so that `file` and we can tell the journal from any other database
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "fuse.sshfs"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events(
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, experiment INTEGER, run INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_kind ON events(kind, seq);
CREATE INDEX IF NOT EXISTS events_by_experiment ON events(experiment, kind, seq) WHERE experiment IS NOT NULL;
"""
_COLUMNS = "seq, at, kind, experiment, run, body"


class JournalError(Exception):
    """The journal cannot be used; the message is a sentence for a person."""


def _remote(path: Path) -> bool:
    """Whether `path` lies on a network file system, as far as the mount table tells."""
    import psutil  # about 10 ms, for whoever makes a journal; most only open one

    best, kind = "", ""
    try:
        for part in psutil.disk_partitions(all=True):
            mount = part.mountpoint.rstrip("/") + "/"
            if f"{path.resolve()}/".startswith(mount) and len(mount) > len(best):
                best, kind = mount, part.fstype
    except OSError:
        return False  # no mount table to read: treat as local
    return kind in _REMOTE


class Journal:
    """One open journal. Use it from one thread; open another for another thread.

    Args:
        path: the database file.
        create: make it when it is missing; otherwise a missing file is an error.

    Raises:
        JournalError: missing, not a journal, or written by a newer looptop.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if not create and not path.exists():
            raise JournalError(f"there is no study here yet ({path} does not exist); start one with `looptop`")
        try:
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._prepare(create)
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{path} cannot be used as a journal: {error}") from error
        self._durable = True

    def _prepare(self, create: bool) -> None:
        db = self._db
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise JournalError(f"{self.path} was written by a newer looptop (layout {version}); update looptop")
        if version < VERSION:
            if not create:
                raise JournalError(f"{self.path} is not a looptop journal")
            db.execute(f"PRAGMA journal_mode={'DELETE' if _remote(self.path) else 'WAL'}")
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.strip().split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={VERSION}")
            db.execute("COMMIT")
        db.execute("PRAGMA synchronous=FULL")

    def close(self) -> None:
        """Let go of the file. Closing twice is allowed."""
        self._db.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing -----------------------------------------------------------------------------------------------

    def append(self, body: Body, experiment: int | None = None, run: int | None = None, at: float | None = None) -> int:
        """Make one fact and return its `seq`.

        Raises:
            JournalError: it could not be written; then nothing was.
        """
        return self.append_all([(body, experiment, run)], at)[0]

    def append_all(
        self, facts: Iterable[tuple[Body, int | None, int | None]], at: float | Iterable[float] | None = None
    ) -> list[int]:
        """Make several facts in one transaction; each is `(body, experiment, run)`. Returns their `seq`s.

        Args:
            at: when they happened, in Unix seconds, or the time of each; None: now.
        """
        moments = at if isinstance(at, Iterable) else itertools.repeat(time.time() if at is None else at)
        rows = [
            (moment, body.kind, experiment, run, encode(body))
            for (body, experiment, run), moment in zip(facts, moments, strict=False)
        ]
        self._make_durable(any(row[1] not in STREAM for row in rows))
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                seqs = [
                    self._db.execute(
                        "INSERT INTO events(at, kind, experiment, run, body) VALUES (?, ?, ?, ?, ?)", row
                    ).lastrowid
                    for row in rows
                ]
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.DatabaseError as error:
            raise JournalError(f"could not write to {self.path}: {error}") from error
        return [seq for seq in seqs if seq is not None]

    def _make_durable(self, durable: bool) -> None:
        """Wait for the disk on facts, not on the stream: an fsync costs milliseconds, 20 times a second."""
        if durable is not self._durable:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    # --- reading -----------------------------------------------------------------------------------------------

    def last_seq(self) -> int:
        """`seq` of the newest event; 0 in an empty journal."""
        (seq,) = self._query("SELECT max(seq) FROM events", ())[0]
        return seq or 0

    def read(
        self,
        after: int = 0,
        *,
        until: int | None = None,
        kinds: Iterable[str] | None = None,
        experiment: int | None = None,
        run: int | None = None,
        limit: int = -1,
        newest: bool = False,
    ) -> list[Event]:
        """Events with `after < seq <= until`, oldest first.

        Args:
            kinds: only these; None for all that this version knows.
            experiment, run: only events of that experiment, of that run.
            limit: at most so many; -1 for all.
            newest: with a limit, the last ones instead of the first (still oldest first).
        """
        where, values = ["seq > ?"], [after]
        for clause, value in (("seq <= ?", until), ("experiment = ?", experiment), ("run = ?", run)):
            if value is not None:
                where.append(clause)
                values.append(value)
        wanted: Sequence[str] = sorted(kinds) if kinds is not None else ()
        if kinds is not None:
            where.append(f"kind IN ({', '.join('?' * len(wanted))})")
        order = "DESC" if newest else "ASC"
        rows = self._query(
            f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?",
            (*values, *wanted, limit),
        )
        if newest:
            rows.reverse()
        return list(_events(rows))

    async def follow(
        self, after: int = 0, *, batch: int = 500, interval: float = FOLLOW_INTERVAL
    ) -> AsyncIterator[list[Event]]:
        """Events after `after` as they come, from this process or any other, in batches of at most `batch`.

        Gives the event loop a turn between two batches, so that catching up with a long journal never holds it.
        """
        while True:
            rows = self._query(f"SELECT {_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, batch))
            if rows:
                after = rows[-1][0]
                if events := list(_events(rows)):
                    yield events
            await asyncio.sleep(0 if len(rows) == batch else interval)

    def _query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise JournalError(f"could not read {self.path}: {error}") from error


def _events(rows: Iterable[tuple[Any, ...]]) -> Iterator[Event]:
    """Rows as events, without the kinds this version does not know."""
    for seq, at, kind, experiment, run, body in rows:
        if kind in KINDS:
            yield Event(seq, at, experiment, run, decode(body))
