"""Claude Code with `--output-format stream-json`, and Cursor, which prints the same and a few kinds more.

See code.claude.com/docs/en/headless and cursor.com/docs/cli/reference/output-format.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import blocks, content, count, intent, mapping, short, string
from loop.sanitize import plain

_KINDS = ("system", "assistant", "user", "result", "stream_event", "tool_call", "thinking", "rate_limit_event")


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind in _KINDS


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    message = mapping(line, "message")
    if kind == "system":
        yield a.ModelNamed(string(line, "model"))
    elif kind == "stream_event":
        event = mapping(line, "event")
        delta = mapping(event, "delta")
        yield a.TextDelta(string(delta, "text") + string(delta, "thinking"))
        if event.get("type") == "content_block_stop":
            yield a.LineEnd()
    elif kind == "assistant":
        for block in blocks(message):
            match block.get("type"):
                case "text":
                    yield a.MessageStart()
                    yield a.FullText(string(block, "text") + "\n")
                case "thinking":
                    yield a.FullText(string(block, "thinking") + "\n", aside=True)
                case "tool_use":
                    yield a.ToolStart(string(block, "id"), intent(string(block, "name"), block.get("input")))
        if usage := mapping(message, "usage"):
            yield a.MessageUsage(string(message, "id"), _anthropic(usage, None, string(message, "model")))
    elif kind == "user":
        for block in blocks(message):
            if block.get("type") == "tool_result":
                failed = "failed: " if block.get("is_error") else ""
                yield a.ToolEnd(string(block, "tool_use_id"), failed + content(block.get("content")))
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
            yield a.LineEnd()
            yield a.Text(f"(it ended with an error: {short(string(line, 'result') or string(line, 'subtype'))})\n")


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
    if "inputTokens" in usage:  # Cursor's names; it does not say whether its input has the cached ones in it
        cached = count(usage, "cacheReadTokens")
        return a.Usage(
            max(count(usage, "inputTokens"), cached), cached, count(usage, "outputTokens"), model=plain(model)
        )
    return a.Usage(
        read=count(usage, "input_tokens") + count(usage, "cache_creation_input_tokens") + cached,
        cached=cached,
        written=count(usage, "output_tokens"),
        usd=float(usd) if isinstance(usd, int | float) and 0 <= usd < 1e6 else None,
        model=plain(model),
    )
