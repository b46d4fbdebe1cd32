"""Which near wins go together."""

from loop.policy import bundles
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from tests.stories import Story


def tried(story: Story, number: int, effect: float, parts: tuple[int, ...] = (), verdict: str = "discarded") -> Story:
    """An experiment that measured better by so many noises, each of which is 0.01."""
    proposed = e.ExperimentProposed(researcher="r", title=f"idea {number}", parent=0, parts=parts)
    story.tell(proposed, number).queue(number).runs(number, [1 - effect / 100])
    judged = e.ExperimentJudged(
        verdict=Outcome(verdict), reason="", metric=1 - effect / 100, effect=effect / 100, noise=0.01, champion=0
    )
    return story.tell(judged, number)


def study_of(*effects: float) -> Story:
    story = Story(Contract(verify=None, bundles=True)).baseline()
    for number, effect in enumerate(effects, 1):
        tried(story, number, effect)
    return story


def numbers(story: Story) -> list[int]:
    return [one.id for one in bundles.near_wins(story.study())]


def test_what_measured_best_comes_first_and_what_is_likely_worse_not_at_all() -> None:
    story = study_of(1.0, 2.0, -3.0, 1.5, -0.8)
    assert numbers(story)[:3] == [2, 4, 1] and not {3, 5} & set(numbers(story))
    gains = [one.gain for one in bundles.near_wins(story.study())]
    assert all(gain < 0.02 for gain in gains), "it is shrunk"


def test_where_most_ideas_are_bad_a_small_gain_is_likely_luck() -> None:
    assert numbers(study_of(0.8, 0.9, 1.0))
    assert not numbers(study_of(0.8, *[-2.5, -3.0, -2.0, -3.5] * 10))


def test_parts_of_an_open_or_a_kept_bundle_and_those_that_failed_twice_are_left_out() -> None:
    story = study_of(1.5, 1.4, 1.3, 1.2)
    proposed = e.ExperimentProposed(researcher="bundles", title="t", parent=0, parts=(1, 2))
    story.tell(proposed, 5).queue(5)
    assert set(numbers(story)) == {3, 4}
    tried(story, 6, 2.5, (3, 4), "kept").tell(e.ChampionChanged(commit=f"{6:040d}"), 6)
    assert numbers(story) == []
    again = study_of(1.5, 1.4, 1.3)
    assert 1 in numbers(tried(again, 4, 2.2, (1, 2)))
    assert 1 not in numbers(tried(again, 5, 2.2, (1, 3)))


def test_a_bundle_that_is_bad_speaks_against_its_parts() -> None:
    story = study_of(1.5, 1.4, 1.3)
    before = {one.id: one.gain for one in bundles.near_wins(story.study())}
    after = {one.id: one.gain for one in bundles.near_wins(tried(story, 4, -3.0, (1, 2)).study())}
    assert after.get(1, 0.0) < before[1] / 2 and 4 not in after


def test_one_is_due_when_enough_have_come_together_and_none_is_open() -> None:
    def due(story: Story, slots: int = 1) -> bool:
        study = story.study()
        return bundles.has_room(study, slots) and bundles.is_due(study, bundles.near_wins(study))

    assert not due(study_of(1.5, 1.4)) and due(study_of(*[1.5] * 6))
    waiting = study_of(*[1.5] * 6)
    assert not due(waiting.propose(7).queue(7).propose(8).queue(8)) and due(waiting, slots=2)
    proposed = e.ExperimentProposed(researcher="bundles", title="t", parent=0, parts=(1, 2))
    assert not due(study_of(*[1.5] * 8).tell(proposed, 9))
    old = Story().baseline()
    for number in range(1, 7):
        tried(old, number, 1.5)
    assert not due(old), "a study that began before there were bundles goes on without"
