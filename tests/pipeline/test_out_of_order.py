"""Results that come out of order, in the whole loop: real git and journal, and runs that end when a test says so."""

import asyncio
import random
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.archive import StudyArchive
from loop.pipeline.proposals import Proposals
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study.events import Event
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.policy.test_out_of_order import audit
from tests.supervisor.house import House, Scripted, change

pytestmark = pytest.mark.usefixtures("quick")


class Late:
    """Experiment 1 is better by far; what runs beside it ends once that is on record."""

    def __init__(self, second: float) -> None:
        self.second, self.began, self.kept = second, asyncio.Event(), asyncio.Event()

    def heard(self, event: Event) -> None:
        if event.kind == "champion_changed" and event.experiment == 1:
            self.kept.set()

    async def __call__(self, job: Job, slot: Slot) -> RunResult:
        if job.experiment == 1:
            await self.began.wait()
        if job.experiment == 2 and job.run == 1:
            self.began.set()
            await self.kept.wait()
        better = {0: 0.0, 1: 3.0, 2: self.second + (3.0 if self.kept.is_set() and job.run > 1 else 0.0)}
        return ended(loss=15.0 + job.seed % 2 / 10 - better[job.experiment])


async def test_what_was_no_better_than_its_own_parent_is_discarded_there_without_another_run(tmp_path: Path) -> None:
    house = House(tmp_path)
    late = Late(second=-4.0)
    house.executor = executor = FakeExecutor(late, slots=2)
    study = await house.work_while(late.heard, Scripted(change("A=5", "A=2"), change("C=5", "C=9")))
    second = study.experiments[2]
    assert study.champion == 1 and (second.verdict, second.parent, second.champion) == ("discarded", 0, 0)
    assert second.reason.endswith("measured against experiment 0, which was champion when it started (self-reported)")
    assert [job.name for job, _ in executor.jobs if job.experiment == 2] == ["2.1"]
    audit(house.events())


async def test_what_won_against_a_champion_of_before_moves_and_is_measured_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    late = Late(second=3.0)
    house.executor = executor = FakeExecutor(late, slots=2)
    study = await house.work_while(late.heard, Scripted(change("A=5", "A=2"), change("C=5", "C=2")))
    second = study.experiments[2]
    assert study.lineage == [0, 1, 2] and (second.verdict, second.parent) == ("kept", 1)
    jobs = [job for job, _ in executor.jobs if job.experiment == 2]
    assert jobs[0].commit != jobs[1].commit == second.commit and jobs[0].seed == jobs[1].seed == 1337
    assert [run.number for run in second.counted()] == [job.run for job in jobs[1:]]
    tip = Lineage(house.root, "test").commits.read(study.branch, "run.sh")
    assert tip is not None and b"A=2" in tip and b"C=2" in tip
    audit(house.events())
    lineage = Lineage(house.root, "test")
    with Journal(Workspace(house.root).journal) as journal:
        recorder = Recorder(journal)
        archive = StudyArchive(Workspace(house.root), lineage, recorder, Proposals(lineage, recorder, journal), journal)
        taken = (await archive.edits(2))["run.sh"]
    assert "A=2" in taken and "C=2" in taken, "what is taken up again is what ran"


async def test_what_won_against_a_champion_of_before_on_the_same_lines_is_judged_by_the_runs_that_it_has(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    late = Late(second=3.0)
    house.executor = executor = FakeExecutor(late, slots=2)
    study = await house.work_while(late.heard, Scripted(change("A=5", "A=2"), change("A=5", "A=1")))
    second = study.experiments[2]
    assert study.champion == 1 and (second.verdict, second.parent, second.champion) == ("discarded", 0, 0)
    assert second.metric == 12.1 and second.effect == pytest.approx(2.95), "a researcher that counts learns from it"
    assert "when it started, and cannot be moved: it changes the same lines as the new champion" in second.reason
    assert [job.name for job, _ in executor.jobs if job.experiment == 2] == ["2.1"]
    assert study.judged() == 2 and not study.clashes
    audit(house.events())


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_ends_first_the_same_changes_are_kept(tmp_path: Path, seed: int) -> None:
    house = House(tmp_path)
    chance, waiting = random.Random(seed), dict[str, asyncio.Event]()
    effects = {0: 0.0, 1: 3.0, 2: -3.0, 3: 3.0, 4: -3.0}
    scripts: dict[str, set[int]] = {}

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment:
            gate = waiting[job.name] = asyncio.Event()
            while len(waiting) > 2 and not gate.is_set():
                waiting.pop(chance.choice(sorted(waiting))).set()  # somebody of those under way, not who came first
            waiting.pop(job.name, None)
        text = Lineage(house.root, "test").commits.read(job.commit, "run.sh") or b""
        scripts[job.name] = {number for number in effects if f"# change {number}\n".encode() in text}
        worth = sum(effects[number] for number in scripts[job.name])
        return ended(loss=30.0 + job.seed % 2 / 10 - worth)

    lines = ["# one", "# two", "# three", "# the end"]
    steps = [change(line, f"{line}\n# change {number}") for number, line in enumerate(lines, 1)]
    house.executor = FakeExecutor(answer, slots=4)
    researchers = [Scripted(step) for step in steps]
    for number, researcher in enumerate(researchers):
        researcher.name = f"scripted-{number}"
    study = await house.work(*researchers)
    by_title = {x.title.rpartition(" ")[2]: x for x in study.experiments.values()}
    assert {word: by_title[word].verdict for word in "1234"} == dict(
        zip("1234", ("kept", "discarded", "kept", "discarded"), strict=True)
    )
    audit(house.events())
