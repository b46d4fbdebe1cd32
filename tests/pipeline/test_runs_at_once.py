"""Several runs of one experiment at once: each has a number, a seed, a record and an end of its own."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage, init_repository
from loop.pipeline.advice import Advice
from loop.pipeline.dispatcher import Dispatcher
from loop.policy import scheduler
from loop.policy.scheduler import FIRST_SEED
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.gauges import FakeGauges


class Place:
    """A study with a queued baseline, and runs that end when the test says so."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self.root, self.recorder = root, Recorder(journal)
        self.ends: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.executor = FakeExecutor(self.answer, slots=2)
        (root / "run.sh").touch()
        init_repository(root, [root / "run.sh"])
        lineage = Lineage(root, "t")
        advice = Advice(lineage, root, "off")
        self.dispatcher = Dispatcher(Workspace(root), lineage, self.recorder, self.executor, advice)
        contract = Contract(verify=None, metric="loss")
        for body in (
            e.StudyStarted(tag="t", branch="looptop/t", base="0" * 40, contract=contract),
            e.ExperimentProposed(researcher="r", title="baseline"),
            e.ExperimentQueued(commit="1" * 40, parent=None, parent_commit="0" * 40),
        ):
            self.recorder.record(body, 0)

    async def answer(self, job: Job, slot: Slot) -> RunResult:
        await self.ends[job.name].wait()
        return ended(loss=float(job.run))

    @property
    def baseline(self) -> Experiment:
        return self.recorder.study.experiments[0]

    def two(self) -> list[asyncio.Task[str | None]]:
        """Two runs of the baseline, started in the same moment."""
        slots = enumerate(self.executor.slots(), 1)
        return [asyncio.create_task(self.whole(number, slot)) for number, slot in slots]

    async def whole(self, number: int, slot: Slot) -> str | None:
        """A run of the baseline, until nothing is left of it."""
        try:
            return await self.dispatcher.run(scheduler.Work(self.baseline, number), slot)
        finally:
            await self.dispatcher.closed(self.baseline, number)

    async def until_running(self) -> None:
        await self.recorder.until(lambda: len(self.baseline.running()) == 2)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / ".looptop").mkdir()
    with Journal(Workspace(tmp_path).journal, create=True) as journal:
        yield Place(tmp_path, journal)


async def test_each_has_its_own_number_seed_and_slot(place: Place) -> None:
    both = place.two()
    await place.until_running()
    assert [(run.number, run.seed, run.slot) for run in place.baseline.running()] == [
        (1, FIRST_SEED, 0),
        (2, FIRST_SEED + 1, 1),
    ]
    gauge = place.dispatcher.observe(FakeGauges(0).read())
    assert [(one.experiment, one.run, one.memory) for one in gauge.runs] == [(0, 1, 7), (0, 2, 7)]
    place.ends["0.2"].set()
    await both[1]
    assert [run.number for run in place.baseline.running()] == [1] and place.dispatcher.busy
    assert place.baseline.phase == "running", "its other run goes on"
    place.ends["0.1"].set()
    await both[0]
    assert [run.metric for run in place.baseline.counted()] == [1.0, 2.0]
    assert place.baseline.phase == "queued" and not place.dispatcher.busy


async def test_a_person_ends_them_all_and_is_answered_with_the_last(place: Place) -> None:
    both = place.two()
    await place.until_running()
    place.recorder.record(e.Killed(who="ada"), 0)
    (request,) = place.recorder.study.open_requests()
    assert place.dispatcher.kill(0, "ada", request=request.seq) and place.dispatcher.ends_for(request.seq)
    await asyncio.gather(*both)
    assert [run.reason for run in place.baseline.counted()] == ["killed by ada", "killed by ada"]
    assert request.outcome == "the run of experiment 0 is ended"
    with Journal(Workspace(place.root).journal) as journal:
        kinds = [event.kind for event in journal.read(kinds={"run_finished", "request_fulfilled"})]
    assert kinds == ["run_finished", "run_finished", "request_fulfilled"]
    assert not place.dispatcher.kill(0, "ada", request=request.seq), "nothing of it runs any more"


async def test_what_ends_with_the_supervisor_counts_for_nothing_and_answers_nobody(place: Place) -> None:
    both = place.two()
    await place.until_running()
    place.recorder.record(e.Killed(who="ada"), 0)
    (request,) = place.recorder.study.open_requests()
    place.dispatcher.kill(0, "ada", request=request.seq)
    place.dispatcher.kill_all()
    await asyncio.gather(*both)
    assert [run.outcome for run in place.baseline.runs.values()] == ["lost", "lost"]
    assert place.recorder.study.open_requests() == [request]


async def test_a_run_that_is_ended_while_it_is_being_started_ends_as_soon_as_it_has(place: Place) -> None:
    both = place.two()
    await asyncio.sleep(0)  # both are in `start`, and neither is on record
    assert place.dispatcher.busy and not place.baseline.runs
    place.dispatcher.kill_all()
    await asyncio.gather(*both)
    assert [run.outcome for run in place.baseline.runs.values()] == ["lost", "lost"] and not place.dispatcher.busy


async def test_only_what_no_longer_goes_on_is_lost(place: Place) -> None:
    both = place.two()
    await place.until_running()
    both[0].cancel()  # its record stays open, as where its machine failed
    await asyncio.gather(both[0], return_exceptions=True)
    place.dispatcher.lose(place.baseline, "the disk is full")
    assert [(run.outcome, run.reason) for run in place.baseline.runs.values()] == [
        ("lost", "the disk is full; it is run again"),
        (None, ""),
    ]
    place.ends["0.2"].set()
    await both[1]
