"""What kind of change an edit is, as far as it matters for what its runs have in common with the champion's. Pure."""

import re
from collections.abc import Mapping

CONSTANTS = "constants"
"""Only numbers differ, or words in quotes: the program does the same with other values."""

_VALUE = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|'
    + r"'(?:[^'\\\n]|\\.)*'"
    + r"|(?<![\w.])[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])"
)
_LAYOUT = re.compile(r"\s+")


def kind(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The kind of a change: `CONSTANTS`, or "" for any other.

    The text alone tells, whatever its language.

    Args:
        before: texts of the changed files, by path; one that is new is missing.
        after: the same after the change.
    """
    return CONSTANTS if before.keys() == after.keys() and _masked(before) == _masked(after) else ""


def _masked(texts: Mapping[str, str]) -> list[str]:
    """The texts without their values."""
    return [_LAYOUT.sub(" ", _VALUE.sub("#", texts[path])) for path in sorted(texts)]
