"""The lines that coding agents print as JSON: what one line means, for each agent that is known.

Told apart by the lines themselves, so that a script around an agent may be called anything. Pure, and without memory:
what belongs together over several lines is put together by `agents.Listener`. Where the formats are described:

- Claude Code: code.claude.com/docs/en/headless; Cursor: cursor.com/docs/cli/reference/output-format
- Codex: openai/codex, codex-rs/exec/src/exec_events.rs
- Gemini CLI: google-gemini/gemini-cli, packages/core/src/output/types.ts
- OpenCode: anomalyco/opencode, packages/opencode/src/cli/cmd/run.ts
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loop.sanitize import plain

LONGEST_TOLD = 160
"""Characters of a tool's intent or result: a line on screen."""


@dataclass(frozen=True)
class Begins:
    """A new message begins with the next words."""


@dataclass(frozen=True)
class Says:
    """Words of a message, or of its reasoning, which is no part of what it has to say."""

    text: str
    aside: bool = False


@dataclass(frozen=True)
class Piece:
    """A piece of words that come once more, as `Whole`."""

    text: str


@dataclass(frozen=True)
class Whole:
    """Words that may have come in pieces."""

    text: str
    aside: bool = False


@dataclass(frozen=True)
class Sums:
    """The last message once more, for who has not seen it."""

    text: str


@dataclass(frozen=True)
class EndsLine:
    """What comes next begins on a line of its own."""


@dataclass(frozen=True)
class Opens:
    """A tool has begun."""

    key: str
    intent: str


@dataclass(frozen=True)
class Closes:
    """A tool has ended."""

    key: str
    result: str


@dataclass(frozen=True)
class Tool:
    """A tool that was used, whole."""

    intent: str
    result: str
    seconds: float


@dataclass(frozen=True)
class Usage:
    """Tokens and money, as the agent says itself."""

    read: int = 0
    """Tokens of prompts, cached ones included."""
    cached: int = 0
    written: int = 0
    """Tokens of answers, those of their reasoning included."""
    reasoning: int = 0
    usd: float | None = None
    model: str = ""


@dataclass(frozen=True)
class Takes:
    """What one message took; a sum comes at the end, unless the agent is ended before."""

    key: str
    usage: Usage


@dataclass(frozen=True)
class Total:
    """The sum of all that messages took."""

    usage: Usage


@dataclass(frozen=True)
class Runs:
    """The model that is at work."""

    model: str


Mark = Begins | Says | Piece | Whole | Sums | EndsLine | Opens | Closes | Tool | Usage | Takes | Total | Runs


def marks(line: Mapping[str, Any]) -> Iterator[Mark] | None:
    """What a line of JSON means; None where no agent that is known prints such a line."""
    kind = line.get("type")
    if not isinstance(kind, str):
        return None
    if kind.startswith(("thread.", "turn.", "item.")):
        return _codex(kind, line)
    if part := _dict(line, "part"):
        return _opencode(kind, part)
    if kind in ("init", "message", "tool_use", "tool_result") or (kind == "result" and "status" in line):
        return _gemini(kind, line)
    if kind in ("system", "assistant", "user", "result", "stream_event", "tool_call", "thinking", "rate_limit_event"):
        return _claude(kind, line)
    if kind == "error":
        return _failure(line)
    return None


def _failure(line: Mapping[str, Any]) -> Iterator[Mark]:
    yield EndsLine()
    yield Says(f"(error: {_error(line)})\n")


def gemini_whole(text: str) -> Iterator[Mark] | None:
    """What Gemini CLI prints over several lines with `--output-format json`; None where the text is something else."""
    whole = parsed(text)
    if not isinstance(whole, dict) or not ("response" in whole or "error" in whole):
        return None
    return _gemini_whole(whole)


def parsed(text: str) -> Any:
    """The JSON value in a text, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def short(text: str, most: int = LONGEST_TOLD) -> str:
    """The first line that says something, and a mark where there is more."""
    lines = [" ".join(line.split()) for line in plain(text[: 8 * most]).split("\n")]
    first = next((line for line in lines if line), "")
    cut = first[: most - 1]
    return cut + "…" if cut != first or sum(map(bool, lines)) > 1 else first


# --- Claude Code, and Cursor, which is like it ---------------------------------------------------------------------


def _claude(kind: str, line: Mapping[str, Any]) -> Iterator[Mark]:
    message = _dict(line, "message")
    if kind == "system":
        yield Runs(_str(line, "model"))
    elif kind == "stream_event":
        event = _dict(line, "event")
        delta = _dict(event, "delta")
        yield Piece(_str(delta, "text") + _str(delta, "thinking"))
        if event.get("type") == "content_block_stop":
            yield EndsLine()
    elif kind == "assistant":
        for block in _blocks(message):
            match block.get("type"):
                case "text":
                    yield Begins()
                    yield Whole(_str(block, "text") + "\n")
                case "thinking":
                    yield Whole(_str(block, "thinking") + "\n", aside=True)
                case "tool_use":
                    yield Opens(_str(block, "id"), _intent(_str(block, "name"), block.get("input")))
        if usage := _dict(message, "usage"):
            yield Takes(_str(message, "id"), _anthropic(usage, None, _str(message, "model")))
    elif kind == "user":
        for block in _blocks(message):
            if block.get("type") == "tool_result":
                failed = "failed: " if block.get("is_error") else ""
                yield Closes(_str(block, "tool_use_id"), failed + _content(block.get("content")))
    elif kind == "thinking":
        yield Says(_str(line, "text"), aside=True)
        if line.get("subtype") != "delta":
            yield EndsLine()
    elif kind == "tool_call":
        yield from _cursor_tool(line)
    elif kind == "result":
        usd, usage = line.get("total_cost_usd"), _dict(line, "usage")
        if usage or usd is not None:
            yield Total(_anthropic(usage, usd, next(iter(_dict(line, "modelUsage")), "")))
        yield Sums(_str(line, "result") + "\n")
        if line.get("is_error") or _str(line, "subtype").startswith("error"):
            yield EndsLine()
            yield Says(f"(it ended with an error: {short(_str(line, 'result') or _str(line, 'subtype'))})\n")


def _cursor_tool(line: Mapping[str, Any]) -> Iterator[Mark]:
    call = _str(line, "call_id")
    for name, body in _dict(line, "tool_call").items():
        if isinstance(body, dict):
            if line.get("subtype") == "started":
                yield Opens(call, _intent(name.removesuffix("ToolCall"), body.get("args")))
            elif result := _dict(body, "result"):
                outcome, value = next(iter(result.items()))
                yield Closes(call, _content(value) if outcome == "success" else f"{outcome}: {_content(value)}")


def _anthropic(usage: Mapping[str, Any], usd: Any, model: str) -> Usage:
    """Tokens of Claude Code, whose input leaves out what came from a cache or went into one."""
    cached = _int(usage, "cache_read_input_tokens")
    if "inputTokens" in usage:  # Cursor's names; it does not say whether its input has the cached ones in it
        cached = _int(usage, "cacheReadTokens")
        return Usage(max(_int(usage, "inputTokens"), cached), cached, _int(usage, "outputTokens"), model=plain(model))
    return Usage(
        read=_int(usage, "input_tokens") + _int(usage, "cache_creation_input_tokens") + cached,
        cached=cached,
        written=_int(usage, "output_tokens"),
        usd=float(usd) if isinstance(usd, int | float) and 0 <= usd < 1e6 else None,
        model=plain(model),
    )


# --- Codex ---------------------------------------------------------------------------------------------------------


def _codex(kind: str, line: Mapping[str, Any]) -> Iterator[Mark]:
    item = _dict(line, "item")
    name, number = _str(item, "type"), _str(item, "id")
    if kind == "turn.completed":
        usage = _dict(line, "usage")
        read, cached = _int(usage, "input_tokens"), _int(usage, "cached_input_tokens")
        yield Usage(read, cached, _int(usage, "output_tokens"), _int(usage, "reasoning_output_tokens"))
    elif kind == "turn.failed":
        yield Says(f"(error: {_error(line)})\n")
    elif kind == "item.started" and name in ("command_execution", "mcp_tool_call", "collab_tool_call"):
        yield Opens(number, _codex_intent(item))
    elif kind == "item.completed":
        match name:
            case "agent_message" | "plan":
                yield Begins()
                yield Says(_str(item, "text") + "\n")
            case "reasoning":
                yield Says(_str(item, "text") + "\n", aside=True)
            case "error":
                yield Says(f"({short(_str(item, 'message'))})\n", aside=True)
            case "command_execution":
                code = item.get("exit_code")
                failed = f"exit code {code}: " if isinstance(code, int) and code else ""
                yield Opens(number, _codex_intent(item))
                yield Closes(number, failed + _content(item.get("aggregated_output")))
            case "file_change" | "web_search" | "mcp_tool_call" | "collab_tool_call":
                yield Opens(number, _codex_intent(item))
                yield Closes(number, f"failed: {_error(item)}" if _dict(item, "error") else _str(item, "status"))


def _codex_intent(item: Mapping[str, Any]) -> str:
    match item.get("type"):
        case "command_execution":
            return _str(item, "command")
        case "file_change":
            changes = item.get("changes")
            changed = [change for change in changes if isinstance(change, dict)] if isinstance(changes, list) else []
            return ", ".join(f"{_str(one, 'kind')} {_str(one, 'path')}" for one in changed) or "change files"
        case "web_search":
            return f"search the web: {_str(item, 'query')}"
        case "mcp_tool_call":
            return _intent(f"{_str(item, 'server')} {_str(item, 'tool')}", item.get("arguments"))
        case _:
            return f"{_str(item, 'tool')}: {_str(item, 'prompt')}"


# --- Gemini CLI ----------------------------------------------------------------------------------------------------


def _gemini(kind: str, line: Mapping[str, Any]) -> Iterator[Mark]:
    if kind == "init":
        yield Runs(_str(line, "model"))
    elif kind == "message" and line.get("role") == "assistant":
        yield Says(_str(line, "content"))
    elif kind == "tool_use":
        yield EndsLine()
        yield Begins()
        yield Opens(_str(line, "tool_id"), _intent(_str(line, "tool_name"), line.get("parameters")))
    elif kind == "tool_result":
        failed = line.get("status") == "error"
        yield Closes(_str(line, "tool_id"), f"failed: {_error(line)}" if failed else _content(line.get("output")))
    elif kind == "result":
        yield EndsLine()
        if stats := _dict(line, "stats"):
            read = _int(stats, "input_tokens")  # what is thought is in the total only
            written = max(_int(stats, "output_tokens"), _int(stats, "total_tokens") - read)
            yield Usage(read, _int(stats, "cached"), written)
        if line.get("status") == "error":
            yield Says(f"(it ended with an error: {_error(line)})\n")


def _gemini_whole(whole: Mapping[str, Any]) -> Iterator[Mark]:
    yield Begins()
    yield Says(_str(whole, "response") + "\n")
    if _dict(whole, "error"):
        yield Says(f"(error: {_error(whole)})\n")
    for model, found in _dict(_dict(whole, "stats"), "models").items():
        tokens = _dict(found, "tokens") if isinstance(found, dict) else {}
        thoughts = _int(tokens, "thoughts")
        written = _int(tokens, "candidates") + thoughts
        yield Usage(_int(tokens, "prompt"), _int(tokens, "cached"), written, thoughts, model=plain(model))


# --- OpenCode ------------------------------------------------------------------------------------------------------


def _opencode(kind: str, part: Mapping[str, Any]) -> Iterator[Mark]:
    if kind == "step_start":
        yield Begins()
    elif kind in ("text", "reasoning"):
        yield Says(_str(part, "text").strip("\n") + "\n", aside=kind == "reasoning")
    elif kind == "tool_use":  # told once it has ended, with its times in milliseconds
        state = _dict(part, "state")
        times, failure = _dict(state, "time"), _str(state, "error")
        took = max(0, _int(times, "end") - _int(times, "start")) / 1000
        result = f"failed: {failure}" if failure else _content(state.get("output"))
        yield Tool(short(_intent(_str(part, "tool"), state.get("input"))), short(result) or "done", took)
    elif kind == "step_finish":
        tokens, usd = _dict(part, "tokens"), part.get("cost")
        cache, reasoning = _dict(tokens, "cache"), _int(tokens, "reasoning")
        yield Usage(
            read=_int(tokens, "input") + _int(cache, "read") + _int(cache, "write"),
            cached=_int(cache, "read"),
            written=_int(tokens, "output") + reasoning,
            reasoning=reasoning,
            usd=float(usd) if isinstance(usd, int | float) and 0 < usd < 1e6 else None,  # 0 is also "no price known"
        )


# --- what is where in a stranger's JSON ----------------------------------------------------------------------------


def _dict(source: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def _str(source: Mapping[str, Any], key: str) -> str:
    value = source.get(key)
    return value if isinstance(value, str) else ""


def _int(source: Mapping[str, Any], key: str) -> int:
    """A count; 0 for what is none."""
    value = source.get(key)
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e15 else 0


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _content(value: Any) -> str:
    """The text in what a tool gave back, however it is wrapped."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_str(block, "text") for block in value if isinstance(block, dict))
    if isinstance(value, dict):
        texts = (_str(value, key) for key in ("text", "stdout", "output", "content", "stderr", "message"))
        return next((text for text in texts if text), "")
    return ""


def _error(line: Mapping[str, Any]) -> str:
    """What went wrong, in a line."""
    error = line.get("error")
    found = _dict(error, "data") if isinstance(error, dict) else {}
    texts = [_str(found, "message"), _str(line, "message")]
    if isinstance(error, dict):
        texts += [_str(error, "message"), _str(error, "name")]
    elif isinstance(error, str):
        texts.append(error)
    return short(next((text for text in texts if text), "it does not say what"))


def _intent(name: str, given: Any) -> str:
    """What a tool is used for: its name and the one argument that says most."""
    values = given if isinstance(given, dict) else {}
    telling = ("description", "command", "file_path", "filePath", "path", "absolute_path", "pattern", "query", "url")
    texts = [text for key in telling if (text := _str(values, key))]
    texts += [value for value in values.values() if isinstance(value, str) and value]
    return f"{name or 'a tool'}: {texts[0]}" if texts else name or "a tool"
