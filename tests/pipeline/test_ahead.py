"""What is made ready before a slot falls free: moved onto the champion, and checked out by real git."""

import asyncio
from pathlib import Path

import pytest

from loop.lineage import ExperimentMessage, Lineage
from loop.runs.executor import Job
from loop.runs.local.executor import LocalExecutor
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.sandbox.backend import choose
from loop.study.contract import Contract
from loop.study.events import Event
from loop.workspace import Workspace
from tests.consistency import faults, rows_of
from tests.fake_executor import FakeExecutor, ended
from tests.gauges import FakeGauges
from tests.supervisor.house import House, Scripted, change

pytestmark = pytest.mark.usefixtures("quick")


async def test_what_waits_for_a_slot_is_on_todays_champion_before_one_is_free(tmp_path: Path) -> None:
    house = House(tmp_path)
    queued, moved = asyncio.Event(), asyncio.Event()

    def heard(event: Event) -> None:
        if event.kind == "experiment_queued" and event.experiment == 4:
            (moved if event.body.parent == 1 else queued).set()

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment == 1:
            await queued.wait()
        if job.experiment in (2, 3):  # they have the two slots when experiment 1 has become champion
            await moved.wait()
        return ended(loss=15.0 + job.seed % 2 / 10 - (3.0 if job.experiment == 1 else -3.0 if job.experiment else 0.0))

    house.executor = executor = FakeExecutor(answer, slots=2)
    pairs = ("A=5", "A=2"), ("B=5", "B=9"), ("C=5", "C=9"), ("C=5", "C=7")
    study = await house.work_while(heard, Scripted(*(change(*pair) for pair in pairs), ahead=1))
    assert study.champion == 1 and study.experiments[4].verdict == "discarded"
    assert [job.name for job, _ in executor.jobs if job.experiment == 4] == ["4.1"], "it has run on it alone"
    found = faults(house.root, rows_of(Workspace(house.root).journal))
    assert [one for one in found if "the log of" not in one.what] == [], "runs that are none have no logs"


class Deaf:
    def sampled(self, samples: object) -> None:
        pass


async def test_a_run_starts_in_what_was_checked_out_for_it_unless_that_is_another_commit(tmp_path: Path) -> None:
    House(tmp_path)
    (tmp_path / ".looptop").mkdir()
    lineage = Lineage(tmp_path, "test")
    lineage.prepare()
    base, added = lineage.checkout.head(), list[str]()
    old, new = (
        lineage.commit(number, base, {"run.sh": f"echo loss: {number}\n".encode()}, ExperimentMessage("x"), 0).sha
        for number in (1, 2)
    )

    class Trees:
        """The lineage's own, counted."""

        path, remove, touched = lineage.trees.path, lineage.trees.remove, lineage.trees.touched

        def add(self, name: str, commit: str) -> Path:
            added.append(f"{name} {commit}")
            return lineage.trees.add(name, commit)

    executor = LocalExecutor(Workspace(tmp_path), Trees(), lineage.commits.read, FakeGauges(0), choose("auto"))
    contract = Contract(edit=("run.sh",), run="sh run.sh", metric="loss", budget=1.0)

    async def loss(number: int, commit: str) -> float:
        handle = await executor.start(Job(number, 1, "run", commit, base, contract, 1337, 30.0), Slot(0, "CPU"), Deaf())
        result = await handle.wait()
        await handle.close()
        return result.metrics["loss"]

    await executor.prepare("1.1", old)
    await executor.prepare("2.1", old)
    await executor.prepare("3.1", old)
    await executor.forget("3.1")
    assert lineage.trees.names() == ["1.1", "2.1"]
    assert (await loss(1, old), await loss(2, new), await loss(3, new)) == (1.0, 2.0, 2.0)
    assert added == [f"1.1 {old}", f"2.1 {old}", f"3.1 {old}", f"2.1 {new}", f"3.1 {new}"]
    await executor.prepare("4.1", old)
    await executor.close()
    assert lineage.trees.names() == []
