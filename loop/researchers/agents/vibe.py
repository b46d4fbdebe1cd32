"""Mistral Vibe with `--output streaming`: one line for each entry of its session, once the entry is whole.

It prints no tokens; what it cannot get over it prints as plain text, which `failures` reads.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import blocks, error, intent, mapping, question, string, strings

_KINDS = ("message", "reasoning", "effect")


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind in _KINDS and "sessionId" in line and "generationStatus" in line


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    yield a.SessionNamed(string(line, "sessionId"))
    if kind == "reasoning":
        yield a.FullText(string(line, "text") + "\n", aside=True)
    elif kind == "message" and line.get("role") == "assistant":
        if said := "".join(string(block, "text") for block in blocks(line)):
            yield a.MessageStart()
            yield a.FullText(said + "\n")
    elif kind == "effect":
        detail, state = mapping(line, "detail"), mapping(line, "state")
        name, given = string(detail, "toolName") or string(line, "title"), detail.get("input")
        if asked := question(name.rpartition(".")[2], given):
            yield a.Question(asked)
        yield a.ToolUse(intent(name, given), _result(state), 0.0, refused=_refused(state))


def _refused(state: Mapping[str, Any]) -> bool:
    return state.get("decision") in ("deny", "denied", "reject", "rejected", "skip", "skipped")


def _result(state: Mapping[str, Any]) -> str:
    """What a tool came to: its words for a person, else the longest text that it returned."""
    display = mapping(state, "display")
    said = " ".join(filter(None, (string(display, "verb"), string(display, "message"))))
    failed = state.get("status") == "failed" or display.get("success") is False
    if failed:
        told = error(state) if state.get("error") else said
        return f"failed: {told}"
    return said or string(state, "outputText") or max(strings(state.get("output")), key=len, default="done")
