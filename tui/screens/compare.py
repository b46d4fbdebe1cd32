"""Two or more experiments side by side: numbers, runs by seed, curves in one chart, and how their files differ."""

from collections.abc import Sequence

from loop.reporting import compare
from loop.sanitize import one_line
from loop.study.experiment import Experiment
from tui.model.diffs import diff_between
from tui.render.side_by_side import side_by_side
from tui.render.text import Line, Span, cells, cut, pad
from tui.screens.experiment import rule
from tui.screens.sheet import Sheet
from tui.widgets.curves import RunOf, comparison

MOST = 5
"""Experiments in one comparison: so many curves can be told apart."""


class CompareSheet(Sheet):
    """Experiments against the first of them. Diffs are read from git once."""

    view = "compare"

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.numbers = list(numbers)[:MOST]
        self._diffs: dict[int, str] = {}

    @property
    def found(self) -> list[Experiment]:
        there = self.cockpit.known.study.experiments  # of a moment in the past, not all of them
        return [there[number] for number in self.numbers if number in there]

    def heading(self) -> list[Span]:
        return [(" compare ", "accent"), (" ".join(map(str, self.numbers)), "strong"), ("  each with the first", "dim")]

    def hints(self) -> list[Span]:
        keys = {key.id: key.show for key in self.cockpit.keys}
        pairs = [("j k", "move"), (keys["search"], "search"), (keys["copy"], "copy"), (keys["back"], "back")]
        return [span for key, what in pairs for span in ((f" {key}", "key"), (f" {what} ", "dim"))]

    def state(self) -> tuple[object, ...]:
        known = self.cockpit.known
        return known.version, sum(len(known.samples.get(key, ())) for key in self.wanted())

    def write(self, width: int) -> list[Line]:
        known, glyphs, found = self.cockpit.known, self.cockpit.glyphs, self.found
        if len(found) < 2:
            return [
                (("of these there is only one at this moment" if found else "none of these is there yet", "faint"),)
            ]
        rows = [("", [f"#{x.id} {one_line(x.title)}" for x in found]), *compare.numbers(known.seen, found)]
        lines = table_lines(rows, width)
        if curve := self._curves(width):
            lines += [(), rule("curves", width, glyphs), *curve]
        for x in found[1:]:
            title = f"files of {x.id} (right) against those of {found[0].id} (left)"
            text = self._diff(found[0], x)
            lines += [(), rule(title, width, glyphs)]
            sides = side_by_side(text, width, glyphs.trunk)
            lines += sides or [((text.strip().removeprefix("# ") or "they are the same", "dim"),)]
        return lines

    def _run(self, number: int) -> RunOf | None:
        known = self.cockpit.known
        return known.reference(number) or known.newest_run(number)

    def wanted(self) -> set[tuple[int, int]]:
        return {(one[0].id, one[1].number) for number in self.numbers if (one := self._run(number)) is not None}

    def _curves(self, width: int) -> list[Line]:
        runs = [run for number in self.numbers if (run := self._run(number)) is not None]
        if not runs:
            return []
        room = min(width, 110)
        return comparison(self.cockpit.known, runs[0], None, room, 15, self.cockpit.glyphs, others=runs[1:], named=True)

    def _diff(self, first: Experiment, other: Experiment) -> str:
        """How their files differ, from git; a sentence after a `#` where git cannot tell."""
        if other.id not in self._diffs:
            if not first.commit or not other.commit:
                return f"# experiment {other.id if first.commit else first.id} is no commit yet"
            between = first.commit, other.commit
            self._diffs[other.id] = diff_between(self.cockpit.root, self.cockpit.known.study.tag, between)
        return self._diffs[other.id]


def table_lines(rows: Sequence[tuple[str, Sequence[str]]], width: int) -> list[Line]:
    """A table of a label and equal columns, the first row as its heading."""
    label = min(24, max(cells(name) for name, _ in rows)) + 2
    column = max(12, min(44, (width - label) // len(rows[0][1])))
    lines: list[Line] = []
    for index, (name, row) in enumerate(rows):
        role = "title" if not index else "text"
        better = [_role(cell, role) for cell in row]
        spans: list[Span] = [(pad(name, label), "dim")]
        spans += [(pad(cut(cell, column - 2), column), how) for cell, how in zip(row, better, strict=True)]
        lines.append(tuple(spans))
    return lines


def _role(cell: str, role: str) -> str:
    return "kept" if cell.startswith("better by") else "dim" if cell.startswith("worse by") else role
