"""A question before something that cannot be undone; it names what will happen."""

import math
from collections.abc import Callable, Iterable, Sequence

from textual.events import Key, Mount, Resize
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.render.text import Line, cut, wrap
from tui.widgets.panel import LineWidget

Choice = tuple[str, str, str]
"""A key as Textual names it, as a person reads it, and what it does. The first is the answer."""


class Question(LineWidget, can_focus=True):
    """The box with the question and its choices."""

    ground = "raised"

    def __init__(self, title: str, text: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.title, self.text, self.choices = title, text, choices

    def rows(self, width: int) -> int:
        """Lines that the box takes at this width."""
        return len(wrap(self.text, width - 6)) + len(self.choices) + 5

    def lines(self, width: int, height: int) -> list[Line]:
        corners = self.cockpit.glyphs.box
        inner = width - 6
        said: list[Line] = [((self.text[a:b], "text"),) for a, b in wrap(self.text, inner)]
        answers: list[Line] = [
            ((f"{show:>5} ", "key"), (cut(what, inner - 6), "text")) for _, show, what in self.choices
        ]
        spare = height - 2 - len(answers)  # the answers are what has to be seen
        body = [*said[:spare], *answers] if spare < len(said) + 3 else [(), *said, (), *answers, ()]
        head = f" {cut(self.title, width - 6)} "
        top = corners[0] + corners[4] + head + corners[4] * (width - 3 - len(head)) + corners[1]
        lines: list[Line] = [((top, "warn"),)]
        for line in body[: height - 2]:
            used = sum(len(text) for text, _ in line)
            lines.append(((corners[5] + "  ", "warn"), *line, (" " * (width - 4 - used), "text"), (corners[5], "warn")))
        return [*lines, ((corners[2] + corners[4] * (width - 2) + corners[3], "warn"),)]


class Confirm(ModalScreen[str], inherit_bindings=False):
    """Asks. The answer is the key of a choice, or "" where things are left as they are.

    Args:
        over: says why nothing is to be asked any more, once that is so; "" until then.
    """

    CSS = "Confirm { align: center middle; background: $background 60%; }"

    def __init__(self, title: str, text: str, choices: Sequence[Choice], over: Callable[[], str] = lambda: "") -> None:
        super().__init__()
        self.choices, self.over = choices, over
        self._since = math.inf
        self.question = Question(title, text, [*choices, ("escape", "esc", "leave things as they are")])

    def compose(self) -> Iterable[Widget]:
        yield self.question

    @staticmethod
    def rows_for(choices: Sequence[Choice]) -> int:
        """Lines that the box takes at least: its frame, one of what it says, and every answer."""
        return len(choices) + 4

    def _fit(self) -> None:
        width = min(72, self.app.size.width - 4)
        self.question.styles.width = width
        self.question.styles.height = min(self.question.rows(width), self.app.size.height)

    def on_resize(self, event: Resize) -> None:
        """Keep every answer on screen, or close: none may be given unseen."""
        if event.size.height >= self.rows_for(self.choices):
            self._fit()
        elif self.is_current:
            self.dismiss("")

    def on_mount(self, event: Mount) -> None:
        self._since = event.time
        self._fit()
        palette = self.question.cockpit.palette
        self.question.styles.background = palette.raised or "ansi_default"
        if palette.native:  # the terminal's own background cannot be dimmed, only covered
            self.styles.background = "transparent"
        self.question.focus()

    def on_key(self, event: Key) -> None:
        """Only the keys named in the box do anything, so none that is pressed by habit."""
        event.stop()
        event.prevent_default()
        if event.time < self._since:
            return  # pressed before there was a question, as in one piece with its key over a slow link
        if event.key in [choice[0] for choice in self.choices]:
            self.dismiss(event.key)
        elif event.key in ("escape", "q", "ctrl+c", "n"):
            self.dismiss("")
