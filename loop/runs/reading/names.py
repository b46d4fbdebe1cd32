"""Names of numbers, and where in a line one of them stands with its number. Pure.

A name is found as it is written in `program.md`, or loosely: upper and lower case, spaces, underscores, dashes and
slashes do not count, so `Test_Accuracy` is also `Test Accuracy` and `test-accuracy`. With words before it that belong
to it ("Minimum validation bpb", "valid_0's auc") it is another name that ends alike: such a number is taken only where
there is no closer one. Which of several counts is not decided here.
"""

import re
from itertools import islice, pairwise
from typing import NamedTuple

from loop.runs.reading.numbers import NUMBER, Number, of_match, other_form

EXACT, LOOSE, ALIKE = 3, 2, 1
"""How close a printed name is to the one that is asked for; `ALIKE` has more words around it."""

LONGEST_LABEL = 80
MENTIONS = 32
"""Times that a name is looked for in one line."""

_APART = " \t_-/"
_SQUASH, _SIEVE = str.maketrans("", "", _APART), str.maketrans("", "", _APART + ".:")
_LOWER = bytes(range(256)).lower()
_SIEVED = bytes(sign for sign in range(128) if sign not in b"\n\r" and (sign < 32 or sign == 127)) + b" _-/.:"

# What ends the words that belong to a name, to its left: a sign, two spaces, a number, ` - `.
_BOUNDARY = re.compile(
    r"[,;|│┃┆║{}\[\]()<>\"`*:=#!?•]|(?<!\w)'|'(?!\w)|\t|[ ]{2}|[ ]-[ ]"
    r"|(?<![^\s(\[:=])(?:[-+]?\d(?:[\d.,:/+]|[eE][-+]?(?=\d)|-(?=\d))*+(?:%|[A-Za-zµμ/]{0,6})|nan|-?inf)(?=\s|$)|(?<!\w)%"
    r"|\b(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|SUCCESS|NOTICE|METRIC)\b"
    r"|(?i:\b(?:epoch|step|iter|iteration|and)\b)(?=\s|$)"
)
# What may stand between a name and its number. Without a sign between them the number has to look like one.
_BETWEEN = (
    r"[\"'`*)\]]{0,3}(?:[ ]?\((?P<qualifier>(?:[^\W\d]|%)[^()\n:=]{0,40})\))?"
    r"(?P<of>[ ](?:on|of|for|over|in|at)[ ][^:=|│┃,;()\t]{1,60}(?=[:=]))?"
    r"(?:(?:[ ](?:is|was))?\s{0,60}(?P<sign>->|→|=>|[:=]|(?<=[\"']),|[|│┃┆║])[ \t:*]{0,60}"
    r"(?:[↑↓→±]?\s{0,20}[|│┃┆║]\s{0,60}){0,3}"
    r"|\s?\.{2,70}\s?[:=]?\s?|\s{1,70}(?:(?:is|was|of|reached|all)\s{1,4})?)"
    r"(?P<open>[\"'`*~≈$(\[]{0,3})\s?"
)
# `0.93   200`, `0.93, ...`: nothing follows that would make an integer a count of something.
_CLOSED = re.compile(r"\s*(?:[,;|)\]}\"'│┃┆(±+]|$)|\s{2,}|\.?$")


# `0.51 real  0.40 user`: each number stands before its name.
_NAMES_LAST = re.compile(r"\s*[\d.]+[ \t]+[^\W\d][^:=|│┃]*[^\W\d_]\s*$")


class Found(NamedTuple):
    """A number that a line has under a name that was asked for."""

    label: str
    """The name as printed, with the words that belong to it."""
    closeness: int
    number: Number
    start: int
    """Where the name begins in the line."""
    end: int
    """Where the number ends."""


def squash(text: str) -> str:
    """What of a name counts when it is compared loosely."""
    return text.translate(_SQUASH).casefold()


def sieve(text: str) -> str:
    """What a line must hold of a name, as it is written in a text that is sieved, too: a quick first look."""
    return text.translate(_SIEVE).casefold()


def sieve_bytes(data: bytes) -> bytes:
    """The same of raw output, as fast as it can be; only ASCII letters lose their case. Lines stay lines."""
    return data.translate(_LOWER, _SIEVED)


def closeness(printed: str, name: str) -> int:
    """How close a printed name is; 0 where it is another."""
    if printed == name:
        return EXACT
    return LOOSE if squash(printed) == squash(name) else 0


def label_before(line: str, at: int) -> str:
    """The words that stand before a place in a line and belong to what is there: "train" before "loss 1.9"."""
    before = line[max(0, at - 120) : at]
    begins = max((found.end() for found in _BOUNDARY.finditer(before)), default=0)
    return before[begins:].strip()


class NameSearch:
    """Finds one name and its number in lines of plain text.

    Args:
        name: as in `program.md`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.squashed = squash(name)
        body = _loosely(name)
        self._number = re.compile(rf"(?<![\w./@+-])(?P<name>{body})(?![\w@]|:0?\.95\b)" + _BETWEEN + f"(?:{NUMBER})?")
        self._text = re.compile(
            rf"(?<![\w./@+-])(?P<name>{body})[\"'`*]{{0,3}}\s{{0,60}}[:=]\s{{0,60}}[\"'`*]{{0,3}}"
            r"(?P<text>[^\"'`*,;|}\])\n]{1,80})"
        )

    def numbers(self, line: str) -> list[Found]:
        """The numbers under that name in a line, from left to right; MENTIONS of the name are looked at."""
        matches = islice(self._number.finditer(line), MENTIONS)
        return [found for match in matches if (found := self._found(line, match))]

    def text(self, line: str) -> str:
        """What stands in words under that name, at most 80 characters; empty where nothing does."""
        found = ""
        for match in islice(self._text.finditer(line), MENTIONS):
            found = match["text"].strip() or found
        return found

    def _found(self, line: str, match: re.Match[str]) -> Found | None:
        end = match.end()
        if line[match.end("name")] in ")]" and line[: match.start()][-1:] not in ("(", "["):
            return None  # the end of a remark that another name began, as in `Box(P  R  mAP50): 100%|###|`
        if match["number"] is None and match["odd"] is None:
            other = other_form(line, end) if match["sign"] or match[0][-1:].isspace() else None
            if other is None:
                return None
            number, end = other
        else:
            number = of_match(match)
            if not match["sign"] and (not self._stands_alone(match, line) or _NAMES_LAST.match(line)):
                return None
            if match["unit"] in ("d", "h", "m") and (whole := other_form(line, match.start("number"))):
                number, end = whole  # the hours of `1h 2m 3s`
            if match["open"].endswith("["):
                middle = _criterion(line, match)
                if middle is None:
                    return None
                number = middle
        label = " ".join(part for part in (label_before(line, match.start()), match["name"]) if part)
        if match["of"]:
            label += match["of"].rstrip()
        if match["qualifier"]:
            label += f" ({match['qualifier'].strip()})"
        near = closeness(match["name"], self.name) or LOOSE
        return Found(label[-LONGEST_LABEL:], near if label == match["name"] else ALIKE, number, match.start(), end)

    @staticmethod
    def _stands_alone(match: re.Match[str], line: str) -> bool:
        """Whether what follows a name without a sign is its number, and no count of something ("accuracy 5 runs")."""
        if match["odd"] or match["unit"] or not match["number"].lstrip("+-−").isdigit():
            return True
        return _CLOSED.match(line, match.end()) is not None


def _loosely(name: str) -> str:
    """A pattern of a name in any case, with or without the signs that keep its words apart."""
    parts = [part for part in re.split(rf"[{re.escape(_APART)}]+", name) if part]
    joined = []
    for part in parts:
        # Between a letter and the next one a sign may stand; between two digits it would be another number.
        signs = [re.escape(part[0])]
        for left, right in pairwise(part):
            signs.append(("" if left.isdigit() and right.isdigit() else r"[ _/-]?") + re.escape(right))
        joined.append("".join(signs))
    apart = r"[\s_/:.-]{0,3}"
    return f"(?i:{apart.join(joined)})" if parts else re.escape(name)


def _criterion(line: str, match: re.Match[str]) -> Number | None:
    """The estimate of `[1.2345 ms 1.2456 ms 1.2567 ms]`, or the one number of `[0.5]`; None of any other list."""
    at = match.start("number") if match["number"] else match.start("odd")
    inside, closes, _ = line[at : at + 200].partition("]")
    numbers = [of_match(one) for one in re.finditer(NUMBER, inside)]
    if not closes or len(numbers) not in (1, 3):
        return None
    return numbers[len(numbers) // 2] if len(numbers) == 1 or numbers[0].unit else None
