"""Where an experiment stands before any comparison."""

import pytest

from loop.policy.standing import standing
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from tests.stories import Story


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome.decides])
def test_one_run_without_an_end_decides_whatever_the_others_say(outcome: Outcome) -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [0.5]).start(1, 2).finish(1, 2, None, outcome)
    assert standing(story.study(), story.study().experiments[1])[0] == outcome.decides


@pytest.mark.parametrize(
    ("check", "verdict"), [("verification", "crashed"), ("memory", "out_of_memory"), ("killed", "killed")]
)
def test_a_verification_that_did_not_end_decides_as_a_run_would(check: str, verdict: str) -> None:
    story = Story(Contract(verify="check")).propose(0).propose(1).queue(1).start(1, 1).finish(1, 1, 0.1)
    story.tell(e.Verified(metric=None, check=check, reason="so it was"), 1, 1)
    assert standing(story.study(), story.study().experiments[1]) == (verdict, "so it was")


def test_what_stands_before_any_comparison() -> None:
    def stands(story: Story) -> tuple[str, str]:
        study = story.study()
        return standing(study, study.experiments[1])

    contract = Contract(verify="check")
    story = Story(contract).propose(0).propose(1).queue(1)
    assert stands(story)[0] == "unfinished"
    story.start(1, 1)
    assert stands(story)[0] == "unfinished"
    story.finish(1, 1, 0.1)
    assert stands(story)[0] == "unfinished"
    assert [run.number for _, run in story.study().verifying()] == [1]
    story.tell(e.Verified(metric=1.0), 1, 1)
    assert stands(story)[0] == "measured"
    assert story.study().verifying() == []
    story.start(1, 2).finish(1, 2, 0.1).tell(e.Verified(metric=None, check="causal", reason="it peeks"), 1, 2)
    assert stands(story) == ("rejected", "it peeks")
    story.queue(1).start(1, 3).finish(1, 3, 0.1).tell(e.Verified(metric=None, check="verification", reason="oom"), 1, 3)
    assert stands(story) == ("crashed", "oom")
