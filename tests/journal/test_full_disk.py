"""The journal on disks that are full or read-only, and the reserve that lets it say so."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loop.journal import Journal, JournalError
from loop.journal.recorder import Recorder
from loop.lineage import LineageError
from loop.machine.disk import DiskReserve, is_full, marks, out_of_order
from loop.study import events as e
from tests.disks import fill, read_only, small_disk
from tests.journal.journals import killed_in_the_middle

# --- read-only -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unfinished", [0, 5])
def test_on_a_read_only_file_system_everything_can_be_looked_at(path: Path, unfinished: int) -> None:
    if unfinished:
        killed_in_the_middle(path, unfinished)
        path.with_name("journal.db-shm").unlink()  # as after a copy, or a power cut
    with read_only(path.parent):
        with Journal(path) as journal:
            journal.check()
            assert len(journal.read()) == 400 + unfinished
            with pytest.raises(JournalError, match="is on a read-only file system, so nothing can be asked for here"):
                journal.append(e.Paused())
        with pytest.raises(JournalError, match="is on a read-only file system, so no loop can work there"):
            Journal(path, create=True)
        with pytest.raises(JournalError, match="so no study can begin there"):
            Journal(path.with_name("another.db"), create=True)


# --- a full disk -----------------------------------------------------------------------------------------------


def test_a_reserve_is_really_taken_and_really_given_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "32m") as disk:
        free = shutil.disk_usage(disk).free
        reserve, wanted = DiskReserve(disk), marks(32 << 20)
        assert (wanted.start, wanted.pause, wanted.reserve) == (8 << 20, 2 << 20, 256 << 10)
        assert reserve.reserve() and reserve.shortage() is None and reserve.recovered()
        assert free - shutil.disk_usage(disk).free == wanted.reserve
        fill(disk)
        assert reserve.shortage() == f"the disk under {disk} has 0 B left; nothing new starts until 8.0 MB are free"
        assert reserve.release() and not reserve.release()
        assert shutil.disk_usage(disk).free == wanted.reserve - (64 << 10)
        assert not reserve.recovered() and not reserve.reserve()
        reserve.release_all()
        assert shutil.disk_usage(disk).free == wanted.reserve
    large = marks(1 << 40)
    assert (large.start, large.pause, large.reserve) == (256 << 20, 64 << 20, 8 << 20)


@pytest.mark.parametrize(
    ("error", "full", "broken"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True, False),
        (LineageError("git worktree failed in /x: unable to write file a; Could not reset index file"), True, False),
        (LineageError("git fast-import failed in /x: write error: No space left on device"), True, False),
        (
            LineageError("git tag failed in /x: unable to create temporary file: Permission denied"),
            False,
            False,
        ),
        (LineageError("git fast-import failed in /x: unable to write: Read-only file system"), False, True),
        (OSError(errno.EIO, "Input/output error", "/x/y"), False, True),
        (LineageError("a.py leads through the symbolic link b"), False, False),
    ],
)
def test_what_failed_for_a_disk_is_told_from_what_a_proposal_did(error: Exception, full: bool, broken: bool) -> None:
    assert is_full(error) is full
    assert full or (out_of_order(error) is not None) is broken


def test_a_write_that_found_no_room_says_what_is_waited_for_where_there_is_some_by_now(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "32m") as disk, Journal(disk / "journal.db", create=True) as journal:
        recorder = Recorder(journal, DiskReserve(disk))
        recorder.disk.pause_if_full(LineageError("git fast-import failed in a: No space left on device"))
        assert recorder.study.troubles["disk"].message == (
            "git fast-import failed in a: No space left on device; nothing new starts until 8.0 MB are free"
        )
        recorder.disk.check()
        assert not recorder.study.short_of_room


async def test_what_is_said_on_a_full_disk_is_written_in_the_place_of_the_reserve(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "32m") as disk, Journal(disk / "journal.db", create=True) as journal:
        reserve = DiskReserve(disk)
        reserve.reserve()
        recorder = Recorder(journal, reserve)
        recorder.stream(e.Thought(researcher="r", text="in the middle of a "))
        ballast = fill(disk)
        recorder.stream(e.Thought(researcher="r", text="thought"))
        recorder.record(e.NoteWritten(researcher="r", text=20_000 * "x"))
        assert [event.kind for event in journal.read()] == ["thought", "note_written", "fault"]
        assert "B left; nothing new starts until 8.0 MB are free" in recorder.study.troubles["disk"].message
        recorder.disk.check()
        assert recorder.study.short_of_room
        ballast.unlink()
        recorder.disk.check()
        assert not recorder.study.short_of_room
        assert (disk / "reserve").stat().st_blocks * 512 >= marks(32 << 20).reserve, (
            "it is there again for the next time"
        )


WORKER = """
import asyncio, sys
from pathlib import Path
from loop.study import events as e
from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.machine.disk import DiskReserve
async def main():
    folder = Path(sys.argv[1])
    with Journal(folder / "journal.db", create=True) as journal:
        reserve = DiskReserve(folder)
        reserve.reserve()
        recorder = Recorder(journal, reserve)
        for n in range(300):
            recorder.stream(e.Thought(researcher="r", text=f"about {n}"))
            recorder.record(e.NoteWritten(researcher="r", text=f"{n} " + 4000 * "x"))
            print(n, flush=True)
            if n == 20:
                sys.stdin.readline()
asyncio.run(main())
"""


def test_facts_that_nobody_has_room_for_wait_and_are_written_in_order_when_there_is(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "32m") as disk:
        command = [sys.executable, "-c", WORKER, str(disk)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
            assert worker.stdout is not None and worker.stdin is not None and worker.stderr is not None
            while worker.stdout.readline() != b"20\n":
                pass
            ballast = fill(disk)
            worker.stdin.write(b"go on\n")
            worker.stdin.flush()
            stands = worker.stderr.readline().decode()  # the reserve is used up too
            assert stands.startswith(f"the disk of {disk}/journal.db is full, so the journal takes nothing more;")
            assert stands.endswith("; the loop waits until it can be written\n")
            ballast.unlink()
            assert worker.stdout.read().split()[-1] == b"299"
        assert worker.returncode == 0
        with Journal(disk / "journal.db") as journal:
            journal.check()
            kinds = {"thought", "note_written"}
            said = [x.body.text.split(" x")[0] for x in journal.read(kinds=kinds)]  # type: ignore[union-attr]
            assert said == [text for n in range(300) for text in (f"about {n}", str(n))]
            assert [x.kind for x in journal.read(kinds=e.KINDS - kinds)] == ["fault"]


def test_a_full_disk_can_be_looked_at_and_a_request_says_why_not(tmp_path: Path, path: Path) -> None:
    with small_disk(tmp_path / "small", "8m") as disk:
        shutil.copyfile(path, disk / "journal.db")
        fill(disk)
        with Journal(disk / "journal.db") as journal:
            assert len(journal.read()) == 400
            with pytest.raises(JournalError, match="is full, so the journal takes nothing more; free some space"):
                journal.append(e.Paused())
