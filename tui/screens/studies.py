"""studies: every study of this machine, with its state, its best and what waits; enter goes to it."""

import asyncio
from pathlib import Path

from loop.machine import studies
from loop.reporting.overview import Overview, overview
from tui.render.study_rows import study_lines
from tui.render.text import Line, Span, one_line
from tui.screens.sheet import Sheet
from tui.widgets.panel import marked

_HEAD = 1


class StudiesSheet(Sheet):
    """The list, read beside the screen, one study after another."""

    view = "studies"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Overview] = []
        self.at = 0
        self._read = False

    def on_mount(self) -> None:
        self._reading = asyncio.create_task(self._look())

    async def _look(self) -> None:
        for one in await asyncio.to_thread(studies.known):
            self.rows.append(await asyncio.to_thread(overview, one.root))
            self.redraw()
        self._read = True
        self.redraw()

    def state(self) -> tuple[object, ...]:
        return len(self.rows), self._read, self.at, int(self.cockpit.now() // 10)

    def heading(self) -> list[Span]:
        return [(" studies", "strong"), ("   of this machine, by when they were seen last", "dim")]

    def hints(self) -> list[Span]:
        keys = {key.id: key.show for key in self.cockpit.keys}
        pairs = ((keys["open"], "go there"), ("j k", "choose"), (keys["back"], "back"))
        return [span for key, what in pairs for span in ((f" {key}", "key"), (f" {what} ", "dim"))]

    def write(self, width: int) -> list[Line]:
        if not self.rows:
            return [(("no study was seen here yet" if self._read else "looking", "faint"),)]
        # Ages are against the clock of now, whatever moment a replay shows.
        lines = study_lines(
            self.rows,
            max(self.cockpit.now(), *(row.at or 0.0 for row in self.rows)),
            width,
            self.cockpit.glyphs,
            Path.home(),
        )
        here = self.cockpit.root.resolve()
        lines = [
            (*line, ("  here", "faint")) if index and self.rows[index - 1].root == here else line
            for index, line in enumerate(lines)
        ]
        lines[self.at + _HEAD] = marked(lines[self.at + _HEAD], width, "cursor")
        chosen = self.rows[self.at]
        if said := one_line(chosen.refused or chosen.trouble):
            lines += [(), ((said, "warn"),)]
        return lines

    def move(self, rows: int) -> None:
        self.at = max(0, min(self.at + rows, len(self.rows) - 1))
        height = max(1, self.size.height - 4)
        self.top = max(0, min(self.top, self.at), self.at + _HEAD - height + 1)
        self.redraw()

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.rows))

    def open(self) -> bool:
        """Go to the study under the cursor."""
        if self.rows:
            self.cockpit.go_to(self.rows[self.at].root)
        return True
