"""Chat Completions, which every compatible server speaks: vLLM, Ollama, llama.cpp, LiteLLM, OpenRouter.

Reasoning comes in whatever form the server has: `reasoning_content`, `reasoning`, or `<think>` in the text.
"""

from typing import Any

from openai import AsyncOpenAI

from loop.researchers.llm import cache_marks
from loop.researchers.llm.conversation import (
    IncompleteStream,
    Message,
    OnPiece,
    Reply,
    Request,
    ToolCall,
    Usage,
    UserMessage,
    money,
)
from loop.researchers.llm.thinking import Splitter

_REASONING = ("reasoning_content", "reasoning")
_FINISHES = {"length": "length", "content_filter": "refused"}


def body(request: Request) -> dict[str, Any]:
    """The request as Chat Completions has it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": request.conversation.system}]
    messages += [_message(message) for message in request.conversation.messages]
    if cache_marks.wanted(request.model) and "cache_control" not in request.without:
        messages = cache_marks.marked(messages)
    wanted: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": dict(tool)} for tool in request.tools] or None,
        "reasoning_effort": request.effort,
        "temperature": request.temperature,
        "max_tokens": request.most,
    }
    return {name: value for name, value in wanted.items() if value is not None and name not in request.without}


def _message(message: Message) -> dict[str, Any]:
    if isinstance(message, UserMessage):
        return {"role": "user", "content": message.text}
    if not isinstance(message, Reply):
        return {"role": "tool", "tool_call_id": message.call.id, "content": message.text}
    said: dict[str, Any] = {"role": "assistant", "content": message.text}
    if message.calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in message.calls
        ]
        if message.reasoning_field:  # a model that thinks between calls needs its thoughts back until it has answered
            said[message.reasoning_field] = message.reasoning
    return said


async def ask(client: AsyncOpenAI, request: Request, on_piece: OnPiece) -> Reply:
    """Make one call and stream its answer.

    Raises:
        IncompleteStream: the stream ended early.
        openai.OpenAIError: see `faults.py`.
    """
    stream = await client.chat.completions.create(stream=True, **body(request))
    answer = _Answer(on_piece)
    try:
        async for chunk in stream:
            answer.take(chunk)
    finally:
        await stream.close()
    return answer.reply()


class _Answer:
    """Assembles one answer from its chunks."""

    def __init__(self, on_piece: OnPiece) -> None:
        self._on_piece = on_piece
        self._splitter = Splitter()
        self._pieces: dict[str, list[str]] = {"thinking": [], "text": []}
        self._calls: dict[int, dict[str, str]] = {}
        self._refusal = ""
        self._finish: str | None = None
        self._field = ""
        self._usage: Usage | None = None
        self._any = False

    def take(self, chunk: Any) -> None:
        self._any = True
        if getattr(chunk, "usage", None) is not None:
            self._usage = _usage(chunk.usage)
        for choice in chunk.choices or ():
            self._finish = choice.finish_reason or self._finish
            if (delta := choice.delta) is None:
                continue
            more = delta.model_extra or {}
            for name in _REASONING:
                if isinstance(piece := more.get(name), str) and piece:
                    self._field = name
                    self._add("thinking", piece)
                    break  # some servers send the same piece under both names
            for kind, piece in self._splitter.feed(delta.content or ""):
                self._add(kind, piece)
            self._refusal += delta.refusal or ""
            for index, part in enumerate(delta.tool_calls or ()):
                self._take_call(part, index)

    def _take_call(self, part: Any, place: int) -> None:
        # Not every server numbers its calls; one that does not sends each call whole, under an id of its own.
        index = part.index
        if index is None:
            index = len(self._calls) if part.id else max(self._calls, default=place)
        call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        call["id"] = call["id"] or part.id or ""
        if part.function is not None:
            call["name"] = call["name"] or part.function.name or ""
            call["arguments"] += part.function.arguments or ""

    def _add(self, kind: str, piece: str) -> None:
        self._pieces[kind].append(piece)
        self._on_piece(kind, piece)

    def reply(self) -> Reply:
        for kind, piece in self._splitter.finish():
            self._add(kind, piece)
        if self._finish is None:
            raise IncompleteStream(self._any)
        finish = _FINISHES.get(self._finish, "refused" if self._refusal else "stop")
        calls = [
            ToolCall(call["id"] or f"call_{index}", call["name"], call["arguments"])
            for index, call in sorted(self._calls.items())
        ]
        return Reply(
            text="".join(self._pieces["text"]),
            reasoning="".join(self._pieces["thinking"]),
            calls=calls,
            finish=finish,  # type: ignore[arg-type]
            refusal=self._refusal,
            usage=self._usage,
            reasoning_field=self._field,
        )


def _usage(usage: Any) -> Usage:
    read, written = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        read=usage.prompt_tokens or 0,
        written=usage.completion_tokens or 0,
        cached=(read.cached_tokens or 0) if read is not None else 0,
        reasoning=(written.reasoning_tokens or 0) if written is not None else 0,
        usd=money(usage),
    )
