"""Experiments from stage to stage, and slots in trouble: the whole loop on runs that are none, so no process is started
but git's."""

import asyncio
import errno
from dataclasses import replace
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.lineage import Lineage
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.runs.executor import Job, MachineFault
from loop.runs.local.process import LocalProcess
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult
from loop.runs.waited import WaitedCurve
from loop.study import events as e
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.supervisor.house import House, Scripted, change

BROKEN = Lost("its machine is out of order", passes=False)


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a run was started as a process")

    monkeypatch.setattr(LocalProcess, "start", refuse)
    monkeypatch.setattr("loop.pipeline.quarantine.LONGEST_TROUBLE", 0.01)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_BUSY", 0.05)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.05)


class Losses:
    """What each experiment's runs come to: better by its seed's last digit, as those of a real one differ by chance."""

    def __init__(self, *losses: float) -> None:
        self.losses = losses

    async def __call__(self, job: Job, slot: Slot) -> RunResult:
        return ended(loss=self.losses[job.experiment] + job.seed % 2 / 10)


def started(executor: FakeExecutor) -> list[str]:
    return [job.name for job, _ in executor.jobs]


async def test_a_baseline_of_three_runs_then_a_change_kept_one_discarded_and_one_repeated(tmp_path: Path) -> None:
    house = House(tmp_path, max_runs=4)
    program = (tmp_path / "program.md").read_text().replace("baseline_runs: 2", "baseline_runs: 3")
    (tmp_path / "program.md").write_text(program)
    house.executor = executor = FakeExecutor(Losses(15.0, 14.0, 16.0, 13.85))
    study = await house.work(Scripted(change("A=5", "A=4"), change("B=5", "B=6"), change("C=5", "C=4")))
    names = started(executor)
    assert names[:3] == ["0.1", "0.2", "0.3"] and names[3] == "1.1"
    assert names.count("2.1") == 1 and "2.2" not in names, "worse by far, so once is enough"
    assert "3.2" in names, "it came near the champion, so it was run again"
    assert [study.experiments[number].verdict for number in (0, 1, 2)] == ["kept", "kept", "discarded"]
    assert study.experiments[3].verdict in ("kept", "discarded")
    for number in range(4):
        seeds = [job.seed for job, _ in executor.jobs if job.experiment == number]
        assert seeds == list(range(1337, 1337 + len(seeds)))
    assert {job.commit for job, _ in executor.jobs if job.experiment == 1} == {study.experiments[1].commit}
    assert [event.body.ref for event in house.events("run_started")] == [f"fake:{name}" for name in names]  # type: ignore[union-attr]
    assert all(run.closed for run in executor.runs)


async def test_a_verification_is_a_job_of_its_own_and_says_the_number(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")

    async def answer(job: Job, slot: Slot) -> RunResult:
        return ended(loss={"run": 1.0, "verify": 7.0}[job.kind] + job.seed % 2 / 10)

    house.executor = executor = FakeExecutor(answer)
    study = await house.work(Scripted())
    assert started(executor) == ["0.1", "0.1.verify", "0.2", "0.2.verify"]
    assert study.experiments[0].metric == pytest.approx(7.05)
    jobs = [job for job, _ in executor.jobs]
    assert [job.seed for job in jobs[:2]] == [1337, 1337] and jobs[1].base == study.base


async def test_lost_runs_are_run_again_with_their_own_seed(tmp_path: Path) -> None:
    house = House(tmp_path)
    losses = [Lost("the machine was suspended"), Lost("its folder is gone", believed=False)] * 3

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment == 1 and losses:
            return ended("crashed", "exit code 1", lost=losses.pop(0))
        return ended(loss=15.0 + job.seed % 2 / 10 - job.experiment)

    house.executor = FakeExecutor(answer)
    study = await house.work(Scripted(change("A=5", "A=4")))
    runs = list(study.experiments[1].runs.values())
    assert [run.outcome for run in runs] == ["lost"] * 5 + ["crashed"], "what it may do itself is believed twice"
    assert {run.seed for run in runs} == {1337}
    assert (runs[0].reason, runs[5].reason) == ("the machine was suspended; it is run again", "exit code 1")
    assert study.experiments[1].verdict == "crashed" and not house.events("recovered")


async def test_a_slot_in_trouble_is_out_of_work_and_tried_again_while_the_other_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.policy.slot_health.LOOKS", (0.05, 0.1))
    house = House(tmp_path, "limits: {experiments: 12}\n")
    tried: list[str] = []
    out_of_work = asyncio.Event()

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.Fault) and "out of work" in event.body.message:
            out_of_work.set()

    async def answer(job: Job, slot: Slot) -> RunResult:
        if slot.index == 0:
            tried.append(job.name)
            return ended("crashed", "x", lost=BROKEN)
        if job.experiment:  # the first of them waits, and the others are there for the broken slot to try
            await out_of_work.wait()
        return ended(loss=15.0 + job.seed % 2 / 10 + 5 * bool(job.experiment))

    house.executor = FakeExecutor(answer, slots=2)
    proposals = (change("# the end", f"# {number}") for number in range(12))
    study = await house.work_while(act, Scripted(*proposals, ahead=2))
    assert len(tried) >= 3, "the loop went on although one slot was out of order"
    assert study.supervisor is not None and not study.supervisor.failed
    assert study.judged() == 12 and all(x.verdict == "discarded" for x in study.experiments.values() if x.id)
    lost = [run for x in study.experiments.values() for run in x.runs.values() if run.outcome == "lost"]
    assert {run.slot for run in lost} == {0} and len(lost) == len(tried)
    where = {event.body.where for event in house.events("fault")}  # type: ignore[union-attr]
    assert "runs on fake 0" in where and "runs on fake 1" not in where and "runs" not in where
    told = [event.body.message for event in house.events("fault") if event.body.where == "runs on fake 0"]  # type: ignore[union-attr]
    assert told[:2] == ["its machine is out of order"] * 2
    assert told[2].startswith("fake 0 is out of work: it lost 3 runs in a row: its machine is out of order; the other")


async def test_the_loop_ends_when_every_slot_is_out_of_order(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def answer(job: Job, slot: Slot) -> RunResult:
        return ended("crashed", "x", lost=BROKEN)

    house.executor = executor = FakeExecutor(answer, slots=2)
    study = await house.work(Scripted())
    assert study.supervisor is not None and study.supervisor.failed
    assert study.supervisor.reason.startswith("no slot is left to run anything in; of fake ")
    assert study.supervisor.reason.endswith(": it lost 3 runs in a row: its machine is out of order")
    tries = [[slot.index for _, slot in executor.jobs].count(number) for number in (0, 1)]
    assert min(tries) == 3, "both have had their tries"
    assert study.experiments[0].verdict is None


async def test_a_slot_that_recovers_says_so_and_counts_from_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    fates = [BROKEN, BROKEN, None, BROKEN]

    async def answer(job: Job, slot: Slot) -> RunResult:
        lost = fates.pop(0) if fates else None
        return ended(loss=15.0 + job.seed % 2 / 10) if lost is None else ended("crashed", "x", lost=lost)

    house.executor = FakeExecutor(answer)
    study = await house.work(Scripted())
    told = [event.body for event in house.events("fault", "recovered")]
    assert [(body.kind, body.where) for body in told if body.where == "runs"] == [  # type: ignore[union-attr]
        ("fault", "runs"), ("fault", "runs"), ("recovered", "runs"), ("fault", "runs"), ("recovered", "runs"),
    ]  # fmt: skip
    assert study.experiments[0].verdict == "kept"


async def test_two_slots_run_two_experiments_at_once_each_on_its_own_record(tmp_path: Path) -> None:
    house = House(tmp_path)
    together = asyncio.Barrier(2)

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment and job.run == 1:
            await together.wait()
        return ended(loss=15.0 + job.seed % 2 / 10 + (job.experiment == 1) * 5 - (job.experiment == 2))

    house.executor = executor = FakeExecutor(answer, slots=2)
    study = await house.work(Scripted(change("A=5", "A=9"), change("C=5", "C=4")))
    slots = {job.experiment: slot.index for job, slot in executor.jobs if job.run == 1 and job.experiment}
    assert sorted(slots) == [1, 2] and len(set(slots.values())) == 2
    for number, slot in slots.items():
        run = study.experiments[number].runs[1]
        assert (run.slot, run.outcome) == (slot, "finished")
    assert [study.experiments[number].verdict for number in (1, 2)] == ["discarded", "kept"]
    assert study.experiments[1].metric == pytest.approx(20.1) and study.running() == []


async def test_a_disk_that_is_full_for_a_moment_costs_a_run_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.executor = executor = FakeExecutor(Losses(15.0))
    executor.refusals.append(MachineFault(OSError(errno.ENOSPC, "No space left on device")))
    study = await house.work(Scripted())
    assert study.experiments[0].verdict == "kept" and started(executor)[0] == "0.1"
    assert [event.body.where for event in house.events("recovered")] == ["disk"]  # type: ignore[union-attr]


async def test_a_machine_that_fails_otherwise_ends_the_loop_with_its_sentence(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.executor = executor = FakeExecutor(Losses(15.0))
    executor.refusals.append(MachineFault(OSError(errno.EACCES, "Permission denied", "/a/tree")))
    study = await house.work(Scripted())
    assert study.supervisor is not None and study.supervisor.failed
    assert "Permission denied" in study.supervisor.reason and study.experiments[0].runs == {}


async def test_a_run_that_a_person_ends_is_killed_and_the_one_beside_it_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    killed = asyncio.Event()

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment == 1:
            await asyncio.Event().wait()  # for ever
        if job.experiment == 2 and job.run == 1:
            with Journal(Workspace(house.root).journal) as journal:
                journal.append(e.Killed(who="ada"), 1)
            await killed.wait()
        return ended(loss=15.0 + job.seed % 2 / 10 - (job.experiment == 2))

    def act(event: e.Event) -> None:
        if event.kind == "experiment_judged" and event.experiment == 1:
            killed.set()

    house.executor = FakeExecutor(answer, slots=2)
    study = await house.work_while(act, Scripted(change("A=5", "A=9"), change("C=5", "C=4")))
    first = study.experiments[1]
    assert (first.verdict, first.reason) == ("killed", "killed by ada")
    assert study.experiments[2].verdict == "kept"
    (request,) = study.requests.values()
    assert request.outcome == "the run of experiment 1 is ended"
    assert Lineage(house.root, "test").commits.read(study.branch, "run.sh") is not None


async def test_the_baseline_s_runs_go_side_by_side_each_with_its_own_seed(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")
    together = {"run": asyncio.Barrier(2), "verify": asyncio.Barrier(2)}

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment == 0 and job.run < 3:
            await together[job.kind].wait()
        return ended(loss=15.0 + job.seed % 2 / 10 - job.experiment)

    house.executor = executor = FakeExecutor(answer, slots=3)
    study = await house.work(Scripted(change("A=5", "A=4")))
    assert sorted(started(executor)[:2]) == ["0.1", "0.2"] and study.experiments[0].verdict == "kept"
    jobs = [job for job, _ in executor.jobs if job.experiment == 0]
    assert sorted(job.name for job in jobs) == ["0.1", "0.1.verify", "0.2", "0.2.verify"], "none twice, none too many"
    assert {job.seed for job in jobs} == {1337, 1338}
    assert study.experiments[1].verdict == "kept"


async def test_a_baseline_that_fails_beside_another_run_of_it_ends_the_loop(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.run == 1:
            return ended("crashed", "exit code 3")
        await asyncio.Event().wait()
        raise AssertionError

    house.executor = FakeExecutor(answer, slots=2)
    study = await house.work(Scripted())
    assert study.supervisor is not None and study.supervisor.reason == "the baseline crashed: exit code 3"
    assert [run.outcome for run in study.experiments[0].runs.values()] == ["crashed", "lost"]


async def test_a_slot_that_a_person_drains_starts_nothing_until_it_is_taken_back(tmp_path: Path) -> None:
    house = House(tmp_path)

    def act(event: e.Event) -> None:
        with Journal(Workspace(house.root).journal) as journal:
            if event.kind == "champion_changed" and event.experiment == 0:
                journal.append(e.Drained(who="ada", slot="fake 0"))
            if event.kind == "experiment_judged" and event.experiment == 2:
                journal.append(e.Undrained(who="ada", slot="fake 0"))

    async def answer(job: Job, slot: Slot) -> RunResult:
        return ended(loss=15.0 + job.seed % 2 / 10 + job.experiment)

    class Slow(Scripted):
        """Waits with its first proposal for the drain, and with its third for the end of it."""

        async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
            wanted = {1: 1, 3: 2}.get(briefing.next_id, 0)
            while len(house.events("request_fulfilled")) < wanted:  # noqa: ASYNC110 - the journal's
                await asyncio.sleep(0.01)
            return await super().propose(briefing, sink)

    house.executor = executor = FakeExecutor(answer, slots=2)
    steps = [change("# the end", f"# {number}") for number in range(5)]
    study = await house.work_while(act, Slow(*steps))
    slots = {job.experiment: slot.index for job, slot in executor.jobs}
    assert {slots[1], slots[2]} == {1} and study.drained == {}
    assert [request.outcome for request in study.requests.values()] == [
        "fake 0 starts no run any more", "fake 0 is used again",
    ]  # fmt: skip


async def test_a_slot_in_which_every_experiment_fails_does_not_eat_the_queue(tmp_path: Path) -> None:
    house = House(tmp_path, "limits: {failures: 4, experiments: 10}\n")
    failed: list[int] = []
    out = asyncio.Event()

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment and slot.index == 0:
            failed.append(job.experiment)
            return ended("crashed", "exit code 1")
        if job.experiment:
            await out.wait()
        return ended(loss=15.0 + job.seed % 2 / 10 + 5 * bool(job.experiment))

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.Fault) and "3 experiments in a row" in event.body.message:
            out.set()

    house.executor = FakeExecutor(answer, slots=2)
    researcher = Scripted(*(change("# the end", f"# {number}") for number in range(10)))
    study = await house.work_while(act, researcher)
    assert len(failed) == 3 and study.judged() == 10, "one in the other slot, three that failed, and six after that"
    assert study.supervisor is not None and "10 of 10" in study.supervisor.reason
    assert [x.verdict for x in study.experiments.values()].count("discarded") == 7


def starved(seconds: float) -> RunResult:
    """A run, or a verification, at its deadline, of whose time others had nine tenths."""
    waited = WaitedCurve()
    waited.add(0.0, 0.0)
    waited.add(seconds, 0.9 * seconds)
    return replace(ended("timed_out", "not done after its deadline"), seconds=seconds, waited=waited)


async def test_a_deadline_that_others_brought_about_is_held_against_no_run_at_first(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def answer(job: Job, slot: Slot) -> RunResult:
        return starved(50.0) if job.experiment == 1 else ended(loss=15.0 + job.seed % 2 / 10)

    house.executor = FakeExecutor(answer)
    study = await house.work(Scripted(change("A=5", "A=4")))
    runs = list(study.experiments[1].runs.values())
    assert [run.outcome for run in runs] == ["lost", "lost", "timed_out"]
    assert runs[0].reason == (
        "others on the machine took so much of its time that its deadline came first; it is run again"
    )
    assert runs[0].waited is not None and runs[0].waited.total == 45


async def test_a_verification_that_was_starved_to_its_deadline_is_done_once_more(tmp_path: Path) -> None:
    house = House(tmp_path, "verify: sh other.txt\n")
    slow = {1: 1, 2: 9}

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.kind == "verify" and slow.get(job.experiment, 0) > 0:
            slow[job.experiment] -= 1
            return starved(60.0)
        return ended(loss=15.0 + job.seed % 2 / 10)

    house.executor = FakeExecutor(answer)
    study = await house.work(Scripted(change("A=5", "A=4"), change("A=5", "A=3")))
    assert [study.experiments[n].verdict for n in (1, 2)] == ["discarded", "crashed"]
    said = [fault.message for _, fault in study.faults if fault.where == "verification"]
    assert said[0] == (
        "the verification of run 1.1 came to its deadline, because others on the machine took so much of its time; the "
        "run's number is not lost, it is verified once more"
    )


async def test_a_run_that_goes_on_is_taken_over_and_one_that_does_not_is_lost(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.executor = FakeExecutor(Losses(15.0))
    before = await house.work(Scripted())
    baseline = before.experiments[0]
    assert list(baseline.runs) == [1, 2] and baseline.commit
    contract = before.contract
    with Journal(Workspace(tmp_path).journal) as journal:
        for number in (3, 4):
            begun = e.RunStarted(
                seed=1336 + number, slot=7, slot_name="old", ref=f"fake:0.{number}", budget=1, deadline=60,
                protocol_id=contract.protocol_id, pid=0, pid_started=0,
            )  # fmt: skip
            journal.append(begun, 0, number)
    house.executor = executor = FakeExecutor(Losses(15.0), slots=2)
    job = Job(0, 3, "run", baseline.commit, before.base, contract, 1339, 60)
    executor.going = {"fake:0.3": (job, executor.slots()[1])}
    executor.recalled = [Sample(1.0, step, None, {"loss": 20.0 - step}) for step in (1, 2)]
    study = await house.work(Scripted())
    third, fourth = study.experiments[0].runs[3], study.experiments[0].runs[4]
    assert (third.outcome, third.metric, third.slot, third.slot_name) == ("finished", 15.1, 1, "fake 1")
    assert (third.steps, fourth.outcome) == (1, "lost"), "what it printed before counts"
    assert [(event.run, event.kind) for event in house.events("run_adopted", "step_sampled")] == [(3, "run_adopted")]
    assert "0.3" not in started(executor), "it is not run twice"
