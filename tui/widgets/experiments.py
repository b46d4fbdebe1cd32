"""experiments: the experiments as a table on the graph of what was built on what, newest first, fruitless ones folded.

A filter shows some of them and an order others first; both are in the language of `loop.reporting.query`, which the
command line takes too.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from loop.reporting import query
from loop.reporting.query import QueryError
from loop.reporting.seen import Seen
from loop.study.experiment import Experiment
from tui.render.commit_graph import Node, Row, walk
from tui.render.experiment_folding import Fold, folded
from tui.render.experiment_rows import COLUMNS, Column, automatic, column_at, fitting, fold_line, header, row_line, says
from tui.render.glyphs import Glyphs
from tui.render.text import Line, Span, cut
from tui.widgets.panel import Panel, centred, marked

if TYPE_CHECKING:
    from textual import events

_EVERYTHING = query.parse("")


class ExperimentsPanel(Panel):
    """The graph, with a cursor. The newest experiment is at the top."""

    view = "experiments"

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
        """The filter in force, as it was typed."""
        self._query = _EVERYTHING
        self.folding = True
        self.sorted = ""
        """What it is sorted by, as `query.in_order` names it; empty for the number, the newest first."""
        self.reversed = False
        self.wanted: tuple[str, ...] = ()
        """Columns that a person has chosen; empty for what there is room for."""
        self.shown: list[Column] = list(COLUMNS.values())[:2]
        """Columns on screen."""
        self._lanes = 1
        self._authors = 0
        """Researchers that there are."""
        self._noted = False
        """Some experiment has something to say in the column of notes."""
        self._opened: set[int] = set()
        self._built: tuple[object, ...] = ()
        self._stale = True

    # --- rows --------------------------------------------------------------------------------------------------

    def _build(self, seen: Seen, glyphs: Glyphs) -> None:
        """Make the rows anew, where an experiment was added or has changed."""
        study = seen.study
        order = (self.sorted, self.reversed)
        state = (study.champion, len(study.experiments), glyphs.ascii, self.needle, self.folding, order)
        if state == self._built and not self._stale:
            return
        self._stale, self._built = False, state
        found = study.experiments
        ids = [x.id for x in self._ordered(seen)]
        self.count = len(ids)
        self._authors = len({experiment.researcher for experiment in found.values() if experiment.id})
        self._noted = any(map(says, found.values()))
        plain = self.sorted or self.needle or not self.folding or self.reversed
        rows = list(ids) if plain else folded(ids, found, self._opened)
        self._folds = {row.key: row for row in rows if isinstance(row, Fold)}
        self.keys = [row.key if isinstance(row, Fold) else row for row in rows]
        nodes = (self._node(row, found, glyphs) for row in rows)
        graph = not (self.sorted or self.reversed)
        known = {row for row in rows if not isinstance(row, Fold)} if graph else set()
        self._rows, self._more = [], walk(nodes, known, glyphs, study.champion if graph else None, most=6)

    def _ordered(self, seen: Seen) -> Sequence[Experiment]:
        """The experiments that the filter takes, in the order asked for."""
        # Without `query.check`, which was asked when it was typed: of a moment in the past less may be known.
        taken = (x for x in seen.study.experiments.values() if self._query(seen, x))
        found = sorted(taken, key=lambda x: x.id, reverse=True)
        return query.in_order(seen, found, self.sorted, self.reversed)

    def _node(self, row: int | Fold, found: dict[int, Experiment], glyphs: Glyphs) -> Node:
        if isinstance(row, Fold):
            return Node(row.key, found[row.ids[0]].parent, glyphs.folded)
        graph = not (self.sorted or self.reversed)
        return Node(row, found[row].parent if graph else None, glyphs.of(found[row])[0])

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
        known, glyphs = self.cockpit.known, self.cockpit.glyphs
        seen, study = known.seen, known.study
        seen.now = self.cockpit.now()
        self._build(seen, glyphs)
        if not self.keys:
            none = "no experiment yet: the baseline comes first"
            return centred(f"no experiment fits {self.needle}; esc shows all" if self.needle else none, width, height)
        if self.at is not None and self._place(self.at) is None:
            self.at = None  # it is not on screen any more, so no key may be about it
        at = self._index()
        height = max(1, height - 1)  # under the header
        self.top = max(0, min(self.top, at, len(self.keys) - height))
        if at >= self.top + height:
            self.top = at - height + 1
        window = self._window(self.top, height)
        lanes = self._lanes = max(len(row.text) for row in window)
        if self.wanted:
            self.shown = fitting(self.wanted, width, lanes)
        else:
            self.shown = automatic(width, lanes, authors=self._authors, noted=self._noted)
        lines = [header(self.shown, study.contract.metric, lanes, width, self.sorted)]
        for index, row in enumerate(window, self.top):
            fold = self._folds.get(row.id)
            if fold is not None:
                line = fold_line(row, fold.words(study.experiments, known.figures), lanes, width)
            else:
                experiment, mark = study.experiments[row.id], row.id in known.marked
                line = row_line(row, experiment, seen, self.shown, lanes, width, glyphs, marked=mark)
            if index == at:
                line = marked(line, width, "cursor" if self.has_focus else "pale")
            lines.append(line)
        return lines

    def _index(self) -> int:
        if self.at is None:
            return 0
        return self._place(self.at) or 0

    def _place(self, at: int) -> int | None:
        """The row of an experiment, or of the fold that it is in; None where it is in none."""
        if at in self.keys:
            return self.keys.index(at)
        return next((i for i, key in enumerate(self.keys) if key in self._folds and at in self._folds[key].ids), None)

    def note(self) -> list[Span]:
        marks = len(self.cockpit.known.marked)
        spans: list[Span] = [(f"{marks} marked  ", "you")] if marks else []
        if self.sorted or self.reversed:
            by = self.sorted or "number"
            spans.append((f"by {by}{', reversed' if self.reversed else ''}  ", "warn"))
        if self.needle:
            everything = len(self.cockpit.known.study.experiments)
            return [*spans, (f"{cut(self.needle, 30)}: {self.count} of {everything}", "warn")]
        return [*spans, (f"{self._index() + 1}/{len(self.keys)}", "faint")] if self.keys else spans

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

    def ways(self) -> list[str]:
        """What `O` goes round in: by number, then by the columns on screen, then by the idea."""
        shown = [column.name for column in self.shown if column.name != "verdict"]
        return ["", *shown, *("verdict" for column in self.shown if column.name == "verdict"), "title"]

    def sort(self, by: str | None = None, reverse: bool | None = None) -> str:
        """Sort, and return how; the best or the largest comes first, and what has no such number last.

        Args:
            by: as `query.in_order` has it; None: by the next of `ways`.
            reverse: the other way round; None: the other way round where it is sorted so already.

        Raises:
            QueryError: there is no such order.
        """
        ways = self.ways()
        if by is None:
            by = ways[(ways.index(self.sorted) + 1) % len(ways)] if self.sorted in ways else ""
            reverse = False
        query.in_order(self.cockpit.known.seen, (), by)
        self.reversed = (by == self.sorted and not self.reversed) if reverse is None else reverse
        self.sorted = by
        self.at, self.top = None, 0
        self._again()
        return self.order()

    def order(self) -> str:
        """How it is sorted, in words."""
        if not self.sorted:
            return "by number, the oldest first" if self.reversed else "by number, the newest first"
        return f"by {self.sorted}{', the other way round' if self.reversed else ''}"

    def choose(self, wanted: Sequence[str]) -> None:
        """Show these columns as far as there is room; none of them: what there is room for."""
        self.wanted = tuple(name for name in COLUMNS if name in wanted)
        self._again()

    def _again(self) -> None:
        self._stale = True
        self.redraw_with_note()

    def move(self, rows: int) -> None:
        if self.keys:
            self.at = self.keys[max(0, min(len(self.keys) - 1, self._index() + rows))]
        self.redraw_with_note()

    def on_click(self, event: "events.Click") -> None:
        """Sort by the column whose header is clicked."""
        if event.y != self.boxed or not self.keys:
            super().on_click(event)
            return
        event.stop()
        inset = 2 if self.boxed else 1
        self.sort(column_at(self.shown, self._lanes, self.room()[0], event.x - inset))

    def pick(self, row: int) -> None:
        index = self.top + row - 1  # under the header
        if row > 0 and index < len(self.keys):
            self.move(index - self._index())

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.keys))
        if direction < 0:
            self.at = None  # it follows the newest again
            self.redraw_with_note()

    @property
    def pointing(self) -> bool:
        """Whether a person has put the cursor where it is: keys are about that experiment then."""
        return self.at is not None or bool(self.sorted or self.needle or self.reversed)

    def filter(self, text: str) -> str:
        """Show only what a filter takes; returns what is wrong with it, and then all stays as it was."""
        try:
            wanted = query.parse(text)
            query.check(self.cockpit.known.seen, wanted)
        except QueryError as error:
            return str(error)
        self.needle, self._query = text.strip(), wanted
        self.redraw_with_note()
        return ""

    def search(self, needle: str, direction: int = 1) -> bool:
        """Show only what a filter takes; says whether there is anything."""
        return not self.filter(needle) and bool(self.keys)

    def copied(self) -> str:
        number = self.selected()
        experiment = None if number is None else self.cockpit.known.study.experiments[number]
        return super().copied() if experiment is None or not experiment.commit else experiment.commit
