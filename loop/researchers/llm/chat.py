"""Chat Completions, which every compatible server speaks: vLLM, Ollama, llama.cpp, LiteLLM, OpenRouter.

Reasoning comes in whatever form the server has: `reasoning_content`, `reasoning`, `<think>` in the text, or a part of
the content. A server that streams nothing sends all of it at once, or an error whose status says that all is well.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from openai import APIError, AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

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
_FINISHES = {"length": "length", "content_filter": "refused", "stuck": "stuck"}

STUCK = 6000
"""Characters at the end of an answer that say one thing over and over, after which it is not listened to any further:
small models get stuck and go on to the limit of their tokens, for ten minutes. No prose and no code is like that."""

_SAME = 400
"""Characters of that thing at most."""


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
    # Some servers take no message that says nothing.
    said: dict[str, Any] = {
        "role": "assistant",
        "content": message.text if message.calls else message.text or "(nothing)",
    }
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
        async for chunk in _chunks(stream):
            answer.take(chunk)
            if answer.stuck:
                break
    finally:
        await stream.close()
    return answer.reply()


async def _chunks(stream: AsyncStream[ChatCompletionChunk]) -> AsyncIterator[Any]:
    """The chunks of an answer; where the server does not stream, all of it as one.

    Raises:
        APIError: it is an error.
    """
    if "json" not in stream.response.headers.get("content-type", ""):
        async for chunk in stream:
            yield chunk
        return
    whole = json.loads(await stream.response.aread())
    if error := whole.get("error"):
        said = str(error.get("message") if isinstance(error, Mapping) else error)
        raise APIError(
            said, request=stream.response.request, body=error if isinstance(error, Mapping) else {"message": said}
        )
    choices = [{**choice, "delta": choice.get("message")} for choice in whole.get("choices") or ()]
    yield ChatCompletionChunk.construct(**{**whole, "choices": choices})


def _texts(content: Any) -> Iterator[tuple[str, str]]:
    """Kind and text of each piece of a content: a text, or a list of parts, of which some may be thoughts."""
    for part in content if isinstance(content, list) else [content or ""]:
        if isinstance(part, Mapping) and (thought := part.get("thinking")) is not None:
            yield from (("thinking", text) for _, text in _texts(thought))
        else:
            yield "text", part.get("text") or "" if isinstance(part, Mapping) else part


class _Answer:
    """Assembles one answer from its chunks."""

    def __init__(self, on_piece: OnPiece) -> None:
        self._on_piece = on_piece
        self._splitter = Splitter()
        self._pieces: dict[str, list[str]] = {"thinking": [], "text": []}
        self._calls: list[dict[str, str]] = []
        self._numbers: dict[int, int] = {}
        """Place among the calls, by the number that the server gives to one."""
        self._end, self._unheard = "", 0
        """The end of what was said, and how many characters came since it was looked at."""
        self.stuck = False
        """The answer says one thing over and over."""
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
            for sort, text in _texts(delta.content):
                for kind, piece in [(sort, text)] if sort == "thinking" else self._splitter.feed(text):
                    self._add(kind, piece)
            self._refusal += delta.refusal or ""
            for part in delta.tool_calls or ():
                self._take_call(part)

    def _take_call(self, part: Any) -> None:
        # Not every server numbers its calls, and some give all of them one number; each has an id of its own then.
        place = self._numbers.get(part.index, len(self._calls) - 1 if part.index is None else -1)
        if place < 0 or (part.id and self._calls[place]["id"] not in ("", part.id)):
            place = len(self._calls)
            self._calls.append({"id": "", "name": "", "arguments": ""})
        self._numbers[part.index] = place
        call = self._calls[place]
        call["id"] = call["id"] or part.id or ""
        if part.function is not None:
            call["name"] = call["name"] or part.function.name or ""
            given = part.function.arguments or ""
            call["arguments"] += given if isinstance(given, str) else json.dumps(given)

    def _add(self, kind: str, piece: str) -> None:
        self._pieces[kind].append(piece)
        self._on_piece(kind, piece)
        self._end, self._unheard = (self._end + piece)[-STUCK:], self._unheard + len(piece)
        if self._unheard > STUCK // 4:
            self._unheard = 0
            self.stuck = len(self._end) == STUCK and _repeats(self._end)

    def reply(self) -> Reply:
        for kind, piece in self._splitter.finish():
            self._add(kind, piece)
        if not self.stuck and self._finish in (None, "error"):
            raise IncompleteStream(self._any)
        finish = _FINISHES.get("stuck" if self.stuck else self._finish or "", "refused" if self._refusal else "stop")
        calls = [
            ToolCall(call["id"] or f"call_{index}", call["name"], call["arguments"])
            for index, call in enumerate(self._calls)
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


def _repeats(text: str) -> bool:
    """Whether a text is one thing of at most `_SAME` characters over and over."""
    before = text.rfind(text[-_SAME:], 0, -1)
    step = len(text) - _SAME - before
    return before >= 0 and step <= _SAME and text[step:] == text[:-step]


def _usage(usage: Any) -> Usage:
    read, written = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        read=usage.prompt_tokens or 0,
        written=usage.completion_tokens or 0,
        cached=(read.cached_tokens or 0) if read is not None else 0,
        reasoning=(written.reasoning_tokens or 0) if written is not None else 0,
        usd=money(usage),
    )
