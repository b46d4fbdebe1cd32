"""Rows of the tree: the graph and the columns beside it, as many of them as leave room for the title. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.reporting.table import flagged, memory
from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.words import size
from tui.render.commit_graph import Row
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, age, cells, cut, number, one_line, pad, sigmas

_TITLE = 20
"""Cells that a title keeps whatever columns there are; each further column needs `Column.room` of them."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column between the verdict and the title."""

    name: str
    width: int
    room: int
    """Cells that have to be left for the title where it is shown."""


_COLUMNS = (
    Column("effect", 7, 8),
    Column("metric", 8, 20),
    Column("age", 4, 20),
    Column("by", 8, 26),
    Column("runs", 4, 28),
    Column("lines", 9, 34),
    Column("memory", 7, 60),
)
"""The most important first; on screen they stand in this order too."""


def columns_in(width: int, lanes: int, *, authors: int) -> list[Column]:
    """The columns for which a row of `width` cells has room.

    Args:
        lanes: cells that the graph takes.
        authors: researchers there are; the name of the only one needs no column.
    """
    left = width - lanes - 1 - 4 - 11
    found: list[Column] = []
    for column in _COLUMNS:
        if column.name == "by" and authors < 2:
            continue
        if left - column.width - 1 < column.room:
            break
        left -= column.width + 1
        found.append(column)
    return found


def header(columns: Sequence[Column], metric: str, lanes: int, width: int, sorted_by: str) -> Line:
    """What the columns are; the one that is sorted by stands out."""
    spans: list[Span] = [(" " * (lanes + 1) + " id ", "faint"), (pad("verdict", 11), "faint")]
    for column in columns:
        name = cut(metric, column.width) if column.name == "metric" else column.name
        shown = pad(name, column.width, right=column.name not in ("by", "lines"))
        spans.append((shown + " ", "warn" if column.name == sorted_by else "faint"))
    used = sum(cells(text) for text, _ in spans)
    return (*spans, (cut("idea", max(0, width - used)), "faint"))


def row_line(
    row: Row,
    experiment: Experiment,
    figures: Figures,
    columns: Sequence[Column],
    lanes: int,
    width: int,
    glyphs: Glyphs,
    *,
    champion: int | None,
    now: float,
) -> Line:
    """One experiment: graph, number, verdict, columns, title.

    Args:
        lanes: cells that the graph takes in the widest visible row.
        now: the time, in Unix seconds, from which its age is counted.
    """
    sign, word, role = glyphs.of(experiment)
    if experiment.id == champion:
        sign, word, role = glyphs.champion, "champion", "champion"
    elif experiment.id == 0:
        word = "baseline"
    elif experiment.imported:
        word = "imported"
    spans: list[Span] = [
        *_graph(row, sign, role, lanes),
        (f"{experiment.id:>3} ", "text" if role != "discarded" else "dim"),
        (pad(word, 10) + " ", role),
    ]
    for column in columns:
        spans += [*_cell(column, experiment, figures, role, glyphs, now), (" ", "text")]
    if flagged(experiment):
        spans.append((glyphs.flag + " ", "warn"))
    left = width - sum(cells(text) for text, _ in spans)
    title = "strong" if role in ("champion", "running", "waiting") else "dim" if role == "discarded" else "text"
    spans.append((cut(one_line(experiment.title), left), title))
    return tuple(span for span in spans if span[0])


def fold_line(row: Row, words: str, lanes: int, width: int) -> Line:
    """A row that stands for several experiments."""
    spans = [*_graph(row, row.sign, "faint", lanes), (cut(words, width - lanes - 1), "faint")]
    return tuple(span for span in spans if span[0])


def _graph(row: Row, sign: str, role: str, lanes: int) -> list[Span]:
    return [(row.before, "axis"), (sign, role), (row.after + " " * max(0, lanes - cells(row.text)) + " ", "axis")]


def _cell(
    column: Column, experiment: Experiment, figures: Figures, role: str, glyphs: Glyphs, now: float
) -> list[Span]:
    """A column of one experiment, in exactly its width."""
    match column.name:
        case "effect":
            effect = None if experiment.id == 0 else figures.effect(experiment)
            better = (effect or 0) > 0 and role != "discarded"
            return [(pad(sigmas(effect, figures.noise), 7, right=True), "kept" if better else "dim")]
        case "metric":
            figure = figures.of(experiment)
            return [(pad("" if figure is None else number(figure.mean), 8, right=True), "text")]
        case "age":
            since = experiment.judged_at or experiment.proposed_at
            return [(pad(age(now - since) if since else "", 4, right=True), "dim")]
        case "by":
            return [(pad(one_line(experiment.researcher), 8), "dim")]
        case "runs":
            count = len(experiment.counted())
            return [(pad(str(count) if count else "", 4, right=True), "dim")]
        case "memory":
            held = memory(experiment)
            return [(pad("" if held is None else size(held), 7, right=True), "dim")]
        case _:
            return _changes(experiment, glyphs)


def _changes(experiment: Experiment, glyphs: Glyphs) -> list[Span]:
    """Lines added and removed, in 9 cells."""
    if not experiment.lines_added and not experiment.lines_removed:
        return [(" " * 9, "text")]
    added, removed = f"+{min(experiment.lines_added, 999)}", f"{glyphs.minus}{min(experiment.lines_removed, 999)}"
    return [(pad(added, 4, right=True), "added"), (" " + pad(removed, 4), "removed")]


# --- finding and sorting -------------------------------------------------------------------------------------------


def words_of(experiment: Experiment) -> str:
    """What a search looks at, in small letters: number, title, hypothesis, verdict, reason, author, notes."""
    told = (
        experiment.id,
        experiment.title,
        experiment.hypothesis,
        experiment.expected,
        experiment.verdict.word if experiment.verdict else experiment.phase,
        experiment.reason,
        experiment.researcher,
        *(f"{name} {note}" for name, note in experiment.notes.items()),
    )
    return " ".join(map(str, told)).lower()


def sorted_ids(experiments: dict[int, Experiment], figures: Figures, by: str, goal: str) -> list[int]:
    """The numbers, best first by "effect" or "metric" with what has none at the end; the newest first by ""."""
    newest = sorted(experiments, reverse=True)
    if not by:
        return newest
    values: dict[int, float] = {}
    for key, experiment in experiments.items():
        if by == "effect":
            value = figures.effect(experiment)
        else:
            figure = figures.of(experiment)
            value = None if figure is None else figure.mean
        if value is not None:
            values[key] = -value if by == "effect" or goal == "max" else value
    return sorted(newest, key=lambda key: values.get(key, float("inf")))
