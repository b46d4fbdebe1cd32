"""Runs on two nodes at the end of a link, with real repositories and processes; only Ray is left out."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loop.errors import UserError
from loop.lineage import Lineage
from loop.lineage.packs import pack
from loop.runs.cluster import probe
from loop.runs.cluster.executor import ClusterExecutor, Home, NoNode
from loop.runs.cluster.wire import Opening
from loop.runs.executor import Job, NodeFault
from loop.runs.log import read_log
from loop.runs.output import Sample
from loop.runs.slot import together
from loop.study.outcomes import Outcome
from loop.study.slot_plan import SlotPlan
from loop.workspace import Workspace
from tests.cluster.local_link import LocalLink
from tests.gauges import FakeGauges
from tests.processes import is_going
from tests.supervisor.house import House, Scripted, change

SCRIPT = """# one
A=5
# two
echo loss: $A > $LOOPTOP_RUN_DIR/found.txt
env > $LOOPTOP_RUN_DIR/env.txt
echo step 1/1 loss=$A
echo loss: $A.$((LOOPTOP_SEED % 2))
"""

SLOW = """echo $$ > $LOOPTOP_RUN_DIR/pid.txt
for i in $(seq 100); do echo step $i/100 loss=$i; sleep 0.05; done
echo loss: 7
"""

LEASE = 3.0  # a busy machine stands still for a second


class Listener:
    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def sampled(self, samples: Sequence[Sample]) -> None:
        self.samples += samples


class Cluster:
    """A workspace and two nodes."""

    def __init__(self, folder: Path, script: str = SCRIPT, front: str = "", slots: int = 2, lease: float = 60) -> None:
        (folder / "project").mkdir()
        self.house = House(folder / "project", front, script=script)
        self.lineage = Lineage(self.house.root, "test")
        self.lineage.prepare()
        self.base = self.lineage.checkout.head()
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.link = LocalLink(folder / "nodes", {**keep, "NODE_SECRET_KEY": "x", "LANG": "C"}, "alpha", "beta")
        plan = SlotPlan(cpu_slots=slots)
        self.opening = Opening("test-0123456789", self.base, "", self.house.root, sandbox="off", plan=plan, lease=lease)
        self.executor = self.another_executor()
        self.told: list[tuple[str, str]] = []

    def another_executor(self) -> ClusterExecutor:
        git, environ = self.lineage.git, {"HEAD_SECRET_KEY": "y", "PASSED": "on"}
        home = Home(
            Workspace(self.house.root), lambda commit, known: pack(git, commit, self.base, known), environ, probe.code()
        )
        executor = ClusterExecutor(home, self.link.another() if hasattr(self, "executor") else self.link, self.opening)
        executor.tell = lambda where, what: self.told.append((where, what))
        return executor

    def job(self, kind: str = "run", run: int = 1, deadline: float = 60) -> Job:
        from loop.config.program import load
        from loop.lineage import matching

        contract = load(self.house.root, matching).contract
        return Job(1, run, kind, self.base, self.base, contract, 1337, deadline)  # type: ignore[arg-type]

    def run_folder(self, run: int = 1) -> Path:
        return Workspace(self.house.root).run_folder(1, run)

    def node_file(self, name: str) -> Path | None:
        return next((self.house.root.parent / "nodes").rglob(f"runs/1.1/out/{name}"), None)

    async def pid(self) -> int:
        """The process of the run that goes on."""
        while (path := self.node_file("pid.txt")) is None or not path.read_text().strip():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return int(path.read_text())


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    await made.executor.connect()
    yield made
    await made.executor.close()


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path, SLOW, lease=LEASE)
    await made.executor.connect()
    yield made
    await made.executor.close()


async def test_a_study_on_two_nodes_comes_to_the_verdicts_that_it_would_come_to_at_home(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, front="env: {PASSED: null}\n")
    await cluster.executor.connect()
    cluster.house.executor = cluster.executor
    study = await cluster.house.work(Scripted(change("A=5", "A=4"), change("A=5", "A=9")))
    assert study.experiments[1].verdict == Outcome.KEPT and study.experiments[2].verdict != Outcome.KEPT
    assert study.supervisor is not None
    assert study.supervisor.slots == ("alpha/CPU 0", "alpha/CPU 1", "beta/CPU 0", "beta/CPU 1")
    ran_on = {run.slot_name.partition("/")[0] for experiment in study.experiments.values()
              for run in experiment.runs.values()}  # fmt: skip
    assert ran_on == {"alpha", "beta"}
    runs = Workspace(cluster.house.root).runs
    assert "loss: 4" in read_log(runs / "1.1").text and "loss=4" in read_log(runs / "1.1").text
    assert (runs / "1.1" / "out" / "found.txt").read_text() == "loss: 4\n"
    said = (runs / "1.1" / "out" / "env.txt").read_text()
    assert "SECRET" not in said and "PASSED=on" in said
    left = [path for path in (tmp_path / "nodes").rglob("runs/*") if path.is_dir()]
    assert left == []  # of what has come home nothing stays


async def test_a_verification_on_another_node_finds_what_the_run_has_left(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, front="verify: cat $LOOPTOP_RUN_DIR/found.txt; ls >&2\n")
    await cluster.executor.connect()
    alpha, _, beta, _ = cluster.executor.slots()
    run = await cluster.executor.start(cluster.job(), alpha, Listener())
    assert (await run.wait()).metrics == {"loss": 5.1}
    await run.close()
    checked = await cluster.executor.start(cluster.job("verify"), beta, Listener())
    result = await checked.wait()
    await checked.close()
    assert (result.outcome, result.metrics) == (Outcome.FINISHED, {"loss": 5.0}), result
    assert ("beta", "bring") in cluster.link.calls
    await cluster.executor.close()


async def test_a_cut_that_is_shorter_than_the_lease_loses_no_line(tmp_path: Path) -> None:
    slow, listener = Cluster(tmp_path, SLOW), Listener()
    await slow.executor.connect()
    run = await slow.executor.start(slow.job(), slow.executor.slots()[0], listener)
    await slow.pid()
    slow.link.machines["alpha"].cut = True
    await asyncio.sleep(0.5)
    slow.link.machines["alpha"].cut = False
    while not listener.samples or (listener.samples[-1].step or 0) < 30:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    run.stop("ada")
    result = await run.wait()
    assert (result.outcome, result.reason) == (Outcome.KILLED, "killed by ada")
    lines = read_log(slow.run_folder()).text.splitlines()
    assert lines == [f"step {i + 1}/100 loss={i + 1}" for i in range(len(lines))] and len(lines) >= 30
    await run.close()
    await slow.executor.close()


async def test_a_node_that_is_cut_off_ends_its_runs_and_is_used_again_when_it_is_back(
    slow: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.runs.cluster.executor.LOOK_S", 0.05)
    slot = slow.executor.slots()[0]
    run = await slow.executor.start(slow.job(), slot, Listener())
    process = psutil.Process(await slow.pid())
    slow.link.machines["alpha"].cut = True
    result = await run.wait()
    assert result.lost is not None and result.lost.reason == "alpha has not answered for 3 s"
    assert [one.name for one in slow.executor.slots()] == ["beta/CPU 0", "beta/CPU 1"]
    while is_going(process):  # noqa: ASYNC110 - by its lease
        await asyncio.sleep(0.02)
    slow.link.machines["alpha"].cut = False
    await slow.executor.ready(slot, lambda: None, lambda why, wait: None)
    again = await slow.executor.start(slow.job(), slot, Listener())
    assert await slow.pid()
    again.stop("ada")
    assert (await again.wait()).outcome == Outcome.KILLED
    await again.close()
    while [what for where, what in slow.told if where == "alpha"][-1]:  # noqa: ASYNC110 - slow on a busy machine
        await asyncio.sleep(0.02)


async def test_a_node_that_dies_loses_its_run_and_says_which_node_it_was(slow: Cluster) -> None:
    slot = slow.executor.slots()[2]
    run = await slow.executor.start(slow.job(), slot, Listener())
    await slow.pid()
    slow.link.machines["beta"].dead = True
    result = await run.wait()
    assert result.lost is not None and result.lost.reason == "beta has gone"
    assert slow.told[-1][0] == "beta" and "run again" in slow.told[-1][1]
    with pytest.raises(NodeFault, match="beta is gone"):
        await slow.executor.start(slow.job(run=2), slot, Listener())


async def test_a_run_of_two_slots_has_the_gpus_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.supervisor.node.MachineGauges", lambda root: FakeGauges(2))
    cluster = Cluster(tmp_path)
    await cluster.executor.connect()
    place = together(cluster.executor.slots()[2:], 2)
    run = await cluster.executor.start(cluster.job(), place, Listener())
    assert (await run.wait()).outcome == Outcome.FINISHED and place.name == "beta/GPU 0 + beta/GPU 1"
    seen = cluster.node_file("env.txt")
    assert seen is not None and "beta" in str(seen)
    assert {"CUDA_VISIBLE_DEVICES=0,1", "LOOPTOP_GPUS=2"} <= set(seen.read_text().splitlines())
    await run.close()
    await cluster.executor.close()


async def test_a_deadline_is_kept_on_the_node(tmp_path: Path) -> None:
    slow = Cluster(tmp_path, SLOW)
    await slow.executor.connect()
    run = await slow.executor.start(slow.job(deadline=0.3), slow.executor.slots()[0], Listener())
    result = await run.wait()
    await run.close()
    assert result.outcome == Outcome.TIMED_OUT and "deadline of 0.3 s" in result.reason
    await slow.executor.close()


async def test_output_that_nobody_could_fetch_in_time_is_left_out_and_the_number_is_the_node_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.runs.cluster.agent_run.KEPT", 20_000)
    script = "echo loss: 3; for i in $(seq 4000); do echo a line of a flood $i; done; echo '---'; echo loss: 2\n"
    cluster = Cluster(tmp_path, script)
    await cluster.executor.connect()
    cluster.link.machines["alpha"].cut = False
    run = await cluster.executor.start(cluster.job(), cluster.executor.slots()[0], Listener())
    result = await run.wait()
    await run.close()
    assert result.metrics["loss"] == 2
    await cluster.executor.close()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"looptop": ""}, "looptop is not installed in its Python"),
        ({"looptop": "0.0.9 (aaaaaaaa)"}, "its looptop is 0.0.9 (aaaaaaaa), and "),
        ({"token": False}, "admits everybody who reaches its port"),
        ({"git": ""}, "git is not installed there"),
        ({"disk_free": 1000}, "its disk has 1000 B left"),
    ],
)
async def test_a_node_that_is_unfit_gets_nothing_and_says_why(
    tmp_path: Path, facts: dict[str, object], said: str
) -> None:
    cluster = Cluster(tmp_path)
    cluster.link.machines["alpha"].facts = facts
    await cluster.executor.connect()
    assert [slot.name for slot in cluster.executor.slots()] == ["beta/CPU 0", "beta/CPU 1"]
    assert said in cluster.executor.notes[0] and cluster.executor.notes[0].startswith("alpha: ")
    cluster.link.machines["beta"].facts = facts
    with pytest.raises(NoNode, match="no node of the cluster can run anything"):
        await cluster.another_executor().connect()
    await cluster.executor.close()


async def test_on_a_node_without_bubblewrap_nothing_runs_unless_that_is_asked_for(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.opening = replace(cluster.opening, sandbox="bubblewrap")
    for machine in cluster.link.machines.values():
        machine.facts = {"bubblewrap": ""}
    with pytest.raises(NoNode, match="bubblewrap does not work there"):
        await cluster.another_executor().connect()


async def test_a_clock_that_is_an_hour_off_is_told_and_changes_nothing(cluster: Cluster) -> None:
    from loop.runs.cluster.fitness import remarks

    facts = await cluster.link.examine((await cluster.link.nodes())[0])
    assert remarks(facts, facts.clock - 30, facts.clock + 1) == []
    assert (
        "its clock is 60 min ahead of this one"
        in remarks(replace(facts, clock=facts.clock + 3600), facts.clock, facts.clock)[0]
    )


async def test_a_node_that_joins_while_the_loop_runs_gets_slots_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.runs.cluster.executor.LOOK_S", 0.05)
    monkeypatch.setattr("loop.supervisor.supervisor.NEW_SLOTS_S", 0.05)
    cluster = Cluster(tmp_path, SCRIPT + "sleep 0.3\n", slots=1)
    beta = cluster.link.machines.pop("beta")
    await cluster.executor.connect()
    cluster.house.executor = cluster.executor
    cluster.link.machines["beta"] = beta
    study = await cluster.house.work(Scripted(*(change("A=5", f"A={value}") for value in (6, 7, 8, 9)), ahead=4))
    assert study.supervisor is not None and study.supervisor.slots == ("alpha/CPU", "beta/CPU")
    runs = [run for experiment in study.experiments.values() for run in experiment.runs.values()]
    assert {run.slot_name for run in runs} == {"alpha/CPU", "beta/CPU"}
    assert "beta has joined the cluster: beta/CPU" in [fault.message for _, fault in study.faults]


async def test_a_node_whose_text_is_another_measures_nothing(tmp_path: Path) -> None:
    from loop.supervisor.cluster import text_name

    cluster = Cluster(tmp_path)
    cluster.opening = replace(cluster.opening, corpus=text_name())
    same = cluster.another_executor()
    await same.connect()
    await same.close()
    cluster.opening = replace(cluster.opening, corpus="0123456789abcdef")
    with pytest.raises(NoNode, match="is another text than at home"):
        await cluster.another_executor().connect()


async def test_a_node_is_one_study_s_at_a_time(cluster: Cluster) -> None:
    other = cluster.link.another()
    for name, machine in cluster.link.machines.items():
        other.machines = {**other.machines, name: replace(machine, agent=None)}
    opening = replace(cluster.opening, study="mar8-0123456789")
    executor = ClusterExecutor(cluster.executor._home, other, opening)
    with pytest.raises(NoNode, match="the study test has its runs there; it is free when that has stopped"):
        await executor.connect()
    for node in cluster.executor._nodes:
        await cluster.link.call(node.info, "end")  # as when the first study stops; its processes end a while later
    await executor.connect()
    assert [slot.name for slot in executor.slots()] == ["alpha/CPU 0", "alpha/CPU 1", "beta/CPU 0", "beta/CPU 1"]
    await executor.close()


async def test_of_the_nodes_only_those_that_are_named_are_used(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.executor._only = ("beta", "gamma")
    await cluster.executor.connect()
    assert [slot.name for slot in cluster.executor.slots()] == ["beta/CPU 0", "beta/CPU 1"]
    assert cluster.executor.notes == ["gamma is not in the cluster; it is used once it is"]
    await cluster.executor.close()
    cluster.executor = cluster.another_executor()
    cluster.executor._only = ("gamma",)
    with pytest.raises(NoNode, match=r"of those wanted \(gamma\) can run anything \(the cluster has alpha and beta\)"):
        await cluster.executor.connect()


async def test_a_node_that_was_unfit_is_used_once_it_is_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.runs.cluster.executor.LOOK_S", 0.02)
    monkeypatch.setattr("loop.runs.cluster.executor.AGAIN_S", 0.05)
    cluster, told = Cluster(tmp_path), list[str]()
    cluster.executor.remark = lambda where, what: told.append(what)
    cluster.link.machines["beta"].facts = {"disk_free": 1000}
    await cluster.executor.connect()
    assert "beta: its disk has 1000 B left" in cluster.executor.notes[0]
    await asyncio.sleep(0.3)
    assert told == [] and len(cluster.executor.slots()) == 2  # tried again, and no word of it
    cluster.link.machines["beta"].facts = {}
    while len(cluster.executor.slots()) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert told == ["beta can be used now: beta/CPU 0 and beta/CPU 1"]
    await cluster.executor.close()


async def test_a_node_on_which_nothing_can_be_started_costs_no_experiment_and_not_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, slots=1)
    await cluster.executor.connect()
    cluster.house.executor = cluster.executor
    agent = cluster.link.machines["beta"].agent
    assert agent is not None

    def full(packed: bytes) -> None:
        raise UserError("a commit could not be stored on this machine: No space left on device")

    monkeypatch.setattr(agent, "_take", full)
    study = await cluster.house.work(Scripted(change("A=5", "A=4"), change("A=5", "A=9")))
    assert study.experiments[1].verdict == Outcome.KEPT and study.experiments[2].verdict is not None
    runs = [run for experiment in study.experiments.values() for run in experiment.runs.values()]
    assert {run.slot_name for run in runs} == {"alpha/CPU"}
    said = {fault.where: fault.message for _, fault in study.faults}
    assert "beta: a commit could not be stored on this machine" in said["runs on beta/CPU"]


async def test_a_disk_that_fills_on_a_node_is_no_fault_of_the_experiment(cluster: Cluster) -> None:
    slot, agent = cluster.executor.slots()[0], cluster.link.machines["alpha"].agent
    assert agent is not None
    full = "the disk under /x has 12 MB left, and a study needs 1.0 GB to start"
    agent._short = lambda: full if agent._runs and next(iter(agent._runs.values())).handle is not None else None
    failing = replace(cluster.job(), instead={"run.sh": b"echo No space left on device; exit 1\n"})
    run = await cluster.executor.start(failing, slot, Listener())
    result = await run.wait()
    await run.close()
    assert result.outcome == Outcome.CRASHED and result.lost is not None
    assert (result.lost.reason, result.lost.passes) == (full, False)
    agent._short = lambda: full
    with pytest.raises(NodeFault, match="alpha: the disk under /x has 12 MB left"):
        await cluster.executor.start(cluster.job(run=2), slot, Listener())
