"""Designs: every factor is balanced against every other, and what the runs say is told with its error."""

import math
from itertools import product

import pytest

from loop.policy import designs
from loop.policy.designs import design, estimates
from loop.policy.noise import Noise


@pytest.mark.parametrize("factors", [1, 2, 3, 4, 5, 6, 8, 11, 12, 19, 27])
def test_every_factor_is_in_half_of_the_runs_and_balanced_against_every_other(factors: int) -> None:
    for runs in (None, 32, 48):
        plan = design(factors, runs)
        signs = [[1 if on else -1 for on in row] for row in plan.rows]
        for one in range(factors):
            assert sum(row[one] for row in signs) == 0
            assert all(sum(row[one] * row[other] for row in signs) == 0 for other in range(one))
        assert tuple([True] * factors) in plan.rows, "the whole champion is among them"
        assert runs is None or len(plan.rows) <= runs


def test_rows_under_one_seed_are_mirror_images() -> None:
    plan = design(19, 48)
    assert len(plan.rows) == 48 and len(set(plan.blocks)) == 24
    for one, other in zip(plan.rows[::2], plan.rows[1::2], strict=True):
        assert all(a is not b for a, b in zip(one, other, strict=True))
    assert len(set(design(19).blocks)) == len(design(19).rows) == 24, "without a mirror each row has its own"


def test_few_factors_get_all_their_combinations() -> None:
    assert set(design(3).rows) == set(product((True, False), repeat=3))


def test_too_few_runs_say_how_many_it_takes() -> None:
    with pytest.raises(designs.TooFewRuns, match="it takes 20 runs at least"):
        design(19, 16)
    with pytest.raises(ValueError, match="nothing to take out"):
        design(0)


def test_worths_without_noise_are_the_truth() -> None:
    plan, truth = design(11), [0.3 * i - 1 for i in range(11)]
    values = [sum(worth for worth, on in zip(truth, row, strict=True) if on) for row in plan.rows]
    found = estimates(plan.rows, plan.blocks, values, Noise(0.1, 4))
    assert found is not None
    assert [one.value for one in found.worths] == pytest.approx(truth)
    assert found.together.value == pytest.approx(sum(truth))


def test_the_error_is_that_of_half_the_runs_against_the_other() -> None:
    plan = design(19, 20)  # no run to spare: the noise is the study's
    values = [float(row[0]) for row in plan.rows]
    found = estimates(plan.rows, plan.blocks, values, Noise(0.5, 10))
    assert found is not None and found.noise_from == "study"
    assert found.worths[0].value == pytest.approx(1.0)
    assert found.worths[3].error == pytest.approx(0.5 * 2 / math.sqrt(20))
    assert found.worths[0].high - found.worths[0].value == pytest.approx(2.2281 * found.worths[0].error, rel=1e-4)
    assert estimates(plan.rows, plan.blocks, values, None) is None, "nothing tells the noise"


def test_the_luck_of_a_seed_falls_out_of_mirrored_rows() -> None:
    plan = design(4)
    luck = [100.0 * math.sin(block) for block in plan.blocks]
    wiggle = [0.001 * (-1) ** (index // 3) for index in range(len(plan.rows))]
    values = [2.0 * row[1] + a + b for row, a, b in zip(plan.rows, luck, wiggle, strict=True)]
    found = estimates(plan.rows, plan.blocks, values, Noise(70.0, 8))
    assert found is not None and found.noise_from == "runs", "the study's noise is that of runs under other seeds"
    assert found.worths[1].value == pytest.approx(2.0, abs=0.01) and found.worths[1].low > 1.9


def test_rows_that_gave_no_number_may_leave_too_few() -> None:
    plan = design(11)
    some = [index for index, row in enumerate(plan.rows) if row[2]]
    rows, blocks = [plan.rows[index] for index in some], [plan.blocks[index] for index in some]
    assert estimates(rows, blocks, [0.0] * len(rows), Noise(1.0, 4)) is None
    less = slice(0, -1)
    assert estimates(plan.rows[less], plan.blocks[less], [float(i) for i in range(15)], Noise(1.0, 4)) is not None
