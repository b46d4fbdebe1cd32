"""What kind of change an edit is, as far as it matters for what its runs have in common with the champion's. Pure."""

import re
from collections.abc import Iterator, Mapping

CONSTANTS = "constants"
"""Only numbers differ, or words in quotes: the program does the same with other values."""

_VALUE = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|'
    + r"'(?:[^'\\\n]|\\.)*'"
    + r"|(?<![\w.])[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])"
)
_LAYOUT = re.compile(r"\s+")
_SCHEDULE = re.compile(
    r"warm|cool|anneal|sched|cosine|plateau|one_?cycle|progress|decay_?(?:start|steps|iters|frac)"
    r"|\blrm?_?(?:frac|mult|min|final)|(?:total|max|num)_(?:steps|iters)",
    re.IGNORECASE,
)


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


def of_schedule(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether a change touches what happens when in the training: lines that it removes or adds are about a warm-up, a
    decay, or the share of the training that is done. Their words tell, so it says rather too often that one does.

    Args:
        before: as for `kind`.
        after: the same after the change.
    """
    return any(_SCHEDULE.search(line) for line in _changed(before, after))


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for path, text in after.items():
        old, new = before.get(path, "").splitlines(), text.splitlines()
        was, now = set(old), set(new)
        yield from (line for line in old if line not in now)
        yield from (line for line in new if line not in was)
