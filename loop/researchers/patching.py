"""Search and replace in a text, exactly once; where there is no match, the nearest place. Pure.

What models copy often differs from the file in white space, or carries the line numbers that it was shown with. Such a
search is taken where it fits in one place only, and what replaces it is indented as the file is.
"""

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import gcd

from loop.policy.line_merge import comparable

NEAR = 0.6
"""Similarity from which lines are suggested as what may have been meant."""

_SHOWN = 12
"""Lines of the nearest place that are shown."""

_MOST_CELLS = 400_000
"""Lines of the text times lines searched for, above which no near place is looked for: half a second of the loop."""

_MOST_CHARACTERS = 20_000_000
"""Sum of the products of the lengths of compared lines: a second at most; a file of 300 lines takes 1% of it."""

_PLACES = 8
"""Places of an ambiguous text that are named to the model."""

_NUMBER = re.compile(r"[ \t]*(\d+)(?:  |\t|: ?|[ \t]?[|│→] ?|$)")
"""The number of a line as `read_file`, `cat -n`, editors and other agents show it."""


@dataclass(frozen=True)
class Refused:
    """Why nothing was replaced, and what to do instead."""

    why: str


def replace_once(text: str, search: str, replace: str) -> str | Refused:
    """`text` with `search`, which must occur in it exactly once, replaced; line ends become those of the text."""
    if not search.strip():
        return Refused("the text to search for is empty; to write the whole file use write_file")
    search, replace = with_ends_of(text, search), with_ends_of(text, replace)
    places: list[int] = []
    at = text.find(search)
    while at >= 0 and len(places) <= _PLACES:
        places.append(at)
        at = text.find(search, at + 1)
    if len(places) == 1:
        return text.replace(search, replace)
    if places:
        return _ambiguous([text.count("\n", 0, place) + 1 for place in places])
    if (bare := unnumbered(search)) is not None:
        new = unnumbered(replace, counted=False)
        if new is None and any(_NUMBER.match(line) for line in replace.split("\n") if line.strip()):
            return Refused("that does not occur: leave out the line numbers that read_file puts before each line")
        return replace_once(text, bare, replace if new is None else new)
    return _replace_lines(text, search, replace)


def with_ends_of(text: str, piece: str) -> str:
    """`piece` with the line ends of `text`, where those are all alike."""
    piece = piece if "\r" in text.replace("\r\n", "") else piece.replace("\r\n", "\n")
    windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
    return piece.replace("\r\n", "\n").replace("\n", "\r\n") if windows else piece


def unnumbered(piece: str, *, counted: bool = True) -> str | None:
    """`piece` without the line numbers that stand before each of its lines; None where they do not.

    Args:
        counted: the numbers must count up by one, as those of a file do.
    """
    lines = piece.strip("\n").split("\n")
    found = [_NUMBER.match(line) for line in lines]
    marks = [mark for mark in found if mark is not None]
    if len(marks) < len(lines) or any(len(mark[1]) > 7 for mark in marks):
        return None
    numbers = [int(mark[1]) for mark in marks]
    if counted and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    bare = "\n".join(line[mark.end() :] for line, mark in zip(lines, marks, strict=True))
    return bare + "\n" if piece.endswith("\n") else bare


def _ambiguous(lines: Sequence[int], but: str = "") -> Refused:
    count = len(lines) if len(lines) <= _PLACES else f"more than {_PLACES}"
    where = ", ".join(map(str, lines[:_PLACES]))
    return Refused(f"that occurs {count} times{but}, at lines {where}; include more lines around the one you mean")


def _replace_lines(text: str, search: str, replace: str) -> str | Refused:
    """`text` with the only lines replaced that equal `search` but for white space and blank lines."""
    have = text.split("\n")
    filled = [(number, bare) for number, line in enumerate(have) if (bare := "".join(line.split()))]
    want = [line for line in search.split("\n") if line.strip()]
    starts = _runs_of([bare for _, bare in filled], ["".join(line.split()) for line in want])
    if len(starts) > 1:
        return _ambiguous([filled[start][0] + 1 for start in starts], " if white space does not count")
    if not starts:
        return Refused(f"that does not occur. {_nearest(text, search)}")
    numbers = [number for number, _ in filled[starts[0] : starts[0] + len(want)]]
    first, last = numbers[0], numbers[-1]
    pairs = [(_indent(line), _indent(have[number])) for line, number in zip(want, numbers, strict=True)]
    new = _indented(pairs, replace)
    if new is None:
        return Refused(
            f"Lines {first + 1} to {last + 1} differ from it in white space only, and not in the same way everywhere; "
            f"they are exactly:\n{_numbered(have, first, last - first + 1)}"
        )
    if new and have[last].endswith("\r"):
        new[-1] += "\r"
    return "\n".join([*have[:first], *new, *have[last + 1 :]])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _indented(pairs: Sequence[tuple[str, str]], replace: str) -> list[str] | None:
    """The lines of `replace` with the indentation that the file has; None where that cannot be told.

    Args:
        pairs: indentation of each line that was searched for, and the one that the file has there.
    """
    move = _move(pairs)
    lines: list[str] = []
    for line in replace.strip("\r\n").split("\n") if replace.strip() else ():
        if not line.strip():
            lines.append(line)
            continue
        if move is None or (indent := move(_indent(line))) is None:
            return None
        lines.append(indent + line.lstrip())
    return lines


def _move(pairs: Sequence[tuple[str, str]]) -> Callable[[str], str | None] | None:
    """What turns an indentation as it was searched for into the file's; None where the pairs contradict each other."""
    was, stands = pairs[0]
    if stands.endswith(was):  # the same, or further to the right
        more = stands[: len(stands) - len(was)]
        if all(file == more + own for own, file in pairs):
            return lambda indent: more + indent
    if was.endswith(stands):  # further to the left
        less = was[: len(was) - len(stands)]
        if all(own == less + file for own, file in pairs):
            return lambda indent: indent[len(less) :] if indent.startswith(less) else None
    for own, file in pairs:  # tabs for blanks, blanks for tabs, or more or fewer blanks for each level
        if not own or not file:
            continue
        many = gcd(len(own), len(file))
        units = ("\t", " " * (len(file) // len(own))), (" " * (len(own) // len(file)), "\t")
        for old, new in (*units, (" " * (len(own) // many), " " * (len(file) // many))):
            if old and new and all(one.replace(old, new) == other for one, other in pairs):
                return lambda indent, old=old, new=new: indent.replace(old, new)  # type: ignore[misc]
    return None


def _nearest(text: str, search: str) -> str:
    """The place in `text` most like `search`, with line numbers."""
    have, want = text.split("\n"), search.strip("\n").split("\n")
    bare = [line.strip() for line in want]
    stripped = [line.strip() for line in have]
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


def _runs_of(have: Sequence[str], want: Sequence[str]) -> list[int]:
    """Where the lines `want` occur in `have`, up to one place more than are named. Linear: searches in one text."""
    mark = "\n"  # occurs in no line
    text, piece = f"{mark}{mark.join(have)}{mark}", f"{mark}{mark.join(want)}{mark}"
    found: list[int] = []
    at, number = text.find(piece), 0
    last = 0
    while at >= 0 and len(found) <= _PLACES:
        number += text.count(mark, last, at)
        found.append(number)
        last = at
        at = text.find(piece, at + 1)
    return found


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
    if not comparable(a, b):
        head = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        most = min(len(a), len(b)) - head
        tails = zip(reversed(a), reversed(b), strict=False)
        tail = next((n for n, (x, y) in enumerate(tails) if x != y or n == most), most)
        old, new = a[head : len(a) - tail], b[head : len(b) - tail]
        where = f"@@ -{head + 1},{len(old)} +{head + 1},{len(new)} @@"
        return [where, *(f"-{line}" for line in old), *(f"+{line}" for line in new)]
    return list(difflib.unified_diff(a, b, path, path, n=2, lineterm=""))[2:]


def counts(lines: Sequence[str]) -> tuple[int, int]:
    """Lines added and removed in a diff."""
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)
