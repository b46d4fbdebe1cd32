"""Whatever a run or an agent writes, the screen shows it harmlessly and in the cells it is given."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.render.text import brief, cells, clean, clock, cut, fit, line_cells, number, pad, sigmas, spread, wrap

NASTY = [
    "\x1b[31mred\x1b[0m \x1b[2J\x1b[H gone",
    "\x1b]0;title\x07 and \x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "bell\x07 back\b\b\b null\x00 c1\x9b31m",
    "[bold red]markup[/] \\[escaped] [link=x]y[/link]",
    "日本語のテキスト wide 한국어",
    "zalgo z̸̢̛̖͎̘͓̱͗̈́a̸̛͓̯̗̓̕l̷̡̺̹̊g̴̠͓̈́o̴͈̗͒",
    "👩‍👩‍👧‍👦 family 🇩🇪 flag 👍🏽 skin ❤️ heart",
    "\u202egnp.exe\u202c right to left, \u2066isolate\u2069, zero\u200bwidth",
    "tab\tseparated\tvalues",
    "progress 1%\rprogress 2%\r\nend",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", NASTY)
def test_a_cleaned_text_has_no_control_and_the_width_it_says(text: str) -> None:
    cleaned = clean(text)
    assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in cleaned)
    assert "\u202e" not in cleaned and "\u200b" not in cleaned
    for line in cleaned.split("\n"):
        assert cells(line) == cell_len(line)


def test_cleaning_keeps_what_a_person_wrote() -> None:
    assert clean("[bold]x[/] \x1b[1mhi\x1b[0m") == "[bold]x[/] hi"
    assert clean("\x9b31mred\x9d0;title\x9c") == "red", "the sequences in one byte too"
    assert clean("Grüße, 世界 naïve") == "Grüße, 世界 naïve"
    assert clean("a\rb\r\nc\td") == "a\nb\nc    d"


@given(st.text(max_size=200), st.integers(1, 40))
@settings(max_examples=150)
def test_every_row_of_wrapped_text_fits_and_no_word_is_lost(text: str, width: int) -> None:
    text = clean(text).replace("\n", " ")
    rows = wrap(text, width)
    assert all(cells(text[a:b]) <= max(width, 2) for a, b in rows)
    assert "".join(text[a:b] for a, b in rows).replace(" ", "") == text.replace(" ", "")


@given(st.text(max_size=60), st.integers(0, 30))
@settings(max_examples=150)
def test_cut_and_pad_hold_their_width(text: str, width: int) -> None:
    text = clean(text).replace("\n", " ")
    assert cells(cut(text, width)) <= width
    assert cells(pad(text, width)) == width


def test_a_cut_text_says_so() -> None:
    assert cut("a long sentence", 8) == "a long…"
    assert cut("fits", 4) == "fits"


def test_lines_are_fitted_and_spread() -> None:
    line = (("left side ", "text"), ("and more", "dim"))
    assert line_cells(fit(line, 12)) <= 12
    assert "".join(text for text, _ in fit(line, 12)).endswith("…")
    assert fit(line, 18) == line
    both = spread([("left", "text")], [("right", "dim")], 20)
    assert line_cells(both) == 20 and both[-1] == ("right", "dim")


def test_short_forms() -> None:
    assert [clock(192), clock(27672), clock(400_000)] == ["03:12", "07:41:12", "4d 15:06"]
    assert [brief(0.31), brief(42), brief(300), brief(7200)] == ["0.3s", "42s", "5m", "2h"]
    assert [number(0.97203), number(1.00234), number(0.02, 2), number(None)] == ["0.9720", "1.0023", "0.020", "-"]
    assert [number(float("nan")), number(float("inf"))] == ["NaN", "inf"]
    assert [sigmas(0.0033, 0.0011), sigmas(-0.0011, 0.0011), sigmas(None, 1)] == ["+3.0σ", "-1.0σ", ""]
