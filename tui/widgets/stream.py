"""A view of a text buffer: it follows the end until a person scrolls up, and then only counts what is new."""

from collections.abc import Callable

from rich.cells import cell_len

from tui.model.text_buffer import Paragraph, TextBuffer
from tui.render.text import Line, Span, cells, line_cells, spread
from tui.widgets.panel import Panel, centred, marked


class StreamPanel(Panel):
    """Scrolls, follows, selects and searches; how a row looks is up to the subclass's `row`."""

    def __init__(self, buffer: TextBuffer) -> None:
        super().__init__()
        self.buffer = buffer
        self.following = True
        self.top = 0
        """Number of the row at the top while not following."""
        self._seen = 0
        self.needle = ""
        self.began: int | None = None
        """Row at which a selection began, while there is one."""
        self.cursor = 0
        """Row at which it ends."""

    def row(self, paragraph: Paragraph, row: int, width: int) -> Line:
        """One row of a paragraph, laid out."""
        raise NotImplementedError

    def wraps_at(self, width: int) -> int:
        """Columns that the text is wrapped to, where the view has `width`."""
        return width

    def empty(self) -> str:
        """What to say while there is nothing."""
        return "nothing yet"

    def older(self) -> bool:
        """Fetch what was there before the first row; says whether there was anything."""
        return False

    def content(self, width: int, height: int) -> list[Line]:
        if (wide := self.wraps_at(width)) != self.buffer.width:
            self._keep_place(lambda: self.buffer.rewrap(wide))
            self.began = None
        if not len(self.buffer):
            return centred(self.empty(), width, height)
        if self.following or (self.top + height >= self.buffer.end and self.began is None):
            if not self.following or self.buffer.spare:
                self.buffer.trim()
            self.following = True
            self.top = max(self.buffer.first, self.buffer.end - height)
            self._seen = self.buffer.end
        self.top = max(self.top, self.buffer.first)
        lines = [self.row(paragraph, row, min(width, wide)) for paragraph, row in self.buffer.window(self.top, height)]
        if self.needle:
            lines = [self._found(line) for line in lines]
        if self.began is None:
            return lines
        low, high = sorted((self.began, self.cursor))
        return [
            marked(line, max(width, line_cells(line)), "cursor") if low <= number <= high else line
            for number, line in enumerate(lines, self.top)
        ]

    def _keep_place(self, change: Callable[[], None]) -> None:
        """Make a change that renumbers the rows, and stay at the same share of them."""
        share = (self.top - self.buffer.first) / max(1, len(self.buffer))
        change()
        self.top = self.buffer.first + int(share * len(self.buffer))

    def _found(self, line: Line) -> Line:
        """The line, with the text that is searched for marked."""
        spans: list[Span] = []
        for text, role in line:
            rest = text
            while (at := rest.lower().find(self.needle)) >= 0:
                spans += [(rest[:at], role), (rest[at : at + len(self.needle)], "match")]
                rest = rest[at + len(self.needle) :]
            spans.append((rest, role))
        return tuple(span for span in spans if span[0])

    def note(self) -> list[Span]:
        if self.began is not None:
            count = abs(self.cursor - self.began) + 1
            return [(f"{count} line{'s' if count > 1 else ''} selected, y copies", "warn")]
        if self.following:
            return []
        new = self.buffer.since(self._seen)
        below = self.buffer.end - self.top - self.room()[1]
        return [(f"{new} new below, f follows" if new > 0 else f"{max(0, below)} below, f follows", "warn")]

    # --- moving ------------------------------------------------------------------------------------------------

    def move(self, rows: int) -> None:
        if self.began is not None:
            self._stretch(rows)
            return
        height = self.room()[1]
        if self.following and rows < 0:
            self._seen = self.buffer.end
            self.following = False
        if rows < 0 and self.top <= self.buffer.first:
            self.older()
        self.top = max(self.buffer.first, min(self.top + rows, max(self.buffer.first, self.buffer.end - height)))
        if rows > 0 and self.top + height >= self.buffer.end:
            self.following = True
        self.redraw_with_note()

    def edge(self, direction: int) -> None:
        if direction > 0 and self.began is None:
            self.follow()
        else:
            self.move(direction * max(1, len(self.buffer)))

    def follow(self) -> None:
        """Back to the newest."""
        self.following, self.began = True, None
        self.redraw_with_note()

    def search(self, needle: str, direction: int = -1) -> bool:
        """Go to the next paragraph that has `needle`, from the top row on; says whether there is one."""
        self.needle = needle.lower()
        if not needle:
            self.redraw_with_note()
            return True
        found = [
            self.buffer.row_of(index)
            for index, paragraph in enumerate(self.buffer.paragraphs)
            if paragraph.rows and self.needle in paragraph.text.lower()
        ]
        ahead = [row for row in found if (row > self.top if direction > 0 else row < self.top)]
        if not (ahead or found):
            self.redraw_with_note()
            return False
        target = (ahead or found)[0 if direction > 0 else -1]
        self.move(target - self.top)
        return True

    # --- selecting and copying ---------------------------------------------------------------------------------

    def select(self) -> bool:
        """Begin a selection at the last row on screen, or end it; says whether one has begun."""
        if self.began is not None or not len(self.buffer):
            self.let_go()
            return False
        self.following = False
        self._seen = self.buffer.end
        self.began = self.cursor = min(self.buffer.end, self.top + self.room()[1]) - 1
        self.redraw_with_note()
        return True

    def let_go(self) -> None:
        """End the selection."""
        self.began = None
        self.redraw_with_note()

    def _stretch(self, rows: int) -> None:
        """Move the end of the selection, and the view with it."""
        height = self.room()[1]
        self.cursor = max(self.buffer.first, min(self.cursor + rows, self.buffer.end - 1))
        self.top = min(self.cursor, max(self.top, self.cursor - height + 1))
        self.redraw_with_note()

    def copied(self) -> str:
        if self.began is not None:
            low, high = sorted((self.began, self.cursor))
            return self._text(low, high - low + 1)
        return self._text(self.top, self.room()[1])

    def everything(self) -> str:
        """All the text in the buffer, unwrapped."""
        return self._text(self.buffer.first, len(self.buffer))

    def _text(self, start: int, count: int) -> str:
        """The text of some rows; rows of one paragraph are joined again, so that a long line is pasted as one."""
        lines: list[str] = []
        last: Paragraph | None = None
        for paragraph, row in self.buffer.window(start, count):
            a, b = paragraph.rows[row]
            if paragraph is last and lines:
                between = paragraph.text[paragraph.rows[row - 1][1] : a]
                lines[-1] += between + paragraph.text[a:b]
            else:
                lines.append(paragraph.lead.replace("\0", "").rstrip(" ") + " " * bool(paragraph.lead.strip("\0 ")))
                lines[-1] += paragraph.text[a:b]
            last = paragraph
        return "\n".join(line.rstrip() for line in lines)


def stretched(left: list[Span], right: str, width: int, role: str) -> Line:
    """A row with something at its right end, where there is room."""
    size = sum(cells(text) for text, _ in left)
    if right and size + cell_len(right) + 2 <= width:
        return spread(left, [(right, role)], width)
    return tuple(left)
