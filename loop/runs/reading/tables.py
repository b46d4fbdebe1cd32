"""Tables whose names stand above their numbers: Markdown and boxes, CSV and TSV, columns kept apart by spaces. Pure.

A table whose names stand beside their numbers needs none of this: there the name is followed by its number. Of a table
only the columns that were asked for are kept; a row that begins with a word of its own ("macro avg", "person") gives
numbers with that word before the column's name, except where the word says that it stands for all rows.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from loop.runs.reading.names import ALIKE, EXACT, LONGEST_LABEL, Found, closeness, squash
from loop.runs.reading.numbers import of_text

CELLS = 64
"""Cells of a line that are looked at."""

_BARS = re.compile(r"[|│┃┆║]")
_TAB, _COMMA, _SEMICOLON = re.compile("\t"), re.compile(","), re.compile(";")
_SPACES, _WORDS = re.compile(r"\S+(?:\s\S+)*+"), re.compile(r"\S+")
_PROGRESS_BAR = re.compile(r":?\s?\d{1,3}%\s?[|│].*")
_TITLE = re.compile(r".*:\s")  # of a table in one line with its header, as in `copypaste: AP,AP50`
_SPREAD = re.compile(r"\s*(?:±|\+/-|\().*")
_TOTALS = frozenset(("all", "overall", "total", "mean", "avg", "average"))
_LETTERS = re.compile(r"[^\W\d_]")


class Cell(NamedTuple):
    text: str
    start: int
    end: int


class Column(NamedTuple):
    """A column that was asked for."""

    kind: str
    """What keeps cells apart: `|`, `,`, `;`, a tab, spaces, or one space ("1")."""
    place: int
    """In the order of the header's cells."""
    cells: int
    """Cells of the header."""
    start: int
    end: int
    label: str
    closeness: int
    row: str
    """What the row has to be called, squashed; empty where any will do."""
    numbered: bool
    """A number at the beginning of a row counts the rows; in a classification report it is the name of a class."""


Row = tuple[str, list[Cell]]
"""What keeps the cells of a line apart, and the cells."""


def split(line: str) -> Row:
    """The cells of a line, and what keeps them apart; at most CELLS."""
    line = _PROGRESS_BAR.sub("", line)
    if len(_BARS.findall(line)) > 1:
        kind, parts = "|", _between(line, _BARS)
    elif "\t" in line:
        kind, parts = "\t", _between(line, _TAB)
    elif ";" in line and "; " not in line:
        kind, parts = ";", _between(line, _SEMICOLON)
    elif line.count(",") > 1 or ("," in line and ", " not in line and "  " not in line):
        kind, parts = ",", _between(line, _COMMA)
    else:
        kind, parts = " ", [Cell(found[0], found.start(), found.end()) for found in _SPACES.finditer(line)]
        if len(parts) == 1:
            kind, parts = "1", [Cell(found[0], found.start(), found.end()) for found in _WORDS.finditer(line)]
    if kind == "|":  # the bars at both ends keep nothing apart
        parts = parts[1:] if parts and not parts[0].text else parts
        parts = parts[:-1] if parts and not parts[-1].text else parts
    return kind, parts[:CELLS]


def columns(row: Row, name: str) -> list[Column]:
    """The columns of a header that have that name, or that the name ends in (`macro avg f1-score`)."""
    kind, cells = row
    if len(cells) < 2:
        return []
    found, wanted = [], squash(name)
    numbered = not any(cell.text == "support" for cell in cells)
    for index, cell in enumerate(cells):
        text = _bare(cell.text, first=index == 0)
        near, called, squashed = closeness(text, name), "", squash(text)
        if not near and " " in name and len(squashed) > 1 and wanted.endswith(squashed):
            near, called = EXACT, wanted.removesuffix(squashed)
        if near:
            found.append(Column(kind, index, len(cells), cell.start, cell.end, text, near, called, numbered))
    return found


def in_row(row: Row, column: Column) -> Found | None:
    """The number of a column in a line, if that is a row of its table."""
    kind, cells = row
    if kind != column.kind or len(cells) < 2 or (cell := _at(cells, column)) is None:
        return None
    if kind == "1" and any(of_text(each.text) is None for each in cells):
        return None  # one space apart, so words are no row of a table but a sentence
    number = of_text(_SPREAD.sub("", _bare(cell.text, first=cell is cells[0])))
    if number is None:
        return None
    called = _called(cells, cell, column)
    if column.row:
        near = column.closeness if squash(called) == column.row else 0
    else:
        near = ALIKE if called and called.lower() not in _TOTALS else column.closeness
    label = f"{called} {column.label}" if column.row or (called and near == ALIKE) else column.label
    return Found(label[-LONGEST_LABEL:], near, number, cell.start, cell.end) if near else None


def _between(line: str, sign: re.Pattern[str]) -> list[Cell]:
    """What stands between the signs, without the spaces around it."""
    edges = [-1, *(found.start() for found in sign.finditer(line)), len(line)]
    cells = []
    for left, right in pairwise(edges[: CELLS + 2]):
        text = line[left + 1 : right]
        start = left + 1 + len(text) - len(text.lstrip())
        cells.append(Cell(text.strip(), start, start + len(text.strip())))
    return cells


def _at(cells: list[Cell], column: Column) -> Cell | None:
    """The cell of that column: by its place in the order where signs keep cells apart, else by where it stands."""
    if column.kind != " ":
        return cells[column.place] if len(cells) == column.cells else None
    under = [cell for cell in cells if cell.start < column.end and cell.end > column.start]
    return under[0] if len(under) == 1 else None


def _called(cells: list[Cell], cell: Cell, column: Column) -> str:
    """What a row is called; empty where it begins with a number, such as that of its epoch."""
    first = cells[0]
    if first is cell or not first.text:
        return ""
    text = _bare(first.text, first=True)
    if of_text(text) is not None:
        return "" if column.numbered else text
    return text if _LETTERS.search(text) else ""


def _bare(text: str, first: bool = False) -> str:
    """A cell without what dresses it."""
    text = _TITLE.sub("", text) if first else text
    text = text.strip(" :*\"'`")
    return text.rstrip(")") if text.count(")") > text.count("(") else text
