"""Sizes, durations and short lists, as screens, messages and briefings say them."""

import pytest

from loop.words import decimal_size, duration, listed, size


def test_a_size_has_two_figures_at_least_and_the_unit_of_the_tools_that_measure_it() -> None:
    assert [size(n) for n in (0, 999, 64 << 10, 310 << 20, 6.1 * 1024**3, 812 << 30)] == [
        "0 B", "999 B", "64 kB", "310 MB", "6.1 GB", "812 GB",
    ]  # fmt: skip


def test_a_decimal_size_is_what_the_person_wrote() -> None:
    assert [decimal_size(n) for n in (4e9, 1.5e9, 500e6, 12e12, 12)] == ["4 GB", "1.5 GB", "500 MB", "12 TB", "12 B"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.44, "0.4 s"), (42, "42 s"), (119, "119 s"), (300, "5 min"), (150, "2.5 min"),
     (8 * 3600, "8 h"), (29_900, "8.3 h"), (86_400, "24 h"), (12 * 86_400, "12 days")],
)  # fmt: skip
def test_a_duration_is_one_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_list_says_how_many_it_leaves_out_and_never_leaves_out_one() -> None:
    assert [listed("abcdefgh"[:n], 3) for n in range(6)] == [
        "", "a", "a and b", "a, b and c", "a, b, c and d", "a, b, c and 2 more",
    ]  # fmt: skip
