"""The line to type into: for words to the researcher, a reason, or a text to find."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from rich.segment import Segment
from rich.style import Style
from textual.events import Key, Paste
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.text import cells, clean, cut

if TYPE_CHECKING:
    from tui.app import Cockpit

_CURSOR = Style(reverse=True)


class Prompt(Widget, can_focus=True):
    """One line of input with a label, a history and the cursor drawn as a block (it does not blink: 3.4 kB/s).

    Args:
        label: what is asked for, shown before the text.
        hint: shown while nothing is typed.
        then: called with the text on enter.
        history: earlier texts, oldest first, reached with the up arrow.
        live: called with the text at every change.
    """

    class Closed(Message):
        """The prompt is done with, sent or not."""

    def __init__(
        self,
        label: str,
        hint: str,
        then: Callable[[str], None],
        history: Sequence[str] = (),
        live: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self.label, self.hint, self.then, self.live = label, hint, then, live
        self.history = [*history, ""]
        self.past = len(self.history) - 1
        self.text = ""
        self.at = 0
        """Place of the cursor, in characters."""

    def insert(self, text: str) -> None:
        """Put text in at the cursor."""
        text = clean(text).replace("\n", " ")
        self._become(self.text[: self.at] + text + self.text[self.at :], self.at + len(text))

    def _become(self, text: str, at: int) -> None:
        changed = text != self.text
        self.text, self.at = text, max(0, min(at, len(text)))
        if changed and self.live is not None:
            self.live(text)
        self.refresh()

    def _word_before(self) -> int:
        return self.text[: self.at].rstrip().rfind(" ") + 1

    def on_paste(self, event: Paste) -> None:
        event.stop()
        self.insert(event.text)

    def on_key(self, event: Key) -> None:
        """Editing keys as every shell has them; what is none of ours goes on to the bindings."""
        text, at, key = self.text, self.at, event.key
        if key == "enter":
            self.post_message(self.Closed())
            self.then(self.text.strip())
        elif key in ("up", "down"):
            self.past = max(0, min(len(self.history) - 1, self.past + (1 if key == "down" else -1)))
            self._become(self.history[self.past], len(self.history[self.past]))
        elif key == "backspace":
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
        elif key in ("left", "right", "home", "end", "ctrl+a", "ctrl+e"):
            place = {"left": at - 1, "right": at + 1, "home": 0, "ctrl+a": 0}.get(key, len(text))
            self._become(text, place)
        elif event.character is not None and event.is_printable:
            self.insert(event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def render_line(self, y: int) -> Strip:
        cockpit = cast("Cockpit", self.app)
        style = cockpit.palette.style
        width = self.size.width
        label = f" {cockpit.glyphs.plain(self.label)} {cockpit.glyphs.arrow} "
        room = max(4, width - cells(label) - 1)
        start = 0
        while cells(self.text[start : self.at]) >= room:
            start += 1
        before, under, after = (
            self.text[start : self.at],
            self.text[self.at : self.at + 1] or " ",
            self.text[self.at + 1 :],
        )
        segments = [Segment(label, style("key")), Segment(before, style("strong"))]
        segments.append(Segment(under, style("strong") + _CURSOR))
        if self.text:
            segments.append(Segment(cut(after, room - cells(before) - 1), style("strong")))
        else:
            segments.append(Segment(cut(cockpit.glyphs.plain(self.hint), room - 2), style("faint")))
        return Strip(segments).adjust_cell_length(width)
