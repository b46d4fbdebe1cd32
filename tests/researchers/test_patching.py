"""An edit fits exactly once, or the answer says where it nearly did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.researchers.patching import Refused, counts, diff, replace_once

TEXT = (
    "import os\n\nDEPTH = 4  # layers\nWIDTH = 64\n\n\ndef main():\n    for step in range(10):\n        train(step)\n"
)


def refused(search: str) -> str:
    found = replace_once(TEXT, search, "x")
    assert isinstance(found, Refused)
    return found.why


def test_what_stands_there_once_is_replaced() -> None:
    assert replace_once(TEXT, "DEPTH = 4", "DEPTH = 6") == TEXT.replace("DEPTH = 4", "DEPTH = 6")
    assert replace_once(TEXT, "WIDTH = 64\n", "") == TEXT.replace("WIDTH = 64\n", "")


def test_what_stands_there_twice_is_told_with_its_lines() -> None:
    assert "2 times, at lines 8, 9" in refused("step")


def test_white_space_that_differs_is_shown_exactly() -> None:
    why = refused("\tfor step in range(10):\n    train(step)")
    assert "white space only" in why and "    8      for step in range(10):\n    9          train(step)" in why


def test_the_nearest_lines_are_shown() -> None:
    why = refused("DEPTH = 5  # layer\nWIDTH = 64")
    assert "Nearest are lines 3 to 4" in why and "    3  DEPTH = 4  # layers" in why


def test_line_numbers_copied_along_are_left_out() -> None:
    numbered = "    3  DEPTH = 4  # layers\n    4  WIDTH = 64"
    assert replace_once(TEXT, numbered, "    3  DEPTH = 6\n    4  WIDTH = 64") == TEXT.replace("4  # layers", "6")
    assert replace_once(TEXT, numbered, "DEPTH = 6") == TEXT.replace("DEPTH = 4  # layers\nWIDTH = 64", "DEPTH = 6")
    found = replace_once(TEXT, numbered, "    3  DEPTH = 6\nWIDTH = 64")
    assert isinstance(found, Refused) and "leave out the line numbers" in found.why
    assert "does not occur" in refused("    3  DEPTH = 4  # layers\n    9  WIDTH = 64"), "no numbers of lines"


@pytest.mark.parametrize(
    ("search", "replace"),
    [
        ("  for step in range(10):\n    train(step)", "  for s in range(9):\n    train(s)"),
        ("\tfor step in range(10):\n\t\ttrain(step)", "\tfor s in range(9):\n\t\ttrain(s)"),
        ("for step in range(10):\n    train(step)  ", "for s in range(9):\n    train(s)\n"),
        ("      for step in range(10):\n          train(step)", "      for s in range(9):\n          train(s)"),
        ("    for step in range( 10 ):\n\n        train(step)", "    for s in range(9):\n        train(s)"),
    ],
)
def test_white_space_that_differs_is_taken_where_it_fits_once_and_indented_as_the_file(
    search: str, replace: str
) -> None:
    head = TEXT[: TEXT.index("    for step")]
    assert replace_once(TEXT, search, replace) == f"{head}    for s in range(9):\n        train(s)\n"


def test_white_space_that_fits_twice_is_asked_about() -> None:
    found = replace_once("if a:\n    x = 1\nelse:\n    x = 1\n", "\tx = 1\n", "\tx = 2\n")
    assert isinstance(found, Refused) and "2 times if white space does not count, at lines 2, 4" in found.why


def test_line_ends_are_those_of_the_file() -> None:
    windows = TEXT.replace("\n", "\r\n")
    wanted = windows.replace("DEPTH = 4  # layers\r\nWIDTH = 64", "DEPTH = 6\r\nWIDTH = 32")
    assert replace_once(windows, "DEPTH = 4  # layers\nWIDTH = 64", "DEPTH = 6\nWIDTH = 32") == wanted
    assert replace_once(windows, "DEPTH = 4 # layers\nWIDTH = 64", "DEPTH = 6\nWIDTH = 32") == wanted
    assert replace_once(TEXT, "WIDTH = 64\r\n", "WIDTH = 32\r\n") == TEXT.replace("64", "32")


def test_what_is_nothing_like_it_is_told_so() -> None:
    assert "Nothing similar" in refused("optimizer = Muon(model.parameters(), lr=0.1)")
    assert "empty" in refused(" \n")


def test_a_large_search_in_a_large_text_is_not_laboured_over() -> None:
    large = "\n".join(f"line {n} of many" for n in range(50_000))
    found = replace_once(large, "\n".join(f"line {n} of few" for n in range(2_000)), "")
    assert isinstance(found, Refused) and "copy the lines exactly" in found.why


@given(st.text("ab\n ", max_size=40), st.text("ab\n ", min_size=1, max_size=8), st.text("ab\n", max_size=8))
def test_it_replaces_exactly_what_it_was_told_or_nothing(text: str, search: str, replace: str) -> None:
    found = replace_once(text, search, replace)
    places = sum(text.startswith(search, at) for at in range(len(text)))  # also those that overlap
    if isinstance(found, Refused):
        assert places != 1 or not search.strip()
        assert found.why
    elif places == 1:
        before, _, after = text.partition(search)
        assert found == before + replace + after
    else:  # it differs in white space
        assert places == 0 and "".join(search.split()) in "".join(text.split())


def test_a_diff_counts_its_lines() -> None:
    lines = diff(TEXT, TEXT.replace("DEPTH = 4", "DEPTH = 6").replace("WIDTH = 64\n", ""), "train.py")
    assert lines[0].startswith("@@") and counts(lines) == (1, 2)
