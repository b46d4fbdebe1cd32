"""A question before something that cannot be undone; it names what will happen."""

from collections.abc import Iterable, Sequence

from textual.events import Key
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.render.text import Line, cut, wrap
from tui.widgets.panel import LineWidget

Choice = tuple[str, str, str]
"""A key as Textual names it, as a person reads it, and what it does. The first is the answer."""


class Question(LineWidget, can_focus=True):
    """The box with the question and its choices."""

    def __init__(self, title: str, text: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.title, self.text, self.choices = title, text, choices

    def rows(self, width: int) -> int:
        """Lines that the box takes at this width."""
        return len(wrap(self.text, width - 6)) + len(self.choices) + 5

    def lines(self, width: int, height: int) -> list[Line]:
        corners = self.cockpit.glyphs.box
        inner = width - 6
        body: list[Line] = [(), *(((self.text[a:b], "text"),) for a, b in wrap(self.text, inner)), ()]
        body += [((f"{show:>5} ", "key"), (cut(what, inner - 6), "text")) for _, show, what in self.choices]
        body += [()]
        head = f" {self.title} "
        top = corners[0] + corners[4] + head + corners[4] * (width - 3 - len(head)) + corners[1]
        lines: list[Line] = [((top, "warn"),)]
        for line in body[: height - 2]:
            used = sum(len(text) for text, _ in line)
            lines.append(((corners[5] + "  ", "warn"), *line, (" " * (width - 4 - used), "text"), (corners[5], "warn")))
        return [*lines, ((corners[2] + corners[4] * (width - 2) + corners[3], "warn"),)]


class Confirm(ModalScreen[str], inherit_bindings=False):
    """Asks. The answer is the key of a choice, or "" where things are left as they are."""

    CSS = "Confirm { align: center middle; background: $background 60%; }"

    def __init__(self, title: str, text: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.choices = choices
        self.question = Question(title, text, [*choices, ("escape", "esc", "leave things as they are")])

    def compose(self) -> Iterable[Widget]:
        yield self.question

    def on_mount(self) -> None:
        width = min(72, self.app.size.width - 4)
        self.question.styles.width = width
        self.question.styles.height = min(self.question.rows(width), self.app.size.height)
        palette = self.question.cockpit.palette
        self.question.styles.background = palette.raised or "ansi_default"
        if palette.native:  # the terminal's own background cannot be dimmed, only covered
            self.styles.background = "transparent"
        self.question.focus()

    def on_key(self, event: Key) -> None:
        """Only the keys named in the box do anything, so none that is pressed by habit."""
        event.stop()
        event.prevent_default()
        if event.key in [choice[0] for choice in self.choices]:
            self.dismiss(event.key)
        elif event.key in ("escape", "q", "ctrl+c", "n"):
            self.dismiss("")
