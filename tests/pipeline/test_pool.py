"""Several researchers, and several conversations of one: who is asked, who hears what, and what limits do then."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.state import Study
from loop.study.team import Member
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.supervisor.house import House, Scripted, change

Act = Callable[[Journal], None]


def terms(*names: str, **said: object) -> tuple[Member, ...]:
    """Entries of a team, all alike."""
    return tuple(Member.model_validate({"kind": name, "name": name, "at_once": 1, **said}) for name in names)


async def at_once(job: Job, slot: Slot) -> RunResult:
    """Every run ends at once; only the baseline's noise is known."""
    return ended(loss=15.0 + job.seed % 2 if job.experiment == 0 else 20.0)


def house(root: Path, front: str = "limits: {experiments: 4}\n", slots: int = 4) -> House:
    """A workspace with that many slots whose runs end at once."""
    made = House(root, front, sandbox="off")
    made.executor = FakeExecutor(at_once, slots)
    return made


class Thinker:
    """Proposes new values of A to C, one after another; a test may hold its thoughts up."""

    about, ahead = "thinks as long as a test says", True

    def __init__(self, name: str, first: int = 10) -> None:
        self.name, self.first = name, first
        self.begun: list[int] = []
        self.briefings: list[Briefing] = []
        self.heard: list[tuple[int, str]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        self.begun.append(briefing.next_id)
        self.briefings.append(briefing)
        self.heard += [(briefing.next_id, words) for words in briefing.words]
        value = self.first + len(self.begun)
        sink.claim(f"A becomes {value}")
        await self.go.wait()
        self.heard += [(briefing.next_id, words) for words in sink.messages()]
        sink.spend(e.Spent(researcher="", tokens=10, usd=0.4))
        return Proposal(f"A becomes {value}", "", {"run.sh": briefing.files["run.sh"].replace("A=5", f"A={value}")})


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for are several researchers' own states
            await asyncio.sleep(0.01)


async def test_a_model_thinks_while_a_run_goes_on(tmp_path: Path) -> None:
    """The run of the first proposal ends when the second one is made, so without that it would never end."""
    waits = 'i=0; while [ $A = 4 ] && [ ! -e "$GO" ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done\n'
    go = tmp_path / "go"
    front = f"limits: {{experiments: 2}}\nread: {tmp_path}\nenv: {{GO: '{go}'}}\n"
    (root := tmp_path / "project").mkdir()
    script = f"# one\nA=5\n# two\nB=5\n# three\n{waits}echo loss: $((A + B)).$((LOOPTOP_SEED % 2))\n"
    made = House(root, front, sandbox="off", script=script)

    def second(briefing: Briefing) -> Proposal:
        assert briefing.experiments[1].phase in ("queued", "running")
        go.touch()
        return change("B=5", "B=9")(briefing)

    study = await made.work(Scripted(change("A=5", "A=4"), second, ahead=True))
    assert [study.experiments[n].verdict for n in (1, 2)] == ["kept", "discarded"]
    kinds = [(event.kind, event.experiment) for event in made.events("experiment_proposed", "run_finished")]
    assert kinds.index(("experiment_proposed", 2)) < kinds.index(("run_finished", 1))


async def test_one_researcher_holds_several_conversations_each_with_a_number_of_its_own(tmp_path: Path) -> None:
    made, model = house(tmp_path), Thinker("model")
    made.team = terms("model", at_once=3)
    model.go.clear()

    async def watch() -> None:
        await until(lambda: len(model.begun) == 3)
        await asyncio.sleep(0)
        model.go.set()

    watching = asyncio.create_task(watch())
    study = await made.work(model)
    await watching
    assert model.begun[:3] == [1, 2, 3], "four slots, and three conversations at most"
    told = [[thought.title for thought in briefing.thoughts] for briefing in model.briefings[:3]]
    assert told == [[], ["A becomes 11"], ["A becomes 11", "A becomes 12"]], "each is told what the others think about"
    assert study.judged() == 4 and sorted(study.experiments) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("to", ["", "b"])
async def test_words_are_for_everybody_or_for_one_and_each_hears_them_once(tmp_path: Path, to: str) -> None:
    made, a, b = house(tmp_path, "limits: {experiments: 8}\n", slots=2), Thinker("a"), Thinker("b", 50)
    made.team = terms("a", "b")
    for one in (a, b):
        one.go.clear()

    async def steer() -> None:
        await until(lambda: a.begun and b.begun)
        with Journal(Workspace(tmp_path).journal) as journal:
            journal.append(e.Steered(who="ada", text="wider", to=to))
        for one in (a, b):
            one.go.set()

    steering = asyncio.create_task(steer())
    study = await made.work(a, b)
    await steering
    assert [words for _, words in b.heard] == ["wider"]
    assert [words for _, words in a.heard] == ([] if to else ["wider"])
    (request,) = [one for one in study.requests.values() if one.kind == "steered"]
    assert request.heard == {name: one.begun[0] for name, one in (("a", a), ("b", b)) if one.heard}
    wanted = f"heard while it thought about experiment {b.begun[0]}"
    both = {f"heard by {x} for experiment {y.begun[0]} and " for x, y in (("a", a), ("b", b))}
    assert request.outcome == wanted if to else any(request.outcome.startswith(one) for one in both)


async def test_an_interrupt_of_one_leaves_the_others_thinking(tmp_path: Path) -> None:
    made, a, b = house(tmp_path, slots=2), Thinker("a"), Thinker("b", 50)
    made.team = terms("a", "b")
    for one in (a, b):
        one.go.clear()

    async def interrupt() -> None:
        await until(lambda: a.begun and b.begun)
        with Journal(Workspace(tmp_path).journal) as journal:
            journal.append(e.Steered(who="ada", text="wider", to="b", interrupt=True))
        await until(lambda: b.heard)
        for one in (a, b):
            one.go.set()

    interrupting = asyncio.create_task(interrupt())
    await made.work(a, b)
    await interrupting
    assert b.begun[0] == b.begun[1], "the thought goes on under its number"
    assert a.begun.count(a.begun[0]) == 1 and not a.heard


async def test_a_researcher_whose_money_is_spent_leaves_and_the_others_go_on(tmp_path: Path) -> None:
    made, rich, poor = house(tmp_path, "limits: {experiments: 6}\n", slots=1), Thinker("rich"), Thinker("poor", 50)
    made.team = (*terms("rich"), *terms("poor", usd=0.5))
    study = await made.work(rich, poor)
    by = [x.researcher for x in study.experiments.values()]
    assert by.count("poor") == 2, "the second one went over the limit, and counts"
    assert study.judged() == 6
    left = study.minds.of["poor"].left
    assert left == "its own limit is reached: $0.80 of $0.5 are spent"


@pytest.mark.parametrize("limit", ["experiments: 5", "usd: 1.0"])
async def test_a_limit_holds_with_many_in_flight_and_what_is_paid_for_is_judged(tmp_path: Path, limit: str) -> None:
    made, model = house(tmp_path, f"limits: {{{limit}}}\n"), Thinker("model")
    made.team = terms("model", at_once=4)
    model.go.clear()

    async def watch() -> None:
        await until(lambda: len(model.begun) == 4)
        model.go.set()

    watching = asyncio.create_task(watch())
    study: Study = await made.work(model)
    await watching
    assert not study.open, "all are judged"
    if limit.startswith("experiments"):
        assert study.judged() == 5
    else:
        assert study.judged() == 4, "four were in flight when the third reached it"
