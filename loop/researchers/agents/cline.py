"""Cline's command line with `--json`: events of the agent within events of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import count, error, intent, mapping, question, string, strings

_KINDS = ("agent_event", "hook_event", "run_result", "run_error")


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind in _KINDS


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    event = mapping(line, "event")
    what, part = event.get("type"), event.get("contentType")
    if kind == "hook_event":
        yield a.SessionNamed(string(line, "taskId"))
    elif kind == "run_error":
        yield a.Failure(error(line, most=1000))
    elif kind == "run_result":
        if line.get("finishReason") not in ("completed", "stop", None):
            yield a.Failure(string(line, "text") or string(line, "finishReason"))
    elif what == "content_start" and part in ("text", "reasoning"):
        said = string(event, str(part))
        if said == event.get("accumulated"):  # the first piece
            yield a.LineEnd()
        yield a.TextDelta(said)
    elif what == "content_end" and part == "text":  # the end of its reasoning comes later still
        yield a.MessageStart()
        yield a.LineEnd()
        yield a.FullText(string(event, "text") + "\n")
    elif what == "content_start" and part == "tool":
        name, given = string(event, "toolName"), event.get("input")
        yield a.ToolStart(string(event, "toolCallId"), intent(name, given))
        if asked := question(name, given):
            yield a.Question(asked)
    elif what == "content_end" and part == "tool":
        failed = string(event, "error")
        yield a.ToolEnd(string(event, "toolCallId"), f"failed: {failed}" if failed else _result(event.get("output")))
    elif what == "usage":
        usd = event.get("cost")
        yield a.Usage(
            read=count(event, "inputTokens"),
            cached=count(event, "cacheReadTokens"),
            written=count(event, "outputTokens"),
            usd=float(usd) if isinstance(usd, int | float) and 0 < usd < 1e6 else None,
        )
    elif what == "error":
        yield a.Failure(error(event, most=1000))


def _result(output: Any) -> str:
    """The longest text in what a tool returned: the others repeat what it was asked."""
    return max(strings(output), key=len, default="")
