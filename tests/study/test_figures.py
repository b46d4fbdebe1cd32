"""The one number of an experiment, and how far it is from another's."""

import math

import pytest

from loop.reporting.table import change
from loop.study import events as e
from loop.study.figures import Figures
from loop.study.outcomes import Outcome
from tests.stories import Story


def flattered() -> Story:
    """A champion by one lucky run of 0.90, and an experiment of 0.92 that was judged against that."""
    story = Story().baseline().propose(1).queue(1).runs(1, [0.90])
    story.tell(e.ExperimentJudged(verdict=Outcome.KEPT, reason="", metric=0.9, effect=0.1, noise=0.01, champion=0), 1)
    story.tell(e.ChampionChanged(commit="1" * 40, metric=0.9), 1)
    story.propose(2, 1).queue(2, 1).runs(2, [0.92])
    judged = e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="", metric=0.92, effect=-0.02, noise=0.01, champion=1)
    return story.tell(judged, 2)


def test_a_champion_that_is_measured_again_has_the_mean_of_all_its_runs_everywhere() -> None:
    story = flattered()
    study = story.runs(1, [0.94, 0.95, 0.93], first=2).study()
    best = Figures(study).best
    assert best is not None and best.runs == 4
    assert best.mean == pytest.approx(0.93) and best.error == pytest.approx(0.01 / math.sqrt(4))
    assert change(study) == "-7.0%"
    assert Figures(study).gain(study.best) == pytest.approx(0.07)


def test_what_lost_to_a_lucky_run_is_compared_with_the_mean() -> None:
    story = flattered()
    assert Figures(story.study()).effect(story.study().experiments[2]) == pytest.approx(-0.02)
    study = story.runs(1, [0.94, 0.95, 0.93], first=2).study()
    assert Figures(study).effect(study.experiments[2]) == pytest.approx(0.01)


def test_without_runs_of_this_contract_the_verdict_s_own_number_counts() -> None:
    story = Story().propose(0).judge(0, "kept", 0.5)
    figure = Figures(story.study()).best
    assert figure is not None and (figure.mean, figure.error, figure.runs) == (0.5, None, 0)
    assert Figures(Story().study()).best is None


def test_a_verdict_by_equal_seeds_stands_until_either_has_run_again_for_itself() -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [0.90])
    judged = e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="", metric=0.9, effect=0.12, noise=0.01, champion=0)
    story.tell(judged, 1)
    assert Figures(story.study()).effect(story.study().experiments[1]) == 0.12, "not the difference of the means"
    story.start(0, 4, validates=9).finish(0, 4, 0.5).start(1, 2, validates=9, row=1).finish(1, 2, 0.5)
    assert Figures(story.study()).effect(story.study().experiments[1]) == 0.12
    study = story.runs(0, [1.04], first=5).study()
    assert Figures(study).effect(study.experiments[1]) == pytest.approx(1.01 - 0.90)
