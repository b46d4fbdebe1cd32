"""Claude Code with `--output-format stream-json`; Qwen Code and Cursor, which print the same and a few kinds more.

See code.claude.com/docs/en/headless and cursor.com/docs/cli/reference/output-format.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import blocks, content, count, intent, mapping, question, string
from loop.sanitize import plain

_KINDS = ("system", "assistant", "user", "result", "stream_event", "tool_call", "thinking", "rate_limit_event")
_OWN = ("session_id", "message", "subtype", "event", "call_id", "rate_limit_info")
"""Keys that tell these lines from those of an agent that uses the same kinds."""
_ENDED = {
    "error_max_turns": "it reached its limit of turns",
    "error_max_budget_usd": "it reached its own limit of money",
}
_REFUSED = re.compile(r"requested permission|haven't granted|permission .{0,40}denied|not allowed to", re.IGNORECASE)


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind in _KINDS and any(key in line for key in _OWN)


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    message = mapping(line, "message")
    if kind == "system":
        yield from _system(line)
    elif kind == "rate_limit_event":
        yield from _limit(mapping(line, "rate_limit_info"))
    elif kind == "stream_event":
        yield from _piece(mapping(line, "event"))
    elif kind == "assistant":
        for block in blocks(message):
            match block.get("type"):
                case "text":
                    yield a.MessageStart()
                    yield a.FullText(string(block, "text") + "\n")
                case "thinking":
                    yield a.FullText(string(block, "thinking") + "\n", aside=True)
                case "tool_use":
                    name, given = string(block, "name"), block.get("input")
                    yield a.ToolStart(string(block, "id"), intent(name, given))
                    if asked := question(name, given):
                        yield a.Question(asked)
        if (usage := mapping(message, "usage")) and any(usage.get(name) for name in ("input_tokens", "output_tokens")):
            yield a.MessageUsage(string(message, "id"), _anthropic(usage, None, string(message, "model")))
    elif kind == "user":
        for block in blocks(message):
            if block.get("type") == "tool_result":
                said, failed = content(block.get("content")), bool(block.get("is_error"))
                refused = failed and _REFUSED.search(said) is not None
                yield a.ToolEnd(string(block, "tool_use_id"), ("failed: " if failed else "") + said, refused)
    elif kind == "thinking":
        yield a.Text(string(line, "text"), aside=True)
        if line.get("subtype") != "delta":
            yield a.LineEnd()
    elif kind == "tool_call":
        yield from _cursor_tool(line)
    elif kind == "result":
        usd, usage = line.get("total_cost_usd"), mapping(line, "usage")
        if usage or usd is not None:
            yield a.TotalUsage(_anthropic(usage, usd, next(iter(mapping(line, "modelUsage")), "")))
        yield a.FinalText(string(line, "result") + "\n")
        if line.get("is_error") or string(line, "subtype").startswith("error"):
            said = string(line, "result") or string(mapping(line, "error"), "message")
            yield a.Failure(said or _ENDED.get(string(line, "subtype"), "it ended with an error"))


def _system(line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    match line.get("subtype"):
        case "api_retry":
            wait = count(line, "retry_delay_ms") / 1000
            yield a.Failure(string(line, "error").replace("_", " "), count(line, "error_status"), wait)
        case "init":
            yield a.ModelNamed(string(line, "model"))
            yield a.SessionNamed(string(line, "session_id"))


def _limit(info: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    """A limit of a subscription; it is told long before it is reached, too."""
    if info.get("status") == "rejected":
        until = count(info, "resetsAt")
        yield a.Failure("its usage limit is reached", 429, until=float(until) if until else None)


def _piece(event: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    """A part of a message that is told whole later; what it cost until then is told in parts only."""
    delta = mapping(event, "delta")
    yield a.TextDelta(string(delta, "text") + string(delta, "thinking"))
    match event.get("type"):
        case "content_block_stop":
            yield a.LineEnd()
        case "message_delta" if usage := mapping(event, "usage"):
            yield a.MessageUsage("", _anthropic(usage, None, ""))


def _cursor_tool(line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    call = string(line, "call_id")
    for name, body in mapping(line, "tool_call").items():
        if isinstance(body, dict):
            if line.get("subtype") == "started":
                yield a.ToolStart(call, intent(name.removesuffix("ToolCall"), body.get("args")))
            elif result := mapping(body, "result"):
                outcome, value = next(iter(result.items()))
                yield a.ToolEnd(call, content(value) if outcome == "success" else f"{outcome}: {content(value)}")


def _anthropic(usage: Mapping[str, Any], usd: Any, model: str) -> a.Usage:
    """Tokens of Claude Code, whose input leaves out what came from a cache or went into one."""
    cached = count(usage, "cache_read_input_tokens")
    fresh, written = count(usage, "input_tokens"), count(usage, "output_tokens")
    if count(usage, "total_tokens") == fresh + written > 0:  # Qwen Code's input has the cached ones in it
        return a.Usage(fresh, cached, written, model=plain(model))
    if "inputTokens" in usage:  # Cursor's names; it does not say whether its input has the cached ones in it
        cached = count(usage, "cacheReadTokens")
        return a.Usage(
            max(count(usage, "inputTokens"), cached), cached, count(usage, "outputTokens"), model=plain(model)
        )
    return a.Usage(
        read=fresh + count(usage, "cache_creation_input_tokens") + cached,
        cached=cached,
        written=written,
        usd=float(usd) if isinstance(usd, int | float) and 0 <= usd < 1e6 else None,
        model=plain(model),
    )
