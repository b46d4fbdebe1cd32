"""Gemini CLI with `--output-format stream-json` or `json`.

See google-gemini/gemini-cli, packages/core/src/output/types.ts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents.agent_events import (
    AgentEvent,
    LineEnd,
    MessageStart,
    ModelNamed,
    Text,
    ToolEnd,
    ToolStart,
    Usage,
)
from loop.researchers.agents.json_fields import content, count, error, intent, mapping, parsed, string
from loop.sanitize import plain


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    """See `dialects.Dialect`."""
    return kind in ("init", "message", "tool_use", "tool_result") or (kind == "result" and "status" in line)


def read(kind: str, line: Mapping[str, Any]) -> Iterator[AgentEvent]:
    """See `dialects.Dialect`."""
    if kind == "init":
        yield ModelNamed(string(line, "model"))
    elif kind == "message" and line.get("role") == "assistant":
        yield Text(string(line, "content"))
    elif kind == "tool_use":
        yield LineEnd()
        yield MessageStart()
        yield ToolStart(string(line, "tool_id"), intent(string(line, "tool_name"), line.get("parameters")))
    elif kind == "tool_result":
        failed = line.get("status") == "error"
        yield ToolEnd(string(line, "tool_id"), f"failed: {error(line)}" if failed else content(line.get("output")))
    elif kind == "result":
        yield LineEnd()
        if stats := mapping(line, "stats"):
            read = count(stats, "input_tokens")  # what is thought is in the total only
            written = max(count(stats, "output_tokens"), count(stats, "total_tokens") - read)
            yield Usage(read, count(stats, "cached"), written)
        if line.get("status") == "error":
            yield Text(f"(it ended with an error: {error(line)})\n")


def read_whole(text: str) -> Iterator[AgentEvent] | None:
    """What it prints over several lines with `--output-format json`; None where the text is something else."""
    whole = parsed(text)
    if not isinstance(whole, dict) or not ("response" in whole or "error" in whole):
        return None
    return _whole(whole)


def _whole(whole: Mapping[str, Any]) -> Iterator[AgentEvent]:
    yield MessageStart()
    yield Text(string(whole, "response") + "\n")
    if mapping(whole, "error"):
        yield Text(f"(error: {error(whole)})\n")
    for model, found in mapping(mapping(whole, "stats"), "models").items():
        tokens = mapping(found, "tokens") if isinstance(found, dict) else {}
        thoughts = count(tokens, "thoughts")
        written = count(tokens, "candidates") + thoughts
        yield Usage(count(tokens, "prompt"), count(tokens, "cached"), written, thoughts, model=plain(model))
