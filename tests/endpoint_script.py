"""What the played endpoint is told to do with a request, and what a request was."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests import dialects
from tests.dialects import Answer, plain


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. The three `..._after` stream so many words of `answer` first."""

    status: int = 0
    """An HTTP error with a body as OpenAI's."""
    message: str = ""
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    html: bool = False
    """A proxy's page (502 unless `status` says otherwise) in the place of JSON."""
    hang: bool = False
    """Takes the request and says nothing, until the client goes or the endpoint stops."""
    hang_after: int | None = None
    """... then not a word more."""
    cut_after: int | None = None
    """... then the connection is closed, without a finish."""
    fail_after: int | None = None
    """... then an error with `message` and `code` inside the stream, and its end."""
    answer: Answer | None = None
    refuse: bool = False
    """The connection is reset, at once, or where `cut_after` cuts."""
    tidy: bool = False
    """With `cut_after`: the body ends as a whole one does, as proxies do it; only the missing finish tells."""
    pulse: float = 0
    """Seconds between the comments (": keep-alive") that a proxy sends while a stream hangs; 0 is none."""
    failure: Literal["response.failed", "error"] = "response.failed"
    """The event of the Responses dialect that tells of `fail_after`."""


@dataclass(eq=False)
class Request:
    """One POST as it arrived."""

    number: int
    """Counts from 1; the ids in its answer are made of it."""
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    at: float
    """Seconds, of `time.monotonic`."""
    gone_at: float | None = None
    """When the client closed the connection before it had its answer; None if it did not."""

    @property
    def dialect(self) -> Literal["chat", "responses"]:
        return "responses" if self.path.endswith("/responses") else "chat"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation in the shape of Chat Completions, in both dialects."""
        return dialects.conversation(self.body)

    @property
    def text(self) -> str:
        """All that is said in the conversation: contents, and the arguments of calls."""
        said = []
        for message in self.messages:
            said.append(plain(message.get("content")))
            said += [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
        return "\n".join(said)

    @property
    def tools(self) -> list[str]:
        """Names of the tools on offer."""
        offered = self.body.get("tools") or ()
        return [tool["function"]["name"] if "function" in tool else tool.get("name", tool["type"]) for tool in offered]
