"""The output of a coding agent made readable: words, tools that were used, and what it cost.

Lines of JSON in a known dialect become a few words; unknown lines of such an agent are dropped. Of an agent whose
dialect is not known only what ends its last message is kept. Anything else is shown as it is.

Pure: no clock, no process; the time is passed in. The bytes are untrusted: cut anywhere, of any length, in any
encoding. None of it is an instruction, and all that is kept of it is bounded.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from loop.researchers.agents import agent_events as a
from loop.researchers.agents import dialects, gemini
from loop.researchers.agents.agent_events import Failure, ToolUse, Usage
from loop.researchers.agents.failures import ended, is_stack, reason_of, retried, sentence
from loop.researchers.agents.json_fields import parsed, short, strings
from loop.researchers.closing import is_closing
from loop.sanitize import plain

LONGEST_LINE = 1 << 20
"""Bytes of one line; a longer one is dropped, since it is a file that a tool has read, or not text at all."""
LONGEST_SHOWN = 2000
"""Characters of one line of plain text that are shown."""
LONGEST_FINAL = 16_000
"""Characters of the last message that are kept, its end."""
MOST_HELD = 1000
"""Tools that can be open at once, and messages whose cost can wait for the sum."""


@dataclass(frozen=True)
class Words:
    """What the agent says or thinks; pieces are joined without a separator."""

    text: str
    thinking: bool = False
    """It is reasoning, as far as the agent says."""


_STRANGE = "(it prints JSON of a kind that is not known here; its last words are looked for)\n"

Shown = Words | ToolUse | Usage | Failure


class Listener:
    """Takes an agent's output in pieces and returns what was in it."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._overlong = False
        self._object: list[str] = []  # a JSON object that spans several lines
        self._known = False  # a line of a known agent has been seen
        self._strange = False  # one of an agent that is not known has been told of
        self._model = ""
        self._open: dict[str, tuple[str, float]] = {}  # tools that have not ended: their intent and start
        self._costs: dict[str, Usage] = {}  # the cost of single messages, until their sum is known
        self._in_pieces = False  # the next full text has come in pieces already
        self._mid_line = False
        self._begins = True
        self._closed: set[str] = set()  # closing lines that were shown: some agents print their last message twice
        self.final = ""
        """The last message so far, or the end of all text where messages are not marked."""
        self.failure: Failure | None = None
        """The newest failure that nothing but other failures followed."""
        self.refused: list[str] = []
        """Tools that the agent lacked the permission to use, in order."""
        self.question = ""
        """What the agent has asked last, by a tool of its own."""
        self.session = ""
        """The agent's own name of this session; empty where it does not say."""

    def feed(self, data: bytes, now: float) -> list[Shown]:
        """Take the next piece of output.

        Args:
            data: any bytes, cut anywhere.
            now: seconds on a clock that never goes back.
        """
        said: list[Shown] = []
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._keep(part)
            said += self._end(now)
        self._keep(rest)
        return said

    def finish(self, now: float) -> list[Shown]:
        """End the output: return what was held back."""
        said = list(self._end(now)) if self._line or self._overlong else []
        lines, self._object = self._object, []
        said += map(self._show, lines)
        said += [ToolUse(intent, "no result", now - since) for intent, since in self._open.values()]
        said += self._costs.values()  # it was stopped before it could report the sum
        self._open.clear()
        self._costs.clear()
        return said

    def _keep(self, part: bytes) -> None:
        if len(self._line) + len(part) > LONGEST_LINE:
            self._overlong = True
            self._line.clear()
        elif not self._overlong:
            self._line += part

    def _end(self, now: float) -> Iterable[Shown]:
        """The line so far has ended."""
        raw, too_long = bytes(self._line), self._overlong
        self._line.clear()
        self._overlong = False
        if too_long:
            return [] if self._known else [self._show(f"(a line of more than {LONGEST_LINE >> 10} kB)")]
        text = raw.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]  # of a progress bar, its last state
        if self._object or text == "{":
            return self._gather(text, now)
        if text.lstrip().startswith("{") and isinstance(line := parsed(text), dict):
            events = dialects.read(line)
            return self._unknown(line) if events is None else self._tell(events, now)
        return self._plain(text) if text or not self._known else []

    def _unknown(self, line: dict[str, object]) -> list[Shown]:
        """A line of JSON that no known agent prints: its closing lines, or what a script prints for itself."""
        for text in strings(line):
            if any(map(is_closing, text.splitlines())):
                self._begins = True
                self._remember(plain(text) + "\n")
                return self._plain(plain(text))
        if self._known:
            return []
        if not any(isinstance(line.get(key), str) for key in ("type", "event", "kind", "role", "method")):
            return [self._show(short(json.dumps(line, ensure_ascii=False)))]
        told, self._strange = self._strange, True
        return [] if told else [Words(_STRANGE)]

    def _plain(self, text: str) -> list[Shown]:
        """Lines of plain text, without closing lines that were shown before."""
        shown: list[Shown] = []
        for line in text.split("\n"):
            if self._known and is_stack(line):
                continue
            if (failure := retried(line) or (ended(line) if self._known else None)) is not None:
                shown += self._fail(failure)
                continue
            if is_closing(line):
                if line.strip() in self._closed:
                    self._remember(plain(line) + "\n")
                    continue
                self._closed.add(line.strip())
            shown.append(self._show(line))
        return shown

    def _gather(self, text: str, now: float) -> Iterable[Shown]:
        """A line of a JSON object that spans several lines."""
        self._object.append(text)
        if text != "}" and len(self._object) < 1000 and sum(map(len, self._object)) < LONGEST_LINE:
            return []
        lines, self._object = self._object, []
        events = gemini.read_whole("\n".join(lines))
        return map(self._show, lines) if events is None else self._tell(events, now)

    def _show(self, text: str) -> Words:
        """A line of plain text."""
        text = plain(text)
        text = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
        if not self._known:  # what such an agent prints beside its events is no message
            self._remember(text + "\n")
        return Words(text + "\n")

    def _tell(self, events: Iterable[a.AgentEvent], now: float) -> Iterator[Shown]:
        """What a line of a known agent amounts to."""
        self._known = True
        for mark in events:
            match mark:
                case a.MessageStart():
                    self._begins = True
                case a.Text(text, aside):
                    yield from self._say(text, aside, thinking=aside)
                case a.TextDelta(text):
                    self._in_pieces = self._in_pieces or bool(text)
                    yield from self._say(text, aside=True)
                case a.FullText(text, aside) if self._in_pieces:
                    self._in_pieces = False
                    if not aside:
                        self._remember(plain(text))
                case a.FullText(text, aside):
                    yield from self._say(text, aside, thinking=aside)
                case a.FinalText(text):
                    if not self.final:
                        yield from self._say(text, aside=False)
                case a.LineEnd() if self._mid_line:
                    yield from self._say("\n", aside=True)
                case a.ToolStart(key, intent) if len(self._open) < MOST_HELD:
                    self._open.setdefault(key, (short(intent), now))
                case a.ToolEnd(key, result, refused):
                    intent, since = self._open.pop(key, ("a tool", now))
                    yield self._used(ToolUse(intent, short(result) or "done", now - since, refused))
                case a.MessageUsage(key, usage) if len(self._costs) < MOST_HELD:
                    self._cost(key, self._of_model(usage))
                case a.SessionNamed(session):
                    self.session = plain(session)[:200] or self.session
                case a.Question(text):
                    self.question = plain(text)
                case Failure():
                    yield from self._fail(mark)
                case a.TotalUsage(usage):
                    self._costs.clear()
                    yield self._of_model(usage)
                case a.ModelNamed(model):
                    self._model = plain(model) or self._model
                case ToolUse():
                    yield self._used(mark)
                case Usage():
                    yield self._of_model(mark)

    def _used(self, tool: ToolUse) -> ToolUse:
        self.failure = None
        if tool.refused and len(self.refused) < MOST_HELD:
            self.refused.append(tool.intent)
        return tool

    def _cost(self, key: str, usage: Usage) -> None:
        """Keep the cost of a message; the newest figures count. Without a key it is the message that came last."""
        last = key or next(reversed(self._costs), "")
        known = self._costs.pop(last, Usage())
        read, cached = max(usage.read, known.read), max(usage.cached, known.cached)
        self._costs[last] = replace(usage, read=read, cached=cached, model=usage.model or known.model)

    def _fail(self, failure: Failure) -> Iterator[Shown]:
        """A failure is shown once, whole, and passed on each time."""
        again = (
            "" if failure.wait is None else f", tries again{f' in {failure.wait:.0f} s' if failure.wait >= 1 else ''}"
        )
        said = f"(failed{again}: {sentence(failure)})\n"
        told = self.failure is not None and sentence(self.failure) == sentence(failure)
        if not told and (failure.wait is not None or reason_of(failure.reason) not in self.final):
            yield from self._say(("\n" if self._mid_line else "") + said, aside=True)
        self.failure = failure
        yield failure

    def _of_model(self, usage: Usage) -> Usage:
        return usage if usage.model else replace(usage, model=self._model)

    def _say(self, text: str, aside: bool, *, thinking: bool = False) -> Iterator[Shown]:
        text = plain(text)
        if not aside:
            self._remember(text)
            self.failure = None
        if text.strip() or (text and self._mid_line):
            self._mid_line = not text.endswith("\n")
            yield Words(text, thinking)

    def _remember(self, text: str) -> None:
        if self._begins and text.strip():
            self.final, self._begins = "", False
        self.final = (self.final + text)[-LONGEST_FINAL:]
