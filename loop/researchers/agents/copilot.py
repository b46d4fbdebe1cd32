"""GitHub Copilot CLI with `--output-format json`: events whose kinds have a dot in them, and their data apart."""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import content, count, error, intent, mapping, question, string


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    group, dot, _ = kind.partition(".")
    ours = group in ("assistant", "tool", "model", "session", "user", "permission", "hook") and "data" in line
    return (bool(dot) and ours) or (kind == "result" and "exitCode" in line)


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    data = mapping(line, "data")
    match kind:
        case "assistant.message_delta" | "assistant.reasoning_delta":
            yield a.TextDelta(string(data, "deltaContent"))
        case "assistant.message_start":
            yield a.LineEnd()
        case "assistant.message":
            yield a.ModelNamed(string(data, "model"))
            if said := string(data, "content"):
                yield a.MessageStart()
                yield a.FullText(said)
            yield a.LineEnd()
        case "assistant.usage":
            read = count(data, "inputTokens") + count(data, "cacheWriteTokens")
            yield a.Usage(
                read, count(data, "cacheReadTokens"), count(data, "outputTokens"), model=string(data, "model")
            )
        case "tool.execution_start":
            name, given = string(data, "toolName"), data.get("arguments")
            yield a.ToolStart(string(data, "toolCallId"), intent(name, given))
            if asked := question(name, given):
                yield a.Question(asked)
        case "tool.execution_complete":
            failed = data.get("success") is False
            said = error(data) if failed else content(data.get("result"))
            refused = failed and string(mapping(data, "error"), "code") in ("denied", "permission_denied")
            yield a.ToolEnd(string(data, "toolCallId"), ("failed: " if failed else "") + said, refused)
        case "session.error":
            yield a.Failure(string(data, "message"), count(data, "statusCode"))
        case "result":
            yield a.SessionNamed(string(line, "sessionId"))
