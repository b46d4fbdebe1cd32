"""What a coding agent prints, made readable: its output becomes words, tools that were used, and what it cost.

Lines of JSON of the agents that `dialects` knows are told in a few words; a line of theirs that is not known is left
out; whatever is no such line is shown as it is. How the agent ended, and what it changed, is no matter of this module.

Pure: no clock, no process; the time is passed in. The bytes are from a stranger: cut anywhere, of any length, in any
encoding. None of it is an instruction to us, and all that is kept of it is bounded.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from loop.researchers.agents import dialects as d
from loop.researchers.agents.dialects import Tool, Usage, short
from loop.sanitize import plain

LONGEST_LINE = 1 << 20
"""Bytes of one line; a longer one is left out, since it is a file that a tool has read, or no text at all."""
LONGEST_SHOWN = 2000
"""Characters of one line of plain text that are shown."""
LONGEST_FINAL = 16_000
"""Characters of the last message that are kept, its end."""
MOST_HELD = 1000
"""Tools that can be at work at once, and messages whose cost can wait for the sum."""


@dataclass(frozen=True)
class Words:
    """What it says or thinks; pieces join without a separator."""

    text: str


Said = Words | Tool | Usage


class Listener:
    """Takes an agent's output in pieces and says what was in it."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._too_long = False
        self._object: list[str] = []  # a JSON object that goes over several lines
        self._known = False  # a line of a known agent has been seen
        self._model = ""
        self._open: dict[str, tuple[str, float]] = {}  # what tools at work are for, and since when
        self._taken: dict[str, Usage] = {}  # what single messages took, until their sum is told
        self._in_pieces = False  # the words that come whole next were told in pieces
        self._mid_line = False
        self._begins = True
        self.final = ""
        """The last message so far, or the end of all words where there are no messages to tell apart."""

    def feed(self, data: bytes, now: float) -> list[Said]:
        """Take the next piece of output.

        Args:
            data: any bytes, cut anywhere.
            now: seconds on a clock that never goes back.
        """
        said: list[Said] = []
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._keep(part)
            said += self._end(now)
        self._keep(rest)
        return said

    def finish(self, now: float) -> list[Said]:
        """The output has ended: tell what was held back."""
        said = list(self._end(now)) if self._line or self._too_long else []
        lines, self._object = self._object, []
        said += map(self._show, lines)
        said += [Tool(intent, "no result", now - since) for intent, since in self._open.values()]
        said += self._taken.values()  # it was ended before it could tell the sum
        self._open.clear()
        self._taken.clear()
        return said

    def _keep(self, part: bytes) -> None:
        if len(self._line) + len(part) > LONGEST_LINE:
            self._too_long = True
            self._line.clear()
        elif not self._too_long:
            self._line += part

    def _end(self, now: float) -> Iterable[Said]:
        """The line that was kept has ended."""
        raw, too_long = bytes(self._line), self._too_long
        self._line.clear()
        self._too_long = False
        if too_long:
            return [] if self._known else [self._show(f"(a line of more than {LONGEST_LINE >> 10} kB)")]
        text = raw.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]  # of a progress bar its last state
        if self._object or text == "{":
            return self._gather(text, now)
        if text.lstrip().startswith("{") and isinstance(line := d.parsed(text), dict):
            marks = d.marks(line)
            if marks is None:
                return [] if self._known else [self._show(short(json.dumps(line, ensure_ascii=False)))]
            return self._tell(marks, now)
        return [self._show(text)] if text or not self._known else []

    def _gather(self, text: str, now: float) -> Iterable[Said]:
        """A line of a JSON object that is printed over several."""
        self._object.append(text)
        if text != "}" and len(self._object) < 1000 and sum(map(len, self._object)) < LONGEST_LINE:
            return []
        lines, self._object = self._object, []
        marks = d.gemini_whole("\n".join(lines))
        return map(self._show, lines) if marks is None else self._tell(marks, now)

    def _show(self, text: str) -> Words:
        """A line of plain text."""
        text = plain(text)
        text = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
        self._remember(text + "\n")
        return Words(text + "\n")

    def _tell(self, marks: Iterable[d.Mark], now: float) -> Iterator[Said]:
        """What a line of a known agent comes to."""
        self._known = True
        for mark in marks:
            match mark:
                case d.Begins():
                    self._begins = True
                case d.Says(text, aside):
                    yield from self._say(text, aside)
                case d.Piece(text):
                    self._in_pieces = self._in_pieces or bool(text)
                    yield from self._say(text, aside=True)
                case d.Whole(text, aside) if self._in_pieces:
                    self._in_pieces = False
                    if not aside:
                        self._remember(plain(text))
                case d.Whole(text, aside):
                    yield from self._say(text, aside)
                case d.Sums(text):
                    if not self.final:
                        yield from self._say(text, aside=False)
                case d.EndsLine() if self._mid_line:
                    yield from self._say("\n", aside=True)
                case d.Opens(key, intent) if len(self._open) < MOST_HELD:
                    self._open.setdefault(key, (short(intent), now))
                case d.Closes(key, result):
                    intent, since = self._open.pop(key, ("a tool", now))
                    yield Tool(intent, short(result) or "done", now - since)
                case d.Takes(key, usage) if len(self._taken) < MOST_HELD:
                    self._taken[key] = self._of_model(usage)
                case d.Total(usage):
                    self._taken.clear()
                    yield self._of_model(usage)
                case d.Runs(model):
                    self._model = plain(model) or self._model
                case Tool():
                    yield mark
                case Usage():
                    yield self._of_model(mark)

    def _of_model(self, usage: Usage) -> Usage:
        return usage if usage.model else replace(usage, model=self._model)

    def _say(self, text: str, aside: bool) -> Iterator[Said]:
        text = plain(text)
        if not aside:
            self._remember(text)
        if text.strip() or (text and self._mid_line):
            self._mid_line = not text.endswith("\n")
            yield Words(text)

    def _remember(self, text: str) -> None:
        if self._begins and text.strip():
            self.final, self._begins = "", False
        self.final = (self.final + text)[-LONGEST_FINAL:]
