"""The journal under attack: torn, truncated, foreign, or closed to this user."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loop.journal import Journal, JournalDamaged, JournalError
from loop.journal.wal import wal_size
from loop.study import events as e
from tests.journal.journals import REBUILD, killed_in_the_middle, refusal


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
