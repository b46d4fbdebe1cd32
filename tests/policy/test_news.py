"""What is news, and in which words."""

from loop.policy import news
from loop.study import events as e
from tests.stories import Story


def texts(story: Story, after: int = 0) -> list[str]:
    study = story.study()
    found = [news.of_event(study, event) for event in story.events[after:]]
    return [notice.text for notice in found if notice is not None]


def test_a_gain_a_wait_a_fault_and_the_end_are_news_and_nothing_else() -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [0.9]).judge(1, "kept", 0.9)
    story.propose(2).tell(e.ApprovalAsked(reason="it touches\nthe seed"), 2)
    story.tell(e.Fault(where="llm", message="529")).tell(e.Fault(where="notify ntfy (h)", message="404"))
    story.tell(e.SupervisorStopped(reason="a person stopped it"))
    assert texts(story) == [
        "experiment 1 is the champion at 0.9: idea 1",
        "experiment 2 waits for you: it touches the seed",
        "llm: 529",
        "the loop has stopped: a person stopped it",
    ]
    assert news.of_event(story.study(), story.events[-3], again=True) is None


def test_a_plateau_is_told_at_its_length_at_twice_and_at_four_times_that() -> None:
    story = Story().baseline()
    told = []
    for number in range(1, 26):
        story.propose(number).queue(number).runs(number, [1.1]).judge(number, "discarded", 1.1)
        if (notice := news.plateau(story.study(), 5)) is not None:
            told.append((number, notice.text))
    assert [number for number, _ in told] == [5, 10, 20]
    assert told[0][1].startswith("5 experiments since the last gain (experiment 0)")
    story.propose(30).queue(30).runs(30, [0.5]).judge(30, "kept", 0.5)
    assert news.plateau(story.study(), 5) is None
