"""The journal under attack: torn, truncated, foreign, read-only, of another version, or held by somebody else."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

import psutil
import pytest

from loop.journal import Journal, JournalBusy, JournalDamaged, JournalError
from loop.journal.filesystem import is_remote, kind_at
from loop.journal.recorder import FLUSH_INTERVAL, JOURNAL, Recorder
from loop.journal.wal import WAL_USUAL, flush_factor, wal_size
from loop.lineage import LineageError
from loop.machine.disk import DiskReserve, is_full, marks, out_of_order
from loop.study import codec
from loop.study import events as e
from tests.disks import fill, read_only, small_disk

REBUILD = "nothing was changed; `looptop doctor --rebuild` saves what can be read and adds what git knows"

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(sys.argv[2])
db.execute("SELECT count(*) FROM events").fetchone()
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of 400 events in 40 pages or so, closed cleanly."""
    with Journal(tmp_path / "journal.db", create=True) as journal:
        fill_in(journal, 400)
    return tmp_path / "journal.db"


def fill_in(journal: Journal, count: int) -> None:
    journal.append_all([(e.NoteWritten(researcher="r", text=f"{n} " + 200 * "x"), n, None) for n in range(count)])


@pytest.fixture
def hold(path: Path) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Have another process begin a transaction and never end it."""
    holders = []

    def start(begin: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", HOLDER, str(path), begin]
        holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert holders[-1].stdout is not None
        assert holders[-1].stdout.readline() == b"holds\n"
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()


def killed_in_the_middle(path: Path, more: int = 0) -> None:
    """Let a process append to the journal and be killed, so that its WAL stays."""
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom loop.study import events as e\n"
        "from loop.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for _ in range(int(sys.argv[2])):\n    journal.append(e.Paused(who='ada'))\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path), str(more)])
    assert done.returncode == -signal.SIGKILL and (not more or wal_size(path) > 0)


def content(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder that this user may read."""
    return {part.name: part.read_bytes() for part in folder.iterdir() if part.is_file() and os.access(part, os.R_OK)}


def refusal(path: Path, *, check: bool = False) -> str:
    """What opening and reading the journal is refused with; nothing of it has changed then."""
    before = content(path.parent)
    with pytest.raises(JournalError) as refused, Journal(path) as journal:
        if check:
            journal.check()
        journal.read()
    after = content(path.parent)
    assert {name: after.get(name) for name in before if not name.endswith("-shm")} == {
        name: content for name, content in before.items() if not name.endswith("-shm")
    }
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


# --- torn, truncated, foreign ----------------------------------------------------------------------------------


def test_a_journal_that_is_cut_off_says_how_much_is_missing(path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, size - 3 * 4096)
    said = refusal(path)
    assert said == f"{path} is damaged: 12,288 of its {size:,} bytes are cut off at the end; {REBUILD}"


def test_a_journal_of_which_nothing_is_left_is_not_taken_for_a_new_one(path: Path) -> None:
    os.truncate(path, 0)
    assert refusal(path) == f"{path} is damaged: it is empty; {REBUILD}"
    with pytest.raises(JournalDamaged, match="it is empty"):
        Journal(path, create=True)
    assert path.stat().st_size == 0


def test_a_page_of_garbage_is_found_at_the_start_wherever_it_is(path: Path) -> None:
    pages = path.stat().st_size // 4096
    for page in range(1, pages):
        with Journal(path.with_name("journal.db")) as journal:
            journal.check()
        whole = path.read_bytes()
        torn = path.parent / f"torn-{page}" / "journal.db"
        torn.parent.mkdir()
        torn.write_bytes(whole[: page * 4096] + os.urandom(4096) + whole[(page + 1) * 4096 :])
        said = refusal(torn, check=True)
        assert "is damaged: " in said and said.endswith(REBUILD), (page, said)


def test_a_torn_header_says_so(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 16)
    assert refusal(path) == f"{path} is damaged: it does not begin as a journal does; {REBUILD}"


def test_a_wal_that_is_torn_costs_what_was_torn_off_and_no_more(path: Path) -> None:
    killed_in_the_middle(path, more=50)
    wal = path.with_name("journal.db-wal")
    os.truncate(wal, wal.stat().st_size - 2000)
    with Journal(path, create=True) as journal:
        journal.check()
        kept = journal.read()
        assert 400 < len(kept) < 450 and [event.seq for event in kept] == list(range(1, len(kept) + 1))
        assert journal.append(e.Resumed()) == len(kept) + 1


def test_a_journal_without_its_wal_has_what_had_come_into_it(path: Path) -> None:
    killed_in_the_middle(path, more=50)
    path.with_name("journal.db-wal").unlink()
    with Journal(path) as journal:
        journal.check()
        assert len(journal.read()) == 400


def test_a_wal_without_its_journal_begins_no_new_study(path: Path) -> None:
    killed_in_the_middle(path, more=5)
    path.unlink()
    for create in (False, True):
        with pytest.raises(JournalError, match="is gone, and the newest events of its study are still in"):
            Journal(path, create=create)
    assert wal_size(path) > 0 and not path.exists()


def test_an_event_that_nobody_can_have_written_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute('INSERT INTO events(at, kind, body) VALUES (1, \'paused\', \'{"kind": "paused", "wh\')')
    assert refusal(path) == f"{path} is damaged: event 401 (paused) is not what a looptop writes; {REBUILD}"


def test_a_folder_in_its_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    assert refusal(tmp_path / "journal.db").endswith(
        "is a folder, and the journal should be a file there; move it away"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_journal_that_may_not_be_read_says_so(path: Path) -> None:
    path.chmod(0)
    assert refusal(path) == f"{path} may not be read by this user"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_journal_that_may_not_be_written_is_looked_at(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with Journal(path) as journal:
            assert len(journal.read()) == 400
            with pytest.raises(JournalError, match="may not be written by this user"):
                journal.append(e.Paused())
    finally:
        path.parent.chmod(0o755)


# --- another version -------------------------------------------------------------------------------------------


def older(path: Path) -> None:
    """Make the journal one of layout 1: it had no triggers."""
    with closing(sqlite3.connect(path)) as db, db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("PRAGMA user_version=1")


def layout(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_no_program_can_change_remove_or_replace_an_event(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        for statement in (
            "UPDATE events SET body = '{}' WHERE seq = 3",
            "DELETE FROM events WHERE seq = 3",
            "DELETE FROM events",
            "INSERT OR REPLACE INTO events(seq, at, kind, body) VALUES (3, 1, 'paused', '{}')",
            "REPLACE INTO events(seq, at, kind, body) VALUES (3, 1, 'paused', '{}')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="the journal is append-only"):
                db.execute(statement)
    with Journal(path) as journal:
        assert len(journal.read()) == 400


def test_an_older_journal_is_looked_at_as_it_is_and_migrated_with_a_copy_by_a_supervisor(path: Path) -> None:
    older(path)
    with Journal(path) as journal:
        events = journal.read()
        journal.append(e.Paused(who="ada"))  # a request to a loop that was started before the update
    assert layout(path) == 1 and not path.with_name("journal.layout-1.db").exists()
    with Journal(path, create=True) as journal:
        assert journal.read()[:-1] == events
    assert layout(path) == 2
    copy = path.with_name("journal.layout-1.db")
    assert layout(copy) == 1
    with Journal(copy) as journal:
        assert len(journal.read()) == 401
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("DELETE FROM events")
    kept = copy.read_bytes()
    Journal(path, create=True).close()
    assert copy.read_bytes() == kept


def test_an_older_journal_is_not_migrated_where_there_is_no_room_for_its_copy(path: Path, tmp_path: Path) -> None:
    older(path)
    with small_disk(tmp_path / "small", "1m") as disk:
        shutil.copyfile(path, disk / "journal.db")
        fill(disk, leave=100_000)
        before = (disk / "journal.db").read_bytes()
        with pytest.raises(JournalError, match=r"an older looptop \(layout 1\); to keep a copy .* free some"):
            Journal(disk / "journal.db", create=True)
        assert [file.name for file in sorted(disk.iterdir()) if "journal" in file.name] == ["journal.db"]
        assert (disk / "journal.db").read_bytes() == before


def test_a_newer_journal_is_looked_at_and_nothing_is_written_to_it(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO events(at, kind, body) VALUES (1, 'teleported', '{\"kind\": \"teleported\"}')")
        db.execute('INSERT INTO events(at, kind, body) VALUES (1, \'fault\', \'{"kind": "fault", "why": 5}\')')
        db.execute("PRAGMA user_version=3")
    with Journal(path) as journal:
        assert len(journal.read()) == 400
        assert "written by a newer looptop (layout 3); update looptop" in journal.refusal
        with pytest.raises(JournalError, match="update looptop"):
            journal.append(e.Paused())
    with pytest.raises(JournalError, match=r"written by a newer looptop \(layout 3\); update looptop"):
        Journal(path, create=True)


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


# --- somebody holds on -----------------------------------------------------------------------------------------


async def test_a_reader_that_holds_on_is_told_of_and_the_wal_is_cut_off_when_it_is_gone(
    path: Path, hold: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    with Journal(path) as journal:
        recorder = Recorder(journal)
        reader = hold("BEGIN")
        while journal.wal_size <= WAL_USUAL:
            journal.append(e.NoteWritten(researcher="r", text=(1 << 20) * "x"))
        for _ in range(4):
            recorder.check_wal()
        recorder.catch_up()
        trouble = recorder.study.troubles[JOURNAL]
        assert trouble.message.startswith("another program keeps a read transaction open on the journal")
        assert f"end that program (`lsof {path}` lists who has it open)" in trouble.message
        assert trouble.tries == 1, "it is told of once"
        assert flush_factor(journal.wal_size) > 1
        psutil.Process(reader.pid).kill()
        reader.wait()
        recorder.check_wal()
        recorder.catch_up()
        assert JOURNAL not in recorder.study.troubles
        assert journal.wal_size < 100_000 and flush_factor(journal.wal_size) == 1


def test_hours_of_a_reader_that_holds_on_cost_what_is_said_in_them_and_not_a_page_for_every_word(
    path: Path, hold: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    """Two samples a second and a gauge every two, for six hours, committed as seldom as the rule says."""
    hold("BEGIN")
    sample = e.StepSampled(step=12345, progress=0.52, values={"loss": 2.213, "lrm": 1.0, "tok/sec": 1204331.0})
    due, written, commits = 0.0, 0, 0
    with Journal(path) as journal:
        while due < 6 * 3600:
            due += FLUSH_INTERVAL * flush_factor(journal.wal_size)
            if new := int(2.5 * due) - written:
                written, commits = written + new, commits + 1
                journal.append_all([(sample, 1, 1)] * new)
            if due == 300:
                a_minute = journal.wal_size / 5
        said = written * len(codec.encode(sample))
        assert written > 50_000 and commits < 3_000
        assert journal.wal_size < (48 << 20) + 3 * said < 360 * a_minute / 10
        print(f"{written} events of {said >> 20} MB in {commits} commits: a WAL of {journal.wal_size >> 20} MB")


def test_a_write_lock_that_somebody_holds_is_a_sentence(
    path: Path, hold: Callable[[str], "subprocess.Popen[bytes]"]
) -> None:
    with Journal(path) as journal:
        writer = hold("BEGIN IMMEDIATE")
        journal._db.execute("PRAGMA busy_timeout=50")
        with pytest.raises(JournalBusy, match=r"another program holds .* and lets nobody write; end it \(`lsof "):
            journal.append(e.Paused())
        writer.kill()
        writer.wait()
        assert journal.append(e.Paused()) == 401


# --- remote file systems ---------------------------------------------------------------------------------------

TABLE = [
    ("/", "overlay"),  # of a container
    ("/proc", "proc"),
    ("/home", "autofs"),
    ("/home/ada", "nfs4"),
    ("/data", "fuse.juicefs"),
    ("/bucket", "fuse.gcsfuse"),
    ("/pool", "fuse.mergerfs"),
    ("/stick", "fuseblk"),
    ("/mnt/c", "9p"),  # of the Windows around it
    ("/scratch", "lustre"),
    ("/shared", "virtiofs"),
    ("/over", "nfs"),
    ("/over", "tmpfs"),
]


@pytest.mark.parametrize(
    ("path", "kind", "remote"),
    [
        ("/workspace/journal.db", "overlay", False),
        ("/home/grace/journal.db", "autofs", False),
        ("/home/ada/project/journal.db", "nfs4", True),
        ("/home/adam/journal.db", "autofs", False),
        ("/data/x", "fuse.juicefs", True),
        ("/bucket/x", "fuse.gcsfuse", True),
        ("/pool/x", "fuse.mergerfs", False),
        ("/stick/x", "fuseblk", False),
        ("/mnt/c/Users/x", "9p", True),
        ("/scratch/x", "lustre", True),
        ("/shared/x", "virtiofs", True),
        ("/over/x", "tmpfs", False),
    ],
)
def test_the_mount_table_tells_what_is_remote(path: str, kind: str, remote: bool) -> None:
    assert kind_at(PurePosixPath(path), TABLE) == kind
    assert is_remote(kind) is remote


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system's mount table say that the test's folder is on NFS."""
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "filesystems").write_text("nodev\tnfs4\n\text4\n")
    place = str(tmp_path).replace(" ", "\\040")
    (proc / "self" / "mounts").write_text(f"/dev/vda / ext4 rw 0 0\nserver:/home {place} nfs4 rw,relatime 0 0\n")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc))


def mode(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the mount table is Linux's")
def test_a_journal_on_a_remote_file_system_gets_a_rollback_journal(tmp_path: Path, remote: None) -> None:
    with Journal(tmp_path / "journal.db", create=True) as journal, Journal(tmp_path / "journal.db") as reader:
        journal.append(e.Paused())
        assert len(reader.read()) == 1
        assert reader.append(e.Resumed()) == 2
    assert mode(tmp_path / "journal.db") == "delete"
    assert not list(tmp_path.glob("*-shm"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the mount table is Linux's")
def test_a_journal_that_was_moved_to_a_remote_file_system_leaves_its_wal_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    killed_in_the_middle(path, more=5)
    assert mode(path) == "wal"
    with monkeypatch.context():
        request.getfixturevalue("remote")
        with Journal(path, create=True) as journal:
            assert len(journal.read()) == 405 and journal.wal_size == 0
            journal.append(e.Paused())
        assert mode(path) == "delete"
    monkeypatch.setattr(psutil, "PROCFS_PATH", "/proc")
    Journal(path, create=True).close()  # and back
    assert mode(path) == "wal"
