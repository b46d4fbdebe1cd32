"""Lines of Markdown as they stand in a stream: items of lists, rows of tables, and what a proposal says again. Pure.

A line at a time, as it ends: nothing is parsed twice, whatever the length of the stream.
"""

import re
from collections.abc import Sequence

from loop.study import events as e
from tui.render.text import cells, one_line, pad

WIDEST_TABLE = 110
"""Columns beyond which a table stays as it was written: its rows would only be wrapped."""

_ITEM = re.compile(r"( {0,8}(?:[-*+]|\d{1,3}[.)]) +)\S")
_ROW = re.compile(r"\s*\|.*\|\s*")
_RULE = re.compile(r":?-+:?")
_NOTE = re.compile(r"\s*notes?:\s*(.+)", re.IGNORECASE)
_FIELD = re.compile(r"\s*(title|hypothesis|expected)[a-z_ ]{0,10}:\s*(.+)", re.IGNORECASE)


def mark_of(text: str) -> str:
    """The mark of an item of a list with the space around it, such as `"  - "`; empty where it is none."""
    item = _ITEM.match(text)
    return "" if item is None else item[1]


def is_row(text: str) -> bool:
    """Whether a line is a row of a table."""
    return _ROW.fullmatch(text) is not None


def aligned(lines: Sequence[str]) -> list[str] | None:
    """Rows of one table with their cells under each other; None where that would be too wide."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    count = max(map(len, rows))
    rows = [[*row, *[""] * (count - len(row))] for row in rows]
    widths = [max([3, *(cells(row[at]) for row in rows if not _is_rule(row))]) for at in range(count)]
    if sum(widths) + 3 * count + 1 > WIDEST_TABLE:
        return None
    texts: list[str] = []
    for row in rows:
        if _is_rule(row):
            texts.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        else:
            padded = [pad(cell, width) for cell, width in zip(row, widths, strict=True)]
            texts.append(f"| {' | '.join(padded)} |")
    return texts


def _is_rule(row: Sequence[str]) -> bool:
    """Whether a row of a table is the line under its head."""
    return all(not cell or _RULE.fullmatch(cell) for cell in row) and any(row)


def repeats_note(text: str, note: str) -> bool:
    """Whether a line only says what the note that follows it does, as `note: it diverges` does."""
    field = _NOTE.fullmatch(text)
    return field is not None and one_line(field[1]) == one_line(note)


def is_note(text: str) -> bool:
    """Whether a line begins as a note of an agent does."""
    return _NOTE.fullmatch(text) is not None


def repeats(text: str, proposed: e.ExperimentProposed) -> bool:
    """Whether a line only says what stands in the proposal that follows it, as `title: a wider head` does."""
    field = _FIELD.fullmatch(text)
    if field is None:
        return False
    values = {"title": proposed.title, "hypothesis": proposed.hypothesis, "expected": proposed.expected}
    return one_line(field[2]) == one_line(values[field[1].lower()])
