"""A training script: any text is searched for constants, weighed and flagged, and only its numbers ever change."""

import math

import pytest
from hypothesis import strategies as st

from loop.policy import guards, review_flags
from loop.researchers.automl.ranges import around
from loop.researchers.automl.sites import find, replace
from loop.researchers.closing import title_of
from loop.study.contract import Contract
from tests.fuzz import corpus
from tests.fuzz.budget import Budget
from tests.fuzz.grammar import TEXTS, as_bytes, one_sentence

NAMES = st.sampled_from(
    ("DEPTH", "LR", "WEIGHT_DECAY", "BETA2", "DROPOUT", "BATCH", "WARMUP_RATIO", "SEED", "X", "É", "depth")
)
NUMBERS = st.sampled_from(
    (
        *(
            "4",
            "0.02",
            "-1e-3",
            "2**16",
            "64 * 1024",
            "1 << 10",
            "0",
            "-0.0",
            "1e308",
            "1e-320",
            "1e999",
            "0x1F",
            "0b1",
            "1_000",
        ),
        *(
            "9" * 400,
            "9" * 4000,
            "9" * 5000,
            "0x" + "f" * 5000,
            "9**9**9",
            "2**64**2",
            "1024**64",
            "1024.0**64",
            "1 << 64",
            "1 << -1",
        ),
        *(
            "1 / 0",
            "1 // 0",
            "0.9999999999999999",
            "1.0",
            "True",
            "1j",
            "(-8) ** 0.5",
            "1e308 * 10",
            "10**308 * 10",
            "'x'",
            "[1]",
        ),
        *(
            "10**64 * 10**64 * 10**64 * 10**64 * 10**64",
            "1024**64 / 3",
            "1.5 # fixed",
            "2 # do not change",
            "(1)",
            "-(-3)",
            "+5",
        ),
    )
)
STATEMENTS = st.builds(
    "{} = {}{}".format, NAMES, NUMBERS, st.sampled_from(("\n", "\r\n", "\r", " # x\n", "; Y = 1\n", "\f\n"))
)
FILES = st.lists(
    STATEMENTS
    | TEXTS
    | st.sampled_from(
        (
            "\ufeff",
            "# coding: latin-1\n",
            "def f():\n",
            "    ",
            "\0",
            "(" * 300,
            "x = " + "-" * 5000 + "1\n",
            "'''",
            "é = 1\n",
        )
    ),
    max_size=8,
).map(lambda lines: as_bytes("".join(lines)))


def read(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = find(text)
    for constant in found:
        assert text.encode()[constant.start : constant.end].decode() == constant.text
        span = around(constant)
        for share in (0.0, 0.3, 1.0):
            value = span.value(share)
            assert math.isfinite(value) and 0 <= span.place(value) <= 1
            assert find(replace(text, {constant.name: value})) or value == 0
    same = replace(text, {constant.name: constant.value for constant in found})
    assert [(one.name, one.value) for one in find(same)] == [(one.name, one.value) for one in found]
    before, after = {"train.py": text}, {"train.py": text + "\nEXTRA = 1\n"}
    guards.refusal(Contract(), before, after)
    assert guards.fingerprint(before) == guards.fingerprint(before) and guards.syntax("train.py", text) != ""
    assert title_of(before, after)
    for before, after in ((text, text + "\nimport os\n"), ("", text), (text, "")):
        for flag in review_flags.flags(Contract(), {"train.py": before}, {"train.py": after}):
            one_sentence(flag)


def test_any_script_is_searched_and_weighed(budget: Budget) -> None:
    budget.spend("scripts", FILES, read, dear=2)


@pytest.mark.parametrize("data", corpus.cases("scripts"))
def test_every_script_of_the_corpus_is_searched_and_weighed(data: bytes) -> None:
    read(data)
