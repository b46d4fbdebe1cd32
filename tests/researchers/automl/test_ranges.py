"""A range stays sane around the value it began with, on a scale that suits it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.researchers.automl.constants import Constant, Number
from loop.researchers.automl.ranges import Range, around
from loop.researchers.automl.sites import find


def constant(line: str) -> Constant:
    (found,) = find(line)
    return found


def ends(line: str) -> tuple[Number, Number]:
    span = around(constant(line))
    return span.value(0.0), span.value(1.0)


@pytest.mark.parametrize(
    ("line", "low", "high"),
    [
        ("MATRIX_RATE = 0.02", 0.002, 0.2),
        ("EMBEDDING_LR = 0.6", 0.06, 6.0),
        ("WEIGHT_DECAY = 0.1", 0.01, 1.0),
        ("INIT_STD = 0.02", 0.002, 0.2),
        ("ODD = 0.05", 0.005, 0.5),
        ("DROPOUT_RATE = 0.1", 0.01, 0.99),
        ("BETA1 = 0.9", 0.5, 0.98),
        ("MOMENTUM = 0.95", 0.75, 0.99),
        ("EMA_DECAY = 0.999", 0.995, 0.9998),
        ("WARMDOWN = 0.5", 0.11, 0.89),
        ("WEIGHT_DECAY = 0.0", 0.0, 1.0),
        ("DROPOUT = 0.0", 0.0, 0.5),
        ("SOFTCAP = 16.0", 4.0, 64.0),
        ("WARM_RATIO = 1.0", 0.25, 1.0),
        ("OFFSET = -2.0", -0.5, -8.0),
        ("DEPTH = 5", 2, 12),
        ("ONE = 1", 1, 4),
        ("WIDTH = 192", 80, 480),
        ("HEAD_SIZE = 32", 8, 128),
        ("BATCH = 2**2", 1, 16),
    ],
)
def test_ends_of_the_range(line: str, low: Number, high: Number) -> None:
    assert ends(line) == (low, high)


def test_powers_of_two_stay_powers_of_two() -> None:
    span = around(constant("HEAD_SIZE = 32"))
    assert {span.value(i / 50) for i in range(51)} == {8, 16, 32, 64, 128}


def test_round_widths_stay_round() -> None:
    span = around(constant("WIDTH = 192"))
    widths = {span.value(i / 200) for i in range(201)}
    assert widths == set(range(80, 481, 16))


def test_momentum_moves_in_its_distance_to_one() -> None:
    span = around(constant("MOMENTUM = 0.9"))
    assert [span.value(p) for p in (0.25, 0.5, 0.75)] == [0.78, 0.9, 0.955]


def test_a_rate_of_zero_has_a_place_to_come_back_to() -> None:
    span = around(constant("WEIGHT_DECAY = 0.0"))
    assert span.place(0.0) == 0.0
    assert span.value(0.05) == 0.0
    assert span.value(0.11) == 0.011


def test_the_range_belongs_to_the_start_not_to_the_present_value() -> None:
    moved = constant("RATE = 0.2")
    assert around(moved, 0.02) == around(constant("RATE = 0.02"))


def test_a_value_someone_else_chose_is_let_in() -> None:
    span = around(constant("RATE = 0.02")).holding(0.5)
    assert span.value(span.place(0.5)) == 0.5
    assert span.value(0.0) == 0.002
    assert around(constant("RATE = 0.02")).holding(0.03) == around(constant("RATE = 0.02"))


starts = st.one_of(
    st.integers(1, 10**7).map(lambda n: f"DEPTH = {n}"),
    st.integers(0, 20).map(lambda n: f"BATCH = 2**{n}"),
    st.floats(1e-8, 0.9999).map(lambda x: f"FRACTION = {x:.3g}"),
    st.floats(1e-8, 1e6).map(lambda x: f"RATE = {x:.3g}"),
    st.floats(1e-4, 1e6).map(lambda x: f"OFFSET = -{x:.3g}"),
    st.floats(0.01, 0.99999).map(lambda x: f"MOMENTUM = {x:.5g}"),
).filter(lambda line: bool(find(line)))


@given(starts, st.floats(0, 1))
def test_every_range_holds(line: str, place: float) -> None:
    start = constant(line)
    span = around(start)
    value = span.value(place)
    assert type(value) is type(start.value)
    assert 0 <= span.place(start.value) <= 1
    assert abs(value) > 0 and (value < 0) == (start.value < 0)
    if isinstance(start.value, int):
        assert value >= 1
    if 0 < start.value < 1 and "RATE" not in line:
        assert 0 < value < 1
    # The way back is true up to the rounding of what is written.
    assert span.value(span.place(value)) == pytest.approx(value, rel=0.06)


@given(starts)
def test_a_larger_place_is_never_a_smaller_size(line: str) -> None:
    span: Range = around(constant(line))
    sizes = [abs(span.value(i / 40)) for i in range(41)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
