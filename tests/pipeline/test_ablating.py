"""Ablations in the whole loop: real git and journal, and runs that end at once with what a test says."""

from pathlib import Path

import pytest

from loop.journal import Journal
from loop.lineage import Lineage
from loop.policy import ablation
from loop.study import events as e
from loop.study.state import Study
from loop.workspace import Workspace
from tests.fake_executor import scored
from tests.supervisor.house import House, Scripted, change
from tui.model.slot_rows import run_title

LINES = "\n".join(f"V{n}=5" for n in range(6)) + "\necho no\n"

pytestmark = pytest.mark.usefixtures("quick")


def loss(script: str, seed: int) -> float:
    """A 4 gains 2 and a 3 another 1; V2 harms by 0.5 as soon as V0 is changed, too. A run scatters by 0.07."""
    harm = 0.0 if "V2=4" not in script else 1.0 if "V0=5" in script else 2.5
    return 50.0 - 2 * script.count("=4") - 3 * script.count("=3") + harm + seed % 2 / 10


def ideas() -> list[object]:
    return [change("V2=5", "V2=4"), change("V0=5", "V0=4"), change("V1=5", "V1=4"), change("V1=4", "V1=3")]


def ask(root: Path, body: e.Body, experiment: int | None = None) -> None:
    with Journal(Workspace(root).journal) as journal:
        journal.append(body, experiment)


async def kept_four(root: Path, front: str = "bundles: false\n") -> tuple[House, Study]:
    house = House(root, front=f"ahead: false\n{front}", script=LINES)
    house.executor = scored(root, loss)
    study = await house.work(Scripted(*ideas()))  # type: ignore[arg-type]
    assert study.lineage == [0, 1, 2, 3, 4]
    return house, study


async def test_each_kept_change_is_measured_in_todays_champion_and_one_is_taken_out(tmp_path: Path) -> None:
    house, before = await kept_four(tmp_path)
    ask(tmp_path, e.Ablated(who="ada", only=True))
    idle = Scripted(change("V5=5", "V5=4"))
    study = await house.work(idle)
    assert not idle.heard, "nobody was asked for a proposal"
    (found,) = study.ablations
    assert found.began.factors == ((1,), (2,), (3, 4)), "two changes of one constant are one factor"
    assert len(found.began.rows) == 16 and set(found.began.rows) == {
        a + b + c for a in "+-" for b in "+-" for c in "+-"
    }
    assert found.ended is not None and found.ended.failed == 0 and found.ended.runs == 16
    worths = {one.changes: one for one in found.ended.worths}
    assert worths[3, 4].worth == pytest.approx(3.0, abs=0.1) and worths[3, 4].low > 0
    assert worths[1,].worth == pytest.approx(0.25, abs=0.1)
    assert worths[2,].worth == pytest.approx(1.25, abs=0.1)
    assert found.ended.together is not None and found.ended.whole is not None
    assert study.champion == 4 and study.best is not None and before.best is not None
    assert study.best.commit == before.best.commit and len(study.measured(study.best)) == len(
        before.measured(study.best)
    )
    (request,) = (one for one in study.requests.values() if one.kind == "ablated")
    assert request.outcome.startswith("of 4 kept changes in experiment 4, measured in 3 groups, 3 help (16 runs)")
    texts = {Lineage(tmp_path, "test").commits.read(commit, "run.sh") for commit in found.began.commits}
    assert len(texts) == 8
    ask(tmp_path, e.Without(who="ada"), 4)
    ask(tmp_path, e.Without(who="ada"), 1)
    study = await house.work(Scripted())
    new = next(x for x in study.experiments.values() if x.submitted)
    said = next(one.outcome for one in study.requests.values() if one.kind == "without" and one.experiment == 4)
    assert said.startswith("the champion without experiments 3 and 4 has run already: it is experiment 2, “V0=5 to")
    assert said.endswith("; `looptop branch 2` goes back to it")
    row = next(run for run in study.experiments[4].runs.values() if run.row and "-" in found.began.rows[run.row - 1])
    assert "experiment 4 without experiment" in run_title(study, study.experiments[4], row)
    assert new.title.startswith("without experiment 1: ") and new.verdict == "kept"
    text = (Lineage(tmp_path, "test").commits.read(study.branch, "run.sh") or b"").decode()
    assert "V2=5" in text and "V0=4" in text and "V1=3" in text


async def test_a_kept_bundle_is_taken_apart_and_the_part_that_harms_leaves_again(tmp_path: Path) -> None:
    """Each 4 gains 0.07, as much as a run scatters; V0 loses 0.2 as soon as another one is there."""

    def clashing(script: str, seed: int) -> float:
        clash = 0.2 if "V0=4" in script and script.count("=4") > 1 else 0.0
        return 10.0 - 0.07 * script.count("=4") + clash + (seed + 1) % 2 / 10

    house = House(tmp_path, front="ahead: false\n", script=LINES)
    house.executor = scored(tmp_path, clashing)
    study = await house.work(Scripted(*(change(f"V{n}=5", f"V{n}=4") for n in range(6))))
    bundle = study.best
    assert bundle is not None and bundle.parts and bundle.verdict == "kept"
    harmful = next(x.id for x in study.experiments.values() if x.title == "V0=5 to V0=4")
    assert harmful in bundle.parts
    ask(tmp_path, e.Ablated(who="ada", only=True))
    study = await house.work(Scripted())
    (found,) = study.ablations
    assert {x for one in found.began.factors for x in one} == set(bundle.parts), "each part is a factor"
    assert found.ended is not None
    worths = {one.changes: one for one in found.ended.worths}
    assert worths[harmful,].high < 0 and all(one.worth > 0 for of, one in worths.items() if of != (harmful,))
    assert [one.changes for one in ablation.barnacles(study)] == [(harmful,)]
    ask(tmp_path, e.Without(who="ada"), harmful)
    study = await house.work(Scripted())
    new = next(x for x in study.experiments.values() if x.submitted)
    assert (new.verdict, study.champion) == ("kept", new.id), new.reason
    text = (Lineage(tmp_path, "test").commits.read(study.branch, "run.sh") or b"").decode()
    assert "V0=5" in text and text.count("=4") == len(bundle.parts) - 1
