"""Strategies that several fuzzers share: texts, numbers and JSON values as nobody means to write them."""

import json
from typing import Any

from hypothesis import strategies as st

TEXTS = st.sampled_from(
    (
        *(
            "",
            " ",
            "\n",
            "a\nb",
            "\0",
            "a\0b",
            "\x1b[2J",
            "\x1b]0;t\x07",
            "\u202eabc",
            "\ud800",
            "\udcff",
            "\u2028",
            "\ufeff",
        ),
        *("../x", "/etc/passwd", "~/x", "~nobody/x", "train.py", "./train.py", ".git/config", "a" * 5000, "x/" * 3000),
        *(
            "nan",
            "inf",
            "1e999",
            "²",
            "٣",
            "9" * 400,
            "9" * 5000,
            "-1",
            "0x10",
            "```",
            "---",
            "{",
            "[",
            ": ",
            "# ",
            "'",
            '"',
        ),
        *("--", "-", "%s", "{}", "{0}", "$HOME", "`id`", "$(id)", ";", "é", "日本", "🙂", "\U000e0041"),
    )
) | st.text(max_size=40)
"""Words that are paths, numbers, marks, control sequences, too long, or no Unicode at all."""

NUMBERS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from((2**31, 2**53, 2**63, 2**64, -(2**70), 10**30, 10**400)),
    st.floats(),
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
"""Any JSON value."""

NESTED = st.sampled_from(
    tuple(
        opening * depth + closing * depth
        for opening, closing in (("[", "]"), ('{"a":', "}"))
        for depth in (250, 10_000)
    )
) | st.sampled_from(("[" * 10_000, '{"a":' * 10_000))
"""JSON that is nested deeper than anybody reads, whole and torn."""


def as_json(value: Any) -> str:
    """A value as a stranger's program writes it: NaN and halves of surrogate pairs included."""
    return json.dumps(value, ensure_ascii=True)


def as_bytes(text: str) -> bytes:
    """A text as bytes, whatever is in it."""
    return text.encode("utf-8", "surrogatepass")


def one_sentence(text: str) -> None:
    """Check that what is told is one line that a terminal can show."""
    assert text.strip() and text.isprintable(), ascii(text[:300])
    assert len(text) < 5000, f"{len(text)} characters"
