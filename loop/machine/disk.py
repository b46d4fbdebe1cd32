"""Free space on the study's disks: the thresholds, a reserve for the journal, and the pause while space is short.

The disks of one study are those of its workspace and of the git folder that holds its experiments. Creates one file,
the reserve; deletes nothing else to make space.
"""

import asyncio
import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Any, Protocol, TypeVar

from loop.errors import UserError
from loop.study.events import Entry, Fault, Recovered
from loop.study.state import Study
from loop.words import size

DISK = "disk"
"""`where` of the faults of this module; the study is `short_of_room` while one of them is open."""

CHECK_INTERVAL = 5.0
"""Seconds between two checks of a disk that was short of space."""

_LEAST_START = 256 << 20
"""Bytes for a journal of days, some logs and a few checkpoints of a small model."""

_LAST_WORDS = 64 << 10
"""Bytes of the reserve that are released only at the very end, for one sentence in the supervisor's log."""

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_OUT_OF_ORDER = (errno.EROFS, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE)

_UNWRITTEN = re.compile(
    r"unable to write|unable to create temporary file|write error|(could not|failed to|cannot) write"
)

Done = TypeVar("Done")


@dataclass(frozen=True)
class Marks:
    """Thresholds of one disk in bytes. On a small disk they are fractions of it."""

    start: int
    """Must be free to start, and to go on after a pause; no run may take the disk below it."""
    pause: int
    """With less free than this nothing new starts; current runs may still finish."""
    reserve: int
    """Allocated in advance: room for some hundreds of facts after others have filled the disk to the last byte."""


def marks(total: int) -> Marks:
    """The thresholds of a disk of `total` bytes: 256, 64 and 8 MB, but at most 1/4, 1/16 and 1/128 of the disk."""
    start = min(_LEAST_START, total // 4)
    return Marks(start, start // 4, start // 32)


def lacking(folder: Path) -> str | None:
    """Why nothing can start on the disk of `folder`, or None."""
    usage = disk_usage(folder)
    needed = marks(usage.total).start
    if usage.free >= needed:
        return None
    return f"the disk under {folder} has {size(usage.free)} left, and a study needs {size(needed)} to start"


def kept_free(folder: Path) -> int:
    """Bytes of the disk of `folder` that no run may take, so that the journal can go on."""
    return marks(disk_usage(folder).total).start


def is_full(error: BaseException) -> bool:
    """Whether something failed for lack of space, by its error number or by git's message.

    Git does not always pass on the system's reason, and the disk may have space again by the time anybody checks.
    """
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    if any(os.strerror(number) in str(error) for number in _NO_SPACE):
        return True
    others = (errno.EACCES, errno.EPERM, *_OUT_OF_ORDER)
    return bool(_UNWRITTEN.search(str(error))) and not any(os.strerror(number) in str(error) for number in others)


class DiskError(Exception):
    """A disk is failing or read-only; the message is a sentence for a person."""


def out_of_order(error: BaseException) -> DiskError | None:
    """The disk's own fault, if that is why something failed: read-only, gone, I/O errors."""
    words = [os.strerror(number) for number in _OUT_OF_ORDER]
    if not isinstance(error, OSError) and not any(word in str(error) for word in words):
        return None
    said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return DiskError(f"the disk does not take what has to be written ({said}); what it holds is safe")


class DiskReserve:
    """Space that is kept for the journal of one study.

    Args:
        folder: the workspace's `.looptop/`, where the reserve lies.
        others: folders on other disks that the study writes to.
    """

    def __init__(self, folder: Path, *others: Path) -> None:
        self._folders = (folder, *others)
        self._file = folder / "reserve"

    def shortage(self) -> str | None:
        """Why nothing new may start now, in a sentence, or None."""
        for folder in self._folders:
            usage = disk_usage(folder)
            if usage.free < marks(usage.total).pause:
                return self.sentence(folder)
        return None

    def recovered(self) -> bool:
        """Whether a pause is over: space is free, and the reserve could be taken from it (a quota may forbid that)."""
        return all(lacking(folder) is None for folder in self._folders) and self.reserve()

    def sentence(self, folder: Path | None = None) -> str:
        """What is reported during a shortage."""
        folder = folder or self._fullest()
        return f"the disk under {folder} has {size(disk_usage(folder).free)} left; {self.until(folder)}"

    def until(self, folder: Path | None = None) -> str:
        """What the loop waits for; the whole report if a write has failed and there is space again by now."""
        return f"nothing new starts until {size(marks(disk_usage(folder or self._fullest()).total).start)} are free"

    def _fullest(self) -> Path:
        return min(self._folders, key=lambda folder: disk_usage(folder).free)

    def reserve(self) -> bool:
        """Allocate the reserve to its full size; False if there is not enough space for it."""
        usage = disk_usage(self._folders[0])
        wanted = marks(usage.total)
        try:
            with self._file.open("ab") as file:
                if file.tell() >= wanted.reserve:
                    return True
                if usage.free - wanted.pause < wanted.reserve:
                    return False
                _allocate(file.fileno(), wanted.reserve)
        except OSError:
            return False
        return True

    def release(self) -> bool:
        """Give the reserve back to the disk for what must be written now; False if it is used up."""
        try:
            if self._file.stat().st_size <= _LAST_WORDS:
                return False
            os.truncate(self._file, _LAST_WORDS)
        except OSError:
            return False
        return True

    def release_all(self) -> None:
        """Give back even what was kept for the last words."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError:
            pass


class Reporter(Protocol):
    """Where a guard records, and the study it records for: the journal's `Recorder`."""

    study: Study

    def record_all(self, facts: Sequence[Entry]) -> None: ...
    async def until(self, condition: Callable[[], bool], tick: float | None = None) -> None: ...


class DiskGuard:
    """Pauses the loop while a disk is short of space, and repeats what failed because of it.

    Args:
        reserve: None where nothing is guarded: then every failure is passed on.
        recorder: told once of each shortage and of its end.
    """

    def __init__(self, reserve: DiskReserve | None, recorder: Reporter) -> None:
        self._reserve, self._recorder = reserve, recorder
        self._doing: set[asyncio.Task[Any]] = set()

    def check(self) -> None:
        """Record a shortage, which pauses the loop, and later its end; each once."""
        if self._reserve is None:
            return
        if self._recorder.study.short_of_room:
            if self._reserve.recovered():
                self._recorder.record_all([(Recovered(where=DISK), None, None)])
        elif (reason := self._reserve.shortage()) is not None:
            self._recorder.record_all(self.fault(reason))

    def shortage(self) -> str | None:
        """Why something that fails now may have failed for lack of space, in a sentence, or None."""
        return None if self._reserve is None else self._reserve.shortage()

    def pause_if_full(self, error: UserError | OSError) -> None:
        """Record that something failed for lack of space, which pauses the loop.

        Raises:
            DiskError: a disk is failing or read-only.
            error: it failed for another reason.
        """
        if self._reserve is None:
            raise error
        shortage = self._reserve.shortage()
        if not (shortage or is_full(error)):
            raise out_of_order(error) or error
        if facts := self.fault(shortage or f"{error}; {self._reserve.until()}"):
            self._recorder.record_all(facts)

    async def wait_for_space(self) -> None:
        """Wait until no disk is short of space."""
        while self._recorder.study.short_of_room:
            await self._recorder.until(lambda: not self._recorder.study.short_of_room, CHECK_INTERVAL)
            self.check()

    async def retry_when_space(self, work: Callable[[], Done], record: Callable[[Done], None] = lambda _: None) -> Done:
        """Do something in a thread that writes to the disk; if space runs out, do it again when there is some.

        Args:
            work: may be done twice.
            record: records the result, even if the caller was cancelled meanwhile: see `finish`.
        """

        async def attempt() -> Done | UserError | OSError:
            try:
                done = await asyncio.to_thread(work)
            except (UserError, OSError) as error:
                return error
            record(done)
            return done

        while True:
            doing = asyncio.create_task(attempt())
            self._doing.add(doing)
            doing.add_done_callback(self._forget)
            done = await asyncio.shield(doing)
            if not isinstance(done, UserError | OSError):
                return done
            self.pause_if_full(done)
            await self.wait_for_space()

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._doing.discard(task)
        if not task.cancelled():
            task.exception()  # the caller has it; if there is no caller any more, the next start finds what is missing

    async def finish(self, longest: float) -> None:
        """Wait until work begun in `retry_when_space` is done and recorded, at most `longest` seconds."""
        if self._doing:
            await asyncio.wait(self._doing, timeout=longest)

    def fault(self, reason: str) -> list[Entry]:
        """The fault that pauses the loop; nothing while it is paused already."""
        if self._recorder.study.short_of_room:
            return []
        return [(Fault(where=DISK, message=reason, next_at=time.time() + CHECK_INTERVAL), None, None)]


def _allocate(descriptor: int, size: int) -> None:
    """Allocate the blocks: a sparse file reserves nothing."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:  # macOS
        os.pwrite(descriptor, bytes(size), 0)
    os.fsync(descriptor)
