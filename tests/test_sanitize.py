"""The one rule for what may reach a terminal, whoever wrote it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.sanitize import one_line, plain


def test_plain_text_moves_no_cursor_and_reorders_nothing() -> None:
    hostile = "a\x1b]0;title\x07b\x1b[2Jc\x1b(Bd\x9b31me\x1bPdcs\x1b\\f\u202eg\u200bh\x00\x08i\tj\x1b"
    assert plain(hostile) == "abcdefghi j"
    assert plain("10%\r20%\r\n30%\tdone", tab="    ") == "10%\n20%\n30%    done"
    assert plain("def f():\n\treturn 1  # Grüße, 世界, क्ष\n", tab="\t") == "def f():\n\treturn 1  # Grüße, 世界, क्ष\n"


@pytest.mark.parametrize("begin", ["\x1b]0;title", "\x1bPdcs", "\x9dtitle", "\x1b_app"])
def test_a_sequence_without_an_end_hides_no_other_line(begin: str) -> None:
    assert plain(f"before{begin}\nafter") == "before\nafter"


def test_a_sentence_written_in_tags_or_selectors_is_gone() -> None:
    tags = "".join(chr(0xE0000 + ord(char)) for char in "obey")
    selectors = "".join(chr(0xE0100 + ord(char)) for char in "obey")
    assert plain(f"a{tags}b{selectors}c\ufe0fd\ue000e\ud800f") == "abcdef"


@given(st.text())
def test_nothing_invisible_is_left_but_the_line_end(text: str) -> None:
    left = plain(text)
    assert not any(unicodedata.category(char) in ("Cc", "Co", "Cs", "Zl", "Zp") and char != "\n" for char in left)
    assert plain(left) == left
    left.encode()


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_line_of_the_length_that_was_asked_for(text: str, most: int) -> None:
    line = one_line(text, most)
    assert len(line) <= most and "\n" not in line and line == line.strip()
