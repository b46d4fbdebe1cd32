"""Charts: the cells that data give."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.render.chart import Axis, Mark, Series, chart, span, ticks
from tui.render.glyphs import ASCII, UNICODE
from tui.render.text import Line, line_cells


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line) for line in lines]


def plain(value: float) -> str:
    return f"{value:g}"


def test_a_falling_line_goes_from_the_top_left_to_the_bottom_right() -> None:
    points = [(float(i), 10.0 - i) for i in range(11)]
    lines = text(chart([Series(points, "curve")], 30, 10, Axis(0, 10, plain), Axis(0, 10, plain), UNICODE))
    assert len(lines) == 10
    assert lines[0].split("┤")[1][0] != " " and lines[7].rstrip()[-1] not in "│┤"
    assert lines[0].startswith("10") and "0" in lines[-1] and "10" in lines[-1]


def test_nothing_but_ascii_in_ascii() -> None:
    points = [(float(i), math.sin(i)) for i in range(50)]
    lines = chart([Series(points, "curve")], 40, 12, Axis(0, 50, plain), Axis(-1, 1, plain), ASCII, band=(-0.2, 0.2))
    assert all(line.isascii() for line in text(lines))
    assert any("*" in line for line in text(lines))


def test_what_is_outside_is_drawn_at_the_edge_and_what_is_no_number_not_at_all() -> None:
    wild = [(0.0, math.nan), (5.0, 99.0), (7.0, math.inf), (9.0, -99.0)]
    lines = text(chart([Series(wild, "curve", kind="dots")], 30, 8, Axis(0, 10, plain), Axis(0, 1, plain), UNICODE))
    drawn = [char for line in lines[:6] for char in line if "\u2800" < char <= "\u28ff"]
    assert len(drawn) == 2


def test_a_step_line_holds_its_value_until_the_next_point() -> None:
    steps = Series([(0.0, 1.0), (5.0, 0.0), (10.0, 0.0)], "best", kind="step")
    lines = text(chart([steps], 24, 6, Axis(0, 10, plain), Axis(0, 1, plain), UNICODE))
    assert lines[0].count("⠉") >= 6 and lines[3].count("⣀") >= 6


def test_marks_lie_over_everything() -> None:
    lines = chart([], 30, 8, Axis(0, 10, plain), Axis(0, 1, plain), UNICODE, marks=[Mark(10, 1, "★", "champion")])
    assert "".join(part for part, _ in lines[0]).endswith("★")


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(allow_nan=True, allow_infinity=True)), max_size=40),
    st.integers(3, 70),
    st.integers(1, 24),
)
@settings(max_examples=100)
def test_any_data_in_any_size_stays_in_its_box(points: list[tuple[float, float]], width: int, height: int) -> None:
    points.sort()
    limits = span([y for _, y in points]) or (0.0, 1.0)
    series = [Series(points, "curve"), Series(points, "reference", kind="step"), Series(points, "band", kind="dots")]
    lines = chart(series, width, height, Axis(-1e6, 1e6, plain), Axis(*limits, plain), UNICODE, band=limits)
    assert len(lines) == max(height, 1)
    assert width < 30 or all(line_cells(line) <= width for line in lines)


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 300, 4) == [0, 100, 200, 300]
    assert all(0.93 <= tick <= 1.0 for tick in ticks(0.93, 1.0, 5))
    assert len(ticks(0, 1e-9, 5)) <= 5
    assert ticks(1, 1, 5) == [1]
    assert ticks(-1.7e308, 1.7e308, 5) == [-1.7e308], "a range wider than a number can say"
    assert ticks(0, 1.7e308, 2) == [0, 1e308]
