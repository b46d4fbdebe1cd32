"""A moment as a person types it."""

import time

import pytest

from loop.reporting.moments import moment

NOW = time.mktime((2026, 1, 31, 10, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("text", "ago"),
    [("4h", 4 * 3600), ("90 s ago", 90), ("1.5d", 36 * 3600), ("2w", 14 * 86400), ("09:30", 1800), ("10:30", 84600)],
)
def test_how_long_ago_and_times_of_day(text: str, ago: float) -> None:
    assert NOW - moment(text, NOW) == pytest.approx(ago)


def test_dates_are_those_of_the_calendar_here() -> None:
    assert moment("2026-01-30T09:00", NOW) == time.mktime((2026, 1, 30, 9, 0, 0, 0, 0, -1))
    assert moment("today", NOW) == NOW - 36000 and moment("yesterday", NOW) == NOW - 36000 - 86400
    assert moment("2026-01-30T09:00+00:00", NOW) == 1769763600
    assert moment("2099-01-01", NOW) == NOW, "nothing is known of the future"


@pytest.mark.parametrize("text", ["", "soon", "25:00", "4", "2026-13-01", "9" * 400 + "h", "\0", "٣h"])
def test_what_is_no_moment_is_refused_in_a_sentence(text: str) -> None:
    try:
        assert moment(text, NOW) <= NOW
    except ValueError as error:
        assert "is no moment; write how long ago" in str(error)
