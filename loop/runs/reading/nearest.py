"""What a run printed that comes closest to a name that it did not print. Pure."""

import re
from difflib import SequenceMatcher

from loop.runs.reading.names import LONGEST_LABEL, NameSearch, label_before, squash
from loop.runs.reading.numbers import NUMBER
from loop.sanitize import one_line

KEPT = 24
"""Lines that are kept while a run goes on; the one heard of for longest gives way."""
LINE_CHARS = 160
TAIL_LINES = 300
LEAST = 0.45
"""Likeness from which a name is worth telling."""

_NUMBER = re.compile(r"(?<![\w.])" + NUMBER)
_DIGITS = re.compile(r"[\d.]+")
_DRESS = " \t:=>|│┃\"'`*([~≈$"
_WORD = re.compile(r"[^\W\d_]{3,}")


class CloseLines:
    """Keeps lines that share a word with a name, one of each form.

    Args:
        name: the metric's.
    """

    def __init__(self, name: str) -> None:
        self._words = [word.lower() for word in _WORD.findall(name)]
        self._needles = [word.encode() for word in self._words]
        self._kept: dict[str, str] = {}

    def may_hold(self, sieved: bytes) -> bool:
        return any(needle in sieved for needle in self._needles)

    def take(self, line: str) -> None:
        line = line[:LINE_CHARS]
        lower = line.lower()
        if any(word in lower for word in self._words) and _DIGITS.search(line):
            form = _DIGITS.sub("#", lower)
            self._kept.pop(form, None)
            self._kept[form] = line
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]

    def lines(self, tail: str) -> list[str]:
        """Those that were kept, and the last of the output."""
        return [*self._kept.values(), *(line[:LINE_CHARS] for line in tail.splitlines()[-TAIL_LINES:])]


def told(name: str, lines: list[str], others: dict[str, float]) -> str:
    """The rest of the sentence "its output has no NAME": the closest lines, and what would read them."""
    if found := _closest(name, lines):
        shown = " and ".join(f'"{one_line(line, 60)}" -> metric: {label}' for label, line in found)
        return f"; the closest lines are {shown}" if len(found) > 1 else f"; the closest line is {shown}"
    if others:
        return f" (it has {', '.join(sorted(others)):.200})"
    return " and no other numbers" if not any(map(_NUMBER.search, lines)) else ""


def _closest(name: str, lines: list[str]) -> list[tuple[str, str]]:
    """Up to two names that lines have numbers under, the likest first, each with its last line."""
    best: dict[str, tuple[float, str]] = {}
    for line in lines:
        for match in _NUMBER.finditer(line):
            label = label_before(line, len(line[: match.start()].rstrip(_DRESS)))
            if label and not set(label) & set(":=") and len(label) <= LONGEST_LABEL:
                score = _likeness(label, name)
                if score >= LEAST and score >= best.get(label, (0.0, ""))[0] and NameSearch(label).numbers(line):
                    best[label] = score, line.strip()
    ranked = sorted(best.items(), key=lambda item: -item[1][0])
    return [(label, line) for label, (_, line) in ranked[:2]]


def _likeness(label: str, name: str) -> float:
    """How alike two names are, from 0; being within the other counts, and so does each word that both have."""
    one, other = squash(label), squash(name)
    if not one or not other:
        return 0.0
    ratio = SequenceMatcher(None, one, other).ratio()
    within = 0.5 if min(len(one), len(other)) > 1 and (one in other or other in one) else 0.0
    shared = set(map(str.lower, _WORD.findall(label))) & set(map(str.lower, _WORD.findall(name)))
    return max(ratio, within + ratio / 2) + len(shared) / 10
