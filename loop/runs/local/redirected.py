"""Output that a command line sends to a file, as `python train.py > run.log 2>&1` does: followed like the run's own.

The files are a stranger's: one is only read where it is a plain file reached without a link, so that no run can have
anything else put into its log. Blocks for a few system calls.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from loop.runs.spec import Redirected
from loop.study import command_line

EVERY_S, PIECE = 0.25, 64 * 1024
"""Seconds between two looks, and bytes that are taken of a file at one."""

MOST_BEHIND = 4 << 20
"""Bytes that reading may lag behind; of a file that grows faster what lies between is left out, as in a run's log."""

State = tuple[int, int, int]
"""Inode, bytes, and time of the last change (ns)."""


def redirected(
    argv: Sequence[str], environment: Mapping[str, str], cwd: Path, places: Mapping[Path, Path]
) -> tuple[Redirected, ...]:
    """Where the output of a command goes that is not printed; none where it is not known.

    Args:
        environment: the command's.
        cwd: where it starts.
        places: folders that it writes to as it names them itself, and where they are.
    """
    found = []
    for one in command_line.redirections(command_line.script_of(argv), environment):
        path = PurePosixPath(os.path.normpath(cwd / one.path))
        inside = [folder for folder in places if path.is_relative_to(folder)]
        if inside:
            folder = max(inside, key=lambda folder: len(folder.parts))
            found.append(Redirected(places[folder], str(path.relative_to(folder)), one.appends))
    return tuple(found)


class RedirectedFiles:
    """The files of one run.

    Args:
        take: called in the event loop with each piece; whole lines, until the run has ended.
    """

    def __init__(self, files: Sequence[Redirected], take: Callable[[bytes], None]) -> None:
        self._files, self._take = [_Followed(file) for file in files], take
        self._next: asyncio.TimerHandle | None = None
        self._finished = False

    def look(self) -> None:
        """Take note of what is there before the run: a file that git has is no output of it."""
        for file in self._files:
            file.look()

    def follow(self) -> None:
        """Take what has come, and come again."""
        if not self._files or self._finished:
            return
        for file in self._files:
            if data := file.read(PIECE, whole=True):
                self._take(data)
        self._next = asyncio.get_running_loop().call_later(EVERY_S, self.follow)

    async def finish(self) -> None:
        """Take all that is left: no process that could add to it is there any more."""
        self._finished = True
        if self._next is not None:
            self._next.cancel()
        for file in self._files:
            while data := file.read(PIECE, whole=False):
                self._take(data)
                await asyncio.sleep(0)


class _Followed:
    def __init__(self, file: Redirected) -> None:
        self._file = file
        self._before: State | None = None
        self._at = 0
        self._inode = 0

    def look(self) -> None:
        opened = open_plain(self._file.folder, self._file.path)
        if opened is not None:
            self._before = state_of(opened)
            os.close(opened)
            if self._file.appends:
                self._inode, self._at, _ = self._before

    def read(self, most: int, whole: bool) -> bytes:
        opened = open_plain(self._file.folder, self._file.path)
        if opened is None:
            return b""
        try:
            state = inode, size, _ = state_of(opened)
            if state == self._before:
                return b""
            self._before = None
            if inode != self._inode or size < self._at:  # another file, or begun anew
                self._inode, self._at = inode, 0
            left_out = max(0, size - self._at - MOST_BEHIND)
            data = os.pread(opened, most, self._at + left_out)
            if whole:
                data = data[: max(data.rfind(b"\n"), data.rfind(b"\r")) + 1] or (data if len(data) == most else b"")
            if not data:
                return b""
            self._at += left_out + len(data)
            note = b"\n[looptop: %d bytes of %s left out here]\n" % (left_out, os.fsencode(self._file.path))
            return note + data if left_out else data
        except OSError:
            return b""
        finally:
            os.close(opened)


def state_of(descriptor: int) -> State:
    """What changes when a file is written to."""
    status = os.fstat(descriptor)
    return status.st_ino, status.st_size, status.st_mtime_ns


def open_plain(folder: Path, path: str) -> int | None:
    """The plain file `path` below `folder`, opened without following a link; None where there is none."""
    *folders, name = path.split("/")
    at: int | None = None
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for inside in folders:
            inner = os.open(inside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = inner
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except (OSError, ValueError):  # the second: a zero byte in the name
        return None
    finally:
        if at is not None:
            os.close(at)
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return opened
    os.close(opened)
    return None
