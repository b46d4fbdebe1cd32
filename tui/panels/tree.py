"""tree: every experiment in the graph of what was built on what, newest first."""

from collections.abc import Sequence

from loop.study import Experiment, Study
from tui.glyphs import Glyphs
from tui.graph import Node, Row, graph
from tui.panels.panel import Panel, centred, marked
from tui.text import Line, Span, cells, cut, pad, sigmas


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
    spans.append((cut(experiment.title.replace("\n", " "), left), title))
    return tuple(span for span in spans if span[0])


def _changes(experiment: Experiment, glyphs: Glyphs) -> list[Span]:
    """Lines added and removed, in 9 cells."""
    if not experiment.lines_added and not experiment.lines_removed:
        return [(" " * 9, "text")]
    added, removed = f"+{min(experiment.lines_added, 999)}", f"{glyphs.minus}{min(experiment.lines_removed, 999)}"
    return [(pad(added, 4, right=True), "added"), (" " + pad(removed, 4), "removed")]


class TreePanel(Panel):
    """The graph, with a cursor. The newest experiment is at the top."""

    view = "tree"
    number = 2

    def __init__(self, **options: str) -> None:
        super().__init__(**options)
        self.rows: list[Row] = []
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
        chosen: Sequence[Experiment] = [study.experiments[key] for key in sorted(study.experiments, reverse=True)]
        if self.needle:
            chosen = [x for x in chosen if self.needle in f"{x.id} {x.title} {x.verdict or x.phase} {x.researcher}".lower()]
        nodes = [Node(x.id, x.parent, glyphs.of(x)[0]) for x in chosen]
        self.rows = graph(nodes, glyphs, study.champion)

    _stale = True

    def changed(self) -> None:
        """Experiments changed."""
        self._stale = True

    def content(self, width: int, height: int) -> list[Line]:
        study, glyphs = self.cockpit.watch.study, self.cockpit.glyphs
        self._build(study, glyphs)
        if not self.rows:
            empty = f"nothing has “{self.needle}”; esc shows all" if self.needle else "no experiment yet: the baseline comes first"
            return centred(empty, width, height)
        at = self._index()
        self.top = max(0, min(self.top, at, len(self.rows) - height))
        if at >= self.top + height:
            self.top = at - height + 1
        window = self.rows[self.top : self.top + height]
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
        return next((i for i, row in enumerate(self.rows) if row.id == self.at), 0)

    def note(self) -> list[Span]:
        if self.needle:
            return [(f"“{cut(self.needle, 20)}” {len(self.rows)}", "warn")]
        return [(f"{self._index() + 1}/{len(self.rows)}", "faint")] if self.rows else []

    def selected(self) -> int | None:
        """The experiment under the cursor."""
        return self.rows[self._index()].id if self.rows else None

    def move(self, rows: int) -> None:
        if self.rows:
            index = max(0, min(len(self.rows) - 1, self._index() + rows))
            self.at = None if index == 0 else self.rows[index].id
        self.cockpit.redraw_panel(self)

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.rows))

    def search(self, needle: str, direction: int = 1) -> bool:
        """Show only experiments that have `needle` in number, title, state or researcher."""
        self.needle = needle.lower()
        self.cockpit.redraw_panel(self)
        return bool(self.rows) or not needle
