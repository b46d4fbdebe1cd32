"""A unified diff as two columns: what was there on the left, what is there now on the right. Pure."""

import re
from collections.abc import Iterator

from tui.render.text import Line, Span, clean, cut, pad, wrap

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")

LEAST = 60
"""Cells from which there is room for two columns; in fewer the two stand under one another."""

_ROWS = 4
"""Rows that one line may take in its column."""

Side = tuple[int, str] | None
"""Number and text of a line; None where the other side has one more."""


def side_by_side(diff: str, width: int, bar: str = "│") -> list[Line]:
    """The rows of a diff, in at most `width` cells each.

    Args:
        bar: what stands between the columns.
    """
    half = (width - 3) // 2
    lines: list[Line] = []
    for kind, left, right in _pairs(clean(diff).split("\n")):
        if kind in ("file", "hunk"):
            assert left is not None
            lines.append(((cut(left[1], width), "title" if kind == "file" else "hunk"),))
        elif width < LEAST:
            lines += [
                ((cut(f"{sign}{side[1]}", width), role),)
                for sign, side, role in (("-", left, "removed"), ("+", right, "added"))
                if side is not None and kind == "change"
            ]
            lines += [((cut(f" {right[1]}", width), "dim"),)] if kind == "same" and right is not None else []
        else:
            roles = ("dim", "dim") if kind == "same" else ("removed", "added")
            signs = (" ", " ") if kind == "same" else ("-", "+")
            columns = [
                _column(side, half, role, sign) for side, role, sign in zip((left, right), roles, signs, strict=True)
            ]
            for row in range(max(map(len, columns))):
                cells = [column[row] if row < len(column) else (" " * half, "text") for column in columns]
                lines.append((cells[0], (f" {bar} ", "axis"), cells[1]))
    return lines


def _column(side: Side, width: int, role: str, sign: str) -> list[Span]:
    """One line in its column: its number, its sign, its text in as many rows as it takes."""
    if side is None:
        return []
    number, text = side
    room = width - 6
    pieces = wrap(text, room)
    rows = [text[a:b] for a, b in pieces[:_ROWS]]
    if len(pieces) > _ROWS:
        rows[-1] = cut(rows[-1] + text[pieces[_ROWS][0] :], room)
    return [(f"{number if not index else '':>4}{sign} {pad(row, room)}", role) for index, row in enumerate(rows)]


def _pairs(lines: list[str]) -> Iterator[tuple[str, Side, Side]]:
    """What each row is ("file", "hunk", "same" or "change"), and its two sides."""
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    before = after = 0
    inside = False

    def changed() -> Iterator[tuple[str, Side, Side]]:
        for index in range(max(len(removed), len(added))):
            left = removed[index] if index < len(removed) else None
            right = added[index] if index < len(added) else None
            yield "change", left, right
        removed.clear()
        added.clear()

    for line in lines:
        if (hunk := _HUNK.match(line)) is not None:
            yield from changed()
            before, after, inside = int(hunk[1]), int(hunk[2]), True
            yield "hunk", (0, f"line {after}" + (f"  {hunk[3]}" if hunk[3] else "")), None
        elif line.startswith("diff "):
            yield from changed()
            inside = False
        elif not inside and line.startswith("+++ "):
            yield "file", (0, line[4:].removeprefix("b/")), None
        elif not inside or line.startswith("\\ No newline"):
            continue
        elif line.startswith("-"):
            removed.append((before, line[1:]))
            before += 1
        elif line.startswith("+"):
            added.append((after, line[1:]))
            after += 1
        elif line.startswith(" "):
            yield from changed()
            yield "same", (before, line[1:]), (after, line[1:])
            before, after = before + 1, after + 1
    yield from changed()
