"""The log of a run on disk: its head and its tail are kept, the middle of a flood is not.

While the run writes, `log.txt` is the first HEAD_BYTES of its output, and what comes after goes to parts of PART_BYTES
each, `log.OFFSET.part`, of which the last PARTS stay: the names carry where each begins in the whole output, so a
reader needs nothing else. At the end all of it is one plain `log.txt`, with a line in the middle that says how much is
missing. An offset therefore means the same byte of the run's output before and after that. A log that nobody adds to
any more may be compressed (`log.txt.gz`, which `zless` shows), and still reads the same here. The bytes are the run's
own; readers here give text that is safe to show. It never raises at a writer: a full disk costs the log, not the run.
"""

import gzip
import os
import re
import zlib
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self, cast

from loop.sanitize import plain

HEAD_BYTES = 1 << 20
PART_BYTES = 1 << 20
PARTS = 4  # so at least the last 3 MiB are there, and on disk never more than 5
COMPRESSED_FROM = 16 << 10  # bytes; below that it would save a few blocks of the disk, and cost a person's `less`

_DAMAGED = (EOFError, zlib.error, OSError)  # what a log that the disk has lost a part of gives, once compressed
_GAP = re.compile(rb"\n\[looptop: (\d+) bytes left out here\]\n")
_TORN = re.compile(rb"(?:\x1b(?:[\]PX^_][^\x07\x1b\r\n]{0,200}\x1b?|[\[0-9;?]{0,16})|[\xc0-\xff][\x80-\xbf]{0,2}|\r)\Z")


@dataclass(frozen=True)
class LogPiece:
    """A piece of a log, as text."""

    start: int
    """Where it begins in the run's whole output (bytes). More than was asked for when that had been left out."""
    end: int
    """Where the next piece begins: the offset to ask for next."""
    text: str
    """Free of control sequences; `\\r` is a line end like `\\n`."""


class CappedLog:
    """Writes one run's log. A context manager: leaving it joins the parts.

    Args:
        go_on: with the log that is there, whose writer has died; else what is there is of an earlier run, and goes.
    """

    def __init__(self, folder: Path, go_on: bool = False) -> None:
        self.folder = folder
        self.fault: str | None = None
        """Why the log is not whole, in a sentence, once something went wrong."""
        self.size = 0
        """Bytes of output so far."""
        self._file: FileIO | None = None
        self._room = HEAD_BYTES  # bytes that still fit in the open file
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if go_on and self._go_on():
                return
            for old in (folder / "log.txt", folder / "log.txt.gz", *_parts(folder)):
                old.unlink(missing_ok=True)  # of an earlier attempt at the same run
            self._file = FileIO(folder / "log.txt", "xb")
        except OSError as error:
            self._give_up(error)

    def _go_on(self) -> bool:
        """Open the last file of a log that nobody has joined yet; whether there is one."""
        spans = _spans(self.folder)
        if not spans or spans[0][1] > HEAD_BYTES or spans[0][2].suffix == ".gz":
            return False
        start, length, path, _ = spans[-1]
        self.size, self._file = start + length, FileIO(path, "ab")
        self._room = max(0, (HEAD_BYTES if len(spans) == 1 else PART_BYTES) - length)
        return True

    def write(self, data: bytes) -> None:
        """Keep the next piece of output."""
        view = memoryview(data)
        try:
            while view and self._file:
                if not self._room:
                    self._next_part()
                written = self._file.write(view[: self._room])
                self.size += written
                self._room -= written
                view = view[written:]
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Join what was kept into `log.txt`."""
        if self._file:
            self._file.close()
            self._file = None
            try:
                self._join()
            except OSError as error:
                self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next_part(self) -> None:
        assert self._file
        self._file.close()
        self._file = FileIO(self.folder / f"log.{self.size}.part", "xb")
        self._room = PART_BYTES
        for old in _parts(self.folder)[:-PARTS]:
            old.unlink(missing_ok=True)

    def _join(self) -> None:
        parts = _parts(self.folder)
        if not parts:
            return
        left_out = _offset(parts[0]) - HEAD_BYTES
        whole = self.folder / "log.whole"
        with whole.open("wb") as joined:
            joined.write((self.folder / "log.txt").read_bytes())
            joined.write(b"\n[looptop: %d bytes left out here]\n" % left_out)
            for part in parts:
                joined.write(part.read_bytes())
        whole.replace(self.folder / "log.txt")
        for part in parts:
            part.unlink()

    def _give_up(self, error: OSError) -> None:
        self.fault = f"the log {self.folder / 'log.txt'} is not whole: {error.strerror or error}"
        if self._file:
            self._file.close()
            self._file = None


def compress_log(folder: Path) -> None:
    """Compress the log in `folder`, if it is large and whole; may be done again, and be killed at any point.

    Text shrinks to about a tenth; 5 MB take about 60 ms. A log that cannot be compressed stays as it is.
    """
    plain_log, packed = folder / "log.txt", folder / "log.txt.gz"
    try:
        if plain_log.stat().st_size < COMPRESSED_FROM or _parts(folder):
            return
        making = folder / "log.packing"
        with making.open("wb") as file:
            file.write(gzip.compress(plain_log.read_bytes(), 6, mtime=0))
            file.flush()
            os.fsync(file.fileno())
        making.replace(packed)
        plain_log.unlink()
    except OSError:
        pass  # none, or no room: it is read as it is


def read_log(folder: Path, offset: int = 0, max_bytes: int = 65536) -> LogPiece:
    """The piece of a log that begins at `offset`; to follow a run, ask again from `end` (it costs two system calls).

    A piece ends where a character or control sequence would be torn. An empty text means that there is nothing new.

    Args:
        folder: the folder that the log was written to; one without a log gives empty pieces.
        offset: bytes from the beginning of the run's output.
        max_bytes: no more than this at once.
    """
    for _ in range(3):  # a part may go, or all of them be joined, between looking and opening
        try:
            start, data = _read(folder, offset, max_bytes)
        except FileNotFoundError:
            continue
        except _DAMAGED:
            break
        torn = _TORN.search(data, max(0, len(data) - 256))
        if torn and torn.start() > 0:
            data = data[: torn.start()]
        text = plain(data.decode("utf-8", "replace"))
        return LogPiece(start, start + len(data), text)
    return LogPiece(offset, offset, "")


def read_log_tail(folder: Path, max_bytes: int = 65536) -> LogPiece:
    """The last piece of a log, from the beginning of a line; its `end` is where following goes on."""
    for _ in range(3):
        try:
            size = max((start + length for start, length, *_ in _spans(folder)), default=0)
        except FileNotFoundError:
            continue
        except _DAMAGED:
            break
        piece = read_log(folder, max(0, size - max_bytes), max_bytes)
        if piece.start > 0 and "\n" in piece.text:
            return LogPiece(piece.start, piece.end, piece.text.partition("\n")[2])
        return piece
    return LogPiece(0, 0, "")


def _spans(folder: Path) -> list[tuple[int, int, Path, int]]:
    """What is on disk, in order: offset in the output, length, file, offset in the file."""
    head = folder / "log.txt"
    if not head.exists():
        head = folder / "log.txt.gz"
        if not head.exists():
            return []
    size = _size(head)
    if size <= HEAD_BYTES:
        return [(0, size, head, 0), *((_offset(part), part.stat().st_size, part, 0) for part in _parts(folder))]
    # Joined: nothing but the join makes this file longer than the head, so the line there is ours.
    with _opened(head) as file:
        file.seek(HEAD_BYTES)
        gap = _GAP.match(file.read(80))
    if not gap:
        return [(0, size, head, 0)]
    tail = HEAD_BYTES + gap.end()
    return [(0, HEAD_BYTES, head, 0), (HEAD_BYTES + int(gap[1]), size - tail, head, tail)]


def _read(folder: Path, offset: int, max_bytes: int) -> tuple[int, bytes]:
    """Bytes from `offset` on, or from the first one after it that was kept; never across a gap."""
    begin, data = offset, b""
    for start, length, path, at in _spans(folder):
        here = begin + len(data)
        if here >= start + length:
            continue
        if start > here:
            if data:
                break
            begin = here = start
        with _opened(path) as file:
            file.seek(at + here - start)
            data += file.read(min(max_bytes - len(data), start + length - here))
        if len(data) >= max_bytes:
            break
    return begin, data


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _size(path: Path) -> int:
    """Bytes of the log in that file, packed or not."""
    if path.suffix != ".gz":
        return path.stat().st_size
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(), "little")  # gzip ends with the size of what is in it (RFC 1952)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("log.*.part"), key=_offset)


def _offset(part: Path) -> int:
    return int(part.name.split(".")[1])
