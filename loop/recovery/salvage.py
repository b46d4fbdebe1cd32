"""What can still be read of a damaged journal: event by event, whatever SQLite itself makes of the file.

Two ways. SQLite reads what it can, in ranges that are halved until the damage is alone; and where it cannot, it is
given the leaf pages of the table one by one (https://www.sqlite.org/fileformat2.html), so that a torn header or inner
page costs nothing but itself. Only what decodes as an event of this version counts. Works on a copy; the damaged file
is never opened.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loop.journal import schema
from loop.study.codec import decode
from loop.study.events import READABLE, Event

AT_ONCE = 2000
"""Events that are asked for at once."""

_PAGE = 4096
_LEAF = 0x0D
_ROWS = "SELECT seq, at, kind, experiment, run, body FROM events"
Row = tuple[int, Any, Any, Any, Any, Any]


class Salvage:
    """A damaged journal, copied into `place` with its WAL and read there.

    Raises:
        OSError: it cannot be copied.
    """

    def __init__(self, journal: Path, place: Path) -> None:
        self._copy = place / "damaged.db"
        for suffix in ("", "-wal"):
            if (source := Path(f"{journal}{suffix}")).exists():
                shutil.copyfile(source, f"{self._copy}{suffix}")
        self._by_page: dict[int, Row] | None = None
        self.unknown = 0
        """Events of kinds that this version does not know, seen when all were read."""

    def complaint(self) -> str:
        """What SQLite finds wrong with the file, or an event that is none; empty where it is whole."""
        try:
            with closing(self._open(self._copy)) as db:
                ((found,),) = db.execute("PRAGMA quick_check(1)").fetchall()
                if found != b"ok":
                    return " ".join(found.decode("utf-8", "replace").split())
                (last, count) = db.execute("SELECT coalesce(max(seq), 0), count(*) FROM events").fetchone()
                if last != count:
                    return f"{last - count} events are missing"
        except sqlite3.Error as error:
            return str(error)
        read = sum(1 for _ in self.events())
        return "" if read + self.unknown == last else f"{last - read - self.unknown} events cannot be read"

    def events(self) -> Iterator[Event]:
        """Every event that can be read, in order of `seq`."""
        self.unknown = 0
        for row in self._rows():
            event = _event(row)
            if event is not None:
                yield event
            elif isinstance(row[2], bytes) and row[2].decode("utf-8", "replace") not in READABLE:
                self.unknown += 1

    def _open(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None)
        db.text_factory = bytes  # what is no UTF-8 any more is no reason to stop
        return db

    def _rows(self) -> Iterator[Row]:
        try:
            with closing(self._open(self._copy)) as db:
                db.execute("SELECT 1 FROM events LIMIT 1").fetchone()
                for first in range(1, self._last(db) + 1, AT_ONCE):
                    yield from self._range(db, first, first + AT_ONCE - 1)
        except sqlite3.Error:  # SQLite cannot even open it
            yield from (self.by_page()[seq] for seq in sorted(self.by_page()))

    def _last(self, db: sqlite3.Connection) -> int:
        try:
            (last,) = db.execute("SELECT max(seq) FROM events").fetchone()
        except sqlite3.Error:
            last = None
        return max(last or 0, max(self.by_page(), default=0) if last is None else 0)

    def _range(self, db: sqlite3.Connection, first: int, last: int) -> Iterator[Row]:
        """Rows from `first` to `last`, those that SQLite cannot reach by page."""
        try:
            rows = db.execute(f"{_ROWS} WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, last)).fetchall()
        except sqlite3.Error:
            if first == last:
                if (row := self.by_page().get(first)) is not None:
                    yield row
                return
            middle = (first + last) // 2
            yield from self._range(db, first, middle)
            yield from self._range(db, middle + 1, last)
            return
        yield from rows

    def by_page(self) -> dict[int, Row]:
        """Rows out of the table's leaf pages, by `seq`, whatever became of the pages that lead to them.

        A leaf refers to no page but those that its long rows go on in. So each one in turn takes the place of the
        table's root, below a first page that is whole, and SQLite reads it.
        """
        if self._by_page is not None:
            return self._by_page
        found: dict[int, Row] = {}
        self._by_page = found
        place = self._copy.with_name("pages.db")
        try:
            content, root = self._with_whole_header(place)
        except sqlite3.Error:
            return found  # its WAL is another database's
        with place.open("r+b", buffering=0) as file:
            for at in range(_PAGE, len(content), _PAGE):
                if content[at] != _LEAF:
                    continue
                file.seek((root - 1) * _PAGE)
                file.write(content[at : at + _PAGE])
                for order in ("ASC", "DESC"):  # from either end, up to what is damaged between
                    try:
                        with closing(self._open(place)) as db:
                            for row in db.execute(f"{_ROWS} ORDER BY seq {order}"):
                                found.setdefault(row[0], row)
                        break
                    except sqlite3.Error:
                        continue
        return found

    def _with_whole_header(self, place: Path) -> tuple[bytes, int]:
        """Write the file to `place`, its WAL played in, with a new journal's first page; its bytes, and the root."""
        schema.make(place)
        header = bytearray(place.read_bytes()[:_PAGE])
        header[18:20] = 2, 2  # it has a WAL
        header[28:32] = bytes(4)  # as many pages as the file has
        with place.open("r+b") as file:  # a file of fewer pages than the layout has keeps the new journal's others
            file.write(header + self._copy.read_bytes()[_PAGE:])
        if (wal := Path(f"{self._copy}-wal")).exists():
            shutil.copyfile(wal, f"{place}-wal")
        with closing(self._open(place)) as db:
            db.execute("PRAGMA journal_mode=DELETE")
            (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
        return place.read_bytes(), root


def _event(row: Row) -> Event | None:
    """The row as an event; None where it is damaged, or of a kind that this version does not know."""
    seq, at, kind, experiment, run, body = row
    numbers = all(number is None or isinstance(number, int) for number in (experiment, run))
    if not isinstance(at, int | float) or not isinstance(body, bytes) or not numbers:
        return None
    try:
        decoded = decode(body)
    except ValidationError:
        return None
    same = isinstance(kind, bytes) and decoded.kind == kind.decode("utf-8", "replace")
    return Event(seq, float(at), experiment, run, decoded) if same else None
