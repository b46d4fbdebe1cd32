"""AutoML's values on a champion that has moved the same constants: pure, and in the whole loop."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace as altered
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.proposals import Proposals
from loop.researchers.automl import moving
from loop.researchers.automl.constants import Value
from loop.researchers.automl.trials import read
from loop.researchers.protocol import Briefing, Proposal
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import CLASH, Experiment
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.consistency import faults, rows_of
from tests.fake_executor import FakeExecutor, ended
from tests.pipeline.test_placebos import SOURCE, workspace
from tests.supervisor.house import Scripted

PRESENT: dict[str, Value] = {"RATE": 0.02, "DECAY": 0.1, "WARMUP": 0.3}


def automl(values: Mapping[str, Value], number: int = 2) -> Experiment:
    """What AutoML proposed on the baseline."""
    notes = {"params": {**PRESENT, **values}, "was": {name: PRESENT[name] for name in values}, "parent": 0}
    return Experiment(number, "automl", "", "", "", 0, notes, 0.0)


def put(text: str, values: Mapping[str, Value]) -> str:
    for name, value in values.items():
        text = text.replace(f"{name} = {PRESENT[name]}", f"{name} = {value}")
    return text


@pytest.mark.parametrize(
    ("values", "champion", "title"),
    [
        ({"RATE": 0.01}, {"RATE": 0.05}, "RATE 0.05 → 0.01"),
        ({"RATE": 0.01, "DECAY": 0.2}, {"RATE": 0.05, "DECAY": 0.2}, "RATE 0.05 → 0.01"),
        ({"RATE": 0.05, "DECAY": 0.2}, {"RATE": 0.05}, "DECAY 0.1 → 0.2"),
        ({"RATE": 0.05}, {"RATE": 0.05001}, ""),
    ],
)
def test_values_are_put_where_the_champion_has_others(
    values: Mapping[str, Value], champion: Mapping[str, Value], title: str
) -> None:
    there = put(SOURCE, champion) + "EXTRA = 2\n"
    found = moving.onto(automl(values), {"a.py": SOURCE}, {"a.py": put(SOURCE, values)}, {"a.py": there})
    assert found is not None and found.title == title
    if title:
        name = title.partition(" ")[0]
        was = champion.get(name, PRESENT[name])
        assert found.files == {"a.py": there.replace(f"{name} = {was}", f"{name} = {values[name]}")}
    else:
        assert not found.files, "the champion has it already, as far as any number shows"


def test_what_is_more_than_values_is_not_moved() -> None:
    one, values = automl({"RATE": 0.01}), {"RATE": 0.01}
    base, mine, theirs = SOURCE, put(SOURCE, values), put(SOURCE, {"RATE": 0.05})
    sides = ({"a.py": base}, {"a.py": mine}, {"a.py": theirs})
    assert moving.onto(one, *sides) is not None
    assert moving.onto(altered(one, notes={}), *sides) is None, "a model's idea goes back to the model"
    assert moving.onto(one, sides[0], {"a.py": mine + "print()\n"}, sides[2]) is None
    assert moving.onto(one, *sides[:2], {"a.py": theirs.replace("RATE", "STEP")}) is None
    assert moving.onto(one, *sides, "python a.py --RATE 0.3") is None, "the command gives it itself now"
    tiny = {"RATE": 0.020002}
    assert moving.onto(automl(tiny), sides[0], {"a.py": put(SOURCE, tiny)}, sides[2]) is None


def test_a_clash_is_no_trial_and_a_moved_one_was_tried_from_where_it_was_put() -> None:
    clashed, moved = automl({"RATE": 0.01}), automl({"RATE": 0.04}, 3)
    clashed.verdict, clashed.judged_by = Outcome.REJECTED, CLASH
    champion = automl({"RATE": 0.05}, 1)
    champion.verdict, moved.parent = Outcome.KEPT, 1
    baseline = Experiment(0, "", "", "", "", None, {}, 0.0)
    found = read([baseline, champion, clashed, moved], 1, {**PRESENT, "RATE": 0.05}, Contract())
    told = {trial.id: trial for trial in found}
    assert told.keys() == {0, 1, 3}, "nobody has tried the clash, so it says nothing and may come back"
    assert told[3].before == {"RATE": 0.05} and told[3].values["RATE"] == 0.04


def tuned(values: Mapping[str, Value], notes: bool = True) -> Callable[[Briefing], Proposal]:
    def step(briefing: Briefing) -> Proposal:
        edits = {"train.py": put(briefing.files["train.py"], values)}
        return Proposal(f"tune {values}", "it may help", edits, notes=dict(automl(values).notes) if notes else {})

    return step


async def test_values_that_wait_go_onto_a_champion_that_has_moved_the_same_constant(tmp_path: Path) -> None:
    house, queued = workspace(tmp_path, "limits: {experiments: 2}\nplacebos: off\n"), asyncio.Event()

    def heard(event: e.Event) -> None:
        if event.kind == "experiment_queued" and event.experiment == 2:
            queued.set()

    async def answer(job: Job, slot: Slot) -> RunResult:
        if job.experiment == 1:
            await queued.wait()
        return ended(loss=10.0 + job.seed % 2 / 10 - 3 * job.experiment)

    house.executor = FakeExecutor(answer)
    study = await house.work_while(heard, Scripted(tuned({"RATE": 0.05}, notes=False), tuned({"RATE": 0.01}), ahead=1))
    moved = study.experiments[2]
    assert (moved.parent, moved.title, moved.verdict) == (1, "RATE 0.05 → 0.01", "kept") and not study.clashes
    lineage = Lineage(tmp_path, "test")
    assert lineage.commits.read(study.branch, "train.py") == put(SOURCE, {"RATE": 0.01}).encode()
    found = faults(tmp_path, rows_of(Workspace(tmp_path).journal))
    assert not [fault for fault in found if not fault.what.startswith("the log of")], "which such runs have not"
    with Journal(Workspace(tmp_path).journal) as journal:
        recorder = Recorder(journal)
        proposals = Proposals(lineage, recorder, journal)
        await proposals.commit_again(recorder.study.experiments[2], None)  # raises where it is another one
        assert "experiment 2" in (proposals.repeated(1, {"train.py": put(SOURCE, {"RATE": 0.01})}) or "")
