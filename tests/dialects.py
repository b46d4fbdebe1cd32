"""An answer of a language model as bytes' worth of JSON: Chat Completions and Responses, streamed or whole. Pure.

Everything here is a function of an answer and of the request's body; sockets, clocks and faults are in `endpoint`.
A streamed answer is pairs (a new word begins here, the event), so that whoever sends it can pace and cut it by words.
"""

import base64
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Event = tuple[bool, dict[str, Any]]
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the model says, and how its server words it."""

    reasoning: str = ""
    text: str = ""
    calls: Sequence[tuple[str, dict[str, Any] | str]] = ()
    """A tool's name and its arguments; a text is sent as it is, malformed or not."""
    finish: str = ""
    """Empty for what fits, "tool_calls" or "stop"; else "length" or "content_filter"."""
    refusal: str = ""
    reasoning_as: Literal["reasoning_content", "reasoning", "think", "summary"] = "reasoning_content"
    """Chat: in a field of that name, or in the text between <think> and </think>. Responses: "reasoning" is reasoning
    text, as open models' servers send it; "think" as in chat; the others are a summary, a part for each paragraph, and
    as with OpenAI there is none unless the request asked for one."""
    rate: float = 0
    """Words a second; 0 is as fast as it goes."""
    usage: Mapping[str, Any] | None = field(default_factory=dict)
    """Of "input", "cached", "output" and "reasoning" those given, the others are counted in words; other keys are sent
    along as they are. None: this server sends no usage."""
    pieces: int = 3
    """Characters of a piece: small enough to split tags between events."""

    def said(self) -> str:
        """The text as it is sent, with the reasoning in it where it is sent that way."""
        if self.reasoning and self.reasoning_as == "think":
            return f"<think>\n{self.reasoning}\n</think>\n\n{self.text}"
        return self.text

    def arguments(self) -> list[tuple[str, str]]:
        """The calls, with their arguments as JSON."""
        return [
            (name, given if isinstance(given, str) else json.dumps(given, ensure_ascii=False))
            for name, given in self.calls
        ]

    def split(self, text: str) -> Iterator[tuple[bool, str]]:
        """The text in pieces, and whether each begins a word."""
        for word in re.findall(r"\s*\S+|\s+\Z", text):
            for start in range(0, len(word), self.pieces):
                yield start == 0, word[start : start + self.pieces]

    def counts(self, request: str) -> dict[str, Any] | None:
        """Tokens of this answer and of the request's text: what `usage` says, and words for the rest."""
        if self.usage is None:
            return None
        spoken = (self.reasoning, self.text, self.refusal, *(f"{name} {given}" for name, given in self.arguments()))
        counted = {
            "input": words(request),
            "cached": 0,
            "output": sum(map(words, spoken)),
            "reasoning": words(self.reasoning),
        }
        return counted | dict(self.usage)


def words(text: str) -> int:
    return len(text.split())


def error(message: str, code: str = "", status: int = 500, param: str | None = None) -> dict[str, Any]:
    """An error's body in OpenAI's shape; the type is what OpenAI gives with that status."""
    kinds = {429: "requests", 403: "permission_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    if code == "insufficient_quota":
        kind = code
    return {"error": {"message": message, "type": kind, "param": param, "code": code or None}}


def conversation(body: Body) -> list[dict[str, Any]]:
    """The request's messages in the shape of Chat Completions, whichever dialect it speaks.

    Of a Responses request the instructions become the system's message, and what the assistant thought ("reasoning":
    the items as sent), said and called between two messages of others becomes one message.
    """
    if "messages" in body:
        return list(body["messages"])
    told: list[dict[str, Any]] = []
    if body.get("instructions"):
        told.append({"role": "system", "content": body["instructions"]})
    given = body.get("input") or []
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = item.get("type", "message")
        if kind == "function_call_output":
            told.append({"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]})
            continue
        if kind == "message" and item["role"] != "assistant":
            told.append({"role": item["role"], "content": item["content"]})
            continue
        if not told or told[-1]["role"] != "assistant":
            told.append({"role": "assistant", "content": ""})
        message = told[-1]
        if kind == "message":
            message["content"] += plain(item["content"])
        elif kind == "function_call":
            call = {"name": item["name"], "arguments": item["arguments"]}
            message.setdefault("tool_calls", []).append({"id": item["call_id"], "type": "function", "function": call})
        else:
            message.setdefault("reasoning", []).append(item)
    return told


def plain(content: Any) -> str:
    """A message's content as text, given as one or in parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or part.get("refusal") or "" for part in content or ())


def unanswerable(body: Body) -> dict[str, Any] | None:
    """The error, in OpenAI's words, of a conversation whose tool calls and results do not pair; None if they do."""
    chat = "messages" in body
    waiting: list[str] = []
    for message in [*conversation(body), {"role": "end"}]:
        if message["role"] == "tool":
            if message["tool_call_id"] in waiting:
                waiting.remove(message["tool_call_id"])
            elif chat:
                why = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                return error(f"Invalid parameter: {why}", status=400, param="messages")
            else:
                why = f"No tool call found for function call output with call_id {message['tool_call_id']}."
                return error(why, status=400, param="input")
        elif waiting and chat:
            why = (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
            )
            return error(why, status=400, param="messages")
        elif waiting and message["role"] == "end":
            return error(f"No tool output found for function call {waiting[0]}.", status=400, param="input")
        waiting.extend(call["id"] for call in message.get("tool_calls") or ())
    return None


# -- Chat Completions


def _chat_usage(counts: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in counts.items() if name not in ("input", "cached", "output", "reasoning")}
    return {
        "prompt_tokens": counts["input"],
        "completion_tokens": counts["output"],
        "total_tokens": counts["input"] + counts["output"],
        "prompt_tokens_details": {"cached_tokens": counts["cached"]},
        "completion_tokens_details": {"reasoning_tokens": counts["reasoning"]},
    } | rest


def _chat_fields(answer: Answer) -> list[tuple[str, str]]:
    """What is said, in order: the field's name and its text."""
    aside = "reasoning" if answer.reasoning_as == "reasoning" else "reasoning_content"
    reasoning = "" if answer.reasoning_as == "think" else answer.reasoning
    fields = [(aside, reasoning), ("content", answer.said()), ("refusal", answer.refusal)]
    return [(name, text) for name, text in fields if text]


def chat_stream(answer: Answer, body: Body, number: int, request: str) -> Iterator[Event]:
    """The chunks of a streamed chat completion."""
    counts = answer.counts(request)
    metered = counts is not None and (body.get("stream_options") or {}).get("include_usage")
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}
    if metered:
        head["usage"] = None

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield False, chunk({"role": "assistant", "content": ""})
    for name, text in _chat_fields(answer):
        for begins, piece in answer.split(text):
            yield begins, chunk({name: piece})
    for index, (name, arguments) in enumerate(answer.arguments()):
        call = {"index": index, "id": f"call_{number}_{index}", "type": "function"}
        yield True, chunk({"tool_calls": [call | {"function": {"name": name, "arguments": ""}}]})
        for begins, piece in answer.split(arguments):
            yield begins, chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield False, chunk({}, answer.finish or ("tool_calls" if answer.calls else "stop"))
    if metered and counts:
        yield False, head | {"choices": [], "usage": _chat_usage(counts)}


def chat_whole(answer: Answer, body: Body, number: int, request: str) -> dict[str, Any]:
    """A chat completion that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None} | dict(_chat_fields(answer))
    if answer.calls:
        message["tool_calls"] = [
            {"id": f"call_{number}_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(answer.arguments())
        ]
    finish = answer.finish or ("tool_calls" if answer.calls else "stop")
    whole = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
    }
    counts = answer.counts(request)
    return whole | ({"usage": _chat_usage(counts)} if counts else {})


# -- Responses


def _response(body: Body, number: int, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 0,
        "model": body["model"],
        "status": status,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "instructions": body.get("instructions"),
        "error": None,
        "incomplete_details": None,
        "usage": None,
    } | more


def _items(answer: Answer, body: Body, number: int) -> list[dict[str, Any]]:
    """The output items of a finished response."""
    items: list[dict[str, Any]] = []
    if answer.reasoning and answer.reasoning_as != "think":
        item: dict[str, Any] = {"id": f"rs_{number}", "type": "reasoning", "summary": []}
        if answer.reasoning_as == "reasoning":
            item["content"] = [{"type": "reasoning_text", "text": answer.reasoning}]
        elif (body.get("reasoning") or {}).get("summary"):
            item["summary"] = [{"type": "summary_text", "text": part} for part in answer.reasoning.split("\n\n")]
        if "reasoning.encrypted_content" in (body.get("include") or ()):
            item["encrypted_content"] = "gAAAAA" + base64.b64encode(answer.reasoning.encode()).decode()
        items.append(item)
    parts: list[dict[str, Any]] = []
    if answer.said():
        parts.append({"type": "output_text", "text": answer.said(), "annotations": [], "logprobs": []})
    if answer.refusal:
        parts.append({"type": "refusal", "refusal": answer.refusal})
    if parts:
        items.append({"id": f"msg_{number}", "type": "message", "role": "assistant", "content": parts})
    for index, (name, arguments) in enumerate(answer.arguments()):
        call = {"id": f"fc_{number}_{index}", "type": "function_call", "call_id": f"call_{number}_{index}"}
        items.append(call | {"name": name, "arguments": arguments})
    for item in items:
        item["status"] = "completed"
    if items and answer.finish in ("length", "content_filter"):
        items[-1]["status"] = "incomplete"
    return items


def responses_whole(answer: Answer, body: Body, number: int, request: str) -> dict[str, Any]:
    """A response that is over: complete, or incomplete with the reason."""
    more: dict[str, Any] = {}
    counts = answer.counts(request)
    if counts:
        rest = {name: value for name, value in counts.items() if name not in ("input", "cached", "output", "reasoning")}
        more["usage"] = {
            "input_tokens": counts["input"],
            "input_tokens_details": {"cached_tokens": counts["cached"], "cache_write_tokens": 0},
            "output_tokens": counts["output"],
            "output_tokens_details": {"reasoning_tokens": counts["reasoning"]},
            "total_tokens": counts["input"] + counts["output"],
        } | rest
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    if answer.finish in reasons:
        more["incomplete_details"] = {"reason": reasons[answer.finish]}
    status = "incomplete" if answer.finish in reasons else "completed"
    return _response(body, number, status, _items(answer, body, number), **more)


def responses_failure(
    body: Body, number: int, sequence: int, message: str, code: str, kind: str = "response.failed"
) -> dict[str, Any]:
    """The event that ends a failed response: "response.failed", or "error" alone."""
    if kind == "error":
        return {"type": "error", "sequence_number": sequence, "message": message, "code": code or None, "param": None}
    why = {"code": code or "server_error", "message": message}
    return {"type": kind, "sequence_number": sequence, "response": _response(body, number, "failed", [], error=why)}


def responses_stream(answer: Answer, body: Body, number: int, request: str) -> Iterator[Event]:
    """The events of a streamed response."""
    sequence = itertools.count()

    def event(kind: str, **more: Any) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(sequence), **more}

    def spoken(kind: str, text: str, name: str = "text", **where: Any) -> Iterator[Event]:
        extra: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
        for begins, piece in answer.split(text):
            yield begins, event(f"{kind}.delta", delta=piece, **where, **extra)
        yield False, event(f"{kind}.done", **{name: text}, **where, **extra)

    yield False, event("created", response=_response(body, number, "in_progress", []))
    yield False, event("in_progress", response=_response(body, number, "in_progress", []))
    whole = responses_whole(answer, body, number, request)
    for index, item in enumerate(whole["output"]):
        at = {"item_id": item["id"], "output_index": index}
        empty = {"summary": [], "content": [], "arguments": ""}
        begun = item | {"status": "in_progress"} | {name: value for name, value in empty.items() if name in item}
        yield item["type"] == "function_call", event("output_item.added", output_index=index, item=begun)
        for number_, part in enumerate(item.get("summary", ())):
            where = at | {"summary_index": number_}
            yield False, event("reasoning_summary_part.added", part=part | {"text": ""}, **where)
            yield from spoken("reasoning_summary_text", part["text"], **where)
            yield False, event("reasoning_summary_part.done", part=part, **where)
        for number_, part in enumerate(item.get("content", ())):
            where, kind = at | {"content_index": number_}, part["type"]
            name = "refusal" if kind == "refusal" else "text"
            yield False, event("content_part.added", part=part | {name: ""}, **where)
            yield from spoken(kind, part[name], name, **where)
            yield False, event("content_part.done", part=part, **where)
        if "arguments" in item:
            yield from spoken("function_call_arguments", item["arguments"], "arguments", **at)
        yield False, event("output_item.done", output_index=index, item=item)
    yield False, event(whole["status"], response=whole)
