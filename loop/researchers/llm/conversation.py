"""What was said between us and a model, in no dialect; and one call of a model as a request and its reply.

Plain data. A conversation belongs to one proposal; it is never written down as such: what counts of it is in the
journal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Call:
    """A tool that the model wants used."""

    id: str
    name: str
    arguments: str
    """JSON as the model wrote it, which may be none."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the endpoint counted them."""

    read: int
    written: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Reply:
    """What a model answered."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[Call] = ()
    finish: Literal["stop", "length", "refused"] = "stop"
    """Why it ended: by itself (also with calls), at a limit of tokens, or because it or a filter would not."""
    refusal: str = ""
    usage: Usage | None = None
    """None where the endpoint did not tell."""
    carried: Sequence[Mapping[str, Any]] = ()
    """Responses: the items of the answer, to be sent back as they came, sealed reasoning included."""
    reasoning_field: str = ""
    """Chat: the field that the reasoning came in; where tools are used it is sent back in the same."""


def checked(reply: Reply) -> Reply:
    """`reply` as what its types say: an endpoint's JSON may have anything in any place, and halves of characters.

    A reply goes back to the endpoint with the next request, which could not be sent with such. Counts of tokens that
    are none are left out.

    Raises:
        ValueError: there is something else than text where text must be.
    """
    usage = reply.usage
    if usage is not None:
        counts = (usage.read, usage.written, usage.cached, usage.reasoning)
        usage = usage if all(isinstance(count, int) and 0 <= count < 10**12 for count in counts) else None
    return replace(
        reply,
        text=_text(reply.text),
        reasoning=_text(reply.reasoning),
        refusal=_text(reply.refusal),
        calls=[Call(_text(call.id), _text(call.name), _text(call.arguments)) for call in reply.calls],
        carried=[_whole(item) for item in reply.carried],
        usage=usage,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} in the place of a text")
    return value.encode("utf-8", "replace").decode()


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Said:
    """A message of ours."""

    text: str


@dataclass
class Result:
    """What came of a call."""

    call: Call
    text: str


Message = Said | Reply | Result


@dataclass
class Conversation:
    """One conversation, from the briefing to the proposal."""

    system: str
    messages: list[Message] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Say something in the person's or the loop's name; two in a row are one message."""
        if self.messages and isinstance(last := self.messages[-1], Said):
            self.messages[-1] = Said(f"{last.text}\n\n{text}")
        else:
            self.messages.append(Said(text))

    def add(self, reply: Reply) -> None:
        """Take in what the model answered."""
        self.messages.append(reply)

    def answer(self, call: Call, text: str) -> None:
        """Say what came of a call."""
        self.messages.append(Result(call, text))

    def has_calls(self) -> bool:
        """Whether the model has called tools in it, in the endpoint's own way."""
        return any(isinstance(message, Reply) and message.calls for message in self.messages)

    def complete(self) -> None:
        """Answer every call that an interrupt left without an answer: no endpoint takes a conversation with such."""
        answered = {message.call.id for message in self.messages if isinstance(message, Result)}
        for index in range(len(self.messages) - 1, -1, -1):
            if isinstance(reply := self.messages[index], Reply):
                missing = [Result(call, "(interrupted)") for call in reply.calls if call.id not in answered]
                there = sum(isinstance(message, Result) for message in self.messages[index + 1 :])
                self.messages[index + 1 + there : index + 1 + there] = missing
                return

    def shrink(self, keep: int = 2) -> bool:
        """Make room: leave out the results of all but the newest `keep` calls; says whether any were left out."""
        results = [message for message in self.messages if isinstance(message, Result)]
        old = [result for result in results[: len(results) - keep] if result.text != LEFT_OUT]
        for result in old:
            result.text = LEFT_OUT
        return bool(old)


LEFT_OUT = "(left out to make room; call the tool again if you still need this)"
"""What stands for a result that had to go."""


@dataclass(frozen=True)
class Request:
    """One call of a model, in no dialect."""

    model: str
    conversation: Conversation
    tools: Sequence[Mapping[str, Any]] = ()
    """Name, description and parameters (JSON schema) of each tool."""
    effort: str | None = None
    without: frozenset[str] = frozenset()
    """Parameters that this endpoint was found not to take."""


Hear = Callable[[str, str], None]
"""Gets each piece of an answer as it comes: "thinking" or "text", and the piece."""


class Cut(Exception):
    """The stream ended before the answer did.

    Args:
        anything: something of an answer had come; a stream without was no answer from the start, such as a page.
    """

    def __init__(self, anything: bool) -> None:
        super().__init__()
        self.anything = anything
