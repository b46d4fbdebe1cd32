"""The limits that end a study: what is left of them, and which one is reached."""

from loop.policy import limits
from loop.study import events as e
from loop.study.contract import Contract, Limits
from tests.stories import Story


def test_limits_are_told_with_what_is_left_and_reached_in_words() -> None:
    story = Story(Contract(limits=Limits(experiments=3, hours=1, failures=2, usd=5))).baseline()
    story.propose(1).queue(1).judge(1, "crashed").tell(e.Spent(researcher="r", tokens=9, usd=1.25))
    left = {one.name: one.left for one in limits.limits(story.study(), now=1002 + 1800)}
    assert left == {"experiments": 2, "hours": 0.5, "failures": 1, "usd": 3.75}
    assert limits.reached(story.study(), now=1002) is None
    story.propose(2).queue(2).judge(2, "timed_out")
    assert limits.reached(story.study(), now=1002) == ("failures", "2 experiments in a row ended without a number")
    assert limits.reached(story.study(), now=1002 + 3600) == ("hours", "1.0 of 1 hours are used")


def test_the_disk_limit_needs_a_walk_and_counts_when_there_was_one() -> None:
    study = Story(Contract(limits=Limits.model_validate({"disk": "1GB"}))).baseline().study()
    assert limits.reached(study) is None
    found = limits.reached(study, disk_used=2 * 10**9)
    assert found is not None and found[0] == "disk"
