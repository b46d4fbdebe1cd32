"""Search and replace in a text, exactly once; and when it does not fit, where it nearly did. Pure."""

import difflib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

NEAR = 0.6
"""Likeness from which lines are shown as what may have been meant."""

_SHOWN = 12
"""Lines of the nearest place that are shown."""

_MOST_CELLS = 400_000
"""Lines of the text times lines searched for, beyond which no near place is looked for: half a second of the loop."""

_MOST_SIGNS = 20_000_000
"""Signs of lines that are compared, each pair's lengths multiplied: a second at most; a file of 300 lines takes 1%."""

_MOST_PAIRS = 2_000_000
"""Pairs of equal lines that a diff may go through, once for each piece it finds: a second or so."""

_PLACES = 8
"""Places of a text that stands there several times, of which a model is told."""


_NUMBER = re.compile(r"\s*\d+  ")


@dataclass(frozen=True)
class Refused:
    """Why nothing was replaced, and what to do."""

    why: str


def replace_once(text: str, search: str, replace: str) -> str | Refused:
    """`text` with `search`, which must stand in it exactly once, replaced."""
    if not search.strip():
        return Refused("the text to search for is empty; to write the whole file use write_file")
    places: list[int] = []
    at = text.find(search)
    while at >= 0 and len(places) <= _PLACES:
        places.append(at)
        at = text.find(search, at + 1)
    if len(places) == 1:
        return text.replace(search, replace)
    if places:
        count = len(places) if len(places) <= _PLACES else f"more than {_PLACES}"
        where = ", ".join(str(text.count("\n", 0, place) + 1) for place in places[:_PLACES])
        return Refused(f"that stands there {count} times, at lines {where}; take in more lines around the one you mean")
    if all(_NUMBER.match(line) for line in search.strip("\n").split("\n")):
        return Refused("that does not stand there: leave out the line numbers that read_file puts before each line")
    return Refused(f"that does not stand there. {_nearest(text, search)}")


def _nearest(text: str, search: str) -> str:
    """The place in `text` most like `search`, with line numbers."""
    have, want = text.split("\n"), search.strip("\n").split("\n")
    bare = [line.strip() for line in want]
    stripped = [line.strip() for line in have]
    if (start := _run_of(stripped, bare)) is not None:
        return (
            f"Lines {start + 1} to {start + len(want)} differ from it in white space only; they are, exactly:\n"
            + _numbered(have, start, len(want))
        )
    if len(have) * len(want) > _MOST_CELLS:
        return "Read the file and copy the lines exactly."
    best, place = 0.0, 0
    likeness = _likeness(set(stripped), bare)
    for start in range(max(1, len(have) - len(want) + 1)):
        window = stripped[start : start + len(want)]
        score = sum(likeness[line, wanted] for line, wanted in zip(window, bare, strict=False)) / len(bare)
        if score > best:
            best, place = score, start
    if best < NEAR:
        return "Nothing like it does either; read the file and copy the lines exactly."
    last = place + len(want)
    which = f"is line {last}" if len(want) == 1 else f"are lines {place + 1} to {last}"
    return f"Nearest {which}:\n" + _numbered(have, place, len(want))


def _run_of(have: Sequence[str], want: Sequence[str]) -> int | None:
    """Where `want` stands in `have`, line by line; None where it does not. One search in one text, so it is linear."""
    mark = "\n"  # in no line
    at = f"{mark}{mark.join(have)}{mark}".find(f"{mark}{mark.join(want)}{mark}")
    return None if at < 0 else mark.join(have)[:at].count(mark)


def _likeness(have: Collection[str], want: Collection[str]) -> dict[tuple[str, str], float]:
    """How much each line is like each that is wanted; very long ones only where they are equal.

    A comparison of two lines costs their lengths multiplied, so what all of them may cost is bounded.
    """
    left = _MOST_SIGNS
    likeness: dict[tuple[str, str], float] = {}
    matcher = difflib.SequenceMatcher(autojunk=False)
    for wanted in want:
        matcher.set_seq2(wanted)
        for line in have:
            likeness[line, wanted] = float(line == wanted)
            if not wanted or not line or line == wanted or len(line) * len(wanted) > left:
                continue
            matcher.set_seq1(line)
            if matcher.real_quick_ratio() <= NEAR:
                continue
            left -= 10 * len(line)  # a sign that is counted costs about as much as ten pairs that are compared
            if matcher.quick_ratio() > NEAR:
                left -= len(line) * len(wanted)
                likeness[line, wanted] = matcher.ratio()
    return likeness


def _numbered(lines: Sequence[str], start: int, count: int) -> str:
    shown = lines[start : start + min(count, _SHOWN)]
    return "\n".join(f"{number:5d}  {line[:300]}" for number, line in enumerate(shown, start + 1))


def diff(before: str, after: str, path: str) -> list[str]:
    """The lines of a unified diff, without the two that name the file.

    Where two texts have so many lines in common that comparing them would hold up the loop, all that is between their
    equal heads and tails is given as changed.
    """
    a, b = before.splitlines(), after.splitlines()
    if _pairs(a, b) > _MOST_PAIRS:
        head = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        most = min(len(a), len(b)) - head
        tails = zip(reversed(a), reversed(b), strict=False)
        tail = next((n for n, (x, y) in enumerate(tails) if x != y or n == most), most)
        old, new = a[head : len(a) - tail], b[head : len(b) - tail]
        where = f"@@ -{head + 1},{len(old)} +{head + 1},{len(new)} @@"
        return [where, *(f"-{line}" for line in old), *(f"+{line}" for line in new)]
    return list(difflib.unified_diff(a, b, path, path, n=2, lineterm=""))[2:]


def _pairs(a: Sequence[str], b: Sequence[str]) -> int:
    """Pairs of equal lines, which is what `difflib` goes through, those that it leaves out as too frequent excepted."""
    frequent = len(b) // 100 + 1 if len(b) >= 200 else len(b)
    counts = Counter(b)
    return sum(count for line in a if (count := counts[line]) <= frequent)


def counts(lines: Sequence[str]) -> tuple[int, int]:
    """Lines added and removed in a diff."""
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)
