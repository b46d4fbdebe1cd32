"""Validations in the whole loop: real git and journal, and runs that end at once with what a test says."""

import asyncio
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.state import Study
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.supervisor.house import House, Scripted, change

pytestmark = pytest.mark.usefixtures("quick")


async def lucky(job: Job, slot: Slot) -> RunResult:
    """Experiment 1 is better by 2, and looked better by 3 under the seeds that everything began with."""
    luck = 1.0 if job.seed < 100_000 else 0.0
    return ended(loss=15.0 + job.seed % 2 / 10 - (2.0 + luck if job.experiment else 0.0))


def house(root: Path, front: str, answer: object = lucky, slots: int = 1) -> House:
    made = House(root, front=front)
    made.executor = FakeExecutor(answer, slots=slots)  # type: ignore[arg-type]
    return made


def order(study: Study) -> list[tuple[int, int]]:
    """Experiment and seed of the validation's runs, in the order in which they began."""
    runs = [(run.started_at, x.id, run.seed) for x in study.experiments.values() for run in x.runs.values()]
    return [(number, seed) for _, number, seed in sorted(runs) if seed > 100_000]


async def test_a_study_ends_with_champion_and_baseline_side_by_side(tmp_path: Path) -> None:
    made = house(tmp_path, "validation: 3\nlimits: {experiments: 1}\n")
    study = await made.work(Scripted(change("A=5", "A=2")))
    first = 100_001
    assert order(study) == [
        (1, first), (0, first), (0, first + 1), (1, first + 1), (1, first + 2), (0, first + 2),
    ]  # fmt: skip
    found = study.validated
    assert found is not None and found.ended is not None
    assert found.ended.gain == pytest.approx(2.0) and found.ended.claimed == pytest.approx(3.0)
    assert (found.ended.pairs, found.ended.reason) == (3, "")
    assert study.supervisor is not None and study.supervisor.reason.startswith("limit reached")
    assert len(study.measured(study.experiments[0])) == 2, "its runs count for nothing else"


async def test_a_person_has_it_done_alone_and_the_loop_stops_then(tmp_path: Path) -> None:
    made = house(tmp_path, "limits: {experiments: 1}\n", slots=2)
    study = await made.work(Scripted(change("A=5", "A=2")))
    assert study.validations == [], "a study of five runs is not worth ten more"
    with Journal(Workspace(tmp_path).journal) as journal:
        journal.append(e.Validated(who="ada", runs=2, only=True))
    (tmp_path / "program.md").write_text((tmp_path / "program.md").read_text().replace("experiments: 1", "usd: 9"))
    idle = Scripted(change("C=5", "C=4"))
    study = await made.work(idle)
    assert len(order(study)) == 4 and not idle.heard, "nobody was asked for a proposal"
    assert study.supervisor is not None and study.supervisor.reason.startswith("under 2 fresh seeds experiment 1 has")
    (request,) = (one for one in study.requests.values() if one.kind == "validated")
    assert request.outcome.startswith("under 2 fresh seeds")


async def test_one_that_is_ended_says_what_its_runs_have_come_to(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def waits(job: Job, slot: Slot) -> RunResult:
        if job.seed == 100_004:
            await over.wait()
        return await lucky(job, slot)

    def act(event: e.Event) -> None:
        if event.kind == "validation_ended":
            over.set()
        if isinstance(event.body, e.RunStarted) and event.body.seed == 100_004:
            with Journal(Workspace(tmp_path).journal) as journal:
                journal.append(e.Validated(who="ada", runs=0))

    made = house(tmp_path, "validation: 6\nlimits: {experiments: 1}\n", waits)
    study = await made.work_while(act, Scripted(change("A=5", "A=2")))
    ended_ = study.validations[0].ended
    assert ended_ is not None and ended_.reason == "ada ended it" and ended_.pairs == 3
    assert len(study.validations) == 1, "it is not begun again"


async def test_one_whose_runs_fail_ends_and_says_so(tmp_path: Path) -> None:
    async def fails(job: Job, slot: Slot) -> RunResult:
        if job.seed > 100_001 and job.experiment:
            return ended("crashed", "exit code 1")
        return await lucky(job, slot)

    made = house(tmp_path, "validation: 3\nlimits: {experiments: 1}\n", fails)
    study = await made.work(Scripted(change("A=5", "A=2")))
    (found,) = study.validations
    assert found.ended is not None and found.ended.gain is None and found.ended.pairs == 1
    assert found.ended.reason == "not every run of experiment 1 gave a number" and study.validated is None
