"""A person's words about constants are understood, and the rest is answered honestly."""

import pytest

from loop.researchers.automl.focus import Focus, interpret

NAMES = ("DEPTH", "MATRIX_RATE", "CLIP", "train.py:WIDTH")


def after(*texts: str) -> Focus:
    focus = Focus()
    for text in texts:
        focus, _ = interpret(text, NAMES, focus)
    return focus


def only(*names: str) -> Focus:
    return Focus(only=frozenset(names))


def frozen(*names: str) -> Focus:
    return Focus(frozen=frozenset(names))


@pytest.mark.parametrize(
    ("text", "focus"),
    [
        ("focus on MATRIX_RATE and DEPTH", only("MATRIX_RATE", "DEPTH")),
        ("matrix_rate, please!", only("MATRIX_RATE")),
        ("Try DEPTH.", only("DEPTH")),
        ("freeze DEPTH", frozen("DEPTH")),
        ("leave DEPTH alone", frozen("DEPTH")),
        ("keep DEPTH and CLIP", frozen("DEPTH", "CLIP")),
        ("don't change DEPTH", frozen("DEPTH")),
        ("please don’t touch DEPTH", frozen("DEPTH")),
        ("stop changing CLIP", frozen("CLIP")),
        ("keep trying CLIP", only("CLIP")),
        ("focus on CLIP, leave DEPTH alone", Focus(frozenset({"CLIP"}), frozenset({"DEPTH"}))),
        ("everything except DEPTH", frozen("DEPTH")),
        ("only train.py:WIDTH", only("train.py:WIDTH")),
    ],
)
def test_names_are_understood(text: str, focus: Focus) -> None:
    assert after(text) == focus


@pytest.mark.parametrize("text", ["try more depth", "be bolder", "", "LAYERS up", "clip the wings of the optimiser"])
def test_words_without_a_name_change_nothing_and_are_told_so(text: str) -> None:
    focus, answer = interpret(text, NAMES, only("CLIP"))
    assert focus == only("CLIP")
    assert "names no constant" in answer or "name no constant" in answer


def test_words_add_up_until_told_otherwise() -> None:
    assert after("freeze DEPTH", "focus on CLIP") == Focus(frozenset({"CLIP"}), frozenset({"DEPTH"}))
    assert after("focus on CLIP", "focus on DEPTH") == only("DEPTH")
    assert after("freeze DEPTH and CLIP", "unfreeze DEPTH") == frozen("CLIP")
    assert after("freeze DEPTH", "focus on DEPTH") == only("DEPTH")
    assert after("focus on CLIP", "freeze DEPTH", "search everything") == Focus()


def test_the_answer_says_what_holds_now() -> None:
    _, answer = interpret("focus on CLIP and DEPTH", NAMES, frozen("MATRIX_RATE"))
    assert answer == "I search only CLIP and DEPTH until told otherwise, and I leave MATRIX_RATE as it is."
    _, answer = interpret("unfreeze DEPTH", NAMES, frozen("DEPTH"))
    assert answer == "I search all constants again."


def test_allows() -> None:
    focus = Focus(frozenset({"CLIP"}), frozenset({"DEPTH"}))
    assert [focus.allows(name) for name in ("CLIP", "DEPTH", "MATRIX_RATE")] == [True, False, False]
    assert [frozen("DEPTH").allows(name) for name in ("CLIP", "DEPTH")] == [True, False]
