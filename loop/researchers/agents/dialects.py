"""The lines of JSON that coding agents print, and which agent prints which.

A dialect is recognised by the lines themselves, since a script around an agent may have any name. To add an agent,
write a module with `speaks` and `read`, and add it to `DIALECTS`. Pure and without memory: `listener` combines what
spans several lines.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from loop.researchers.agents import agent_events as a
from loop.researchers.agents import claude, cline, codex, copilot, gemini, gptme, opencode, pi, vibe
from loop.researchers.agents.json_fields import count, error, mapping


class Dialect(Protocol):
    """How one agent prints its events."""

    def speaks(self, kind: str, line: Mapping[str, Any]) -> bool:
        """Whether this agent prints such a line; `kind` is the line's "type"."""

    def read(self, kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
        """What the line means."""


DIALECTS: tuple[Dialect, ...] = (codex, opencode, copilot, cline, pi, vibe, gptme, gemini, claude)
"""The first that speaks a line reads it."""
_RETRYING = re.compile(r"(?:reconnecting|retrying)\W+(?:\d+/\d+)?\s*\(?(.*?)\)?", re.IGNORECASE | re.DOTALL)


def read(line: Mapping[str, Any]) -> Iterator[a.AgentEvent] | None:
    """What a line of JSON means; None where no known agent prints such a line."""
    kind = line.get("type")
    if not isinstance(kind, str):
        told = line.get("status") == "error" and isinstance(line.get("message"), str)  # as Continue ends
        return _failure(line) if told else None
    for dialect in DIALECTS:
        if dialect.speaks(kind, line):
            return dialect.read(kind, line)
    return _failure(line) if kind == "error" else None


def _failure(line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    said = error(line, most=1000)
    status = count(mapping(mapping(line, "error"), "data"), "statusCode")
    again = _RETRYING.fullmatch(said)  # as Codex says that it goes on
    yield a.Failure(again[1] or said if again else said, status, wait=0.0 if again else None)
