"""What a coding agent can tell us in its output, whichever agent it is. Plain data."""

from dataclasses import dataclass


class AgentEvent:
    """One thing that an agent tells."""


@dataclass(frozen=True)
class MessageStart(AgentEvent):
    """The text that follows belongs to a new message."""


@dataclass(frozen=True)
class Text(AgentEvent):
    """A piece of a message, or of its reasoning (`aside`)."""

    text: str
    aside: bool = False


@dataclass(frozen=True)
class TextDelta(AgentEvent):
    """A piece of text that comes again later, as part of a `FullText`."""

    text: str


@dataclass(frozen=True)
class FullText(AgentEvent):
    """A whole text, whose pieces may have come before as `TextDelta`."""

    text: str
    aside: bool = False


@dataclass(frozen=True)
class FinalText(AgentEvent):
    """The last message once more, at the end."""

    text: str


@dataclass(frozen=True)
class LineEnd(AgentEvent):
    """What follows starts on a new line."""


@dataclass(frozen=True)
class ToolStart(AgentEvent):
    """A tool has started."""

    key: str
    intent: str


@dataclass(frozen=True)
class ToolEnd(AgentEvent):
    """A tool has ended."""

    key: str
    result: str
    refused: bool = False
    """The agent lacked the permission to use it."""


@dataclass(frozen=True)
class ToolUse(AgentEvent):
    """A tool that has started and ended."""

    intent: str
    result: str
    seconds: float
    refused: bool = False


@dataclass(frozen=True)
class Usage(AgentEvent):
    """Tokens and US dollars, as the agent reports them."""

    read: int = 0
    """Tokens of prompts, cached ones included."""
    cached: int = 0
    written: int = 0
    """Tokens of answers, reasoning included."""
    reasoning: int = 0
    usd: float | None = None
    model: str = ""


@dataclass(frozen=True)
class MessageUsage(AgentEvent):
    """The cost of one message; the sum follows at the end, unless the agent is stopped before."""

    key: str
    usage: Usage


@dataclass(frozen=True)
class TotalUsage(AgentEvent):
    """The sum of all messages."""

    usage: Usage


@dataclass(frozen=True)
class ModelNamed(AgentEvent):
    """The model that is in use."""

    model: str


@dataclass(frozen=True)
class SessionNamed(AgentEvent):
    """The id under which the agent keeps this session, so that it can be resumed."""

    session: str


@dataclass(frozen=True)
class Question(AgentEvent):
    """The agent asks the person something, by a tool of its own."""

    text: str


@dataclass(frozen=True)
class Failure(AgentEvent):
    """A call of the model has failed, as the agent reports it."""

    reason: str
    status: int = 0
    """HTTP status; 0 where the agent does not say."""
    wait: float | None = None
    """Seconds until the agent tries again by itself; None: it has given up."""
    until: float | None = None
    """When a limit of the account ends, in Unix seconds, where the agent says so."""
