"""How many of the kept are expected to be false: from the confidences, and from how many were tried."""

import pytest

from loop.policy import false_discovery
from loop.study import events as e
from tests.stories import Story


def judged(story: Story, number: int, verdict: str, effect: float, confidence: float, by: str = "judge") -> None:
    story.propose(number).queue(number)
    story.tell(
        e.ExperimentJudged(verdict=verdict, reason="x", metric=1, effect=effect, confidence=confidence, by=by), number
    )


def test_the_more_were_tried_the_less_a_confidence_says() -> None:
    assert false_discovery.expected_false([], 50) == 0.0
    assert false_discovery.expected_false([0.99], 0) == pytest.approx(0.01)
    assert false_discovery.expected_false([0.99], 10) == pytest.approx(0.2)
    assert false_discovery.expected_false([0.99] * 4, 10) == pytest.approx(4 * 5 * 0.01)
    assert false_discovery.expected_false([0.96], 500) == 1.0, "no more can be false than there are"


def test_a_study_counts_what_the_judge_kept_as_better_and_nothing_else() -> None:
    story = Story().baseline()
    assert false_discovery.of(story.study()) is None
    judged(story, 1, "kept", 0.3, 0.998)
    judged(story, 2, "discarded", 0.01, 0.7)
    judged(story, 3, "discarded", -0.2, 0.1)
    judged(story, 4, "kept", 0.001, 0.55)
    judged(story, 5, "kept", 0.1, 0.6, by="ada")
    assert false_discovery.of(story.study()) == pytest.approx(2 * 0.002), "4 was kept for its lines, 5 by a person"
