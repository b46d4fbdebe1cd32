"""The line to type into: for words to the researcher, a command, a reason, or a text to find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.events import Key, Paste
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.render.text import cells, clean, cut, wrap
from tui.widgets.context import Context, context_of

_CURSOR = Style(reverse=True)

_MOST_ROWS = 6
"""Rows that a text of several lines may take; what is above them scrolls away."""


@dataclass(frozen=True)
class Completion:
    """What helps with typing."""

    candidates: Callable[[str], list[str]]
    """Texts that what is typed could become."""
    hint: Callable[[str], str]
    """What to show behind the text."""


class Prompt(Widget, can_focus=True):
    """Input with a label, a history and a cursor drawn as a block (to blink would cost 3.4 kB/s).

    Args:
        label: what is asked for, shown before the text.
        hint: shown while nothing is typed.
        then: called with the text on enter.
        history: earlier texts, oldest first, reached with the up arrow.
        live: called with the text at every change.
        complete: what tab completes to.
        lines: several lines are allowed; a backslash before enter, or a paste, begins a new one.
        draft: what is there already.
    """

    class Closed(Message):
        """The prompt is to be closed; `send` passes its text on, where there was an enter.

        The app passes it on and not the prompt, which is gone by then and could not take the answer to a question.
        """

        def __init__(self, send: Callable[[], None] | None = None) -> None:
            super().__init__()
            self.send = send

    class Grown(Message):
        """The prompt needs another number of rows."""

    def __init__(
        self,
        label: str,
        hint: str,
        then: Callable[[str], None],
        history: Sequence[str] = (),
        *,
        live: Callable[[str], None] | None = None,
        complete: Completion | None = None,
        lines: bool = False,
        draft: str = "",
    ) -> None:
        super().__init__()
        self.label, self.hint, self.then, self.live = label, hint, then, live
        self.complete, self.several = complete, lines
        self.history = [*history, draft]
        """What is edited in one stays there while another is looked at; the last is what is typed now."""
        self._given = tuple(history)
        self.past = len(self.history) - 1
        self.text = draft
        self.at = len(draft)
        """Place of the cursor, in characters."""
        self._offers: list[str] = []
        """Completions that tab goes round in, while it is pressed again and again."""
        self._rows = 1

    @property
    def cockpit(self) -> Context:
        return context_of(self)

    # --- typing ------------------------------------------------------------------------------------------------

    def insert(self, text: str) -> None:
        text = clean(text)
        if not self.several:
            text = text.replace("\n", " ")
        self._become(self.text[: self.at] + text + self.text[self.at :], self.at + len(text))

    def _become(self, text: str, at: int) -> None:
        changed = text != self.text
        self.text, self.at = text, max(0, min(at, len(text)))
        if changed and self.live is not None:
            self.live(text)
        if (rows := self.rows(self.app.size.width)) != self._rows:
            self._rows = rows
            self.post_message(self.Grown())
        self.refresh()

    def _word_before(self) -> int:
        return max(self.text[: self.at].rstrip().rfind(" "), self.text[: self.at].rstrip().rfind("\n")) + 1

    def _word_behind(self) -> int:
        rest = self.text[self.at :]
        word = rest.lstrip()
        return self.at + len(rest) - len(word) + len(word.split(maxsplit=1)[0] if word else "")

    def _tab(self, direction: int) -> None:
        """The next completion; the one before it with shift."""
        if self.complete is None:
            return
        if self.text not in self._offers:
            self._offers = self.complete.candidates(self.text)
            at = 0 if direction > 0 else -1
        else:
            at = (self._offers.index(self.text) + direction) % len(self._offers)
        if self._offers:
            self._become(self._offers[at], len(self._offers[at]))

    def _vertical(self, direction: int) -> None:
        """A row up or down; from the first or last row to an earlier or later text."""
        rows = self._wrapped(self.app.size.width) if self.several else [(0, len(self.text))]
        here = max(index for index, (a, _) in enumerate(rows) if a <= self.at or index == 0)
        if 0 <= here + direction < len(rows):
            a, b = rows[here + direction]
            self._become(self.text, min(b, a + self.at - rows[here][0]))
            return
        self.history[self.past] = self.text
        self.past = max(0, min(len(self.history) - 1, self.past + direction))
        self._become(self.history[self.past], len(self.history[self.past]))

    @property
    def draft(self) -> str:
        """What a person has typed themselves and not sent, also while an earlier text is shown."""
        if self.past == len(self.history) - 1:
            return self.text
        return self.history[-1] or ("" if self.text == self._given[self.past] else self.text)

    def keeping(self, draft: str) -> "Prompt":
        """The same prompt with `draft` in it, not yet on a screen."""
        return Prompt(
            self.label, self.hint, self.then, self._given, live=self.live, complete=self.complete,
            lines=self.several, draft=draft,
        )  # fmt: skip

    def on_paste(self, event: Paste) -> None:
        event.stop()
        self.insert(event.text)

    def on_key(self, event: Key) -> None:
        """Editing keys as shells have them; any other key goes on to the bindings."""
        key = event.key
        if key == "enter" and self.several and self.text[: self.at].endswith("\\"):
            self._become(self.text[: self.at - 1] + "\n" + self.text[self.at :], self.at)
        elif key == "enter":
            then, said = self.then, self.text.strip()
            self.post_message(self.Closed(lambda: then(said)))
        elif key == "ctrl+c":
            self.post_message(self.Closed())
        elif key in ("up", "down"):
            self._vertical(1 if key == "down" else -1)
        elif key in ("tab", "shift+tab"):
            self._tab(1 if key == "tab" else -1)
        elif not self._edited(key):
            if event.character is None or not event.is_printable:
                return
            self.insert(event.character)
        event.stop()
        event.prevent_default()

    def _edited(self, key: str) -> bool:
        """Move the cursor or delete text; says whether `key` does that."""
        text, at = self.text, self.at
        if key == "backspace":
            self._become(text[: max(0, at - 1)] + text[at:], at - 1)
        elif key in ("delete", "ctrl+d"):
            self._become(text[:at] + text[at + 1 :], at)
        elif key == "ctrl+w":
            start = self._word_before()
            self._become(text[:start] + text[at:], start)
        elif key == "ctrl+u":
            self._become(text[at:], 0)
        elif key == "ctrl+k":
            self._become(text[:at], at)
        elif key in ("ctrl+left", "alt+left", "alt+b"):
            self._become(text, self._word_before())
        elif key in ("ctrl+right", "alt+right", "alt+f"):
            self._become(text, self._word_behind())
        elif key in ("left", "right", "home", "end", "ctrl+a", "ctrl+e"):
            place = {"left": at - 1, "right": at + 1, "home": 0, "ctrl+a": 0}.get(key, len(text))
            self._become(text, place)
        else:
            return False
        return True

    # --- drawing -----------------------------------------------------------------------------------------------

    def rows(self, width: int) -> int:
        """Rows that it takes at this width."""
        return min(_MOST_ROWS, len(self._wrapped(width))) if self.several else 1

    def _style(self, role: str) -> Style:
        return self.cockpit.palette.style(role, "raised")

    def _label(self) -> str:
        glyphs = self.cockpit.glyphs
        return f" {glyphs.plain(self.label)} {glyphs.arrow} " if self.label else " : "

    def _wrapped(self, width: int) -> list[tuple[int, int]]:
        """Where the rows of a text of several lines begin and end."""
        room = max(4, width - cells(self._label()) - 1)
        found: list[tuple[int, int]] = []
        start = 0
        for line in self.text.split("\n"):
            found += [(start + a, start + b) for a, b in wrap(line, room)]
            start += len(line) + 1
        return found

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        segments = self._row_of_several(y, width) if self.several else self._only_row(width)
        return Strip(segments).adjust_cell_length(width, self._style("text"))

    def _row_of_several(self, y: int, width: int) -> list[Segment]:
        style = self._style
        rows = self._wrapped(width)
        here = max(index for index, (a, _) in enumerate(rows) if a <= self.at or index == 0)
        first = max(0, min(here, len(rows) - self.size.height) if len(rows) > self.size.height else 0)
        if first + y >= len(rows):
            return []
        a, b = rows[first + y]
        label = self._label()
        segments = [Segment(label if y == 0 else " " * cells(label), style("key"))]
        if first + y != here:
            return [*segments, Segment(self.text[a:b], style("strong"))]
        return segments + self._with_cursor(self.text[a:b], self.at - a, width - cells(label))

    def _only_row(self, width: int) -> list[Segment]:
        label = self._label()
        room = max(4, width - cells(label))
        start = 0
        while cells(self.text[start : self.at]) >= room - 1:
            start += 1
        segments = [Segment(label, self._style("key"))]
        return segments + self._with_cursor(self.text[start:], self.at - start, room)

    def _with_cursor(self, text: str, at: int, room: int) -> list[Segment]:
        """A row with the cursor in it, and a hint behind it where there is room for one."""
        style, plain = self._style, self.cockpit.glyphs.plain
        segments = [Segment(text[:at], style("strong")), Segment(text[at : at + 1] or " ", style("strong") + _CURSOR)]
        rest = room - cells(text[:at]) - cells(text[at : at + 1] or " ")
        if text[at + 1 :]:
            return [*segments, Segment(cut(text[at + 1 :], rest), style("strong"))]
        hint = self.hint if not self.text else self.complete.hint(self.text) if self.complete is not None else ""
        if hint and rest > 4:
            lead = "  " if self.text else ""
            segments.append(Segment(lead + cut(plain(hint), rest - 1 - len(lead)), style("faint")))
        return segments
