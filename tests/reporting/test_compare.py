"""Side by side: a difference is said with its error, at equal seeds too, and only where numbers may be compared."""

import pytest

from loop.reporting.compare import as_data, curves, difference, numbers
from loop.reporting.seen import Seen
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from tests.stories import Story


def story() -> Story:
    """A baseline of three seeds, and experiment 1 with two of the same; the noise of a run is 0.01."""
    story = Story().propose(0).queue(0, None)
    for run, value in enumerate((1.0, 1.02, 0.98), 1):
        story.start(0, run, seed=run).finish(0, run, value)
    story.tell(e.ExperimentJudged(verdict=Outcome.KEPT, reason="first", metric=1.0, noise=0.01), 0)
    story.tell(e.ChampionChanged(commit="0" * 40, metric=1.0), 0)
    story.propose(1).queue(1)
    for run, value in ((1, 0.95), (2, 0.96)):
        story.start(1, run, seed=run).finish(1, run, value)
    judged = e.ExperimentJudged(
        verdict=Outcome.KEPT, reason="better", metric=0.955, effect=0.045, noise=0.01, champion=0
    )
    return story.tell(judged, 1)


def test_a_difference_has_its_error_its_size_in_noises_and_its_part_at_equal_seeds() -> None:
    study = story().study()
    found = difference(Seen(study), study.experiments[0], study.experiments[1])
    assert found.better == pytest.approx(0.045) and found.sigmas == pytest.approx(4.5)
    assert found.error == pytest.approx(0.01 * (1 / 3 + 1 / 2) ** 0.5)
    assert (found.seeds, found.paired) == (2, pytest.approx(0.055))
    assert found.paired_error == pytest.approx(0.005), "the two differences are 0.05 and 0.06"
    back = difference(Seen(study), study.experiments[1], study.experiments[0])
    assert back.better == pytest.approx(-0.045) and back.paired == pytest.approx(-0.055)


def test_numbers_that_may_not_be_compared_are_not() -> None:
    told = story().propose(2).queue(2).start(2, 1).finish(2, 1, None, "crashed").judge(2, "crashed")
    study = told.study()
    assert difference(Seen(study), study.experiments[0], study.experiments[2]).why == "2 has no number"
    other = replace_contract(told.contract)
    study = told.tell(e.ProgramChanged(contract=other)).study()
    assert difference(Seen(study), study.experiments[0], study.experiments[1]).why.endswith("is of an earlier program")
    told = story().slots("A100", "A100", "H100")
    told.propose(3).queue(3).start(3, 1, device="H100").finish(3, 1, 0.9).judge(3, "discarded", 0.9)
    study = told.study()
    assert difference(Seen(study), study.experiments[1], study.experiments[3]).why == "measured on A100 and on H100"


def replace_contract(contract: Contract) -> Contract:
    return contract.model_copy(update={"budget": contract.budget * 2})


def test_the_table_has_a_cell_for_each_and_no_row_without_anything() -> None:
    study = story().tell(e.Noted(who="ada", text="look again"), 1).study()
    rows = dict(numbers(Seen(study), [study.experiments[0], study.experiments[1]]))
    assert rows["seed 1"] == ["1", "0.95"] and rows["seed 3"] == ["0.98", ""]
    assert rows["against 0"][1].startswith("better by 0.045 ±") and rows["in σ"] == ["", "+4.5σ"]
    assert rows["at equal seeds"] == ["", "better by 0.055 ±0.005 (2 seeds)"]
    assert rows["note"] == ["", "look again"] and "thinking" not in rows


def test_curves_are_compared_at_equal_times_and_come_as_data() -> None:
    fast = [(float(at), {"loss": 3 - 0.1 * at}) for at in range(21)]
    slow = [(float(at), {"loss": 3 - 0.05 * at}) for at in range(0, 11, 5)]
    name, rows = curves("val_bpb", [fast, slow], 4)
    assert name == "loss" and [row[0] for row in rows] == ["5 s", "10 s", "15 s", "20 s"]
    assert rows[1][1:] == ["2.2", "2.5"] and rows[3] == ["20 s", "1.2", ""], "what has ended is not drawn out"
    study = story().study()
    data = as_data(Seen(study), [study.experiments[0], study.experiments[1]], [fast, []])
    assert data["first"] == 0 and data["experiments"][1]["difference"]["seeds"] == 2
    assert data["experiments"][0]["curve"]["name"] == "loss" and data["experiments"][1]["curve"]["points"] == []
