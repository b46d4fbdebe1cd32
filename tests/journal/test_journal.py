"""The journal: append, read and follow, between real processes."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.journal import Journal, JournalError
from loop.study import events as e
from loop.study.codec import decode, encode

WRITER = """
import sys
from pathlib import Path
from loop.study import events as e
from loop.journal import Journal
journal = Journal(Path(sys.argv[1]))
for n in range(int(sys.argv[2])):
    journal.append_all([(e.Thought(researcher="w", text=f"{sys.argv[3]} {n} {k}"), n, None) for k in range(3)])
    print(n, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Journal(tmp_path / "journal.db", create=True).close()
    return tmp_path / "journal.db"


def writer(path: Path, count: int, name: str = "w") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count), name], stdout=subprocess.PIPE)


def test_what_is_appended_is_read_back_in_order(path: Path) -> None:
    with Journal(path) as journal:
        first = journal.append(e.Paused(who="ada"), at=5.0)
        rest = journal.append_all([(e.Thought(researcher="a", text="x"), 1, None), (e.Killed(who="b"), 1, 2)])
        events = journal.read()
    assert [event.seq for event in events] == [first, *rest]
    assert events[0] == e.Event(first, 5.0, None, None, e.Paused(who="ada"))
    assert (events[2].experiment, events[2].run, events[2].kind) == (1, 2, "killed")


def test_reading_can_be_narrowed(path: Path) -> None:
    with Journal(path) as journal:
        for n in range(10):
            journal.append(e.Thought(researcher="a", text=str(n)), n % 2)
            journal.append(e.StepSampled(step=n), n % 2, 1)
        assert len(journal.read(kinds={"thought"})) == 10
        assert [x.body.text for x in journal.read(kinds={"thought"}, experiment=1)] == ["1", "3", "5", "7", "9"]  # type: ignore[union-attr]
        assert len(journal.read(run=1)) == 10
        assert [x.seq for x in journal.read(limit=2, newest=True)] == [19, 20]
        assert [x.seq for x in journal.read(4, until=6)] == [5, 6]
        assert journal.read(kinds=()) == []
        assert journal.last_seq() == 20


@pytest.mark.parametrize(("at", "seq"), [(0.5, 0), (1.0, 1), (1.9, 1), (5.0, 5), (99.0, 5)])
def test_the_event_of_a_moment_is_found(path: Path, at: float, seq: int) -> None:
    with Journal(path) as journal:
        assert journal.seq_at(at) == 0, "an empty one has none"
        for moment in range(1, 6):
            journal.append(e.Paused(), at=moment)
        assert journal.seq_at(at) == seq


def test_a_batch_is_all_or_nothing(path: Path) -> None:
    with Journal(path) as journal:
        with pytest.raises(JournalError):
            journal.append_all([(e.Paused(), 1, None), (e.Paused(), object(), None)])  # type: ignore[list-item]
        assert journal.read() == []
        journal.append(e.Resumed())
        assert [event.kind for event in journal.read()] == ["resumed"]


def test_processes_append_side_by_side_and_lose_nothing(path: Path) -> None:
    writers = [writer(path, 60, name) for name in "abc"]
    assert [process.wait() for process in writers] == [0, 0, 0]
    with Journal(path) as journal:
        events = journal.read()
    assert len(events) == 3 * 60 * 3
    assert [event.seq for event in events] == list(range(1, 541))
    for name in "abc":
        texts = [x.body.text for x in events if x.body.text.startswith(name)]  # type: ignore[union-attr]
        assert texts == [f"{name} {n} {k}" for n in range(60) for k in range(3)]


def test_a_second_look_in_one_process_gives_up_none_of_the_locks_of_the_first(path: Path) -> None:
    look = [sys.executable, "-c", "import sys; from pathlib import Path; from loop.journal import Journal\n"]
    look[-1] += "with Journal(Path(sys.argv[1])) as journal:\n    print(journal.last_seq())"
    with Journal(path, create=True) as journal:
        for expected in (1, 2, 3):
            assert journal.append(e.Paused()) == expected
            Journal(path).close()
            # Who closes the last connection removes the WAL; this one is not the last.
            assert int(subprocess.check_output([*look, str(path)])) == expected


def test_a_writer_that_is_killed_leaves_whole_batches(path: Path) -> None:
    process = writer(path, 100_000)
    assert process.stdout is not None
    for _ in range(40):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Journal(path) as journal:
        count = len(journal.read())
        assert count >= 120 and count % 3 == 0
        journal.append(e.Resumed())
        assert journal.last_seq() == count + 1


async def test_follow_sees_what_another_process_appends(path: Path) -> None:
    seen: list[e.Event] = []
    with Journal(path) as journal:
        journal.append(e.Paused())
        process = writer(path, 50)

        async def follow() -> None:
            async for events in journal.follow(after=1, batch=7):
                assert len(events) <= 7
                seen.extend(events)
                if len(seen) == 150:
                    return

        await asyncio.wait_for(follow(), 30)
        process.wait()
    assert [event.seq for event in seen] == list(range(2, 152))


async def test_catching_up_gives_the_event_loop_its_turns(path: Path) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    with Journal(path) as journal:
        journal.append_all([(e.Thought(researcher="a", text="x"), 1, None)] * 5000)
        task = asyncio.create_task(count())
        async for events in journal.follow(batch=500):
            if events[-1].seq == 5000:
                break
        task.cancel()
    assert turns >= 8


def test_a_kind_from_the_future_is_skipped(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(e.Paused())
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO events(at, kind, body) VALUES (1, 'teleported', '{\"kind\": \"teleported\"}')")
    with Journal(path) as journal:
        journal.append(e.Resumed())
        assert [event.kind for event in journal.read()] == ["paused", "resumed"]


def test_fields_from_the_future_are_ignored() -> None:
    assert decode('{"kind": "paused", "who": "ada", "mood": "good", "v": 7}') == e.Paused(who="ada", v=7)


def test_nothing_in_the_journal_can_be_changed_through_it(path: Path) -> None:
    public = {name for name in dir(Journal) if not name.startswith("_")}
    looks = {"check", "follow", "last_seq", "read", "seq_at", "wal_size"}
    assert public == {"append", "append_all", "close", "empty_wal"} | looks


def test_a_missing_journal_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="start one with `looptop`"):
        Journal(tmp_path / "none.db")


def test_something_else_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    other = tmp_path / "journal.db"
    other.write_text("this is no database, and has never been one" * 50)
    with pytest.raises(JournalError, match="does not begin as a journal does"):
        Journal(other)
    with closing(sqlite3.connect(tmp_path / "bookmarks.db")) as db:
        db.execute("CREATE TABLE bookmarks(url)")
    with pytest.raises(JournalError, match="not a looptop journal"):
        Journal(tmp_path / "bookmarks.db")


def test_a_reader_that_holds_on_does_not_block_a_writer(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(e.Paused())
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        journal.append(e.Resumed())
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (2,)
        reader.close()


@given(st.text(), st.text(max_size=5), st.floats(allow_nan=False), st.dictionaries(st.text(max_size=5), st.floats()))
def test_bodies_come_back_as_they_went_in(text: str, who: str, number: float, values: dict[str, float]) -> None:
    for body in (
        e.Steered(who=who, text=text),
        e.ToolCalled(researcher=who, intent=text, result=text, seconds=number),
        e.Thought(researcher=who, text=text),
    ):
        try:
            text.encode()
        except UnicodeEncodeError:
            continue
        assert decode(encode(body)) == body
    if all(key.isprintable() for key in values):
        back = decode(encode(e.StepSampled(values=values)))
        assert isinstance(back, e.StepSampled)
        assert repr(back.values) == repr(values)  # NaN is not equal to itself


def test_lone_surrogates_do_not_break_the_journal(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(e.Thought(researcher="a", text="broken \ud800 text"))
        (event,) = journal.read()
    assert isinstance(event.body, e.Thought) and event.body.text.startswith("broken ")


def test_times_are_those_of_the_writers_clock(path: Path) -> None:
    before = time.time()
    with Journal(path) as journal:
        journal.append(e.Paused())
        (event,) = journal.read()
    assert before <= event.at <= time.time()
