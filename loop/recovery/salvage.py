"""What can still be read of a damaged journal: event by event, whatever SQLite itself makes of the file.

Two ways. SQLite reads what it can, in ranges that are halved until the damage is alone; and where it cannot, the rows
are taken out of the file's pages one by one (https://www.sqlite.org/fileformat2.html: leaf pages of a table, cells,
records, overflow pages), so that a torn header or inner page costs nothing but itself. Only what decodes as an event of
this version counts. Works on a copy; the damaged file is never opened.
"""

import shutil
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loop.study.codec import decode
from loop.study.events import READABLE, Event

AT_ONCE = 2000
"""Events that are asked for at once."""

_LEAF = 0x0D
_COLUMNS = 6
_PAGE = 4096
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
        self._carved: dict[int, Row] | None = None
        self.unknown = 0
        """Events of kinds that this version does not know, seen when all were read."""

    def complaint(self) -> str:
        """What SQLite finds wrong with the file, or an event that is none; empty where it is whole."""
        try:
            with closing(self._open()) as db:
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

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._copy, isolation_level=None)
        db.text_factory = bytes  # what is no UTF-8 any more is no reason to stop
        return db

    def _rows(self) -> Iterator[Row]:
        try:
            with closing(self._open()) as db:
                db.execute("SELECT 1 FROM events LIMIT 1").fetchone()
                for first in range(1, self._last(db) + 1, AT_ONCE):
                    yield from self._range(db, first, first + AT_ONCE - 1)
        except sqlite3.Error:  # SQLite cannot even open it
            yield from (self._by_hand()[seq] for seq in sorted(self._by_hand()))

    def _last(self, db: sqlite3.Connection) -> int:
        try:
            (last,) = db.execute("SELECT max(seq) FROM events").fetchone()
        except sqlite3.Error:
            last = None
        return max(last or 0, max(self._by_hand(), default=0) if last is None else 0)

    def _range(self, db: sqlite3.Connection, first: int, last: int) -> Iterator[Row]:
        """Rows from `first` to `last`, those that SQLite cannot read by hand."""
        try:
            asked = "SELECT seq, at, kind, experiment, run, body FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq"
            rows = db.execute(asked, (first, last)).fetchall()
        except sqlite3.Error:
            if first == last:
                if (row := self._by_hand().get(first)) is not None:
                    yield row
                return
            middle = (first + last) // 2
            yield from self._range(db, first, middle)
            yield from self._range(db, middle + 1, last)
            return
        yield from rows

    def _by_hand(self) -> dict[int, Row]:
        if self._carved is None:
            wal = Path(f"{self._copy}-wal")
            self._carved = carve(_overlaid(self._copy.read_bytes(), wal.read_bytes() if wal.exists() else b""))
        return self._carved


def _page_size(content: bytes) -> int:
    size = int.from_bytes(content[16:18], "big")
    return 65536 if size == 1 else size if size in {1 << power for power in range(9, 16)} else _PAGE


def _overlaid(content: bytes, wal: bytes) -> bytes:
    """The database with the pages that its WAL has newer: frames of the present salt, up to the last commit."""
    size = _page_size(content)
    frames: list[tuple[int, bytes]] = []
    whole = 0
    for at in range(32, len(wal) - 24 - size + 1, 24 + size):
        number, commit = (int.from_bytes(wal[at + part : at + part + 4], "big") for part in (0, 4))
        if wal[at + 8 : at + 16] != wal[16:24]:
            break  # from before the WAL was begun anew
        frames.append((number, wal[at + 24 : at + 24 + size]))
        whole = len(frames) if commit else whole
    pages = [content[at : at + size] for at in range(0, len(content), size)]
    for number, page in frames[:whole]:
        pages += [b"\0" * size] * (number - len(pages))
        pages[number - 1] = page
    return b"".join(pages)


def carve(content: bytes) -> dict[int, Row]:
    """Rows of the events table out of the bytes of a database, by `seq`."""
    size = _page_size(content)
    found: dict[int, Row] = {}
    for start in range(0, len(content), size):
        page = content[start : start + size]
        header = 100 if start == 0 else 0
        if len(page) < header + 8 or page[header] != _LEAF:
            continue
        cells = int.from_bytes(page[header + 3 : header + 5], "big")
        for index in range(min(cells, size // 4)):
            at = header + 8 + 2 * index
            offset = int.from_bytes(page[at : at + 2], "big")
            try:
                row = _cell(content, page, offset, size)
            except (IndexError, ValueError, OverflowError):
                continue
            if row is not None:
                found.setdefault(row[0], row)
    return found


def _cell(content: bytes, page: bytes, offset: int, size: int) -> Row | None:
    """The row in a cell of a leaf page; None where it is none of the events table."""
    length, offset = _varint(page, offset)
    seq, offset = _varint(page, offset)
    most, least = size - 35, (size - 12) * 32 // 255 - 23
    local = length
    if length > most:
        local = least + (length - least) % (size - 4)
        local = local if local <= most else least
    payload = page[offset : offset + local]
    if local < length:
        following = int.from_bytes(page[offset + local : offset + local + 4], "big")
        while following and len(payload) < length:
            more = content[(following - 1) * size : following * size]
            payload += more[4 : 4 + length - len(payload)]
            following = int.from_bytes(more[:4], "big")
    if len(payload) != length:
        return None
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if len(kinds) != _COLUMNS or kinds[0] != 0:
        return None
    values = [_value(payload, kind) for kind, payload in zip(kinds, _split(payload[end:], kinds), strict=True)]
    return (seq, values[1], values[2], values[3], values[4], values[5])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        byte = data[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("no varint")


_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


def _split(body: bytes, kinds: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for kind in kinds:
        length = _SIZES[kind] if kind < len(_SIZES) else (kind - 12) // 2
        yield body[at : at + length]
        at += length


def _value(data: bytes, kind: int) -> Any:
    """A value by its serial type: NULL, integers of six sizes, REAL, 0, 1, BLOB, TEXT."""
    if kind == 7:
        (number,) = struct.unpack(">d", data)
        return number
    if kind in (8, 9):
        return kind - 8
    if kind == 0:
        return None
    return int.from_bytes(data, "big", signed=True) if kind < 7 else data


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
