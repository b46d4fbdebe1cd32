"""gptme with `--output-format json`: one line for each message, tools called in the message's text.

A result comes as a message of the system, with the call's id where the model's service has calls of its own.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import count, intent, mapping, parsed, string
from loop.sanitize import plain

_THOUGHT = re.compile(r"<think(?:ing)?>\s*(.*?)\s*</think(?:ing)?>\s*", re.DOTALL)
_CALL = re.compile(r"^@(?P<name>[\w-]+)\((?P<id>[\w.:-]+)\): (?P<given>\{.*)", re.MULTILINE | re.DOTALL)

_END = "complete"
"""The tool by which it ends: no work."""


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    """Gemini's messages have the same kind, without what is asked for here."""
    return kind == "message" and (line.get("role") == "system" or isinstance(line.get("metadata"), dict))


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    said, about = string(line, "content"), mapping(line, "metadata")
    if line.get("role") == "assistant":
        yield from _said(said)
        if usage := mapping(about, "usage"):
            yield _usage(usage, about)
    elif line.get("role") == "system":
        name = string(about, "tool")
        if name == _END:
            return
        if key := string(line, "call_id"):
            yield a.ToolEnd(key, _result(said))
        elif name:
            yield a.ToolUse(name, _result(said), 0.0)


def _said(text: str) -> Iterator[a.AgentEvent]:
    """A message: what it thinks, what it says, and what it calls."""
    for thought in _THOUGHT.findall(text):
        yield a.FullText(thought + "\n", aside=True)
    rest = _THOUGHT.sub("", text)
    called = _CALL.search(rest)
    words = (rest[: called.start()] if called else rest).strip()
    if words:
        yield a.MessageStart()
        yield a.FullText(words + "\n")
    for one in re.split(r"\n(?=@[\w-]+\([\w.:-]+\): )", rest[called.start() :]) if called else ():
        if (found := _CALL.match(one)) and found["name"] != _END:
            given = parsed(found["given"].strip())
            yield a.ToolStart(found["id"], intent(found["name"], given))


def _result(text: str) -> str:
    """A result without the line that repeats the call, where there is more, and without its fences."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("```")]
    return "\n".join(lines[1:] if len(lines) > 1 and lines[0].startswith("Ran ") else lines)


def _usage(usage: Mapping[str, Any], about: Mapping[str, Any]) -> a.Usage:
    cached, usd = count(usage, "cache_read_tokens"), about.get("cost")
    return a.Usage(
        read=count(usage, "input_tokens") + cached + count(usage, "cache_creation_tokens"),
        cached=cached,
        written=count(usage, "output_tokens"),
        reasoning=count(usage, "reasoning_tokens"),
        usd=float(usd) if isinstance(usd, int | float) and 0 < usd < 1e6 else None,
        model=plain(string(about, "served_model") or string(about, "model")),
    )
