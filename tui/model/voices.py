"""The newest words of each researcher, and its newest tool call: what it would be heard to say in passing by.

Plain data, no clock and no screen. Fed with the events of the stream, in order.
"""

import re
from dataclasses import dataclass

from loop.study import events as e
from tui.render.text import one_line

_KEPT = 600
"""Characters of the newest words that are kept of each."""

_SHORT = 24
"""A sentence that has only just begun says nothing by itself, so the one before it is shown with it."""

_END = re.compile(r"(?<=[.!?:])\s+")
_MARKS = re.compile(r"^(?:[#>*-]+|\d+[.)])\s+|\*\*|`{3}\w*")
"""Markdown that means nothing in one line of text."""


@dataclass(slots=True)
class Voice:
    """One researcher's."""

    text: str = ""
    tool: str = ""
    """What its newest call was for; empty once it has said something since."""
    at: float = 0.0
    """Unix seconds of the newest of these."""
    experiment: int | None = None

    @property
    def sentence(self) -> str:
        """Its newest sentence, on one line; empty where it has said nothing."""
        said = one_line(_MARKS.sub("", self.text.rstrip().rpartition("\n\n")[2]))
        pieces = _END.split(said)
        return " ".join(pieces[-2:]) if len(pieces[-1]) < _SHORT else pieces[-1]


class Voices(dict[str, Voice]):
    """By the researcher's name."""

    def hear(self, event: e.Event) -> None:
        """Take in an event; what is no thought and no tool call is passed by."""
        body = event.body
        if not isinstance(body, e.Thought | e.ToolCalled):
            return
        voice = self.setdefault(body.researcher, Voice())
        if voice.experiment != event.experiment:
            voice.text, voice.experiment = "", event.experiment
        voice.at = event.at
        if isinstance(body, e.ToolCalled):
            voice.tool = one_line(body.intent)
        else:
            voice.text = (voice.text + body.text)[-_KEPT:]
            if body.text.strip():
                voice.tool = ""
