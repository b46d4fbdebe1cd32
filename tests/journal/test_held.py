"""The journal while somebody else holds it: readers that stay, and writers that do not end."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loop.journal import Journal, JournalBusy
from loop.journal.recorder import FLUSH_INTERVAL, JOURNAL, Recorder
from loop.journal.wal import WAL_USUAL, flush_factor
from loop.study import codec
from loop.study import events as e


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
