"""A view of a ring of paragraphs that follows its end until the person scrolls up, and then only counts what is new."""

from rich.cells import cell_len

from tui.panels.panel import Panel
from tui.ring import Paragraph, Ring
from tui.text import Line, Span, cells, spread


class StreamPanel(Panel):
    """Scrolling, following and searching; what a row looks like is the subclass's `row`."""

    def __init__(self, ring: Ring) -> None:
        super().__init__()
        self.ring = ring
        self.following = True
        self.top = 0
        """Number of the row at the top while not following."""
        self._seen = 0
        self.needle = ""

    def row(self, paragraph: Paragraph, row: int, width: int) -> Line:
        """One row of a paragraph, laid out."""
        raise NotImplementedError

    def empty(self) -> str:
        """What to say while there is nothing."""
        return "nothing yet"

    def content(self, width: int, height: int) -> list[Line]:
        from tui.panels.panel import centred

        if width != self.ring.width:
            share = (self.top - self.ring.first) / max(1, len(self.ring))
            self.ring.rewrap(width)
            self.top = self.ring.first + int(share * len(self.ring))
        if not len(self.ring):
            return centred(self.empty(), width, height)
        if self.following or self.top + height >= self.ring.end:
            self.following = True
            self.top = max(self.ring.first, self.ring.end - height)
            self._seen = self.ring.end
        self.top = max(self.top, self.ring.first)
        lines = [self.row(paragraph, row, width) for paragraph, row in self.ring.window(self.top, height)]
        return [self._found(line) for line in lines] if self.needle else lines

    def _found(self, line: Line) -> Line:
        """The line with the text that is searched for marked."""
        spans: list[Span] = []
        for text, role in line:
            rest = text
            while (at := rest.lower().find(self.needle)) >= 0:
                spans += [(rest[:at], role), (rest[at : at + len(self.needle)], "match")]
                rest = rest[at + len(self.needle) :]
            spans.append((rest, role))
        return tuple(span for span in spans if span[0])

    def note(self) -> list[Span]:
        if self.following:
            return []
        new = self.ring.end - self._seen
        below = self.ring.end - self.top - self.room()[1]
        return [(f"{new} new below, f follows" if new > 0 else f"{max(0, below)} below, f follows", "warn")]

    def move(self, rows: int) -> None:
        height = self.room()[1]
        if self.following and rows < 0:
            self._seen = self.ring.end
            self.following = False
        self.top = max(self.ring.first, min(self.top + rows, max(self.ring.first, self.ring.end - height)))
        if rows > 0 and self.top + height >= self.ring.end:
            self.following = True
        self.cockpit.redraw_panel(self)

    def edge(self, direction: int) -> None:
        if direction > 0:
            self.follow()
        else:
            self.move(-len(self.ring))

    def follow(self) -> None:
        """Back to the newest."""
        self.following = True
        self.cockpit.redraw_panel(self)

    def search(self, needle: str, direction: int = -1) -> bool:
        """Go to the next paragraph that has `needle`, from the top row on; says whether there is one."""
        self.needle = needle.lower()
        if not needle:
            self.cockpit.redraw_panel(self)
            return True
        found = [
            self.ring.row_of(index)
            for index, paragraph in enumerate(self.ring.paragraphs)
            if self.needle in paragraph.text.lower()
        ]
        ahead = [row for row in found if (row > self.top if direction > 0 else row < self.top)]
        if not (ahead or found):
            self.cockpit.redraw_panel(self)
            return False
        target = (ahead or found)[0 if direction > 0 else -1]
        self.move(target - self.top)
        return True


def stretched(left: list[Span], right: str, width: int, role: str) -> Line:
    """A row with something at its right end, where there is room."""
    size = sum(cells(text) for text, _ in left)
    if right and size + cell_len(right) + 2 <= width:
        return spread(left, [(right, role)], width)
    return tuple(left)
