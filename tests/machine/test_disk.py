"""The guard of the disk: what it repeats, what it passes on, and what it records."""

import asyncio
import errno
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from loop.errors import UserError
from loop.machine.disk import DiskError, DiskGuard, DiskReserve
from loop.study import events as e
from loop.study.folding import apply
from loop.study.state import Study

FULL = OSError(errno.ENOSPC, "No space left on device")


class Reporter:
    """A study that is told of faults and of their end, and where a shortage is over at once."""

    def __init__(self) -> None:
        self.study = Study()
        self.said: list[e.Body] = []

    def record_all(self, facts: Sequence[e.Entry]) -> None:
        for body, experiment, run in facts:
            self.said.append(body)
            apply(self.study, e.Event(len(self.said), float(len(self.said)), experiment, run, body))

    async def until(self, condition: Callable[[], bool], tick: float | None = None) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def reporter() -> Reporter:
    return Reporter()


@pytest.fixture
def guard(tmp_path: Path, reporter: Reporter) -> DiskGuard:
    return DiskGuard(DiskReserve(tmp_path), reporter)


async def test_what_failed_for_lack_of_space_is_done_again_once_there_is_some(
    guard: DiskGuard, reporter: Reporter
) -> None:
    errors: list[Exception] = [FULL, UserError("git fast-import failed in /x: write error: No space left on device")]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    recorded: list[str] = []
    assert await guard.retry_when_space(work, recorded.append) == "done"
    assert recorded == ["done"]
    assert [body.kind for body in reporter.said] == ["fault", "recovered"] * 2
    assert not reporter.study.short_of_room


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (UserError("the branch was moved"), UserError),
        (PermissionError(errno.EACCES, "Permission denied"), DiskError),
        (OSError(errno.EROFS, "Read-only file system", "/x"), DiskError),
        (ValueError("a bug"), ValueError),
    ],
)
async def test_what_failed_for_another_reason_is_passed_on(
    guard: DiskGuard, reporter: Reporter, error: Exception, raised: type[Exception]
) -> None:
    def work() -> None:
        raise error

    with pytest.raises(raised):
        await guard.retry_when_space(work)
    assert not reporter.said


async def test_without_a_reserve_a_full_disk_is_an_error_like_any_other(reporter: Reporter) -> None:
    def work() -> None:
        raise FULL

    guard = DiskGuard(None, reporter)
    with pytest.raises(OSError, match="No space left"):
        await guard.retry_when_space(work)
    guard.check()
    assert not reporter.said and guard.shortage() is None


async def test_work_whose_caller_is_gone_is_recorded_all_the_same(guard: DiskGuard) -> None:
    go = threading.Event()
    recorded: list[bool] = []
    asked = asyncio.create_task(guard.retry_when_space(lambda: go.wait(30), recorded.append))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not recorded
    go.set()
    await guard.finish(30)
    assert recorded == [True]


async def test_an_error_while_recording_is_not_taken_for_one_of_the_work(guard: DiskGuard) -> None:
    """The journal has retried for an hour then; doing the work again would not help."""

    def refuse(_: int) -> None:
        raise UserError("the disk of journal.db is full: No space left on device")

    times: list[int] = []
    with pytest.raises(UserError, match=r"the disk of journal\.db is full"):
        await guard.retry_when_space(lambda: times.append(1) or 1, refuse)
    assert times == [1]
