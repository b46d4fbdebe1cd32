"""The Responses API, OpenAI's own: summaries of the reasoning, and reasoning that is carried from call to call.

Nothing is stored at the endpoint (`store: false`): the model's reasoning goes back encrypted with the next request.
"""

from typing import Any

from openai import APIError, AsyncOpenAI

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

_THINKING = {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}
_ENDS = {"response.completed", "response.incomplete", "response.failed"}


def body(request: Request) -> dict[str, Any]:
    """The request as the Responses API has it."""
    reasoning: dict[str, Any] = {"summary": "auto"}
    if request.effort is not None:
        reasoning["effort"] = request.effort
    wanted: dict[str, Any] = {
        "model": request.model,
        "instructions": request.conversation.system,
        "input": [item for message in request.conversation.messages for item in _items(message)],
        "tools": [{"type": "function", "strict": False, **tool} for tool in request.tools] or None,
        "reasoning": reasoning,
        "temperature": request.temperature,
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "max_output_tokens": None if "max_tokens" in request.without else request.most,
    }
    return {name: value for name, value in wanted.items() if value is not None and name not in request.without}


def _items(message: Message) -> list[dict[str, Any]]:
    if isinstance(message, UserMessage):
        return [{"role": "user", "content": message.text}]
    if not isinstance(message, Reply):
        return [{"type": "function_call_output", "call_id": message.call.id, "output": message.text}]
    return [dict(item) for item in message.carried]


async def ask(client: AsyncOpenAI, request: Request, on_piece: OnPiece) -> Reply:
    """Make one call and stream its answer.

    Raises:
        IncompleteStream: the stream ended early.
        openai.OpenAIError: see `faults.py`.
    """
    stream = await client.responses.create(stream=True, **body(request))
    last: Any = None
    items: list[Any] = []
    parts = 0
    anything = False
    try:
        async for event in stream:
            anything = True
            match event.type:
                case kind if kind in _THINKING:
                    on_piece("thinking", event.delta)
                case "response.reasoning_summary_part.added":
                    if parts:
                        on_piece("thinking", "\n\n")
                    parts += 1
                case "response.output_text.delta" | "response.refusal.delta":
                    on_piece("text", event.delta)
                case "response.output_item.done":
                    items.append(event.item)
                case "error":
                    raise APIError(event.message, request=stream.response.request, body={"code": event.code})
                case kind if kind in _ENDS:
                    last = event.response
    finally:
        await stream.close()
    if last is None:
        raise IncompleteStream(anything)
    if last.status == "failed":
        error = last.error
        said = (error.message, error.code) if error is not None else ("the endpoint could not answer", None)
        raise APIError(said[0], request=stream.response.request, body={"code": said[1]})
    return _reply(last, items)


def _reply(response: Any, items: list[Any]) -> Reply:
    texts, thoughts, refusals, calls = [], [], [], []
    for item in items:
        match item.type:
            case "message":
                for part in item.content:
                    if part.type == "refusal":
                        refusals.append(part.refusal)
                    else:
                        texts.append(part.text)
            case "reasoning":
                thoughts += [part.text for part in (*item.summary, *(item.content or ()))]
            case "function_call":
                calls.append(ToolCall(item.call_id, item.name, item.arguments))
    reason = response.incomplete_details.reason if response.incomplete_details is not None else None
    filtered = bool(refusals) or reason == "content_filter"
    usage = response.usage
    return Reply(
        text="".join(texts),
        reasoning="\n\n".join(thoughts),
        calls=calls,
        finish="refused" if filtered else "length" if reason is not None else "stop",
        refusal="".join(refusals),
        usage=None if usage is None else _usage(usage),
        carried=[item.model_dump(mode="json", exclude_none=True) for item in items],
    )


def _usage(usage: Any) -> Usage:
    read, written = usage.input_tokens_details, usage.output_tokens_details
    return Usage(
        read=usage.input_tokens,
        written=usage.output_tokens,
        cached=(read.cached_tokens or 0) if read is not None else 0,
        reasoning=(written.reasoning_tokens or 0) if written is not None else 0,
        usd=money(usage),
    )
