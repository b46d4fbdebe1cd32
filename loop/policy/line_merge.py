"""Two changes of one text, brought together line by line. Pure.

Only lines that both sides change stand in the way. git also refuses changes of neighbouring lines, as do the libraries
that merge by what three texts have in common; but constants stand below each other, and two that differ go together.
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

MOST_PAIRS = 2_000_000
"""Pairs of equal lines that a diff may go through, once for each piece that it finds: about a second."""


class _Hunk(NamedTuple):
    """Lines of the text that were replaced; none were where lines were only added."""

    start: int
    end: int
    lines: tuple[str, ...]
    ours: bool

    def meets(self, other: "_Hunk") -> bool:
        """Whether the two change the same line, or add lines in one place."""
        if self.start < self.end and other.start < other.end:
            return self.start < other.end and other.start < self.end
        if self.start == self.end and other.start == other.end:
            return self.start == other.start
        added, changed = (self, other) if self.start == self.end else (other, self)
        if len(changed.lines) > changed.end - changed.start:  # it adds lines, too, at either of its ends
            return changed.start <= added.start <= changed.end
        return changed.start < added.start < changed.end


def merge(base: str, ours: str, theirs: str) -> tuple[str, list[str]]:
    """What was changed from `base` to `theirs`, made to `ours`.

    Returns:
        The merged text, and the pieces of the change that do not go together with ours, as diffs; ours stands there.
    """
    before = base.split("\n")
    hunks = [*_hunks(before, ours.split("\n"), True), *_hunks(before, theirs.split("\n"), False)]
    merged: list[str] = []
    clashes: list[str] = []
    at = 0
    for group in _groups(sorted(hunks, key=lambda hunk: hunk[:2])):
        start, end = min(hunk.start for hunk in group), max(hunk.end for hunk in group)
        mine, new = ([hunk for hunk in group if hunk.ours is side] for side in (True, False))
        merged += before[at:start] + _applied(before, start, end, mine or new)
        same = [hunk[:3] for hunk in mine] == [hunk[:3] for hunk in new]
        if mine and new and not same:
            first, last = new[0].start, new[-1].end
            changed = _applied(before, first, last, new)
            clashes.append("\n".join([*(f"-{line}" for line in before[first:last]), *(f"+{line}" for line in changed)]))
        at = end
    return "\n".join(merged + before[at:]), clashes


def moved(ours: Mapping[str, str], base: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str] | None:
    """The files that the change from `base` to `theirs` gives other texts than `ours`, by path: none where it is there
    already. None where it does not go together with ours."""
    found = {}
    for path, text in theirs.items():
        if base.get(path) == text:
            continue
        if path not in base or path not in ours:
            if path in ours or path in base:
                return None  # made by both, or changed where it is not there
            found[path] = text
            continue
        together, clashes = merge(base[path], ours[path], text)
        if clashes:
            return None
        if together != ours[path]:
            found[path] = together
    return found


def comparable(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether `difflib` can compare them in reasonable time: by the pairs of equal lines that it goes through."""
    frequent = len(b) // 100 + 1 if len(b) >= 200 else len(b)
    counts = Counter(b)
    return sum(count for line in a if (count := counts[line]) <= frequent) <= MOST_PAIRS


def _hunks(before: Sequence[str], after: Sequence[str], ours: bool) -> Iterator[_Hunk]:
    """What differs, as small as can be told: a line each where as many were put as were taken."""
    codes: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(before), 0, len(after))]
    if comparable(before, after):
        codes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for kind, start, end, first, last in codes:
        if kind == "equal":
            continue
        if end - start != last - first:
            yield _Hunk(start, end, tuple(after[first:last]), ours)
            continue
        for was, now in zip(range(start, end), range(first, last), strict=True):
            if before[was] != after[now]:
                yield _Hunk(was, was + 1, (after[now],), ours)


def _groups(hunks: Sequence[_Hunk]) -> Iterator[list[_Hunk]]:
    """Hunks in their order, those of the two sides together that meet."""
    group: list[_Hunk] = []
    for hunk in hunks:
        if group and not any(hunk.ours is not one.ours and hunk.meets(one) for one in group):
            yield group
            group = []
        group.append(hunk)
    if group:
        yield group


def _applied(before: Sequence[str], start: int, end: int, hunks: Sequence[_Hunk]) -> list[str]:
    """The lines from `start` to `end`, with the hunks made."""
    lines: list[str] = []
    at = start
    for hunk in hunks:
        lines += [*before[at : hunk.start], *hunk.lines]
        at = hunk.end
    return lines + list(before[at:end])
