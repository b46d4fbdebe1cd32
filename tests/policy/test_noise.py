"""The noise of one run: what repetitions tell of it, and when a new champion has one of its own."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.policy.noise import Noise, mean, pooled, present_noise

BASELINE = [1.000, 1.004, 0.996]

groups = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 6)), min_size=1, max_size=5)


def test_the_noise_of_the_baseline_is_its_standard_deviation() -> None:
    noise = pooled([BASELINE])
    assert noise is not None
    assert noise.sd == pytest.approx(statistics.stdev(BASELINE))
    assert noise.dof == 2


@pytest.mark.parametrize("value", [0.97, 0.1, -0.7, 1e-300, 80.4367])
def test_equal_runs_have_no_noise_and_their_own_mean(value: float) -> None:
    """0.97 three times came to a noise of 1.4e-16, and a hundredth more to 73,543,473,952,307 of it."""
    assert pooled([[value] * 3]) == Noise(0.0, 2) and mean([value] * 7) == value


def test_repetitions_are_pooled_without_the_run_that_earned_them() -> None:
    noise = pooled([[1.0, 3.0], [-50.0, 5.0, 7.0], [9.0], [9.0, 8.0]])
    # Squares 2 (of 1, 3) and 2 (of 5, 7), one degree each; the lucky -50 and the pairs' first runs say nothing.
    assert noise is not None
    assert (noise.sd, noise.dof) == (pytest.approx(math.sqrt(2.0)), 2)


def test_without_a_repetition_there_is_no_noise() -> None:
    assert pooled([]) is None
    assert pooled([[1.0], [2.0, 3.0]]) is None


def test_runs_chosen_for_their_luck_do_not_widen_the_noise() -> None:
    rng = random.Random(5)
    lucky = [[rng.uniform(-9, -2), rng.gauss(), rng.gauss(), rng.gauss()] for _ in range(400)]
    noise = pooled([[0.0], *lucky])
    assert noise is not None
    assert noise.sd == pytest.approx(1.0, rel=0.08)


SETTLED = [[BASELINE] + [[0.0, 1.0, 1.004, 0.996]] * 4]
"""The reign of a baseline that was challenged four times: ten degrees of freedom."""


def champion_of(sd: float, runs: int = 4) -> list[list[float]]:
    """A new champion's reign, in which its runs scatter by `sd`; the first made it champion."""
    return [[0.5, *(0.9 + sd * step for step in (-1, 0, 1, 0, -1, 1)[: runs - 1])]]


def test_one_noise_serves_all_champions_while_theirs_does_not_differ() -> None:
    reigns = [*SETTLED, champion_of(0.004)]
    assert present_noise(reigns) == pooled([group for reign in reigns for group in reign])


def test_a_champion_of_a_quieter_kind_is_judged_by_its_own_noise_alone() -> None:
    noise = present_noise([*SETTLED, champion_of(0.0001)])
    assert noise is not None and noise.before is not None
    assert (noise.sd, noise.dof) == (pytest.approx(0.0001), 2)
    assert (noise.before.sd, noise.before.dof) == (pytest.approx(0.004), 10)
    assert present_noise([*SETTLED, champion_of(0.0001, 3)]).before is None, "two runs that are near may be luck"  # type: ignore[union-attr]


def test_a_champion_of_a_noisier_kind_is_too() -> None:
    noise = present_noise([*SETTLED, champion_of(0.04)])
    assert noise is not None
    assert (noise.sd, noise.dof) == (pytest.approx(0.04), 2)


def test_the_next_champion_of_the_same_kind_inherits_the_noise_of_its_kind() -> None:
    quiet = champion_of(0.0001, 5)
    noise = present_noise([*SETTLED, quiet, [[0.8]]])
    assert noise is not None
    assert noise == present_noise([*SETTLED, quiet])


def test_champions_that_agree_to_the_last_digit_after_a_noisy_baseline_have_no_noise() -> None:
    noise = present_noise([*SETTLED, champion_of(0.0)])
    assert noise is not None
    assert (noise.sd, noise.dof) == (0.0, 2)
    exact = present_noise([[[5.0] * 3], champion_of(0.0)])
    assert exact == Noise(0.0, 4)
    loud = present_noise([[[5.0] * 3], champion_of(0.01)])
    assert loud is not None
    assert loud.sd == pytest.approx(0.01)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no measurement"):
        pooled([[1.0, bad]])


@given(st.lists(groups, min_size=1, max_size=6), st.randoms())
def test_the_order_of_experiments_after_the_baseline_does_not_change_the_noise(
    experiments: list[list[float]], rng: random.Random
) -> None:
    rest = experiments[1:]
    assert pooled(experiments) == pooled([experiments[0], *rng.sample(rest, len(rest))])
