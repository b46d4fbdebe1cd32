"""What all panels share: a frame, lines of text, and redrawing only the lines that changed.

A panel gives the lines of its content for a size; this compares them with those on screen and refreshes what
differs. That keeps the cockpit at a few bytes a second: Textual repaints what it is told to, and is told as little as
possible.
"""

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.model.keys import of_views
from tui.render.palette import Ground
from tui.render.text import Line, Span, cells, fit, line_cells, one_line, pad
from tui.widgets.context import Context, context_of

if TYPE_CHECKING:
    from textual import events


class LineWidget(Widget):
    """A widget made of the lines that `lines` gives."""

    ground: ClassVar[Ground] = "background"

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._width = -1

    @property
    def cockpit(self) -> Context:
        return context_of(self)

    def lines(self, width: int, height: int) -> list[Line]:
        """At most `height` lines of at most `width` cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Bring the screen up to date, line by line."""
        width, height = self.size
        if not width or not height or not self.is_attached:
            return
        fresh = [self._safe(line) for line in self.lines(width, height)]
        del fresh[height:]
        fresh += [()] * (height - len(fresh))
        old, self._lines = self._lines, fresh
        if width != self._width or len(old) != len(fresh):
            self._width = width
            self.refresh()
            return
        changed = [
            Region(start := _shared(before, after), y, max(1, _reach(before, after, width) - start), 1)
            for y, (before, after) in enumerate(zip(old, fresh, strict=True))
            if before != after
        ]
        if changed:
            self.refresh(*changed)

    def _safe(self, line: Line) -> Line:
        """The last guard before the terminal: no control character leaves here, whatever came this far."""
        glyphs = self.cockpit.glyphs
        if not glyphs.ascii and all(text.isprintable() for text, _ in line):
            return line
        return tuple((glyphs.plain(text if text.isprintable() else one_line(text)), role) for text, role in line)

    def render_line(self, y: int) -> Strip:
        palette = self.cockpit.palette
        line = self._lines[y] if y < len(self._lines) else ()
        segments = [Segment(text, palette.style(role, self.ground)) for text, role in line if text]
        return Strip(_filled(segments, self.size.width, palette.style("text", self.ground)))

    def repaint(self) -> None:
        """Draw everything again, as after a change of theme."""
        self._width = -1
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()


def _filled(segments: list[Segment], width: int, ground: Style) -> list[Segment]:
    """The segments in exactly `width` cells. The rest of the line is in the last one, where that looks the same: a
    segment of its own costs 35 bytes a line."""
    if not segments:
        return [Segment(" " * width, ground)]
    room = width - sum(cells(text) for text, _, _ in segments)
    last, style, _ = segments[-1]
    if room <= 0:
        return list(Strip(segments).adjust_cell_length(width))
    if style is not None and style.bgcolor == ground.bgcolor and not (style.reverse or style.underline):
        return [*segments[:-1], Segment(last + " " * room, style)]
    return [*segments, Segment(" " * room, ground)]


def _shared(before: Line, after: Line) -> int:
    """Columns at the start that both lines share, such as those of the frame."""
    same = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        same += cells(new[0])
    return same


def _reach(before: Line, after: Line, width: int) -> int:
    """Columns to repaint where a line has changed: all but the end that both lines share."""
    same = 0
    for (old, was), (new, role) in zip(reversed(before), reversed(after), strict=False):
        if old != new or was != role:
            break
        same += cells(new)
    if line_cells(before) != line_cells(after):
        return width
    return max(1, width - same - max(0, width - line_cells(after)))


class Panel(LineWidget, can_focus=True):
    """One view, with a box around it where several are on screen."""

    view: ClassVar[str] = ""
    boxed = False
    headed = False
    """A line with its name stands above it, where several views share a narrow screen."""

    def content(self, width: int, height: int) -> list[Line]:
        """The view itself, in `width` x `height` cells within any frame."""
        raise NotImplementedError

    def note(self) -> list[Span]:
        """A few words about the view, for its frame or the line of tabs."""
        return []

    @property
    def key(self) -> str:
        """The key that shows this view, as a person reads it."""
        return of_views(self.cockpit.keys)[self.view]

    def begin_anew(self) -> None:
        """Forget what was made of the state that was on screen: another one is, of another moment."""

    def move(self, rows: int) -> None:
        """Go down (or up) by so many rows; a view that does not scroll ignores it."""

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.room()[1] - 1))

    def edge(self, direction: int) -> None:
        """To the top (-1) or the end (1)."""

    def copied(self) -> str:
        """The view as text."""
        rows = self._lines[1:-1] if self.boxed else self._lines[self.headed :]
        texts = ["".join(text for text, _ in line) for line in rows]
        return "\n".join((text[2:-2] if self.boxed else text[1:]).rstrip() for text in texts).strip("\n")

    def redraw_with_note(self) -> None:
        """Draw the view, and the line of tabs where that is what carries its note."""
        self.redraw()
        if not self.boxed:
            self.cockpit.bars()

    def room(self) -> tuple[int, int]:
        """Size of the content."""
        width, height = self.size
        return (width - 4, height - 2) if self.boxed else (width - 2, height - self.headed)

    def lines(self, width: int, height: int) -> list[Line]:
        inner, rows = self.room()
        if inner < 4 or rows < 1:
            return []
        state = self.cockpit.known
        content = self.content(inner, rows)[:rows] if state.share == 1 else centred("reading the journal", inner, rows)
        content = [line if line_cells(line) <= inner else fit(line, inner) for line in content]
        if not self.boxed:
            plain: list[Line] = [((" ", "text"), *line) if line else () for line in content]
            return [self._heading(width), *plain] if self.headed else plain
        return self._box(content, width, inner, rows)

    def _box(self, content: list[Line], width: int, inner: int, rows: int) -> list[Line]:
        corners = self.cockpit.glyphs.box
        edge = "focus" if self.has_focus else "border"
        name = [
            (f"{self.key} ", "key" if self.has_focus else "faint"),
            (self.view, "title" if self.has_focus else "dim"),
        ]
        note = fit(self.note(), max(0, width - len(self.view) - 10))
        right: list[Span] = [(" ", "text"), *note, (" ", "text")] if note else []
        gap = width - 6 - line_cells(name) - line_cells(right)
        top = [(corners[0] + corners[4], edge), (" ", "text"), *name, (" ", "text"), (corners[4] * gap, edge), *right]
        lines: list[Line] = [(*top, (corners[4] + corners[1], edge))]
        side = corners[5]
        for line in content + [()] * (rows - len(content)):
            space = " " * (inner - line_cells(line))
            extra = "+" + line[-1][1].split("+")[-1] if line and "+" in line[-1][1] else ""
            lines.append(((side + " ", edge), *line, (space, "text" + extra), (" " + side, edge)))
        return [*lines, ((corners[2] + corners[4] * (width - 2) + corners[3], edge),)]

    def _heading(self, width: int) -> Line:
        """The line above a view that has no frame."""
        edge = "focus" if self.has_focus else "border"
        rule = self.cockpit.glyphs.rule
        note = fit(self.note(), max(0, width - len(self.view) - 10))
        right: list[Span] = [(" ", "text"), *note, (" ", "text")] if note else []
        gap = width - 8 - len(self.view) - line_cells(right)
        name: list[Span] = [(f"{self.key} ", "faint"), (self.view, "dim")]
        return ((f" {rule} ", edge), *name, (" ", "text"), (rule * max(0, gap), edge), *right)

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def on_click(self, event: "events.Click") -> None:
        """Go to this view, and to the row that was clicked."""
        event.stop()
        if self.view:
            self.cockpit.look_at(self.view)
        self.pick(event.y - (self.boxed or self.headed))

    def pick(self, row: int) -> None:
        """Put the cursor on a row of the content, where the view has a cursor."""

    def on_mouse_scroll_down(self, event: "events.MouseScrollDown") -> None:
        event.stop()
        self.move(3)

    def on_mouse_scroll_up(self, event: "events.MouseScrollUp") -> None:
        event.stop()
        self.move(-3)


def marked(line: Line, width: int, role: str) -> Line:
    """A line with a background over its whole width."""
    space = width - line_cells(line)
    return (*((text, f"{was}+{role}") for text, was in line), (" " * max(0, space), f"text+{role}"))


def centred(text: str, width: int, height: int) -> list[Line]:
    """A sentence in the middle of an empty view."""
    left = max(0, (width - cells(text)) // 2)
    return [()] * max(0, height // 3) + [((" " * left + pad(text, min(width, cells(text))), "faint"),)]
