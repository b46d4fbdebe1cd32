"""A conversation with a model, and one call of the model as a request and its reply; the same for both dialects.

Plain data. A conversation belongs to one proposal and is not saved: what counts of it is in the journal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool."""

    id: str
    name: str
    arguments: str
    """JSON as the model wrote it, which may not parse."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the endpoint counted them."""

    read: int
    written: int
    cached: int = 0
    reasoning: int = 0
    usd: float | None = None
    """What a gateway says that the call cost; None where the endpoint says nothing of money."""


def money(usage: Any) -> float | None:
    """US dollars of a call, where a gateway reports them: `cost` is a number (OpenRouter, LiteLLM) or has a total."""
    told = (getattr(usage, "model_extra", None) or {}).get("cost")
    return told.get("total_cost") if isinstance(told, Mapping) else told


@dataclass(frozen=True)
class Reply:
    """The answer of a model."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[ToolCall] = ()
    finish: Literal["stop", "length", "refused", "stuck"] = "stop"
    """Why it ended: by itself (also with calls), at a limit of tokens, because the model or a filter refused, or since
    it said one thing over and over."""
    refusal: str = ""
    usage: Usage | None = None
    """None where the endpoint does not report it."""
    carried: Sequence[Mapping[str, Any]] = ()
    """Responses: the items of the answer, to be sent back as they came, encrypted reasoning included."""
    reasoning_field: str = ""
    """Chat: the field that the reasoning came in, and goes back in where tools are used."""


def cut_short(reply: Reply) -> Reply:
    """An answer without end that has come to nothing, with most of it left out: it goes along with every later call.

    Of one that repeats itself a line is left: the more a model sees of that, the more it goes on so.
    """
    head, tail = (_LINE, 0) if reply.finish == "stuck" else (_HALF, _HALF)
    if len(reply.text) <= head + tail:
        return reply
    end = reply.text[len(reply.text) - tail :]
    return replace(reply, text=f"{reply.text[:head]}\n[left out here]\n{end}".strip(), carried=())


_HALF, _LINE = 1000, 100
"""Characters that are left of it, at either end or at its beginning."""


def checked(reply: Reply) -> Reply:
    """`reply` with values of the types that it declares: an endpoint's JSON may hold anything, and half characters.

    A reply goes back to the endpoint with the next request, which could not be sent otherwise. Token counts that make
    no sense are dropped.

    Raises:
        ValueError: something other than text is where text must be.
    """
    usage = reply.usage
    if usage is not None:
        counts = (usage.read, usage.written, usage.cached, usage.reasoning)
        if not isinstance(usage.usd, int | float) or isinstance(usage.usd, bool) or not 0 <= usage.usd < 10**6:
            usage = replace(usage, usd=None)
        usage = usage if all(isinstance(count, int) and 0 <= count < 10**12 for count in counts) else None
    return replace(
        reply,
        text=_text(reply.text),
        reasoning=_text(reply.reasoning),
        refusal=_text(reply.refusal),
        calls=[ToolCall(_text(call.id), _text(call.name), _text(call.arguments)) for call in reply.calls],
        carried=[_whole(item) for item in reply.carried],
        usage=usage,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} where text belongs")
    return value.encode("utf-8", "replace").decode()


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class UserMessage:
    """A message to the model."""

    text: str


@dataclass
class ToolResult:
    """The result of a call."""

    call: ToolCall
    text: str


Message = UserMessage | Reply | ToolResult


@dataclass
class Conversation:
    """One conversation, from the briefing to the proposal."""

    system: str
    messages: list[Message] = field(default_factory=list)
    path: str = ""
    """A file that may be edited, for examples."""

    def say(self, text: str) -> None:
        """Add a message to the model; two in a row become one."""
        if self.messages and isinstance(last := self.messages[-1], UserMessage):
            self.messages[-1] = UserMessage(f"{last.text}\n\n{text}")
        else:
            self.messages.append(UserMessage(text))

    def correct(self, said: str, instead: str) -> None:
        """Put `instead` in the place of what the newest message to the model says, where it does."""
        if self.messages and isinstance(last := self.messages[-1], UserMessage):
            self.messages[-1] = UserMessage(last.text.replace(said, instead))

    def has_calls(self) -> bool:
        """Whether the model has called tools through the endpoint's own interface."""
        return any(isinstance(message, Reply) and message.calls for message in self.messages)

    def complete(self) -> None:
        """Answer every call that an interrupt left unanswered: no endpoint accepts a conversation with one."""
        answered = {message.call.id for message in self.messages if isinstance(message, ToolResult)}
        for index in range(len(self.messages) - 1, -1, -1):
            if isinstance(reply := self.messages[index], Reply):
                missing = [ToolResult(call, "(interrupted)") for call in reply.calls if call.id not in answered]
                there = sum(isinstance(message, ToolResult) for message in self.messages[index + 1 :])
                self.messages[index + 1 + there : index + 1 + there] = missing
                return

    def shrink(self, keep: int = 2) -> bool:
        """Drop the results of all but the newest `keep` calls; returns whether any were dropped."""
        results = [message for message in self.messages if isinstance(message, ToolResult)]
        old = [result for result in results[: len(results) - keep] if result.text != LEFT_OUT]
        for result in old:
            result.text = LEFT_OUT
        return bool(old)


LEFT_OUT = "(left out to make room; call the tool again if you still need this)"
"""Stands in for a dropped result."""


@dataclass(frozen=True)
class Request:
    """One call of a model."""

    model: str
    conversation: Conversation
    tools: Sequence[Mapping[str, Any]] = ()
    """Name, description and parameters (JSON schema) of each tool."""
    effort: str | None = None
    most: int | None = None
    """Tokens that the answer may have, thinking included; None leaves it to the endpoint."""
    without: frozenset[str] = frozenset()
    """Parameters that this endpoint was found not to support."""
    temperature: float | None = None


OnPiece = Callable[[str, str], None]
"""Receives each piece of an answer as it comes: "thinking" or "text", and the piece."""


class IncompleteStream(Exception):
    """The stream ended before the answer did.

    Args:
        anything: a part of the answer had come; a stream without any was never an answer, but a web page, say.
    """

    def __init__(self, anything: bool) -> None:
        super().__init__()
        self.anything = anything
