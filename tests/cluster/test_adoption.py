"""A supervisor that was killed is followed by one that takes its runs over: real runs on two nodes, without Ray."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loop.runs.cluster.executor import ClusterExecutor
from loop.runs.executor import AdoptedListener, Job, Listen
from loop.runs.log import HEAD_BYTES, CappedLog, read_log
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.study.outcomes import Outcome
from loop.study.slot_plan import SlotPlan
from tests.cluster.test_cluster import Cluster, Listener
from tests.processes import is_going

COUNTS = """echo $$ > $LOOPTOP_RUN_DIR/pid.txt
for i in $(seq 60); do
    echo step $i/60 loss=$i; sleep 0.05
    while [ $i = 20 ] && [ ! -e $LOOPTOP_RUN_DIR/../../../go ]; do sleep 0.02; done
done
echo loss: 7
"""


class Adopting(Listener):
    """Follows a run of before; one that it does not know is not to go on."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused, self.before = refused, list[Sample]()
        self.offered: list[tuple[Job, Slot]] = []

    def recalled(self, samples: Sequence[Sample]) -> None:
        self.before += samples

    def listen(self, job: Job, slot: Slot) -> AdoptedListener | None:
        self.offered.append((job, slot))
        return None if job.run_name in self.refused else self


def by(listener: Adopting) -> Listen:
    return listener.listen


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, COUNTS)


def let_go_on(cluster: Cluster) -> None:
    """Let all runs come to their end."""
    for machine in cluster.link.machines.values():
        for project in machine.folder.rglob(".looptop"):
            (project / "go").touch()


async def heard(listener: Listener, step: int) -> None:
    while not listener.samples or (listener.samples[-1].step or 0) < step:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def dies(executor: ClusterExecutor) -> None:
    """What a `kill -9` leaves: nobody asks the nodes any more, and nobody has told them anything."""
    assert executor._looking is not None
    tasks = [executor._looking, *(node._pump for node in executor._nodes if node._pump is not None)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_run_is_taken_over_with_all_that_it_has_printed(cluster: Cluster) -> None:
    await cluster.executor.connect()
    first = Listener()
    run = await cluster.executor.start(cluster.job(), cluster.executor.slots()[2], first)
    await heard(first, 12)
    pid = await cluster.pid()
    await dies(cluster.executor)
    let_go_on(cluster)
    another, second = cluster.another_executor(), Adopting()
    await another.connect()
    (taken,) = await another.adopt({run.ref}, by(second))
    assert taken.ref == run.ref and taken.slot.name == "beta/CPU 0" and psutil.pid_exists(pid)
    result = await taken.wait()
    await taken.close()
    assert (result.outcome, result.metrics) == (Outcome.FINISHED, {"loss": 7.0})
    assert 2.5 < result.seconds < 60
    lines = read_log(cluster.run_folder()).text.splitlines()
    assert lines == [*(f"step {i}/60 loss={i}" for i in range(1, 61)), "loss: 7"]  # each once
    known, new = ([sample.step for sample in samples] for samples in (second.before, second.samples))
    assert known and new and new[-1] == 60 and known == sorted(known) and (known[-1] or 0) < (new[0] or 0)
    assert (cluster.run_folder() / "out" / "pid.txt").read_text() == f"{pid}\n"
    await another.close()


async def test_a_run_that_ended_while_nobody_asked_is_heard_of_by_the_next(cluster: Cluster) -> None:
    await cluster.executor.connect()
    run = await cluster.executor.start(cluster.job(), cluster.executor.slots()[0], Listener())
    process = psutil.Process(await cluster.pid())
    await dies(cluster.executor)
    let_go_on(cluster)
    while is_going(process):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    another = cluster.another_executor()
    await another.connect()
    (taken,) = await another.adopt({run.ref}, by(Adopting()))
    assert (await taken.wait()).metrics == {"loss": 7.0}
    await taken.close()
    await another.close()


async def test_what_nobody_takes_over_is_ended(cluster: Cluster) -> None:
    await cluster.executor.connect()
    alpha, _, beta, _ = cluster.executor.slots()
    runs = [await cluster.executor.start(cluster.job(run=number), slot, Listener())
            for number, slot in ((1, alpha), (2, beta))]  # fmt: skip
    process = psutil.Process(await cluster.pid())
    await dies(cluster.executor)
    another, listener = cluster.another_executor(), Adopting("1.1")
    await another.connect()
    (taken,) = await another.adopt({run.ref for run in runs}, by(listener))
    assert taken.job.run_name == "1.2" and {job.run_name for job, _ in listener.offered} == {"1.1", "1.2"}
    assert not is_going(process)
    alpha_folder = cluster.link.machines["alpha"].folder
    assert not list(alpha_folder.rglob("runs/1.1")), "a verification there must not find what it has left"
    taken.stop("ada")
    assert (await taken.wait()).reason == "killed by ada"
    await another.close()


async def test_a_supervisor_that_wants_other_slots_begins_anew(cluster: Cluster) -> None:
    await cluster.executor.connect()
    run = await cluster.executor.start(cluster.job(), cluster.executor.slots()[0], Listener())
    process = psutil.Process(await cluster.pid())
    await dies(cluster.executor)
    cluster.opening = replace(cluster.opening, plan=SlotPlan(cpu_slots=1))
    another = cluster.another_executor()
    await another.connect()
    assert [slot.name for slot in another.slots()] == ["alpha/CPU", "beta/CPU"]
    assert not await another.adopt({run.ref}, by(Adopting()))
    assert not is_going(process)
    await another.close()


async def test_what_a_run_came_to_after_it_was_given_up_is_told_and_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.runs.cluster.executor.LOOK_S", 0.05)
    cluster = Cluster(tmp_path, COUNTS)
    told: list[str] = []
    cluster.executor.remark = lambda node, what: told.append(what)
    await cluster.executor.connect()
    slot = cluster.executor.slots()[0]
    run = await cluster.executor.start(cluster.job(), slot, Listener())
    process = psutil.Process(await cluster.pid())
    machine, (alpha, _) = cluster.link.machines["alpha"], cluster.executor._nodes
    assert machine.agent is not None
    alpha._opening = replace(cluster.opening, lease=0.6)  # here only: as where words arrive and answers do not
    machine.cut = True
    result = await run.wait()
    alpha._opening = cluster.opening
    assert result.lost is not None and result.lost.reason == "alpha has not answered for 0.6 s"
    let_go_on(cluster)
    while is_going(process):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    while (kept := next(iter(machine.agent._runs.values()))).ended is None:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    machine.cut = False
    await cluster.executor.ready(slot, lambda: None, lambda why, wait: None)
    assert kept.ended.result is not None and kept.ended.result.metrics == {"loss": 7.0}
    assert told == [
        "run 1.1 was given up with alpha, and is run again; there it has come to loss 7, which is not counted"
    ]
    assert not machine.agent._runs and not list(machine.folder.rglob("runs/1.1"))
    await cluster.executor.close()


@pytest.mark.parametrize("size", [0, 100, HEAD_BYTES, HEAD_BYTES + 10, 3 * HEAD_BYTES, 9 * HEAD_BYTES])
def test_a_log_is_gone_on_with_where_its_writer_died(tmp_path: Path, size: int) -> None:
    whole = b"".join(b"%07d\n" % number for number in range(10 * HEAD_BYTES // 8))
    dead, at_once = CappedLog(tmp_path / "dead"), CappedLog(tmp_path / "once")
    dead.write(whole[:size])
    with CappedLog(tmp_path / "dead", go_on=True) as log, at_once:
        assert log.size == size
        log.write(whole[size:])
        at_once.write(whole)
    files = [(tmp_path / name / "log.txt").read_bytes() for name in ("dead", "once")]
    assert files[0] == files[1]
