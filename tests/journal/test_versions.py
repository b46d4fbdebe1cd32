"""Journals of older and newer versions, and what no program may change in one."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loop.journal import Journal, JournalError
from loop.study import events as e
from tests.disks import fill, small_disk


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
