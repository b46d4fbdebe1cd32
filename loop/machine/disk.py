"""Room on the disk: what must be free for what, and a reserve that keeps the last of it for the journal.

The disks of one study are those of its workspace and of the git folder that its experiments are kept in. Looks at them
and makes one file; deletes nothing else to make room.
"""

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

_LEAST_START = 256 << 20
"""Bytes for a journal of days, some logs and a few checkpoints of a small model."""

_LAST_WORDS = 64 << 10
"""Bytes of the reserve that are given up only at the very end, for one sentence in the supervisor's log."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_OUT_OF_ORDER = (errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE)

_UNWRITTEN = re.compile(
    r"unable to write|unable to create temporary file|write error|(could not|failed to|cannot) write"
)


@dataclass(frozen=True)
class Marks:
    """Bytes of one disk. On a small one they are shares of it."""

    start: int
    """That must be free to start, and to go on after a pause; no run may take the disk below it."""
    pause: int
    """Below which nothing new starts: the current runs, and what they leave, may still come to their end."""
    reserve: int
    """That are really taken beforehand: some hundreds of facts, where others have filled the disk to the last byte."""


def marks(total: int) -> Marks:
    """The marks of a disk of `total` bytes: 256 MB, 64 MB and 8 MB, but a quarter of it, and so on, at most."""
    start = min(_LEAST_START, total // 4)
    return Marks(start, start // 4, start // 32)


def lacking(folder: Path) -> str | None:
    """Why nothing can start on the disk of `folder`, or None."""
    usage = disk_usage(folder)
    needed = marks(usage.total).start
    if usage.free >= needed:
        return None
    return f"the disk under {folder} has {_mb(usage.free)} left, and a study needs {_mb(needed)} to start"


def kept_free(folder: Path) -> int:
    """Bytes of the disk of `folder` that no run may take: the journal of the loop has to go on."""
    return marks(disk_usage(folder).total).start


def is_full(error: BaseException) -> bool:
    """Whether something failed for lack of room, by its number or by git's words for it.

    Git does not always give the system's reason, and the disk may have room again by the time that somebody looks.
    """
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    if any(os.strerror(number) in str(error) for number in _NO_ROOM):
        return True
    others = (errno.EACCES, errno.EPERM, *_OUT_OF_ORDER)
    return bool(_UNWRITTEN.search(str(error))) and not any(os.strerror(number) in str(error) for number in others)


class DiskError(Exception):
    """A disk does not do what it should; the message is a sentence for a person."""


def out_of_order(error: BaseException) -> DiskError | None:
    """What is wrong with a disk, where that is why something failed."""
    words = [os.strerror(number) for number in _OUT_OF_ORDER]
    if not isinstance(error, OSError) and not any(word in str(error) for word in words):
        return None
    said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return DiskError(f"the disk does not take what has to be written ({said}); what it holds is safe")


class Room:
    """The room that one study has.

    Args:
        folder: the workspace's `.looptop/`, where the reserve lies.
        others: folders on other disks that are written to.
    """

    def __init__(self, folder: Path, *others: Path) -> None:
        self._folders = (folder, *others)
        self._reserve = folder / "reserve"

    def short(self) -> str | None:
        """Why nothing new may start now, in a sentence, or None."""
        for folder in self._folders:
            usage = disk_usage(folder)
            if usage.free < marks(usage.total).pause:
                return self.sentence(folder)
        return None

    def enough(self) -> bool:
        """Whether a pause is over: there is room, and the reserve could be taken from it (a quota may not let us)."""
        return all(lacking(folder) is None for folder in self._folders) and self.keep()

    def sentence(self, folder: Path | None = None) -> str:
        """What is said while there is too little room."""
        folder = folder or self._fullest()
        return f"the disk under {folder} has {_mb(disk_usage(folder).free)} left; {self.until(folder)}"

    def until(self, folder: Path | None = None) -> str:
        """What is waited for; all that can be said where a write found no room and there is some again by now."""
        return f"nothing new starts until {_mb(marks(disk_usage(folder or self._fullest()).total).start)} are free"

    def _fullest(self) -> Path:
        return min(self._folders, key=lambda folder: disk_usage(folder).free)

    # --- the reserve -------------------------------------------------------------------------------------------

    def keep(self) -> bool:
        """Have the reserve, as large as it should be; False where there is no room for it."""
        usage = disk_usage(self._folders[0])
        wanted = marks(usage.total)
        try:
            with self._reserve.open("ab") as file:
                if file.tell() >= wanted.reserve:
                    return True
                if usage.free - wanted.pause < wanted.reserve:
                    return False
                _allocate(file.fileno(), wanted.reserve)
        except OSError:
            return False
        return True

    def give(self) -> bool:
        """Give the reserve up for what has to be written now; False where there is none any more."""
        try:
            if self._reserve.stat().st_size <= _LAST_WORDS:
                return False
            os.truncate(self._reserve, _LAST_WORDS)
        except OSError:
            return False
        return True

    def give_all(self) -> None:
        """Give up what was kept for the last words too."""
        try:
            self._reserve.unlink(missing_ok=True)
        except OSError:
            pass


def _allocate(descriptor: int, size: int) -> None:
    """Really take the blocks: a file with holes reserves nothing."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:  # macOS
        os.pwrite(descriptor, bytes(size), 0)
    os.fsync(descriptor)


def _mb(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB" if size < 10 << 20 else f"{size >> 20} MB"
