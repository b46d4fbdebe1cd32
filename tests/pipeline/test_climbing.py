"""Climbs in the whole loop: real git and journal, and runs that end at once with what a test says."""

import asyncio
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.lineage import Lineage
from loop.pipeline.climbing import CannotClimb, files_on, with_constants
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.state import Study
from loop.workspace import Workspace
from tests.fake_executor import FakeExecutor, ended
from tests.supervisor.house import House, Scripted, change

RUNGS = "scales: {small: {}, large: {budget: 2s, runs: 2, env: {SIZE: 9}}, huge: {budget: 3s, runs: 2}}\n"


pytestmark = pytest.mark.usefixtures("quick")


async def holds_on_large_alone(job: Job, slot: Slot) -> RunResult:
    """Experiment 1 is better by 2, on large by 1, and on huge worse by 1."""
    gain = {1.0: 2.0, 2.0: 1.0, 3.0: -1.0}[job.contract.budget]
    return ended(loss=15.0 + job.seed % 2 / 10 - (gain if job.experiment else 0.0))


def house(root: Path, front: str, answer: object = holds_on_large_alone, slots: int = 1) -> House:
    made = House(root, front=front)
    made.executor = FakeExecutor(answer, slots=slots)  # type: ignore[arg-type]
    return made


def order(study: Study) -> list[tuple[int, str]]:
    runs = [(run.started_at, x.id, run.rung) for x in study.experiments.values() for run in x.runs.values() if run.rung]
    return [(number, rung) for _, number, rung in sorted(runs)]


async def test_a_champion_climbs_at_the_end_as_far_as_it_is_better(tmp_path: Path) -> None:
    made = house(tmp_path, RUNGS + "limits: {experiments: 1}\n")
    study = await made.work(Scripted(change("A=5", "A=2")))
    assert order(study) == [(n, rung) for rung in ("large", "huge") for n in (1, 0, 0, 1)]
    assert [one.ended.mark for one in study.climbs if one.ended] == ["stable", "harmful"]
    assert study.climbs[0].ended is not None and study.climbs[0].ended.gain == pytest.approx(1.0)
    assert (study.champion, study.judged(), study.runs) == (1, 1, 2 + 1 + len(study.experiments[1].counted()) - 1 + 8)
    assert study.supervisor is not None and study.supervisor.reason.startswith("limit reached")
    assert isinstance(made.executor, FakeExecutor)
    seen = {(job.contract.budget, job.contract.env.get("SIZE")) for job, _ in made.executor.jobs}
    assert seen == {(1.0, None), (2.0, "9"), (3.0, None)}


async def test_a_person_has_one_climb_alone_and_the_loop_stops_then(tmp_path: Path) -> None:
    made = house(tmp_path, RUNGS + "climb: off\nlimits: {experiments: 1}\n", slots=2)
    study = await made.work(Scripted(change("A=5", "A=2")))
    assert study.climbs == []
    with Journal(Workspace(tmp_path).journal) as journal:
        journal.append(e.Promoted(who="ada", to="huge", only=True), 1)
    (tmp_path / "program.md").write_text((tmp_path / "program.md").read_text().replace("experiments: 1", "usd: 9"))
    idle = Scripted(change("C=5", "C=4"))
    study = await made.work(idle)
    assert len(order(study)) == 8 and not idle.heard, "nobody was asked for a proposal"
    (request,) = study.requests.values()
    assert request.outcome.startswith("experiment 1 is harmful on huge")
    assert study.supervisor is not None and study.supervisor.reason == request.outcome


async def test_one_that_is_forbidden_ends_with_its_run_and_is_not_begun_again(tmp_path: Path) -> None:
    async def waits(job: Job, slot: Slot) -> RunResult:
        if job.contract.budget == 2.0:
            await asyncio.Event().wait()
        return await holds_on_large_alone(job, slot)

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.RunStarted) and event.body.rung:
            with Journal(Workspace(tmp_path).journal) as journal:
                journal.append(e.Promoted(who="ada", then="forbid"), 1)

    made = house(tmp_path, RUNGS + "limits: {experiments: 1}\n", waits)
    study = await made.work_while(act, Scripted(change("A=5", "A=2")))
    assert len(study.climbs) == 1, made.end
    (climb,) = study.climbs
    assert climb.ended is not None and (climb.ended.reason, climb.ended.mark) == ("a person forbade it", "")
    assert not study.running()


async def test_a_rung_that_asks_for_what_is_not_there_says_so_and_the_study_ends(tmp_path: Path) -> None:
    front = "scales: {small: {}, large: {set: {WIDTH: 9}}, huge: {gpus_per_run: 8}}\nlimits: {experiments: 1}\n"
    made = house(tmp_path, front)
    study = await made.work(Scripted(change("A=5", "A=2")))
    assert len(study.climbs) == 1, made.end
    (climb,) = study.climbs
    assert climb.ended is not None
    assert climb.ended.reason.startswith("experiment 1 cannot run on large: its files have no constant WIDTH")
    with pytest.raises(CannotClimb):
        files_on(Lineage(tmp_path, "test"), study, study.experiments[1], "large")
    with Journal(Workspace(tmp_path).journal) as journal:
        journal.append(e.Promoted(who="ada", to="huge", only=True), 1)
    study = await made.work(Scripted())
    (request,) = study.requests.values()
    assert request.outcome.startswith("experiment 1 cannot run on large") and len(study.climbs) == 1


def test_constants_are_replaced_by_what_automl_reads() -> None:
    files = {
        "a.py": "DEPTH = 4  # layers\nLR = 0.02\nprint(DEPTH, LR)\n",
        "b.py": "LR = 0.5\nWIDTH = 2**6\nprint(LR, WIDTH)\n",
    }
    assert with_constants(files, {"DEPTH": 24}) == {"a.py": files["a.py"].replace("4", "24")}
    both = with_constants(files, {"LR": 0.1, "WIDTH": 128})
    assert "LR = 0.1" in both["a.py"] and both["b.py"].startswith("LR = 0.1\nWIDTH = 2**7\n")
    assert set(with_constants(files, {"b.py:LR": "1e-1"})) == {"b.py"}
    for wrong in ({"HEADS": 3}, {"b.py:DEPTH": 3}, {"DEPTH": "deep"}, {"DEPTH": True}):
        with pytest.raises(ValueError, match=r"no constant|no number|nothing that can stand"):
            with_constants(files, wrong)
