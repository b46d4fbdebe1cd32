"""Gemini CLI with `--output-format stream-json` or `json`.

See google-gemini/gemini-cli, packages/core/src/output/types.ts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import content, count, error, intent, mapping, parsed, question, string
from loop.sanitize import plain

_REFUSED = re.compile(r"denied by policy|not permitted|requires (user )?(approval|confirmation)", re.IGNORECASE)


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    keys = {
        "init": "session_id",
        "message": "content",
        "tool_use": "tool_name",
        "tool_result": "tool_id",
        "result": "status",
    }
    return kind in keys and keys[kind] in line


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    if kind == "init":
        yield a.MessageStart()
        yield a.ModelNamed(string(line, "model"))
        yield a.SessionNamed(string(line, "session_id"))
    elif kind == "message" and line.get("role") == "assistant":
        yield a.Text(string(line, "content"))
    elif kind == "tool_use":
        yield a.LineEnd()
        yield a.MessageStart()
        name, given = string(line, "tool_name"), line.get("parameters")
        yield a.ToolStart(string(line, "tool_id"), intent(name, given))
        if asked := question(name, given):
            yield a.Question(asked)
    elif kind == "tool_result":
        failed = line.get("status") == "error"
        said = f"failed: {error(line)}" if failed else content(line.get("output"))
        yield a.ToolEnd(string(line, "tool_id"), said, failed and _REFUSED.search(said) is not None)
    elif kind == "result":
        yield a.LineEnd()
        if stats := mapping(line, "stats"):
            models = mapping(stats, "models")
            for model in models:
                yield _usage(mapping(models, model), model)
            if not models:
                yield _usage(stats, "")
        if line.get("status") == "error":
            yield a.Failure(error(line, most=1000))


def _usage(stats: Mapping[str, Any], model: str) -> a.Usage:
    read = count(stats, "input_tokens")  # what is thought is in the total only
    written = max(count(stats, "output_tokens"), count(stats, "total_tokens") - read)
    return a.Usage(read, count(stats, "cached"), written, model=plain(model))


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
        yield a.Failure(error(whole, most=1000))
    for model, found in mapping(mapping(whole, "stats"), "models").items():
        tokens = mapping(found, "tokens") if isinstance(found, dict) else {}
        thoughts = count(tokens, "thoughts")
        written = count(tokens, "candidates") + thoughts
        yield a.Usage(count(tokens, "prompt"), count(tokens, "cached"), written, thoughts, model=plain(model))
