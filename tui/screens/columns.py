"""The columns of the table of experiments, to choose from and to sort by; each change shows at once."""

from collections.abc import Iterable

from textual.events import Key, Resize
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.render.experiment_rows import COLUMNS
from tui.render.text import Line, Span, cut, line_cells
from tui.widgets.experiments import ExperimentsPanel
from tui.widgets.panel import LineWidget, marked

_KEYS = "space shows or hides  o sorts by it  a automatic  esc done"


class ColumnList(LineWidget, can_focus=True):
    """The box with a row for each column."""

    ground = "raised"

    def __init__(self, table: ExperimentsPanel) -> None:
        super().__init__()
        self.table, self.at = table, 0

    def names(self) -> list[str]:
        """The columns in the order of the screen."""
        return list(COLUMNS)

    def lines(self, width: int, height: int) -> list[Line]:
        glyphs, inner = self.cockpit.glyphs, width - 4
        corners = glyphs.box
        shown = [column.name for column in self.table.shown]
        wanted = self.table.wanted or shown
        room = max(1, height - 4)
        first = max(0, min(self.at - room + 1, len(COLUMNS) - room))
        rows: list[Line] = []
        for index, (name, column) in list(enumerate(COLUMNS.items()))[first : first + room]:
            sign = "x" if name in wanted else " "
            gone = " (no room)" if name in wanted and name not in shown else ""
            order = (" ^" if self.table.reversed else " v") if self.table.sorted == name else ""
            title = f"{column.title or name}{order}"
            line: Line = (
                (f"[{sign}] ", "key"),
                (f"{title:<12}", "strong" if name in shown else "dim"),
                (cut(column.help + gone, max(0, inner - 17)), "dim"),
            )
            rows.append(marked(line, inner, "cursor") if index == self.at else line)
        rows += [(), ((cut(_KEYS, inner), "faint"),)]
        chosen = "chosen" if self.table.wanted else "automatic: as many as there is room for"
        head = f" columns: {chosen} "
        head = cut(head, width - 4)
        lines: list[Line] = [
            ((corners[0] + corners[4] + head + corners[4] * (width - 3 - len(head)) + corners[1], "focus"),)
        ]
        for row in rows[: height - 2]:
            rest: Span = (" " * max(0, inner - line_cells(row)), "text")
            lines.append(((corners[5] + " ", "focus"), *row, rest, (" " + corners[5], "focus")))
        return [*lines, ((corners[2] + corners[4] * (width - 2) + corners[3], "focus"),)]


class ColumnChoice(ModalScreen[None], inherit_bindings=False):
    """Chooses the columns of `table`."""

    CSS = "ColumnChoice { align: center bottom; background: $background 0%; }"

    def __init__(self, table: ExperimentsPanel) -> None:
        super().__init__()
        self.list = ColumnList(table)

    def compose(self) -> Iterable[Widget]:
        yield self.list

    def on_mount(self) -> None:
        self._fit()
        palette = self.list.cockpit.palette
        self.list.styles.background = palette.raised or "ansi_default"
        self.styles.background = "transparent"
        self.list.focus()

    def on_resize(self, event: Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        self.list.styles.width = min(88, self.app.size.width - 2)
        self.list.styles.height = min(len(COLUMNS) + 4, self.app.size.height - 1)

    def on_key(self, event: Key) -> None:
        event.stop()
        event.prevent_default()
        names, table = self.list.names(), self.list.table
        name = names[self.list.at]
        match event.key:
            case "j" | "down":
                self.list.at = min(len(names) - 1, self.list.at + 1)
            case "k" | "up":
                self.list.at = max(0, self.list.at - 1)
            case "space" | "enter":
                now = set(table.wanted or (column.name for column in table.shown))
                table.choose(tuple(now ^ {name}))
            case "a":
                table.choose(())
            case "o" | "O":
                table.sort(name)
            case "escape" | "q" | "C" | "ctrl+c":
                self.dismiss()
                return
        self.list.redraw()
