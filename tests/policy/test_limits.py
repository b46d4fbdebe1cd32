"""The limits that end a study: what is left of them, and which one is reached."""

from loop.config.overrides import Overrides
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


def test_a_stop_says_how_to_go_on() -> None:
    story = Story(Contract(limits=Limits(experiments=2, hours=5))).baseline()
    assert limits.onward(story.study()) == "", "while it works there is nothing to go on with"
    story.tell(e.SupervisorStopped(reason="a person stopped it"))
    assert limits.onward(story.study()) == "`looptop` goes on from here"
    for options, said in (
        ({}, "raise `limits: experiments` in program.md"),
        ({"experiments": 2}, "`looptop --experiments N`"),
    ):
        story.tell(e.SupervisorStarted(pid=1, host="h", version="1", options=options))
        story.tell(e.LimitReached(limit="experiments", reason="2 of 2"))
        story.tell(e.SupervisorStopped(reason="limit reached: 2 of 2"))
        assert said in limits.onward(story.study())
    story.tell(e.SupervisorStopped(reason="the baseline crashed", failed=True))
    assert limits.onward(story.study()) == ""


def test_a_flag_that_would_widen_a_limit_is_refused_and_not_ignored() -> None:
    contract = Contract(limits=Limits(experiments=340))
    assert Overrides(experiments=340, hours=9).without_effect(contract) is None
    refusal = Overrides(experiments=345).without_effect(contract)
    assert refusal is not None and "ends the loop at 340; raise `limits: experiments` there" in refusal


def test_an_end_says_that_the_checkout_has_an_edit_which_the_study_does_not_know() -> None:
    story = Story(Contract()).baseline()
    assert limits.offered(story.study()) == ""
    story.tell(e.CheckoutChanged(files=("train.py",), parent=0, lines_added=3, lines_removed=1))
    assert limits.offered(story.study()).startswith(
        "; your checkout has another train.py (+3 -1 lines against experiment 0), of which the study knows nothing: "
        "`looptop submit` has it tried, and `looptop keep N` then makes it"
    )


def doubted(limit: int, *numbers: int) -> Story:
    """A study in which these have run, and wait for a person to believe their number."""
    story = Story(Contract(verify=None, limits=Limits(experiments=limit))).baseline()
    for number in numbers:
        story.propose(number).queue(number).runs(number, (0.1,))
        story.tell(e.ApprovalAsked(reason="too good to be true"), number)
    return story


def test_experiments_whose_number_waits_for_a_person_count_and_are_named() -> None:
    assert limits.reached(doubted(2, 1).study()) is None
    waits = "experiment 1 waits for you: `looptop approve 1` or `looptop reject 1`"
    assert limits.reached(doubted(1, 1).study()) == ("experiments", f"1 of 1 experiments have run; {waits}")
    both = doubted(2, 1, 2)
    found = limits.reached(both.study())
    assert found is not None and "have run; experiments 1 and 2 wait for you: `looptop approve 1`" in found[1]
    both.judge(1, "discarded").judge(2, "discarded")
    assert limits.reached(both.study()) == ("experiments", "2 of 2 experiments have a verdict")
