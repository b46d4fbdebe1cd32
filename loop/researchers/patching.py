"""Search and replace in a text, exactly once; where there is no match, the nearest place. Pure."""

import difflib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

NEAR = 0.6
"""Similarity from which lines are suggested as what may have been meant."""

_SHOWN = 12
"""Lines of the nearest place that are shown."""

_MOST_CELLS = 400_000
"""Lines of the text times lines searched for, above which no near place is looked for: half a second of the loop."""

_MOST_CHARACTERS = 20_000_000
"""Sum of the products of the lengths of compared lines: a second at most; a file of 300 lines takes 1% of it."""

_MOST_PAIRS = 2_000_000
"""Pairs of equal lines that a diff may go through, once for each piece that it finds: about a second."""

_PLACES = 8
"""Places of an ambiguous text that are named to the model."""

_NUMBER = re.compile(r"\s*\d+  ")


@dataclass(frozen=True)
class Refused:
    """Why nothing was replaced, and what to do instead."""

    why: str


def replace_once(text: str, search: str, replace: str) -> str | Refused:
    """`text` with `search`, which must occur in it exactly once, replaced."""
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
        return Refused(f"that occurs {count} times, at lines {where}; include more lines around the one you mean")
    if all(_NUMBER.match(line) for line in search.strip("\n").split("\n")):
        return Refused("that does not occur: leave out the line numbers that read_file puts before each line")
    return Refused(f"that does not occur. {_nearest(text, search)}")


def _nearest(text: str, search: str) -> str:
    """The place in `text` most like `search`, with line numbers."""
    have, want = text.split("\n"), search.strip("\n").split("\n")
    bare = [line.strip() for line in want]
    stripped = [line.strip() for line in have]
    if (start := _run_of(stripped, bare)) is not None:
        return (
            f"Lines {start + 1} to {start + len(want)} differ from it in white space only; they are exactly:\n"
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
        return "Nothing similar does either; read the file and copy the lines exactly."
    last = place + len(want)
    which = f"is line {last}" if len(want) == 1 else f"are lines {place + 1} to {last}"
    return f"Nearest {which}:\n" + _numbered(have, place, len(want))


def _run_of(have: Sequence[str], want: Sequence[str]) -> int | None:
    """Where the lines `want` occur in `have`, or None. One search in one text, so the time is linear."""
    mark = "\n"  # occurs in no line
    at = f"{mark}{mark.join(have)}{mark}".find(f"{mark}{mark.join(want)}{mark}")
    return None if at < 0 else mark.join(have)[:at].count(mark)


def _likeness(have: Collection[str], want: Collection[str]) -> dict[tuple[str, str], float]:
    """Similarity of each line to each wanted one; of very long ones, only whether they are equal.

    Comparing two lines costs the product of their lengths, so the sum of that is bounded.
    """
    left = _MOST_CHARACTERS
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
            left -= 10 * len(line)  # counting a character costs about as much as comparing ten pairs
            if matcher.quick_ratio() > NEAR:
                left -= len(line) * len(wanted)
                likeness[line, wanted] = matcher.ratio()
    return likeness


def _numbered(lines: Sequence[str], start: int, count: int) -> str:
    shown = lines[start : start + min(count, _SHOWN)]
    return "\n".join(f"{number:5d}  {line[:300]}" for number, line in enumerate(shown, start + 1))


def diff(before: str, after: str, path: str) -> list[str]:
    """The lines of a unified diff, without the two that name the file.

    Where two texts have so many lines in common that comparing them would hold up the loop, everything between their
    equal heads and tails counts as changed.
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
    """Pairs of equal lines, which `difflib` goes through, except those that it ignores as too frequent."""
    frequent = len(b) // 100 + 1 if len(b) >= 200 else len(b)
    counts = Counter(b)
    return sum(count for line in a if (count := counts[line]) <= frequent)


def counts(lines: Sequence[str]) -> tuple[int, int]:
    """Lines added and removed in a diff."""
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)
