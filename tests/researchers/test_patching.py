"""An edit fits exactly once, or the answer says where it nearly did."""

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
    why = refused("  for step in range(10):\n    train(step)")
    assert "white space only" in why and "    8      for step in range(10):\n    9          train(step)" in why


def test_the_nearest_lines_are_shown() -> None:
    why = refused("DEPTH = 5  # layer\nWIDTH = 64")
    assert "Nearest are lines 3 to 4" in why and "    3  DEPTH = 4  # layers" in why


def test_line_numbers_copied_along_are_recognised() -> None:
    assert "leave out the line numbers" in refused("    3  DEPTH = 4  # layers\n    4  WIDTH = 64")


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
    if isinstance(found, Refused):
        places = sum(text.startswith(search, at) for at in range(len(text)))  # also those that overlap
        assert places != 1 or not search.strip()
        assert found.why
    else:
        before, _, after = text.partition(search)
        assert found == before + replace + after


def test_a_diff_counts_its_lines() -> None:
    lines = diff(TEXT, TEXT.replace("DEPTH = 4", "DEPTH = 6").replace("WIDTH = 64\n", ""), "train.py")
    assert lines[0].startswith("@@") and counts(lines) == (1, 2)
