"""The output of somebody else's runs: one file that each run begins anew. Only read."""

import time
from collections.abc import Sequence
from pathlib import Path

from loop.runs.log import CappedLog
from loop.runs.output import OutputReader, Sample

_BITE = 1 << 20
"""Bytes taken at one look."""

RECENT = 30.0
"""Seconds within which a file must have been written to count as the output of a run that goes on."""


class RunLog:
    """Follows `run.log`, and copies what comes to a run folder of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        """Device and inode of the file, as of the last look; None before there was one."""
        self._size = 0
        self._first = True
        self._offset = 0
        self._copy: CappedLog | None = None
        self._reader = OutputReader()

    def look(self) -> tuple[bool, bool]:
        """Whether a run has begun since the last look (the file is new or has shrunk), and whether the file grew."""
        first, self._first = self._first, False
        try:
            now = self._path.stat()
        except OSError:
            self._identity, self._size = None, 0
            return False, False
        identity = now.st_dev, now.st_ino
        begun = identity != self._identity or now.st_size < self._size
        if first:
            begun = time.time() - now.st_mtime < RECENT
        grown = now.st_size > self._size and not first
        self._identity, self._size = identity, now.st_size
        return begun, grown

    def copy_to(self, folder: Path | None) -> None:
        """From here on the output is copied to this run folder; None: to none."""
        self.close()
        self._reader, self._offset = OutputReader(), 0
        self._copy = None if folder is None else CappedLog(folder)

    def read(self, now: float) -> Sequence[Sample]:
        """Take in what has come; returns what it says of the run's steps."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_BITE)
        except OSError:
            return ()
        self._offset += len(data)
        if self._copy is not None:
            self._copy.write(data)
        return self._reader.feed(data, now)

    def summary(self) -> dict[str, float]:
        """The numbers that the run has told of itself so far."""
        return self._reader.summary()

    def close(self) -> None:
        """Let go of the copy."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None
