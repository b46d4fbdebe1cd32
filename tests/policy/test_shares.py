"""Shares follow what each researcher brings for what it costs, simulated from the study's own events."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from loop.policy import shares, supply
from loop.study import events as e
from loop.study.experiment import CLASH
from loop.study.folding import apply
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story

Chance = Callable[[str, int], float]
"""How likely the n-th proposal of the study is to be kept, by whom it is made."""


def simulated(chance: Chance, proposals: int, seed: int = 0, usd: float = 0.0) -> list[str]:
    """Who makes each of the proposals of a study; those of "b" cost `usd` each beside their runs."""
    rng, study, story = random.Random(seed), Study(), Story()
    story.baseline()
    for name in ("a", "b"):
        story.tell(e.ResearcherJoined(name=name, about=""))
    made: list[str] = []
    for number in range(1, proposals + 1):
        for event in story.events:
            apply(study, event)
        given = shares.earned(study, {"a": 1.0, "b": 1.0})
        who = supply.in_turn(study, given, ["a", "b"]) or ""
        made.append(who)
        story.events = story.events[-1:]
        tell(story, study.seq, number, who, rng.random() < chance(who, number), usd if who == "b" else 0.0)
    return made


def tell(story: Story, seq: int, number: int, who: str, kept: bool, usd: float) -> None:
    """A proposal with one run of 20 s, and its verdict."""
    told = Story(story.contract)
    told.events = []
    told.tell(e.ExperimentProposed(researcher=who, title=f"idea {number}", parent=0), number)
    told.tell(e.Spent(researcher=who, tokens=1, usd=usd), number)
    told.queue(number).runs(number, [1.0])
    told.tell(e.ExperimentJudged(verdict=Outcome.KEPT if kept else Outcome.DISCARDED, reason="x"), number)
    story.events = [event._replace(seq=seq + place) for place, event in enumerate(told.events, 1)]


def share(made: list[str], who: str) -> float:
    return Counter(made)[who] / len(made)


def test_a_gain_is_sized_by_what_is_usual_and_a_few_do_not_say_much() -> None:
    assert shares.Brought().size(0.2) == shares.Brought(kept=3, gained=0.6).size(0.2) == pytest.approx(1.0)
    assert shares.Brought(kept=1, gained=0.4).size(0.0) == 1.0, "nobody knows what is usual"
    one, many = shares.Brought(kept=1, gained=0.4).size(0.2), shares.Brought(kept=50, gained=20.0).size(0.2)
    assert 1.0 < one < many < 2.0
    assert shares.Brought(kept=99, gained=99.0).size(0.2) == shares.MOST_GAIN
    assert shares.Brought(kept=99).size(0.2) == 1 / shares.MOST_GAIN


def test_one_that_brings_nothing_gets_less_and_is_still_heard() -> None:
    for seed in range(3):
        made = simulated(lambda who, number: 0.15 if who == "a" else 0.0, 150, seed)
        assert share(made[75:], "b") < 0.35
        assert share(made[75:], "b") > 0.05, "the floor"


def test_one_whose_time_comes_later_gets_more_then() -> None:
    made = simulated(lambda who, number: 0.2 if (who == "a") == (number < 120) else 0.0, 360)
    assert share(made[60:120], "b") < 0.4
    assert share(made[300:], "b") > 0.5


def test_of_two_that_bring_alike_the_dearer_one_gets_less() -> None:
    made = simulated(lambda who, number: 0.15, 120, usd=1.0)  # a run of 20 s is reckoned at a cent
    assert share(made[40:], "b") < 0.25
    alike = [share(simulated(lambda who, number: 0.15, 120, seed), "b") for seed in range(4)]
    assert sum(alike) / 4 == pytest.approx(0.5, abs=0.2)


def test_a_share_of_the_program_scales_what_is_earned_and_one_alone_has_all() -> None:
    study = Study()
    even, given = shares.earned(study, {"a": 1.0, "b": 1.0}), shares.earned(study, {"a": 3.0, "b": 1.0})
    assert given == {"a": 3 * even["a"], "b": even["b"]}
    assert shares.earned(study, {"a": 2.0}) == {"a": 2.0}
    assert shares.earned(study, {}) == {}


def test_a_clash_says_nothing_of_its_researcher() -> None:
    story = Story().baseline().propose(1).queue(1).propose(2).queue(2).runs(2, [1.0]).judge(2, "discarded")
    story.tell(e.ExperimentJudged(verdict=Outcome.REJECTED, reason="x", by=CLASH), 1)
    found = shares.brought(story.study())["r"]
    assert (found.judged, found.kept) == (1, 0) and found.slot_hours == pytest.approx(20 / 3600)
