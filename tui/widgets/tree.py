"""tree: the experiments as a graph of what was built on what, newest first, those without gain folded to counts."""

from collections.abc import Iterator
from itertools import islice

from loop.reporting.table import flagged, memory
from loop.study.experiment import Experiment
from loop.study.state import Study
from loop.words import size
from tui.render.commit_graph import Node, Row, walk
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cells, cut, one_line, pad, sigmas
from tui.render.tree_folding import Fold, folded
from tui.widgets.panel import Panel, centred, marked

_ROOM_FOR_CHANGES, _ROOM_FOR_MEMORY = 26, 62
"""Cells left for the title from which lines +/- and memory are shown too."""


def tree_line(row: Row, experiment: Experiment, champion: int | None, lanes: int, width: int, glyphs: Glyphs) -> Line:
    """One experiment in `width` cells: graph, number, word, effect in noise units, lines, memory, title.

    Args:
        lanes: cells that the graph takes in the widest visible row.
    """
    sign, word, role = glyphs.of(experiment)
    if experiment.id == champion:
        sign, word, role = glyphs.champion, "champion", "champion"
    elif experiment.id == 0:
        word = "baseline"
    effect = "" if experiment.id == 0 and experiment.noise else sigmas(experiment.effect, experiment.noise)
    spans: list[Span] = [
        *_graph(row, sign, role, lanes),
        (f"{experiment.id:>3} ", "text" if role != "discarded" else "dim"),
        (pad(word, 10), role),
        (pad(effect, 7, right=True) + " ", "kept" if (experiment.effect or 0) > 0 and role != "discarded" else "dim"),
    ]
    left = width - sum(cells(text) for text, _ in spans)
    if left > _ROOM_FOR_CHANGES:
        spans += _changes(experiment, glyphs)
    if left > _ROOM_FOR_MEMORY:
        held = memory(experiment)
        spans.append((pad("" if held is None else size(held), 7, right=True) + "  ", "dim"))
    if flagged(experiment):
        spans.append((glyphs.flag + " ", "warn"))
    left = width - sum(cells(text) for text, _ in spans)
    title = "strong" if role in ("champion", "running", "waiting") else "dim" if role == "discarded" else "text"
    spans.append((cut(one_line(experiment.title), left), title))
    return tuple(span for span in spans if span[0])


def fold_line(row: Row, words: str, lanes: int, width: int, glyphs: Glyphs) -> Line:
    """A row that stands for several experiments."""
    spans = [*_graph(row, row.sign, "faint", lanes), (cut(words, width - lanes - 1), "faint")]
    return tuple(span for span in spans if span[0])


def _graph(row: Row, sign: str, role: str, lanes: int) -> list[Span]:
    return [(row.before, "axis"), (sign, role), (row.after + " " * max(0, lanes - cells(row.text)) + " ", "axis")]


def _changes(experiment: Experiment, glyphs: Glyphs) -> list[Span]:
    """Lines added and removed, in 9 cells."""
    if not experiment.lines_added and not experiment.lines_removed:
        return [(" " * 9, "text")]
    added, removed = f"+{min(experiment.lines_added, 999)}", f"{glyphs.minus}{min(experiment.lines_removed, 999)}"
    return [(pad(added, 4, right=True), "added"), (" " + pad(removed, 4), "removed")]


def _words(experiment: Experiment) -> str:
    """What a search in the tree looks at."""
    return (
        f"{experiment.id} {experiment.title} {experiment.verdict or experiment.phase} {experiment.researcher}".lower()
    )


def by_effect(experiment: Experiment) -> tuple[float, int]:
    """Sorts the largest effect first, and what has none last."""
    return (float("inf") if experiment.effect is None else -experiment.effect, -experiment.id)


class TreePanel(Panel):
    """The graph, with a cursor. The newest experiment is at the top."""

    view = "tree"
    number = 2

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[int] = []
        """Rows in order: experiments by number, folds by their key below zero."""
        self.count = 0
        """Experiments among them."""
        self._folds: dict[int, Fold] = {}
        self._rows: list[Row] = []
        self._more: Iterator[Row] = iter(())
        """Rows of the graph made so far, and the rest: of ten thousand, only those that were on screen are made."""
        self.at: int | None = None
        """Row under the cursor; None follows the newest."""
        self.top = 0
        self.needle = ""
        self.folding = True
        self.sorted = False
        self._opened: set[int] = set()
        self._built: tuple[object, ...] = ()
        self._stale = True

    # --- rows --------------------------------------------------------------------------------------------------

    def _build(self, study: Study, glyphs: Glyphs) -> None:
        """Make the rows anew, where an experiment was added or has changed."""
        state = (study.champion, len(study.experiments), glyphs.ascii, self.needle, self.folding, self.sorted)
        if state == self._built and not self._stale:
            return
        self._stale, self._built = False, state
        found = study.experiments
        ids = sorted(found, key=lambda key: by_effect(found[key])) if self.sorted else sorted(found, reverse=True)
        if self.needle:
            ids = [key for key in ids if self.needle in _words(found[key])]
        self.count = len(ids)
        plain = self.sorted or bool(self.needle) or not self.folding
        rows = list(ids) if plain else folded(ids, found, self._opened)
        self._folds = {row.key: row for row in rows if isinstance(row, Fold)}
        self.keys = [row.key if isinstance(row, Fold) else row for row in rows]
        nodes = (self._node(row, found, glyphs) for row in rows)
        known = set() if self.sorted else {row for row in rows if not isinstance(row, Fold)}
        self._rows, self._more = [], walk(nodes, known, glyphs, None if self.sorted else study.champion, most=6)

    def _node(self, row: int | Fold, found: dict[int, Experiment], glyphs: Glyphs) -> Node:
        if isinstance(row, Fold):
            return Node(row.key, found[row.ids[0]].parent, glyphs.folded)
        return Node(row, None if self.sorted else found[row].parent, glyphs.of(found[row])[0])

    def _window(self, start: int, count: int) -> list[Row]:
        """Some rows of the graph."""
        self._rows += islice(self._more, max(0, start + count - len(self._rows)))
        return self._rows[start : start + count]

    def changed(self) -> None:
        self._stale = True

    def content(self, width: int, height: int) -> list[Line]:
        study, glyphs = self.cockpit.known.study, self.cockpit.glyphs
        self._build(study, glyphs)
        if not self.keys:
            none = "no experiment yet: the baseline comes first"
            return centred(f"nothing has “{self.needle}”; esc shows all" if self.needle else none, width, height)
        at = self._index()
        self.top = max(0, min(self.top, at, len(self.keys) - height))
        if at >= self.top + height:
            self.top = at - height + 1
        window = self._window(self.top, height)
        lanes = max(len(row.text) for row in window)
        lines = []
        for index, row in enumerate(window, self.top):
            fold = self._folds.get(row.id)
            if fold is not None:
                line = fold_line(row, fold.words(study.experiments), lanes, width, glyphs)
            else:
                line = tree_line(row, study.experiments[row.id], study.champion, lanes, width, glyphs)
            if index == at:
                line = marked(line, width, "cursor" if self.has_focus else "pale")
            lines.append(line)
        return lines

    def _index(self) -> int:
        if self.at is None:
            return 0
        if self.at in self.keys:
            return self.keys.index(self.at)
        inside = (
            index for index, key in enumerate(self.keys) if key in self._folds and self.at in self._folds[key].ids
        )
        return next(inside, 0)

    def note(self) -> list[Span]:
        if self.needle:
            return [(f"“{cut(self.needle, 20)}” {self.count}", "warn")]
        by: list[Span] = [("by effect  ", "warn")] if self.sorted else []
        return [*by, (f"{self._index() + 1}/{len(self.keys)}", "faint")] if self.keys else []

    # --- what keys do ------------------------------------------------------------------------------------------

    def selected(self) -> int | None:
        """The experiment under the cursor; None where there is none, or a fold."""
        key = self.keys[self._index()] if self.keys else None
        return None if key is None or key in self._folds else key

    def open_fold(self) -> bool:
        """Open the fold under the cursor; says whether there was one."""
        key = self.keys[self._index()] if self.keys else 0
        fold = self._folds.get(key)
        if fold is not None:
            self._opened.add(key)
            self.at = fold.ids[0]
            self._again()
        return fold is not None

    def fold(self) -> bool:
        """Fold experiments that came to nothing, or open all folds; says whether they are folded."""
        self.at = self.keys[self._index()] if self.keys else None
        if self.at in self._folds:
            self.at = self._folds[self.at].ids[0]
        self.folding = bool(self._opened) or not self.folding
        self._opened.clear()
        self._again()
        return self.folding

    def sort(self) -> bool:
        """Sort by effect, or by number again; says whether by effect."""
        self.sorted = not self.sorted
        self.at, self.top = None, 0
        self._again()
        return self.sorted

    def _again(self) -> None:
        self._stale = True
        self.redraw_with_note()

    def move(self, rows: int) -> None:
        if self.keys:
            index = max(0, min(len(self.keys) - 1, self._index() + rows))
            self.at = None if index == 0 else self.keys[index]
        self.redraw_with_note()

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.keys))

    def search(self, needle: str, direction: int = 1) -> bool:
        """Show only experiments that have `needle` in number, title, state or researcher."""
        self.needle = needle.lower()
        self.redraw_with_note()
        return bool(self.keys) or not needle

    def copied(self) -> str:
        number = self.selected()
        experiment = None if number is None else self.cockpit.known.study.experiments[number]
        return super().copied() if experiment is None or not experiment.commit else experiment.commit
