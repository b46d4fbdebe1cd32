"""One check that rejects experiment after experiment is told to a person, once."""

from loop.policy.rejections import in_a_row
from loop.study import events as e
from loop.study.outcomes import Outcome
from tests.stories import Story


def rejected(story: Story, number: int, check: str = "budget") -> str:
    """What is said after one more rejection."""
    story.propose(number).queue(number).start(number, 1)
    story.tell(e.RunFinished(outcome=Outcome.FINISHED, check=check, reason="it took 99 s"), number, 1)
    return in_a_row(story.judge(number, "rejected").study())


def test_the_third_in_a_row_is_told_with_what_to_do_and_the_fourth_is_not() -> None:
    story = Story().baseline()
    assert [bool(rejected(story, number)) for number in range(1, 6)] == [False, False, True, False, False]
    said = in_a_row(Story(story.contract).baseline().study())
    assert said == ""


def test_it_says_which_check_and_what_to_change() -> None:
    story = Story().baseline()
    said = [rejected(story, number) for number in (1, 2, 3)][-1]
    assert said == (
        "the last 3 experiments were rejected by one check, budget (see `looptop show 3`); if they are honest, runs "
        "take longer here than the baseline's did: end what else runs on this machine, or change `budget:` in "
        "program.md, with which the baseline is measured anew"
    )
    story = Story().baseline()
    assert "the verification is what has to change" in [rejected(story, n, "causal") for n in (1, 2, 3)][-1]


def test_another_check_and_any_other_verdict_begin_anew() -> None:
    story = Story().baseline()
    assert not any([rejected(story, 1), rejected(story, 2), rejected(story, 3, "protected"), rejected(story, 4)])
    story.propose(5).queue(5).runs(5, [2.0]).judge(5, "discarded", 2.0)
    assert [bool(rejected(story, number)) for number in (6, 7, 8)] == [False, False, True]
    story.propose(9).judge(9, "rejected")  # by a guard: it never ran
    assert [bool(rejected(story, number)) for number in (10, 11, 12)] == [False, False, True]
