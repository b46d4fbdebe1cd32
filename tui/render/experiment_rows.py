"""Rows of the table of experiments: the graph, and the columns beside it as far as there is room. Pure."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from loop.reporting.seen import MEASURES, Seen
from loop.reporting.table import flagged
from loop.study.experiment import Experiment
from loop.study.outcomes import NO_NUMBER
from loop.words import size
from tui.render.commit_graph import Row
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, age, cells, cut, number, one_line, pad, sigmas


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    """As in filters and orders."""
    width: int
    help: str
    title: str = ""
    """What stands above it, where that is not its name."""
    left: bool = False
    """It is aligned at its left edge."""


COLUMNS = {
    column.name: column
    for column in (
        Column("verdict", 10, "what became of it", left=True),
        Column("effect", 7, MEASURES["effect"].help),
        Column("metric", 8, MEASURES["metric"].help),
        Column("runs", 4, MEASURES["runs"].help),
        Column("age", 4, MEASURES["age"].help),
        Column("by", 8, "who proposed it", left=True),
        Column("lines", 9, MEASURES["lines"].help, left=True),
        Column("time", 4, MEASURES["time"].help),
        Column("usd", 6, MEASURES["usd"].help, "$"),
        Column("mem", 7, MEASURES["mem"].help),
        Column("note", 24, "what a person has noted on it, why it has no number, or why to look", left=True),
    )
}
"""In the order in which they stand on screen; the idea follows, and the note after it."""

_EXIT = re.compile(r"^exit code -?\d+: ")
"""What an error's own words say better."""

_AUTOMATIC = (
    ("effect", 8),
    ("metric", 20),
    ("age", 20),
    ("by", 26),
    ("note", 30),
    ("runs", 28),
    ("lines", 34),
    ("mem", 60),
)
"""Columns that are shown where a person has chosen none, the most important first, and the cells that have to be left
for the idea then."""

LEAST_IDEA = 12
"""Cells that the idea keeps beside columns that a person has chosen."""


def automatic(width: int, lanes: int, *, authors: int, noted: bool) -> list[Column]:
    """The columns for which a row of `width` cells has room.

    Args:
        lanes: cells that the graph takes.
        authors: researchers there are; the name of the only one needs no column.
        noted: some experiment has something to say in that column.
    """
    left = width - lanes - 1 - 4 - COLUMNS["verdict"].width - 1
    found = ["verdict"]
    for name, room in _AUTOMATIC:
        if (name == "by" and authors < 2) or (name == "note" and not noted):
            continue
        if left - COLUMNS[name].width - 1 < room:
            break
        left -= COLUMNS[name].width + 1
        found.append(name)
    return [column for column in COLUMNS.values() if column.name in found]


def fitting(wanted: Collection[str], width: int, lanes: int) -> list[Column]:
    """Of the columns that a person has chosen those that fit, from the left."""
    left = width - lanes - 1 - 4 - LEAST_IDEA
    found: list[Column] = []
    for column in COLUMNS.values():
        if column.name in wanted:
            if column.width + 1 > left:
                break
            left -= column.width + 1
            found.append(column)
    return found


def header(columns: Sequence[Column], metric: str, lanes: int, width: int, sorted_by: str) -> Line:
    """What the columns are; the one that is sorted by stands out."""
    spans: list[Span] = [(" " * (lanes + 1), "text"), (" id ", "faint" if sorted_by else "dim")]
    for column in columns:
        if column.name != "note":
            name = cut(metric, column.width) if column.name == "metric" else column.title or column.name
            shown = pad(name, column.width, right=not column.left)
            spans.append((shown + " ", "warn" if column.name == sorted_by else "faint"))
    room = width - sum(cells(text) for text, _ in spans)
    role = "warn" if sorted_by == "title" else "faint"
    if (note := _note_width(columns, lanes, width)) and room > note:
        return (*spans, (pad("idea", room - note), role), ("note", "warn" if sorted_by == "note" else "faint"))
    return (*spans, (cut("idea", max(0, room)), role))


def column_at(columns: Sequence[Column], lanes: int, width: int, x: int) -> str:
    """What is sorted by where the header is clicked: the name of a column, "title", or "" for the number."""
    at = lanes + 1 + 4
    if x < at:
        return ""
    for column in columns:
        if column.name != "note":
            at += column.width + 1
            if x < at:
                return column.name
    note = _note_width(columns, lanes, width)
    return "note" if note and x >= width - note else "title"


def _note_width(columns: Sequence[Column], lanes: int, width: int) -> int:
    """Cells of the note, which shares with the idea what the other columns leave; 0 where it is not shown."""
    least = sum(column.width for column in columns if column.name == "note")
    left = width - lanes - 5 - sum(column.width + 1 for column in columns if column.name != "note")
    return max(least, left // 2) if least else 0


def row_line(
    row: Row,
    experiment: Experiment,
    seen: Seen,
    columns: Sequence[Column],
    lanes: int,
    width: int,
    glyphs: Glyphs,
    *,
    marked: bool = False,
) -> Line:
    """One experiment: graph, number, columns, idea, note.

    Args:
        lanes: cells that the graph takes in the widest visible row.
        marked: a person has marked it, to compare it with others.
    """
    sign, word, role = glyphs.of(experiment)
    if experiment.id == seen.study.champion:
        sign, word, role = glyphs.champion, "champion", "champion"
    elif experiment.id == 0:
        word = "baseline"
    elif experiment.imported:
        word = "imported"
    spans: list[Span] = [
        *_graph(row, sign, role, lanes),
        (f"{experiment.id:>3}", "text" if role != "discarded" else "dim"),
        (glyphs.mark if marked else " ", "you"),
    ]
    for column in columns:
        if column.name != "note":
            spans += [*_cell(column, experiment, seen, role, word, glyphs), (" ", "text")]
    noted = _note_width(columns, lanes, width)
    if flagged(experiment):
        spans.append((glyphs.flag + " ", "warn"))
    if experiment.note and not noted:
        spans.append((glyphs.note + " ", "you"))
    room = width - sum(cells(text) for text, _ in spans)
    left = room - noted if room > noted else room
    title = "strong" if role in ("champion", "running", "waiting") else "dim" if role == "discarded" else "text"
    idea = one_line(experiment.title)
    note = _note(experiment, glyphs) if noted else []
    if not note:
        spans.append((cut(idea, room), title))
    else:
        spans += [(pad(idea, max(0, left - 1)) + " ", title), *((cut(text, noted), how) for text, how in note)]
    return tuple(span for span in spans if span[0])


def fold_line(row: Row, words: str, lanes: int, width: int) -> Line:
    """A row that stands for several experiments."""
    spans = [*_graph(row, row.sign, "faint", lanes), (cut(words, width - lanes - 1), "faint")]
    return tuple(span for span in spans if span[0])


def _graph(row: Row, sign: str, role: str, lanes: int) -> list[Span]:
    return [(row.before, "axis"), (sign, role), (row.after + " " * max(0, lanes - cells(row.text)) + " ", "axis")]


def _note(experiment: Experiment, glyphs: Glyphs) -> list[Span]:
    """The person's note; without one, why a person should look, where they should, or why it has no number."""
    if experiment.note:
        return [(f"{glyphs.note} {one_line(experiment.note)}", "you")]
    if flags := flagged(experiment):
        return [(f"{glyphs.flag} {one_line(flags[0])}", "warn")]
    return [(_EXIT.sub("", one_line(experiment.reason)), "dim")] if says(experiment) else []


def says(experiment: Experiment) -> bool:
    """Whether it has something to say in the column of notes."""
    failed = experiment.verdict is not None and experiment.verdict in NO_NUMBER and bool(experiment.reason)
    return failed or bool(experiment.note) or bool(flagged(experiment))


def _cell(column: Column, experiment: Experiment, seen: Seen, role: str, word: str, glyphs: Glyphs) -> list[Span]:
    """A column of one experiment, in exactly its width. Numbers are those that filters and orders go by."""
    if column.name == "verdict":
        return [(pad(word, column.width), role)]
    if column.name == "by":
        return [(pad(one_line(experiment.researcher), column.width), "dim")]
    if column.name == "lines":
        return _changes(experiment, glyphs)
    value = seen.number(experiment, column.name)
    text, how = "", "dim"
    match column.name:
        case "effect":
            effect = seen.figures.effect(experiment) if experiment.id else None
            text = sigmas(effect, seen.figures.noise)
            how = "kept" if (effect or 0) > 0 and role != "discarded" else "dim"
        case "metric" if value is None and (stopped := experiment.stopped_at) is not None:
            text = f"stop {stopped.share:.0%}"
        case "usd" if value is None and experiment.id in seen.study.costs:
            text = "?"  # a price that is not known is not zero
        case _ if value is None or (column.name == "runs" and not value):
            pass
        case "metric":
            text, how = number(value), "text"
        case "age" | "time":
            text = age(value)
        case "usd":
            text = f"{value:.2f}"
        case "mem":
            text = size(value)
        case _:
            text = f"{value:.0f}"
    return [(pad(text, column.width, right=True), how)]


def _changes(experiment: Experiment, glyphs: Glyphs) -> list[Span]:
    """Lines added and removed, in 9 cells."""
    if not experiment.lines_added and not experiment.lines_removed:
        return [(" " * 9, "text")]
    added, removed = f"+{min(experiment.lines_added, 999)}", f"{glyphs.minus}{min(experiment.lines_removed, 999)}"
    return [(pad(added, 4, right=True), "added"), (" " + pad(removed, 4), "removed")]
