"""log: the output of the current run, as it comes."""

import re
from pathlib import Path

from tui.model.text_buffer import Paragraph, TextBuffer
from tui.render.text import Line, Span, clean, cut
from tui.widgets.stream import StreamPanel

_LONGEST = 2000
"""Characters of one line of output that are laid out; a longer one ends with a count of what is missing."""

_BITE = 128_000
"""Bytes read at once: a run that floods its log is followed at half a megabyte a second."""


class LogPanel(StreamPanel):
    """The log of the current run, or of the last one."""

    view = "log"

    def __init__(self, runs: Path) -> None:
        super().__init__(TextBuffer(400_000))
        self.runs = runs
        self.showing: tuple[int, int] | None = None
        self._offset = 0
        self._open = False
        self._until: tuple[int, int, int | None] | None = None
        """The run and the step up to which its log is shown, where that is not all of it."""

    def read_until(self, experiment: int, run: int, step: int | None) -> bool:
        """Show the log of a run as it was when it had come to a step: what it printed later is not shown.

        Where no line of the log names the step, nothing is shown. Says whether anything has changed.
        """
        from loop.runs.log import read_log_tail

        if (experiment, run, step) == self._until:
            return False
        self.showing, self._until = (experiment, run), (experiment, run, step)
        self.buffer.clear()
        self.following, self._open = True, False
        for line in up_to(clean(read_log_tail(self.runs / f"{experiment}.{run}").text), step):
            self._line(line)
        return True

    def read(self, experiment: int, run: int) -> bool:
        """Read what is new in the log of this run; says whether there was anything."""
        from loop.runs.log import read_log, read_log_tail  # not needed for the first paint

        folder = self.runs / f"{experiment}.{run}"
        if (experiment, run) != self.showing or self._until is not None:
            self.showing, self._until = (experiment, run), None
            self.buffer.clear()
            self.following, self._open = True, False
            piece = read_log_tail(folder)
        else:
            piece = read_log(folder, self._offset, _BITE)
            if piece.start > self._offset:
                self._line(f"[{piece.start - self._offset} bytes left out]")
        self._offset = piece.end
        if not piece.text:
            return False
        lines = clean(piece.text).split("\n")
        for index, line in enumerate(lines):
            if index == 0 and self._open and self.buffer.paragraphs:
                self.buffer.extend(_shortened(line))
            elif line or index < len(lines) - 1:
                self._line(line)
            self._open = index == len(lines) - 1 and bool(line)
        return True

    def _line(self, text: str) -> None:
        self.buffer.add(Paragraph("log", _shortened(text)))

    def wraps_at(self, width: int) -> int:
        """In a box beside others a line of output stays one line, whose end is cut off; alone on screen all is read."""
        return 4 * _LONGEST if self.boxed else width

    def row(self, paragraph: Paragraph, row: int, width: int) -> Line:
        start, end = paragraph.rows[row]
        return ((cut(paragraph.text[start:end], width), "text"),)

    def empty(self) -> str:
        if self.showing is None:
            return "no run yet: its output appears here"
        return f"run {self.showing[0]}.{self.showing[1]} has printed nothing yet"

    def note(self) -> list[Span]:
        name = [] if self.showing is None else [(f"run {self.showing[0]}.{self.showing[1]}", "dim")]
        more = super().note()
        return [*more, ("  ", "text"), *name] if more else list(name)


def up_to(log: str, step: int | None) -> list[str]:
    """The lines of a log down to the last one that names a step; none where no line does."""
    lines = log.split("\n")
    named = re.compile(rf"step\D{{0,3}}0*{step}\b", re.IGNORECASE)
    last = next((at for at, line in reversed(list(enumerate(lines))) if named.search(line)), -1)
    return lines[: last + 1]


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST:
        return line
    return f"{line[:_LONGEST]} [{len(line) - _LONGEST} more characters]"
