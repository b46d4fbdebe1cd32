"""runs: a row a slot: the run in it, how far that is, where it stands, the GPU's readings; or why it is idle."""

from loop.words import duration
from tui.model.slot_rows import SlotRow, slot_rows
from tui.render.text import Line, Span, cut
from tui.widgets.panel import Panel, centred, marked
from tui.widgets.run_rows import header, row_line


class RunsPanel(Panel):
    """The slots, with a cursor that keys are about once a person has moved it."""

    view = "runs"

    def __init__(self) -> None:
        super().__init__()
        self.at: int | None = None
        """Row under the cursor; None while nobody has put it anywhere."""
        self.top = 0
        self.rows: list[SlotRow] = []

    def content(self, width: int, height: int) -> list[Line]:
        state, glyphs, now = self.cockpit.known, self.cockpit.glyphs, self.cockpit.now()
        if self.cockpit.life.alive:
            self.rows = slot_rows(state, now)
        else:
            self.rows = []
        if not self.rows:
            return self._nothing(width, height)
        if self.at is not None:
            self.at = min(self.at, len(self.rows) - 1)
        lines = [header(self.rows, width, glyphs)] if height > 1 else []
        room = height - len(lines)
        self.top = max(0, min(self.top, len(self.rows) - room))
        if self.at is not None:
            self.top = min(self.at, max(self.top, self.at - room + 1))
        for index, row in enumerate(self.rows[self.top : self.top + room], self.top):
            line = row_line(row, self.rows, width, glyphs)
            if index == self.at:
                line = marked(line, width, "cursor" if self.has_focus else "pale")
            lines.append(line)
        return lines

    def _nothing(self, width: int, height: int) -> list[Line]:
        study, life = self.cockpit.known.study, self.cockpit.life
        if life.alive:
            return centred("the supervisor is about to begin", width, height)
        cut_off = [f"{x.id}.{run.number}" for x, run in study.running()]
        if cut_off:
            ago = duration(max(0.0, self.cockpit.now() - self.cockpit.known.heartbeat))
            return centred(f"run {', '.join(cut_off[:4])} was cut off {ago} ago; `looptop` goes on", width, height)
        return centred(f"nothing runs: {life.word}", width, height)

    def chosen(self) -> int | None:
        """The experiment that is under the cursor, or alone; None for an idle slot."""
        if self.at is not None and self.at < len(self.rows):
            return self.rows[self.at].experiment
        return None

    def needs(self) -> int:
        """Lines that all the rows take."""
        return len(slot_rows(self.cockpit.known, 0.0)) + 1 if self.cockpit.life.alive else 2

    def note(self) -> list[Span]:
        state = self.cockpit.known
        if not self.cockpit.life.alive:
            return []
        spans: list[Span] = []
        if (hidden := len(self.rows) - max(1, self.room()[1] - 1)) > 0 and self.rows:
            return [(f"{hidden} more, j and k", "warn")]
        gauge = state.gauge
        used = [gpu.utilisation for gpu in gauge.gpus if gpu.utilisation is not None] if gauge is not None else []
        if len(used) > 1:
            spans.append((f"{len(used)} GPUs {sum(used) / len(used):.0f}%", "dim"))
        elif len(self.rows) == 1 and self.rows[0].experiment is not None:
            spans.append((cut(f"{self.rows[0].slot}", 30), "dim"))
        return spans

    def move(self, rows: int) -> None:
        if self.rows:
            self.at = max(0, min(len(self.rows) - 1, (-1 if self.at is None and rows > 0 else self.at or 0) + rows))
        self.redraw_with_note()

    def edge(self, direction: int) -> None:
        self.move(direction * max(1, len(self.rows)))

    def let_go(self) -> None:
        """Take the cursor away."""
        self.at = None
        self.redraw_with_note()

    def pick(self, row: int) -> None:
        index = self.top + row - 1  # under the header
        if row > 0 and index < len(self.rows):
            self.at = index
            self.redraw_with_note()
