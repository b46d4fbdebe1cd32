"""Gemini CLI with `--output-format stream-json` or `json`.

See google-gemini/gemini-cli, packages/core/src/output/types.ts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import content, count, error, intent, mapping, parsed, string
from loop.sanitize import plain


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind in ("init", "message", "tool_use", "tool_result") or (kind == "result" and "status" in line)


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    if kind == "init":
        yield a.ModelNamed(string(line, "model"))
    elif kind == "message" and line.get("role") == "assistant":
        yield a.Text(string(line, "content"))
    elif kind == "tool_use":
        yield a.LineEnd()
        yield a.MessageStart()
        yield a.ToolStart(string(line, "tool_id"), intent(string(line, "tool_name"), line.get("parameters")))
    elif kind == "tool_result":
        failed = line.get("status") == "error"
        yield a.ToolEnd(string(line, "tool_id"), f"failed: {error(line)}" if failed else content(line.get("output")))
    elif kind == "result":
        yield a.LineEnd()
        if stats := mapping(line, "stats"):
            read = count(stats, "input_tokens")  # what is thought is in the total only
            written = max(count(stats, "output_tokens"), count(stats, "total_tokens") - read)
            yield a.Usage(read, count(stats, "cached"), written)
        if line.get("status") == "error":
            yield a.Text(f"(it ended with an error: {error(line)})\n")


def read_whole(text: str) -> Iterator[a.AgentEvent] | None:
    """What it prints over several lines with `--output-format json`; None where the text is something else."""
    whole = parsed(text)
    if not isinstance(whole, dict) or not ("response" in whole or "error" in whole):
        return None
    return _whole(whole)


def _whole(whole: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    yield a.MessageStart()
    yield a.Text(string(whole, "response") + "\n")
    if mapping(whole, "error"):
        yield a.Text(f"(error: {error(whole)})\n")
    for model, found in mapping(mapping(whole, "stats"), "models").items():
        tokens = mapping(found, "tokens") if isinstance(found, dict) else {}
        thoughts = count(tokens, "thoughts")
        written = count(tokens, "candidates") + thoughts
        yield a.Usage(count(tokens, "prompt"), count(tokens, "cached"), written, thoughts, model=plain(model))
