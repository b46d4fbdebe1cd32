"""A page over the whole terminal, scrolled with the usual keys: help, program and experiment are such pages."""

from collections.abc import Iterable

from textual import events
from textual.screen import Screen
from textual.widget import Widget

from tui.render.text import Line, Span, fit, spread
from tui.widgets.bars import said
from tui.widgets.panel import Panel
from tui.widgets.status_line import state_word


class Sheet(Panel):
    """Lines to scroll through; `write` gives them for a width."""

    view = "sheet"

    def __init__(self) -> None:
        super().__init__()
        self.top = 0
        self.needle = ""
        self._total = 0
        self._written: tuple[tuple[object, ...], list[Line]] = ((), [])

    def state(self) -> tuple[object, ...]:
        """What the lines depend on besides the width: they are written anew only when that changes."""
        return ()

    def wanted(self) -> set[tuple[int, int]]:
        """Runs whose samples it draws, by experiment and run."""
        return set()

    def write(self, width: int) -> list[Line]:
        """All lines, for this width."""
        raise NotImplementedError

    def heading(self) -> list[Span]:
        """What stands in the first line."""
        return []

    def hints(self) -> list[Span]:
        """What stands in the last line."""
        return [(" j k", "key"), (" move ", "dim"), (" esc", "key"), (" back", "dim")]

    def lines(self, width: int, height: int) -> list[Line]:
        inner, room = width - 2, height - 3
        if inner < 10 or room < 1:
            return [fit(self.heading(), width)]
        everything = self._all(inner)
        self._total = len(everything)
        self.top = max(0, min(self.top, len(everything) - room))
        rule = (self.cockpit.glyphs.rule * width, "border")
        shown = [((" ", "text"), *line) if line else () for line in everything[self.top : self.top + room]]
        shown += [()] * (room - len(shown))
        place = (
            [] if len(everything) <= room else [(f"{min(100, 100 * (self.top + room) // len(everything))}% ", "faint")]
        )
        message = self.cockpit.message
        last = [spread(self.hints(), place, width)] if message is None else said(message, width, min(4, room))
        return [spread(self.heading(), self._state(), width), (rule,), *shown[: room + 1 - len(last)], *last]

    def _state(self) -> list[Span]:
        """What the loop is doing and what waits, which the status line under the sheet would say."""
        cockpit = self.cockpit
        sign, word, role = state_word(cockpit.known, cockpit.life, cockpit.glyphs)
        waiting = len(cockpit.known.waiting())
        waits: list[Span] = [(f"{cockpit.glyphs.flag} {waiting} (a)  ", "waiting")] if waiting else []
        return [*waits, (f"{sign} {word} ", role)]

    def _all(self, width: int) -> list[Line]:
        state = (width, self.cockpit.glyphs.ascii, *self.state())
        if self._written[0] != state:
            self._written = state, [fit(line, width) for line in self.write(width)]
        return self._written[1]

    def on_click(self, event: events.Click) -> None:
        event.stop()  # there is nothing to go to

    def move(self, rows: int) -> None:
        self.top = max(0, self.top + rows)
        self.redraw()

    def open(self) -> bool:
        """Open what the cursor of this page is on; False where a page has none."""
        return False

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.size.height - 4))

    def edge(self, direction: int) -> None:
        self.move(direction * self._total)

    def search(self, needle: str, direction: int = 1) -> bool:
        """Go to the next line that has `needle`."""
        self.needle = needle.lower()
        texts = ["".join(text for text, _ in line).lower() for line in self._all(max(10, self.size.width - 2))]
        order = [*range(self.top + 1, len(texts)), *range(self.top + 1)]
        if direction < 0:
            order = [*range(self.top - 1, -1, -1), *range(len(texts) - 1, self.top - 1, -1)]
        found = next((index for index in order if self.needle in texts[index]), None)
        if found is not None:
            self.move(found - self.top)
        return found is not None

    def copied(self) -> str:
        lines = self._all(max(10, self.size.width - 2))
        return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


class SheetScreen(Screen[None], inherit_bindings=False):
    """Shows one sheet."""

    CSS = "SheetScreen > Sheet { width: 100%; height: 100%; }"

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self.sheet = sheet

    def compose(self) -> Iterable[Widget]:
        yield self.sheet

    def on_mount(self) -> None:
        self.sheet.focus()
