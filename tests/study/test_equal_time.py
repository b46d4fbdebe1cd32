"""How far a run is ahead of the champion at equal training time."""

import math

import pytest

from loop.study.equal_time import Course, lead

CHAMPION = [Course.of([(0, 4.0), (100, 3.0), (200, 2.0)]), Course.of([(0, 4.2), (100, 3.2), (200, 2.2)])]
BASELINE = [Course.of([(0, 5.0), (200, 4.0)]), Course.of([(0, 5.1), (200, 4.1)]), Course.of([(0, 5.2), (200, 4.2)])]


def test_it_compares_at_the_same_training_time_and_not_at_the_end() -> None:
    found = lead((150, 2.4), CHAMPION, [BASELINE], rises=False)
    assert found is not None and found.by == pytest.approx(0.2) and found.at == 150


def test_more_is_better_where_the_curve_rises() -> None:
    found = lead((150, 2.4), CHAMPION, [], rises=True)
    assert found is not None and found.by == pytest.approx(-0.2)


def test_the_scatter_is_pooled_over_runs_of_one_file_each_around_its_own_mean() -> None:
    found = lead((100, 3.1), CHAMPION, [BASELINE], rises=False)
    # Deviations of +-0.1 around the champion's mean, and of -0.1, 0, 0.1 around the baseline's: 0.04 over 3 degrees.
    assert found is not None and found.scatter == pytest.approx(math.sqrt(0.04 / 3))
    assert found.sigmas == pytest.approx(0)


def test_without_enough_runs_there_is_a_lead_and_no_scatter() -> None:
    found = lead((100, 3.0), CHAMPION, [], rises=False)
    assert found is not None and found.scatter is None and found.sigmas is None


@pytest.mark.parametrize("now", [(300.0, 1.0), (-1.0, 9.0), (100.0, math.nan)])
def test_where_the_champion_has_no_curve_or_the_run_no_number_nothing_is_said(now: tuple[float, float]) -> None:
    assert lead(now, CHAMPION, [BASELINE], rises=False) is None
    assert lead((100, 3.0), [], [BASELINE], rises=False) is None
    assert Course.of([]).at(0.0) is None


def test_a_course_has_a_value_at_both_its_ends() -> None:
    assert CHAMPION[0].at(0) == 4.0 and CHAMPION[0].at(200) == 2.0 and CHAMPION[0].at(50) == 3.5
