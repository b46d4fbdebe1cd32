"""researchers: a row each, with what it does, its last words and its cost; and who heard what a person said."""

from loop.words import duration
from tui.render.text import Line, Span
from tui.widgets.panel import Panel, centred, marked
from tui.widgets.researcher_rows import heard_lines, researcher_lines


class ResearchersPanel(Panel):
    """The researchers, with a cursor that says whom `S` talks to."""

    view = "researchers"

    def __init__(self) -> None:
        super().__init__()
        self.at: int | None = None
        """Which researcher is under the cursor; None while nobody has put it anywhere."""

    def content(self, width: int, height: int) -> list[Line]:
        state, glyphs = self.cockpit.known, self.cockpit.glyphs
        if not state.minds:
            return centred("no researcher has joined yet", width, height)
        if not self.cockpit.life.alive:
            ago = duration(max(0.0, self.cockpit.now() - state.heartbeat))
            lines = researcher_lines(state, state.study.at, width, max(1, height - 1), glyphs, None)
            lines = [tuple((text, "faint") for text, _ in line) for line in lines]
            return [((f"as it was {ago} ago, when the loop ended", "warn"),), *lines]
        self.at = None if self.at is None else min(self.at, len(state.minds) - 1)
        lines = researcher_lines(state, self.cockpit.now(), width, height, glyphs, self.at)
        if self.at is None:
            return lines
        name = state.minds[self.at].name
        return [
            marked(line, width, "cursor" if self.has_focus else "pale") if line and line[0][0].strip() == name else line
            for line in lines
        ]

    def chosen(self) -> str | None:
        """Name of the researcher under the cursor; None while it is nowhere."""
        minds = self.cockpit.known.minds
        return minds[self.at].name if self.at is not None and self.at < len(minds) else None

    def needs(self) -> int:
        """Lines that a row each and what was heard take."""
        state = self.cockpit.known
        return max(1, len(state.minds)) + len(heard_lines(state, 80, self.cockpit.glyphs))

    def note(self) -> list[Span]:
        if self.cockpit.read_only or not self.cockpit.known.minds:
            return []
        return [("s says to all, S to one", "faint")]

    def move(self, rows: int) -> None:
        if minds := self.cockpit.known.minds:
            self.at = max(0, min(len(minds) - 1, (-1 if self.at is None and rows > 0 else self.at or 0) + rows))
        self.redraw_with_note()

    def edge(self, direction: int) -> None:
        self.move(direction * len(self.cockpit.known.minds))

    def let_go(self) -> None:
        """Take the cursor away."""
        self.at = None
        self.redraw_with_note()
