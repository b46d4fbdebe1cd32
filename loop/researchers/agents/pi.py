"""pi with `--mode json`: see earendil-works/pi, packages/coding-agent/docs/json.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import blocks, content, count, intent, mapping, string
from loop.sanitize import plain

_KINDS = (
    *("session", "agent_start", "agent_end", "agent_settled", "turn_start", "turn_end"),
    *("message_start", "message_update", "message_end", "queue_update", "compaction_start", "compaction_end"),
    *("tool_execution_start", "tool_execution_update", "tool_execution_end", "auto_retry_start", "auto_retry_end"),
)


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind in _KINDS


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    if kind == "session":
        yield a.SessionNamed(string(line, "id"))
    elif kind == "message_update":
        update = mapping(line, "assistantMessageEvent")
        if update.get("type") in ("text_delta", "thinking_delta"):
            yield a.TextDelta(string(update, "delta"))
        elif update.get("type") == "text_start":
            yield a.LineEnd()
    elif kind == "message_end":
        message = mapping(line, "message")
        if message.get("role") == "assistant":
            said = "".join(string(block, "text") for block in blocks(message))
            if said:
                yield a.MessageStart()
            yield a.FullText(said, aside=not said)
            yield a.LineEnd()
            yield _usage(message)
            if why := string(message, "errorMessage"):
                yield a.Failure(why)
    elif kind == "tool_execution_start":
        yield a.ToolStart(string(line, "toolCallId"), intent(string(line, "toolName"), line.get("args")))
    elif kind == "tool_execution_end":
        failed = "failed: " if line.get("isError") else ""
        result = mapping(line, "result").get("content")
        yield a.ToolEnd(string(line, "toolCallId"), failed + content(result))
    elif kind == "auto_retry_start":
        yield a.Failure(string(line, "errorMessage"), wait=count(line, "delayMs") / 1000)


def _usage(message: Mapping[str, Any]) -> a.Usage:
    usage = mapping(message, "usage")
    usd = mapping(usage, "cost").get("total")
    return a.Usage(
        read=count(usage, "input") + count(usage, "cacheRead") + count(usage, "cacheWrite"),
        cached=count(usage, "cacheRead"),
        written=count(usage, "output"),
        reasoning=count(usage, "reasoning"),
        usd=float(usd) if isinstance(usd, int | float) and 0 < usd < 1e6 else None,  # 0 is also "no price known"
        model=plain(string(message, "model")),
    )
