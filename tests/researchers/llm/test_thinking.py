"""Thinking and answering are told apart, however a stream is torn."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from loop.researchers.llm.thinking import Splitter


def split(pieces: list[str]) -> dict[str, str]:
    splitter = Splitter()
    found = {"thinking": "", "text": ""}
    for piece in pieces:
        for kind, text in splitter.feed(piece):
            found[kind] += text
    for kind, text in splitter.finish():
        found[kind] += text
    return found


WHOLE = "<think>\nif a < b: use <b>\n</think>\n\nI say `x < 3`, and <think> is a tag"


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_torn_anywhere_it_is_told_apart_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    pieces = [WHOLE[a:b] for a, b in pairwise(places)]
    assert split(pieces) == {
        "thinking": "\nif a < b: use <b>\n",
        "text": "I say `x < 3`, and <think> is a tag",
    }


def test_a_text_without_tags_is_all_text() -> None:
    assert split(["a < b", " and c > d"]) == {"thinking": "", "text": "a < b and c > d"}


def test_a_thought_that_never_ends_is_a_thought() -> None:
    assert split(["<think>on and", " on"]) == {"thinking": "on and on", "text": ""}


@given(st.text(alphabet="<>/think abc\n", max_size=60))
def test_nothing_is_lost_but_tags_and_leading_blanks(text: str) -> None:
    found = split(list(text))
    kept = found["thinking"] + found["text"]
    rest = iter(text)
    assert all(sign in rest for sign in kept), "a subsequence of what came"
    if "<think>" not in text:
        assert found == {"thinking": "", "text": text.lstrip()}
