"""What OpenAI's own client hears from an endpoint, in both dialects."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.endpoint import Endpoint

READ = 0.2
"""Seconds without a byte after which the impatient client gives up."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Without the system's certificates, which take 60 ms to load for each client."""
TOOL = {"name": "edit", "description": "Edits.", "parameters": {"type": "object", "properties": {}}}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@dataclass
class Heard:
    """What a client makes of a stream."""

    reasoning: str = ""
    text: str = ""
    refusal: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    """Index: id, name, arguments."""
    finish: str | None = None
    usage: Any = None
    events: list[str] = field(default_factory=list)
    last: Any = None


def client(endpoint: Endpoint, key: str = "sk-any", read: float | None = None) -> openai.AsyncOpenAI:
    wire = openai.DefaultAsyncHttpxClient(verify=NO_TLS, timeout=httpx2.Timeout(20, read=read))
    return openai.AsyncOpenAI(base_url=endpoint.url, api_key=key, max_retries=0, http_client=wire)


async def ask(
    endpoint: Endpoint, dialect: str, words: str = "Try something.", *, read: float | None = None, **more: Any
) -> Heard:
    heard = Heard()
    async with client(endpoint, more.pop("key", "sk-any"), read) as asking:
        model = more.pop("model", "test-model")
        try:
            if dialect == "chat":
                more.setdefault("messages", [{"role": "user", "content": words}])
                await hear_chat(heard, await asking.chat.completions.create(model=model, stream=True, **more))
            else:
                more.setdefault("input", words)
                more.setdefault("reasoning", {"summary": "auto"})
                await hear_responses(heard, await asking.responses.create(model=model, stream=True, **more))
        except openai.OpenAIError as error:
            error.heard = heard  # type: ignore[attr-defined]
            raise
    return heard


async def hear_chat(heard: Heard, stream: AsyncIterator[ChatCompletionChunk]) -> None:
    async for chunk in stream:
        ChatCompletionChunk.model_validate(chunk.to_dict(), strict=True)
        heard.usage = chunk.usage or heard.usage
        for choice in chunk.choices:
            delta = choice.delta.to_dict()
            heard.reasoning += str(delta.get("reasoning_content") or delta.get("reasoning") or "")
            heard.text += choice.delta.content or ""
            heard.refusal += choice.delta.refusal or ""
            for piece in choice.delta.tool_calls or ():
                call = heard.calls.setdefault(piece.index, [piece.id or "", piece.function.name or "", ""])
                call[2] += piece.function.arguments or ""
            heard.finish = choice.finish_reason or heard.finish


async def hear_responses(heard: Heard, stream: AsyncIterator[Any]) -> None:
    async for event in stream:
        EVENT.validate_python(event.to_dict(mode="json"))
        assert event.sequence_number == len(heard.events)
        heard.events.append(event.type)
        heard.last = event
        match event.type:
            case "response.reasoning_summary_part.added" if heard.reasoning:
                heard.reasoning += "\n\n"
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                heard.reasoning += event.delta
            case "response.output_text.delta":
                heard.text += event.delta
            case "response.refusal.delta":
                heard.refusal += event.delta
            case "response.output_item.added" if event.item.type == "function_call":
                heard.calls[len(heard.calls)] = [event.item.call_id, event.item.name, ""]
            case "response.function_call_arguments.delta":
                heard.calls[len(heard.calls) - 1][2] += event.delta
            case "response.completed" | "response.incomplete" | "response.failed":
                heard.finish, heard.usage = event.response.status, event.response.usage
