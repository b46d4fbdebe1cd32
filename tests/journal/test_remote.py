"""The journal on file systems of other machines."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path, PurePosixPath

import psutil
import pytest

from loop.journal import Journal
from loop.journal.filesystem import is_remote, kind_at
from loop.study import events as e
from tests.journal.journals import killed_in_the_middle

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
