"""Which proposals a person looks at before they run, and which no longer have to wait."""

from loop.policy import reviews
from loop.study import events as e
from loop.study.contract import Contract
from tests.stories import Story

FLAGS = ("train.py line 3 touches the seed", "train.py line 4 ends early")


def test_the_program_says_who_waits() -> None:
    checked = Contract(verify="python check.py")
    assert reviews.why(checked, FLAGS) == "", "`auto` is the default where the number is verified"
    assert reviews.why(Contract(review="auto"), FLAGS) == ""
    assert reviews.why(Contract(review="all"), ()) == "the program says `review: all`"
    assert reviews.why(Contract(review="flagged"), FLAGS) == f"{FLAGS[0]} (and 1 more)"
    assert reviews.why(Contract(), FLAGS[:1]).startswith(f"{FLAGS[0]}; nobody verifies the number")
    assert reviews.why(Contract(), ()) == ""


def test_what_waited_for_a_review_is_released_and_what_waits_for_another_reason_is_not() -> None:
    def waiting(contract: Contract) -> list[int]:
        story = Story(contract).baseline()
        for number in (1, 2, 3):
            story.propose(number).queue(number)
            if number == 2:
                story.runs(number, [0.0])
            story.tell(e.ApprovalAsked(reason="because"), number)
        study = story.study()
        study.experiments[3].submitted = True
        return [x.id for x in reviews.released(study)]

    assert waiting(Contract(review="auto")) == [1], "2 has a number that looks like none, 3 is a person's own"
    assert waiting(Contract(review="all")) == []
