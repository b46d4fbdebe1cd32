"""Runs of several slots in the whole loop: real git and journal, made-up GPUs, and runs that end as a test says."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.runs.executor import Job, Report
from loop.runs.slot import Slot, together
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.supervisor.house import House, Scripted, change

RUNGS = "scales: {small: {}, large: {budget: 2s, runs: 2, gpus_per_run: 2}}\n"


pytestmark = pytest.mark.usefixtures("quick")


def gpus(count: int) -> list[Slot]:
    return [
        Slot(n, f"GPU {n}", str(n), (n,), "H100", threads=2, cpus=2, beside=count, memory=5, gpu_memory=80)
        for n in range(count)
    ]


async def better(job: Job, slot: Slot) -> RunResult:
    await asyncio.sleep(0)
    return ended(loss=15.0 + job.seed % 2 / 10 - (2.0 if job.experiment else 0.0))


def house(root: Path, front: str, answer: object = better, count: int = 2) -> House:
    made = House(root, front=front)
    made.executor = FakeExecutor(answer, slots=count)  # type: ignore[arg-type]
    made.executor._slots = gpus(count)  # type: ignore[attr-defined]
    return made


def on_large(made: House) -> list[tuple[str, str | None]]:
    assert isinstance(made.executor, FakeExecutor)
    return [(job.run_name, slot.devices) for job, slot in made.executor.jobs if job.contract.budget == 2]


async def test_a_climb_has_the_gpus_of_two_slots_and_gives_them_back(tmp_path: Path) -> None:
    made = house(tmp_path, RUNGS + "limits: {experiments: 1}\n")
    study = await made.work(Scripted(change("A=5", "A=2")))
    assert [devices for _, devices in on_large(made)] == ["0,1"] * 4, made.end
    assert [one.ended.mark for one in study.climbs if one.ended] == ["stable"]
    runs = [run for x in study.experiments.values() for run in x.runs.values() if run.rung]
    assert {(run.slot, run.also, run.gpus, run.slot_name, run.device) for run in runs} == {
        (0, (1,), 2.0, "GPU 0 + GPU 1", "2 x H100")
    }
    assert study.reserved == e.SlotsReserved()


async def test_a_gpu_that_is_taken_is_replaced_and_one_that_nothing_can_replace_is_waited_for(tmp_path: Path) -> None:
    made = house(tmp_path, RUNGS + "limits: {experiments: 1}\n", count=3)

    def is_taken(slot: Slot) -> bool:
        """GPU 1 from when the climb begins, GPU 2 from its first run on, and none once that was told of."""
        told = [event.body for event in made.events("slots_reserved")]
        if any(isinstance(body, e.SlotsReserved) and body.why for body in told):
            return False
        return slot.index == 1 or (slot.index == 2 and bool(on_large(made)))

    async def ready(slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        if made.events("climb_began") and is_taken(slot):
            report(f"{slot.name} is taken by somebody", 60.0)
            while is_taken(slot):  # noqa: ASYNC110 - as one that is looked at from time to time
                await asyncio.sleep(0.02)
            report("", 0.0)

    made.executor.ready = ready  # type: ignore[method-assign, union-attr]
    study = await made.work(Scripted(change("A=5", "A=2")))
    assert [one.ended.mark for one in study.climbs if one.ended] == ["stable"], made.end
    devices = [devices for _, devices in on_large(made)]
    assert devices[0] == "0,2" and len(devices) == 4
    told = [event.body.why for event in made.events("slots_reserved") if isinstance(event.body, e.SlotsReserved)]
    assert "a run needs 2 GPUs of one machine at once, and too few work: not GPU 1 and GPU 2" in told
    assert not study.troubles and study.reserved == e.SlotsReserved()


async def test_a_loop_that_is_stopped_in_a_run_of_two_runs_it_again_and_a_person_may_end_one(tmp_path: Path) -> None:
    async def waits(job: Job, slot: Slot) -> RunResult:
        if job.contract.budget == 2:
            await asyncio.Event().wait()
        return await better(job, slot)

    def stop(event: e.Event) -> None:
        if isinstance(event.body, e.RunStarted) and event.body.rung:
            with Journal(Workspace(tmp_path).journal) as journal:
                journal.append(e.Stopped(who="ada", now=True))

    made = house(tmp_path, RUNGS + "limits: {experiments: 1}\n", waits)
    study = await made.work_while(stop, Scripted(change("A=5", "A=2")))
    (lost,) = [run for x in study.experiments.values() for run in x.runs.values() if run.rung]
    assert (lost.outcome, lost.also) == ("lost", (1,)) and study.climb is not None

    killed: list[int] = []
    before = study.seq

    def kill(event: e.Event) -> None:
        wide = isinstance(event.body, e.RunStarted) and event.body.rung and event.experiment == 1
        if wide and event.seq > before and not killed:
            killed.append(1)
            with Journal(Workspace(tmp_path).journal) as journal:
                journal.append(e.Killed(who="ada"), 1)

    async def first_waits(job: Job, slot: Slot) -> RunResult:
        if job.contract.budget == 2 and job.experiment == 1 and not killed:
            await asyncio.Event().wait()
        return await better(job, slot)

    again = house_at(tmp_path, first_waits)
    study = await again.work_while(kill, Scripted())
    assert [devices for _, devices in on_large(again)] == ["0,1"] * len(on_large(again)) and killed, again.end
    assert study.climb is None and study.reserved == e.SlotsReserved() and not study.running()
    assert next(run for run in study.experiments[1].runs.values() if run.outcome == "killed").also == (1,)


def house_at(root: Path, answer: object) -> House:
    made = House.at(root)
    made.executor = FakeExecutor(answer, slots=2)  # type: ignore[arg-type]
    made.executor._slots = gpus(2)
    return made


def test_slots_put_together_have_what_each_of_them_has() -> None:
    one = together(gpus(4)[1:3], 2)
    assert (one.index, one.also, one.name, one.kind, one.devices) == (1, (2,), "GPU 1 + GPU 2", "2 x H100", "1,2")
    assert (one.threads, one.cpus, one.beside, one.memory, one.gpu_memory, one.gpus) == (4, 4, 3, 10, 160, (1, 2))
    pair = Slot(0, "GPU 0 + GPU 1", "0,1", (0, 1), "2 x H100", gpu_memory=160)
    three = together([pair, Slot(1, "GPU 2 + GPU 3", "2,3", (2, 3), "2 x H100", gpu_memory=160)], 3)
    assert (three.devices, three.kind, three.gpu_memory) == ("0,1,2", "3 x H100", 240)
    halves = [Slot(n, f"GPU {g} {s}", str(g), (g,), "H100, 1 of 2", on_gpu=2, shares=f"GPU {g}", gpu_memory=80)
              for n, (g, s) in enumerate([(0, "a"), (0, "b"), (1, "a"), (1, "b")])]  # fmt: skip
    four = together(halves, 2)
    assert (four.name, four.devices, four.kind, four.on_gpu) == ("GPU 0 + GPU 1", "0,1", "2 x H100", 1)
    assert four.gpu_memory == 160 and four.also == (1, 2, 3)
