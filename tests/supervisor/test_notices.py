"""The loop tells a person who is elsewhere; whoever does not listen holds nothing up."""

import asyncio
import time
from pathlib import Path

import pytest

from loop.config.settings import Settings
from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.machine.channels import channel, send
from loop.policy.news import NOTIFY
from loop.study import events as e
from loop.supervisor import notices
from loop.supervisor.notices import Notices, Outbox
from loop.workspace import Workspace
from tests.listener import Listener, listening
from tests.stories import Story
from tests.supervisor.house import House, Scripted, change


async def heard(server: Listener, count: int) -> list[str]:
    for _ in range(500):
        if len(server.posted) >= count:
            break
        await asyncio.sleep(0.02)
    return [posted["message"] for posted in server.posted]


async def test_a_whole_loop_tells_of_its_gains_and_of_its_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    with listening() as server:
        house.settings = Settings(notify=(channel(f"webhook:{server.address}/x"),))
        await house.work(Scripted(change("A=5", "A=4"), change("B=5", "B=9")))
        told = await heard(server, 3)
    assert told[0].startswith("experiment 1 is the champion at ") and "A=5 to A=4" in told[0]
    assert told[-1].startswith("the loop has stopped: no researcher has anything left to propose")
    assert "+2 experiments, 1 kept" in told[-1] and len(told) == 3


async def test_whoever_does_not_answer_holds_up_neither_the_loop_nor_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_GOODBYE", 0.2)
    house = House(tmp_path)
    with listening() as server:
        server.silent.set()
        house.settings = Settings(notify=(channel(f"webhook:{server.address}/x"),))
        study = await house.work(Scripted(change("A=5", "A=4")))
    assert study.champion == 1 and study.supervisor is not None and study.supervisor.stopped_at is not None


async def test_a_failure_is_one_fault_and_is_over_when_something_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_FIRST_PAUSE", 0.01)
    facts: list[e.Body] = []
    with listening(500, 503, 429, 200) as server:
        box = Outbox(channel(f"ntfy:{server.address}/secret"), facts.append, send)
        box.open()
        for number in range(3):
            box.put(notices.Message("best", "t", f"message {number}"))
        told = await heard(server, 6)
        await asyncio.sleep(0.05)
        await box.close(1.0)
    assert told == ["message 0"] * 4 + ["message 1", "message 2"], "in order, and none is lost"
    assert [fact.kind for fact in facts] == ["fault", "recovered"]
    fault = facts[0]
    assert isinstance(fault, e.Fault) and fault.where == f"{NOTIFY}ntfy (127.0.0.1)"
    assert "answered 500" in fault.message and "secret" not in fault.message


async def test_what_will_never_be_taken_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    facts: list[e.Body] = []
    with listening(404) as server:
        box = Outbox(channel(f"webhook:{server.address}/gone"), facts.append, send)
        box.open()
        box.put(notices.Message("best", "t", "a"))
        box.put(notices.Message("best", "t", "b"))
        assert await heard(server, 2) == ["a", "b"]
        await asyncio.sleep(0.05)
        await box.close(1.0)
    assert [fact.kind for fact in facts] == ["fault"]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Notices, Recorder, list[tuple[str, str]]]:
    """Notices of a study with a baseline, and what they would send."""
    journal = Journal(tmp_path / "journal.db", create=True)
    story = Story().slots("", "").baseline()
    journal.append_all([(x.body, x.experiment, x.run) for x in story.events], at=[x.at for x in story.events])
    recorder = Recorder(journal)
    settings = Settings(notify=(channel("ntfy:t"),), digest_at="12:00", plateau=2)  # type: ignore[arg-type]
    found = Notices(Workspace(tmp_path), recorder, journal, settings)
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(found._boxes[0], "put", lambda message: sent.append((message.kind, message.text)))
    return found, recorder, sent


def test_a_trouble_is_told_once_until_it_is_over(told: tuple[Notices, Recorder, list[tuple[str, str]]]) -> None:
    found, recorder, sent = told
    now = time.time()
    for _ in range(3):
        recorder.record(e.Fault(where="llm", message="529", next_at=now + 60))
    found.look(now)
    recorder.record(e.Fault(where="llm", message="530", next_at=now + 60))
    recorder.record(e.Fault(where="notify ntfy", message="404"))
    found.look(now)
    assert [pair for pair in sent if pair[0] == "fault"] == [("fault", "llm: 529")]


def test_an_idle_slot_is_told_once_and_a_digest_at_its_hour(
    told: tuple[Notices, Recorder, list[tuple[str, str]]],
) -> None:
    found, recorder, sent = told
    begin = recorder.study.at
    found.look(begin + 300)
    assert not sent
    for minutes in (11, 12, 13):
        found.look(begin + 60 * minutes)
    assert [kind for kind, _ in sent] == ["idle"] and sent[0][1].startswith("GPU 0 has had no run for 11 min: ")
    sent.clear()
    day = time.mktime((2030, 1, 31, 11, 59, 0, 0, 0, -1))
    found._due = found._next_digest(day)
    for seconds in (0, 59, 61, 120, 3600):
        found.look(day + seconds)
    assert [kind for kind, _ in sent if kind != "idle"] == ["digest"]
    assert found._due == time.mktime((2030, 2, 1, 12, 0, 0, 0, 0, -1))


def test_a_plateau_is_told_when_a_verdict_makes_it_one(told: tuple[Notices, Recorder, list[tuple[str, str]]]) -> None:
    found, recorder, sent = told
    for number in (1, 2):
        recorder.record(e.ExperimentProposed(researcher="r", title="t", parent=0), number)
        recorder.record(e.ExperimentJudged(verdict="discarded", reason="worse", metric=2.0), number)  # type: ignore[arg-type]
        found.look(time.time())
        found.look(time.time())
    assert [kind for kind, _ in sent if kind == "plateau"] == ["plateau"]
