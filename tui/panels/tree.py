"""tree: every experiment in the graph of what was built on what, newest first."""

from collections.abc import Iterator
from itertools import islice

from loop.study import Experiment, Study
from tui.glyphs import Glyphs
from tui.graph import Node, Row, walk
from tui.panels.panel import Panel, centred, marked
from tui.text import Line, Span, cells, cut, one_line, pad, sigmas


def tree_line(row: Row, experiment: Experiment, champion: int | None, lanes: int, width: int, glyphs: Glyphs) -> Line:
    """One experiment in `width` cells: graph, number, word, effect in noise units, lines, title.

    Args:
        lanes: cells that the graph takes in the widest visible row.
    """
    sign, word, role = glyphs.of(experiment)
    if experiment.id == champion:
        sign, word, role = glyphs.champion, "champion", "champion"
    elif experiment.id == 0:
        word = "baseline"
    effect = sigmas(experiment.effect, experiment.noise) if experiment.effect is not None else ""
    if experiment.id == 0 and experiment.noise:
        effect = ""
    spans: list[Span] = [
        (row.before, "axis"),
        (sign, role),
        (row.after + " " * max(0, lanes - cells(row.text)) + " ", "axis"),
        (f"{experiment.id:>3} ", "text" if role != "discarded" else "dim"),
        (pad(word, 10), role),
        (pad(effect, 7, right=True) + " ", "kept" if (experiment.effect or 0) > 0 and role != "discarded" else "dim"),
    ]
    left = width - sum(cells(text) for text, _ in spans)
    if left > 26:
        spans += _changes(experiment, glyphs)
        left = width - sum(cells(text) for text, _ in spans)
    title = "strong" if role in ("champion", "running", "waiting") else "dim" if role == "discarded" else "text"
    spans.append((cut(one_line(experiment.title), left), title))
    return tuple(span for span in spans if span[0])


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


class TreePanel(Panel):
    """The graph, with a cursor. The newest experiment is at the top."""

    view = "tree"
    number = 2

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[int] = []
        """Experiments shown, newest first."""
        self._rows: list[Row] = []
        self._more: Iterator[Row] = iter(())
        """Rows of the graph made so far, and the rest of them: of ten thousand, only those above the fold are made."""
        self.at: int | None = None
        """Experiment under the cursor; None follows the newest."""
        self.top = 0
        self.needle = ""
        self._built: tuple[object, ...] = ()

    def _build(self, study: Study, glyphs: Glyphs) -> None:
        """Rows of the graph anew, where an experiment came or changed."""
        state = (study.seq if self._stale else None, study.champion, len(study.experiments), glyphs.ascii, self.needle)
        if state == self._built:
            return
        self._stale = False
        self._built = (None, *state[1:])
        found = study.experiments
        self.ids = sorted(found, reverse=True)
        if self.needle:
            self.ids = [key for key in self.ids if self.needle in _words(found[key])]
        nodes = (Node(key, found[key].parent, glyphs.of(found[key])[0]) for key in self.ids)
        self._rows, self._more = [], walk(nodes, set(self.ids), glyphs, study.champion)

    def _window(self, start: int, count: int) -> list[Row]:
        """Some rows of the graph."""
        self._rows += islice(self._more, max(0, start + count - len(self._rows)))
        return self._rows[start : start + count]

    _stale = True

    def changed(self) -> None:
        """Experiments changed."""
        self._stale = True

    def content(self, width: int, height: int) -> list[Line]:
        study, glyphs = self.cockpit.known.study, self.cockpit.glyphs
        self._build(study, glyphs)
        if not self.ids:
            empty = (
                f"nothing has “{self.needle}”; esc shows all"
                if self.needle
                else "no experiment yet: the baseline comes first"
            )
            return centred(empty, width, height)
        at = self._index()
        self.top = max(0, min(self.top, at, len(self.ids) - height))
        if at >= self.top + height:
            self.top = at - height + 1
        window = self._window(self.top, height)
        lanes = max(len(row.text) for row in window)
        lines = []
        for index, row in enumerate(window, self.top):
            line = tree_line(row, study.experiments[row.id], study.champion, lanes, width, glyphs)
            if index == at:
                line = marked(line, width, "cursor" if self.has_focus else "pale")
            lines.append(line)
        return lines

    def _index(self) -> int:
        if self.at is None:
            return 0
        return self.ids.index(self.at) if self.at in self.ids else 0

    def note(self) -> list[Span]:
        if self.needle:
            return [(f"“{cut(self.needle, 20)}” {len(self.ids)}", "warn")]
        return [(f"{self._index() + 1}/{len(self.ids)}", "faint")] if self.ids else []

    def selected(self) -> int | None:
        """The experiment under the cursor."""
        return self.ids[self._index()] if self.ids else None

    def move(self, rows: int) -> None:
        if self.ids:
            index = max(0, min(len(self.ids) - 1, self._index() + rows))
            self.at = None if index == 0 else self.ids[index]
        self.cockpit.redraw_panel(self)

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.ids))

    def search(self, needle: str, direction: int = 1) -> bool:
        """Show only experiments that have `needle` in number, title, state or researcher."""
        self.needle = needle.lower()
        self.cockpit.redraw_panel(self)
        return bool(self.ids) or not needle
