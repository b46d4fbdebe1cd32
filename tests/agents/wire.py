"""Four protocols of language models: what an agent's request says, and an answer as events. Pure.

Chat Completions and Responses are those of `tests.dialects`; Anthropic Messages and Gemini are here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests import dialects
from tests.agents.model import Heard, Tool
from tests.dialects import Answer

READ, CACHED, WRITTEN, THOUGHT = 3300, 2000, 150, 50
"""Tokens of every answer, as each protocol words them; the first holds the cached ones."""
USAGE = {"input": READ, "cached": CACHED, "output": WRITTEN, "reasoning": THOUGHT}

Body = Mapping[str, Any]


def protocol(path: str) -> str:
    """Which protocol a POST to this path speaks; empty where none does."""
    if path.endswith("/messages"):
        return "anthropic"
    if path.endswith("/chat/completions"):
        return "chat"
    if path.endswith("/responses"):
        return "responses"
    return "gemini" if path.endswith("enerateContent") else ""


def heard(kind: str, body: Body) -> Heard:
    """What a request says."""
    return {"anthropic": _anthropic, "gemini": _gemini}.get(kind, _openai)(body)


def stream(kind: str, answer: Answer, body: Body, number: int) -> Iterator[str]:
    """An answer as server-sent events."""
    if kind == "anthropic":
        for event in _anthropic_events(answer, body, number):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    elif kind == "gemini":
        for chunk in _gemini_chunks(answer, number):
            yield f"data: {json.dumps(chunk)}\r\n\r\n"
    elif kind == "responses":
        for _, event in dialects.responses_stream(answer, body, number, ""):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    else:
        for _, event in dialects.chat_stream(answer, body, number, ""):
            yield f"data: {json.dumps(event)}\n\n"
        yield "data: [DONE]\n\n"


def whole(kind: str, answer: Answer, body: Body, number: int) -> dict[str, Any]:
    """An answer that is not streamed."""
    if kind == "anthropic":
        head = _anthropic_head(body, number)
        return head | {
            "content": _blocks(answer, body, number),
            "stop_reason": _stop(answer),
            "usage": _ANTHROPIC_USAGE,
        }
    if kind == "gemini":
        return _gemini_chunk([part for part in _parts(answer) if not part.get("thought")], number, "STOP")
    of = dialects.responses_whole if kind == "responses" else dialects.chat_whole
    return of(answer, body, number, "")


def error(kind: str, status: int, message: str) -> dict[str, Any]:
    """An error's body."""
    names = {401: "authentication_error", 402: "billing_error", 429: "rate_limit_error", 529: "overloaded_error"}
    if kind == "anthropic":
        return {"type": "error", "error": {"type": names.get(status, "api_error"), "message": message}}
    if kind == "gemini":
        states = {401: "UNAUTHENTICATED", 402: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 529: "UNAVAILABLE"}
        return {"error": {"code": status, "message": message, "status": states.get(status, "INTERNAL")}}
    return dialects.error(message, {401: "invalid_api_key", 402: "insufficient_quota"}.get(status, ""), status)


def _texts(value: Any) -> str:
    """All texts in a message's content or a tool's result, however they are nested."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        inner = ("text", "content", "output", "result", "llmContent", "error")
        return "\n".join(_texts(value[key]) for key in inner if key in value)
    return "\n".join(map(_texts, value)) if isinstance(value, list) else ""


# --- OpenAI ---


def _openai(body: Body) -> Heard:
    results, told, said = [], "", ""
    for message in dialects.conversation(body):
        text = _texts(message.get("content"))
        if message["role"] == "tool":
            results.append(text)
        elif message["role"] == "assistant":
            said += text
        else:
            told += f"\n{text}"
    return Heard(list(_openai_tools(body.get("tools") or ())), results, told, said)


def _openai_tools(offered: Iterable[Body]) -> Iterator[Tool]:
    for tool in offered:
        about = tool.get("function", tool)
        if tool.get("type") == "function":
            yield Tool(about["name"], about.get("parameters") or {})


# --- Anthropic Messages ---

_ANTHROPIC_USAGE = {
    "input_tokens": READ - CACHED,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": CACHED,
    "output_tokens": WRITTEN,
}


def _anthropic(body: Body) -> Heard:
    results, told, said = [], _texts(body.get("system")), ""
    for message in body.get("messages", ()):
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if block["type"] == "tool_result":
                results.append(_texts(block.get("content")))
            elif message["role"] == "assistant":
                said += block.get("text", "")
            else:
                told += f"\n{block.get('text', '')}"
    tools = [Tool(tool["name"], tool.get("input_schema") or {}) for tool in body.get("tools") or ()]
    return Heard(tools, results, told, said)


def _anthropic_head(body: Body, number: int) -> dict[str, Any]:
    head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": body.get("model"), "content": []}
    return head | {"stop_reason": None, "stop_sequence": None, "usage": _ANTHROPIC_USAGE | {"output_tokens": 1}}


def _stop(answer: Answer) -> str:
    return "tool_use" if answer.calls else "end_turn"


def _blocks(answer: Answer, body: Body, number: int) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.reasoning and (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        blocks.append({"type": "thinking", "thinking": answer.reasoning, "signature": "c2lnbmVk"})
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for index, (name, given) in enumerate(answer.calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{number}_{index}", "name": name, "input": given})
    return blocks


def _anthropic_events(answer: Answer, body: Body, number: int) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _anthropic_head(body, number)}
    for index, block in enumerate(_blocks(answer, body, number)):
        kind = block["type"]
        if kind == "tool_use":
            empty: dict[str, Any] = {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        else:
            empty = {kind: ""} | ({"signature": ""} if kind == "thinking" else {})
            deltas = [{"type": f"{kind}_delta", kind: piece} for _, piece in answer.split(block[kind])]
            if kind == "thinking":
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
        yield {"type": "content_block_start", "index": index, "content_block": block | empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _stop(answer), "stop_sequence": None},
        "usage": _ANTHROPIC_USAGE,
    }
    yield {"type": "message_stop"}


# --- Gemini ---


def _gemini(body: Body) -> Heard:
    system = body.get("systemInstruction") or {}
    results, told, said = [], _texts(system.get("parts")), ""
    for content in body.get("contents", ()):
        for part in content.get("parts", ()):
            if "functionResponse" in part:
                results.append(_texts(part["functionResponse"].get("response")))
            elif content.get("role") == "model":
                said += part.get("text", "")
            else:
                told += f"\n{part.get('text', '')}"
    declared = [one for group in body.get("tools") or () for one in group.get("functionDeclarations") or ()]
    tools = [
        Tool(one["name"], _lowered(one.get("parametersJsonSchema") or one.get("parameters") or {})) for one in declared
    ]
    config = body.get("generationConfig") or {}
    return Heard(tools, results, told, said, config.get("responseMimeType") == "application/json")


def _lowered(schema: Any) -> Any:
    """A schema with the types of JSON Schema, which Gemini writes in capitals."""
    if isinstance(schema, dict):
        return {
            key: value.lower() if key == "type" and isinstance(value, str) else _lowered(value)
            for key, value in schema.items()
        }
    return [_lowered(one) for one in schema] if isinstance(schema, list) else schema


def _parts(answer: Answer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if answer.reasoning:
        parts.append({"text": answer.reasoning, "thought": True})
    if answer.text:
        parts.append({"text": answer.text})
    parts += [{"functionCall": {"name": name, "args": given}} for name, given in answer.calls]
    return parts


def _gemini_chunk(parts: list[dict[str, Any]], number: int, finish: str | None) -> dict[str, Any]:
    usage = {
        "promptTokenCount": READ,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": WRITTEN - THOUGHT,
        "thoughtsTokenCount": THOUGHT,
        "totalTokenCount": READ + WRITTEN,
    }
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": f"r{number}", "usageMetadata": usage}


def _gemini_chunks(answer: Answer, number: int) -> Iterator[dict[str, Any]]:
    parts = _parts(answer)
    for index, part in enumerate(parts):
        yield _gemini_chunk([part], number, "STOP" if index == len(parts) - 1 else None)
