"""One open journal: append, read, follow, and its check. What the package says of the journal is made true here."""

import asyncio
import itertools
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loop.journal.connect import PATIENCE, open_for_looking, open_for_writing
from loop.journal.errors import JournalBusy, JournalError, JournalFull, damaged, told
from loop.journal.wal import wal_size
from loop.study import aliases
from loop.study.codec import decode, encode
from loop.study.events import READABLE, STREAM, Body, Event

FOLLOW_INTERVAL = 0.08
"""Seconds between two looks of `follow`, so that an event is seen within 100 ms. A look is an indexed query of 3 µs;
what costs is waking up for it, 12 times a second: 0.3% of a processor on a virtual machine, less on bare metal."""

_CACHE = 256
"""KiB of pages that a connection keeps. SQLite's own 2,000 fill up within a day in every process that follows a
journal, and save it nothing: what is read is the end of the file, or all of it once."""

_COLUMNS = "seq, at, kind, experiment, run, body"


class Journal:
    """One open journal. Use it from one thread; open another for another thread.

    Args:
        path: the database file.
        create: open it as a supervisor does: made when it is missing, migrated when it is older, and refused when it
            cannot be written to. Otherwise a missing file is an error, and any other can be looked at.

    Attributes:
        refusal: why nothing can be appended, in a sentence for a person who only looks; empty where it can.

    Raises:
        JournalError: missing, not a journal, damaged, or not to be written to; the sentence says which.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        opened = open_for_writing(path) if create else open_for_looking(path)
        self._db, self.refusal, self._newer = opened.db, opened.refusal, opened.newer
        self._durable: bool | None = None
        self._query(f"PRAGMA cache_size={-_CACHE}", ())

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
            JournalFull, JournalBusy: not now; nothing was written.
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
        if self.refusal:
            raise JournalError(self.refusal)
        moments = at if isinstance(at, Iterable) else itertools.repeat(time.time() if at is None else at)
        rows = [
            (moment, body.kind, experiment, run, encode(body))
            for (body, experiment, run), moment in zip(facts, moments, strict=False)
        ]
        try:
            self._make_durable(any(row[1] not in STREAM for row in rows))
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
        except sqlite3.Error as error:
            raise told(error, self.path, "written") from error
        return [seq for seq in seqs if seq is not None]

    def _make_durable(self, durable: bool) -> None:
        """Wait for the disk on facts, not on the stream: an fsync costs milliseconds, 20 times a second."""
        if durable is not self._durable:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def empty_wal(self) -> bool:
        """Bring all of the WAL into the file itself and cut it off; False where a reader is in its way."""
        try:
            self._db.execute("PRAGMA busy_timeout=0")  # what cannot be done at once is tried again at the next look
            (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if isinstance(what := told(error, self.path, "written"), JournalBusy | JournalFull):
                return False
            raise what from error
        finally:
            self._db.execute(f"PRAGMA busy_timeout={1000 * PATIENCE:.0f}")
        return not busy

    @property
    def wal_size(self) -> int:
        """Bytes of the WAL."""
        return wal_size(self.path)

    # --- reading -----------------------------------------------------------------------------------------------

    def last_seq(self) -> int:
        """`seq` of the newest event; 0 in an empty journal."""
        (seq,) = self._query("SELECT max(seq) FROM events", ())[0]
        return seq or 0

    def seq_at(self, at: float) -> int:
        """`seq` of the newest event that is not later than `at`, in Unix seconds; 0 where all are later.

        A search by halves, so a million events cost 20 looks. Where the clock was set back a time comes twice, and
        either place is found.
        """
        low, high = 0, self.last_seq()
        while low < high:
            middle = (low + high + 1) // 2
            rows = self._query("SELECT seq, at FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (middle,))
            if rows and rows[0][1] <= at:
                low = middle
            else:
                high = rows[0][0] - 1 if rows else 0
        return low

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
        wanted: Sequence[str] = sorted(aliases.with_old(kinds)) if kinds is not None else ()
        if kinds is not None:
            where.append(f"kind IN ({', '.join('?' * len(wanted))})")
        order = "DESC" if newest else "ASC"
        rows = self._query(
            f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?",
            (*values, *wanted, limit),
        )
        if newest:
            rows.reverse()
        return list(self._events(rows))

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
                if events := list(self._events(rows)):
                    yield events
            await asyncio.sleep(0 if len(rows) == batch else interval)

    def check(self) -> None:
        """Look at every page of the file: 0.25 s for a million events, and as long as it takes to read them once.

        Raises:
            JournalDamaged: says what is wrong first.
        """
        for (found,) in self._query("PRAGMA quick_check(1)", ()):
            if found != "ok":
                raise damaged(self.path, " ".join(found.replace("*** in database main ***", "").split()))

    def _query(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise told(error, self.path, "read") from error

    def _events(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Event]:
        """Rows as events, without the kinds this version does not know, and what a newer one means by others."""
        for seq, at, kind, experiment, run, body in rows:
            if kind in READABLE:
                try:
                    yield Event(seq, at, experiment, run, decode(body))
                except ValidationError as error:
                    if not self._newer:
                        raise damaged(self.path, f"event {seq} ({kind}) is not what a looptop writes") from error
