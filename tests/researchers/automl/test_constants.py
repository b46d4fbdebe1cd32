"""Constants are found where a person put them, and changed without touching anything else."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.researchers.automl.ranges import around
from loop.researchers.automl.sites import find, replace

FILE = '''"""Trains; not really. Ünïcödé first, so that bytes and characters differ."""

import os

DEPTH = 5  # layers
WIDTH: int = 192; HEAD_SIZE = 32  # two on a line
VOCAB_SIZE = 256  # bytes
BATCH = 2**16  # bytes a step
ROWS = 1 << 4
WARMUP_STEPS = 1_000  # naïve → steps
MATRIX_RATE = 0.02  # naïve "0.02" in a comment
HEAD_RATE   =   3e-4   # spaces stay
OFFSET = -0.5
BETAS = (0.9, 0.95)
SCALES = {"cpu": 1}
KIND = 4 if os.environ.get("FAST") else 12
LIMIT = 40  # fixed: the tokenizer's
GATE = 7  # a gate of fixed width
ANCHOR = 8.0  # do not change
SEED = 1337
EVAL_TOKENS = 1000
TWICE = 1
TWICE = 2
FLAG = True
SENTINEL = -1
OFF = 0
NAME = "x"
lower = 3
ADAM_EPS = 1e-10


def f():
    LOCAL = 3
    return LOCAL
'''


def test_what_is_searched_and_what_is_not() -> None:
    names = {constant.name: constant.value for constant in find(FILE)}
    assert names == {
        "DEPTH": 5,
        "WIDTH": 192,
        "HEAD_SIZE": 32,
        "BATCH": 65536,
        "ROWS": 16,
        "WARMUP_STEPS": 1000,
        "MATRIX_RATE": 0.02,
        "HEAD_RATE": 3e-4,
        "OFFSET": -0.5,
        "BETAS[0]": 0.9,
        "BETAS[1]": 0.95,
        "GATE": 7,
        "lower": 3,
    }


def test_only_the_literals_change() -> None:
    changed = replace(
        FILE,
        {
            "DEPTH": 12,
            "WIDTH": 256,
            "HEAD_SIZE": 64,
            "BATCH": 2**17,
            "ROWS": 8,
            "WARMUP_STEPS": 2000,
            "MATRIX_RATE": 0.031,
            "HEAD_RATE": 0.00031,
            "OFFSET": -0.25,
        },
    )
    expected = (
        FILE.replace("DEPTH = 5 ", "DEPTH = 12 ")
        .replace("int = 192; HEAD_SIZE = 32 ", "int = 256; HEAD_SIZE = 64 ")
        .replace("2**16", "2**17")
        .replace("1 << 4", "1 << 3")
        .replace("1_000 ", "2_000 ")
        .replace("RATE = 0.02 ", "RATE = 0.031 ")
        .replace("3e-4", "3.1e-4")
        .replace("-0.5", "-0.25")
    )
    assert changed == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_stay_as_they_are(end: str) -> None:
    source = end.join(["# ä", "A = 1", "", "B = 0.5  # é", ""])
    assert replace(source, {"A": 3, "B": 0.25}) == end.join(["# ä", "A = 3", "", "B = 0.25  # é", ""])


def test_odd_white_space_and_marks_are_survived() -> None:
    for source in (
        "\ufeffA = 1\nB = 2\n",
        "\x0cA = 1\n\x0c\nB = 2\n",
        "'''\u2028\x0b'''\nA = 1\nB = 2",
        "A = 1\\\n\nB = 2\n",
    ):
        values = {constant.name: constant.value for constant in find(source)}
        assert values.get("B") == 2
        assert replace(source, {"B": 5}) == source.replace("2", "5")


def test_arithmetic_on_literals_is_a_number() -> None:
    values = {
        c.name: c.value
        for c in find("A = 64 * 1024\nB = 1 / 4\nC = 9**9**9\nD = 2**-1\nE = 1 / 0\nF = 3 * X\nG = -(2 + 1.5)")
    }
    assert values == {"A": 65536, "B": 0.25, "D": 0.5, "G": -3.5}


@pytest.mark.parametrize("source", ["", "def", "\0", "name: value\n- list", "(" * 500, "A = 1e999", "A = 3j"])
def test_what_is_no_python_has_no_constants(source: str) -> None:
    assert find(source) == []


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="NOWHERE, SEED cannot be changed"):
        replace(FILE, {"DEPTH": 3, "SEED": 2, "NOWHERE": 1})


@given(
    st.dictionaries(
        st.sampled_from(["DEPTH", "HEAD_SIZE", "BATCH", "MATRIX_RATE", "HEAD_RATE", "OFFSET"]), st.floats(0, 1)
    )
)
def test_any_value_of_a_range_can_be_written_and_read_back(places: dict[str, float]) -> None:
    constants = {constant.name: constant for constant in find(FILE)}
    values = {name: around(constants[name]).value(place) for name, place in places.items()}
    changed = replace(FILE, values)
    ast.parse(changed)
    after = {constant.name: constant.value for constant in find(changed)}
    assert after == {name: values.get(name, constants[name].value) for name in constants}
    assert all(type(after[name]) is type(constants[name].value) for name in after)
    # Back again gives the very bytes, where the original was written as looptop writes.
    assert replace(changed, {name: constants[name].value for name in values}) == FILE
