"""tree: the experiments as a graph of what was built on what, newest first, those without gain folded to counts."""

from collections.abc import Iterator
from itertools import islice

from loop.study.experiment import Experiment
from loop.study.state import Study
from tui.render.commit_graph import Node, Row, walk
from tui.render.experiment_rows import columns_in, fold_line, header, row_line, sorted_ids, words_of
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cut
from tui.render.tree_folding import Fold, folded
from tui.widgets.panel import Panel, centred, marked

SORTS = {"": "by number, newest first", "effect": "by effect over what it was measured against", "metric": "by metric"}
"""What `O` goes round in."""


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
        self.sorted = ""
        """What it is sorted by, a key of `SORTS`."""
        self._texts: dict[int, tuple[int | None, str]] = {}
        self._authors = 0
        """Researchers that there are."""
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
        ids = sorted_ids(found, self.cockpit.known.figures, self.sorted, study.contract.goal)
        if words := self.needle.split():
            ids = [key for key in ids if all(word in self._text(found[key]) for word in words)]
        self.count = len(ids)
        self._authors = len({experiment.researcher for experiment in found.values() if experiment.id})
        plain = bool(self.sorted or self.needle) or not self.folding
        rows = list(ids) if plain else folded(ids, found, self._opened)
        self._folds = {row.key: row for row in rows if isinstance(row, Fold)}
        self.keys = [row.key if isinstance(row, Fold) else row for row in rows]
        nodes = (self._node(row, found, glyphs) for row in rows)
        known = set() if self.sorted else {row for row in rows if not isinstance(row, Fold)}
        self._rows, self._more = [], walk(nodes, known, glyphs, None if self.sorted else study.champion, most=6)

    def _text(self, experiment: Experiment) -> str:
        """What a search looks at; that of one with a verdict is remembered."""
        known = self._texts.get(experiment.id)
        if known is None or known[0] != experiment.judged_seq or experiment.judged_seq is None:
            known = self._texts[experiment.id] = experiment.judged_seq, words_of(experiment)
        return known[1]

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

    def begin_anew(self) -> None:
        self._stale = True
        self._opened.clear()

    def content(self, width: int, height: int) -> list[Line]:
        study, glyphs = self.cockpit.known.study, self.cockpit.glyphs
        self._build(study, glyphs)
        if not self.keys:
            none = "no experiment yet: the baseline comes first"
            return centred(f"nothing has “{self.needle}”; esc shows all" if self.needle else none, width, height)
        at = self._index()
        height = max(1, height - 1)  # under the header
        self.top = max(0, min(self.top, at, len(self.keys) - height))
        if at >= self.top + height:
            self.top = at - height + 1
        window = self._window(self.top, height)
        lanes = max(len(row.text) for row in window)
        known, now = self.cockpit.known, self.cockpit.now()
        columns = columns_in(width, lanes, authors=self._authors)
        lines = [header(columns, study.contract.metric, lanes, width, self.sorted)]
        for index, row in enumerate(window, self.top):
            fold = self._folds.get(row.id)
            if fold is not None:
                line = fold_line(row, fold.words(study.experiments, known.figures), lanes, width)
            else:
                experiment = study.experiments[row.id]
                line = row_line(
                    row, experiment, known.figures, columns, lanes, width, glyphs, champion=study.champion, now=now
                )
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
        by: list[Span] = [(f"by {self.sorted}  ", "warn")] if self.sorted else []
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

    def sort(self) -> str:
        """Sort by the next of `SORTS`; returns what that is."""
        ways = list(SORTS)
        self.sorted = ways[(ways.index(self.sorted) + 1) % len(ways)]
        self.at, self.top = None, 0
        self._again()
        return SORTS[self.sorted]

    def _again(self) -> None:
        self._stale = True
        self.redraw_with_note()

    def move(self, rows: int) -> None:
        if self.keys:
            index = max(0, min(len(self.keys) - 1, self._index() + rows))
            self.at = None if index == 0 else self.keys[index]
        self.redraw_with_note()

    def pick(self, row: int) -> None:
        index = self.top + row - 1  # under the header
        if row > 0 and index < len(self.keys):
            self.move(index - self._index())

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.keys))

    def search(self, needle: str, direction: int = 1) -> bool:
        """Show only experiments that have all the words of `needle` in what is known of them."""
        self.needle = needle.lower()
        self.redraw_with_note()
        return bool(self.keys) or not needle

    def copied(self) -> str:
        number = self.selected()
        experiment = None if number is None else self.cockpit.known.study.experiments[number]
        return super().copied() if experiment is None or not experiment.commit else experiment.commit
