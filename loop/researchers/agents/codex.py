"""Codex with `--json`: see openai/codex, codex-rs/exec/src/exec_events.rs."""

from collections.abc import Iterator, Mapping
from typing import Any

from loop.researchers.agents import agent_events as a
from loop.researchers.agents.json_fields import content, count, error, intent, mapping, short, string


def speaks(kind: str, line: Mapping[str, Any]) -> bool:
    return kind.startswith(("thread.", "turn.", "item."))


def read(kind: str, line: Mapping[str, Any]) -> Iterator[a.AgentEvent]:
    item = mapping(line, "item")
    name, number = string(item, "type"), string(item, "id")
    if kind == "thread.started":
        yield a.SessionNamed(string(line, "thread_id"))
    elif kind == "turn.completed":
        usage = mapping(line, "usage")
        read, cached = count(usage, "input_tokens"), count(usage, "cached_input_tokens")
        yield a.Usage(read, cached, count(usage, "output_tokens"), count(usage, "reasoning_output_tokens"))
    elif kind == "turn.failed":
        yield a.Failure(error(line, most=1000))
    elif kind == "item.started" and name in ("command_execution", "mcp_tool_call", "collab_tool_call"):
        yield a.ToolStart(number, _codex_intent(item))
    elif kind == "item.completed":
        match name:
            case "agent_message" | "plan":
                yield a.MessageStart()
                yield a.Text(string(item, "text") + "\n")
            case "reasoning":
                yield a.Text(string(item, "text") + "\n", aside=True)
            case "error":
                yield a.Text(f"({short(string(item, 'message'))})\n", aside=True)
            case "command_execution":
                code = item.get("exit_code")
                failed = f"exit code {code}: " if isinstance(code, int) and code else ""
                yield a.ToolStart(number, _codex_intent(item))
                yield a.ToolEnd(number, failed + content(item.get("aggregated_output")))
            case "file_change" | "web_search" | "mcp_tool_call" | "collab_tool_call":
                yield a.ToolStart(number, _codex_intent(item))
                yield a.ToolEnd(number, f"failed: {error(item)}" if mapping(item, "error") else _result(item))


def _result(item: Mapping[str, Any]) -> str:
    """What a tool of an MCP server returned, or how a change of files ended."""
    return content(mapping(item, "result").get("content")) or string(item, "status")


def _codex_intent(item: Mapping[str, Any]) -> str:
    match item.get("type"):
        case "command_execution":
            return string(item, "command")
        case "file_change":
            changes = item.get("changes")
            changed = [change for change in changes if isinstance(change, dict)] if isinstance(changes, list) else []
            return ", ".join(f"{string(one, 'kind')} {string(one, 'path')}" for one in changed) or "change files"
        case "web_search":
            return f"search the web: {string(item, 'query')}"
        case "mcp_tool_call":
            return intent(f"{string(item, 'server')} {string(item, 'tool')}", item.get("arguments"))
        case _:
            return f"{string(item, 'tool')}: {string(item, 'prompt')}"
