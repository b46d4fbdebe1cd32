"""What of a run's waiting lies where. The run of these tests starts at 100 and waits as each test says."""

import pytest

from loop.runs.waited import POINTS, WaitedCurve


def curve(*shares: float) -> WaitedCurve:
    """Of a run that waited these shares of its seconds, one after the other."""
    made, waited = WaitedCurve(), 0.0
    made.add(100.0, 0.0)
    for second, share in enumerate(shares, 1):
        waited += share
        made.add(100.0 + second, waited)
    return made


def test_a_curve_is_known_at_any_moment() -> None:
    half = curve(*[0.5] * 10)
    assert half.total == 5
    assert (half.until(99), half.until(100), half.until(104.5), half.until(200)) == (0, 0, 2.25, 5)
    assert half.between(102, 104) == 1
    assert half.between(104, 102) == 0
    assert WaitedCurve().total == 0 and WaitedCurve().outside(3) == 0


def test_nothing_that_was_waited_within_the_budget_is_allowed_for() -> None:
    assert curve(*[0.5] * 10).outside(8) == pytest.approx(1)
    assert curve(*[0.5] * 10).outside(10) == 0
    assert curve(*[0.5] * 10).outside(99) == 0


def test_the_budget_is_taken_to_be_where_the_least_was_waited() -> None:
    busy_start = curve(0.8, 0.8, 0.8, 0.8, 0, 0, 0, 0)
    assert busy_start.outside(4) == pytest.approx(3.2)
    assert busy_start.outside(6) == pytest.approx(1.6)
    assert curve(0, 0, 0.9, 0.9, 0, 0).outside(2) == pytest.approx(1.8)


def test_the_most_that_was_waited_in_some_seconds_is_looked_for_between_two_moments() -> None:
    one = curve(0, 0, 0.9, 0.9, 0, 0.4)
    assert one.most(1, 100, 106) == pytest.approx(0.9)
    assert one.most(1, 104, 106) == pytest.approx(0.4)
    assert one.most(3, 104, 106) == 0, "there are no three seconds"


def test_a_run_of_a_day_is_kept_in_a_bounded_number_of_looks() -> None:
    day = WaitedCurve()
    for look in range(3 * POINTS):
        day.add(look / 2, look / 8)
    assert day.total == pytest.approx((3 * POINTS - 1) / 8)
    assert day.between(1000, 2000) == pytest.approx(250)
    assert len(day._times) <= POINTS
