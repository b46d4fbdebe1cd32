"""Calls of the model in the course of a conversation: what the person says goes along, and what they cost is booked.

An endpoint that does not support a part of the request is asked without it from then on; a model without tools gets
them as text.
"""

import asyncio
from collections.abc import Sequence

from loop.config.settings import Settings
from loop.researchers.briefing.excerpt import tokens
from loop.researchers.llm import faults, prompts, text_tools
from loop.researchers.llm.conversation import Conversation, Reply, Request
from loop.researchers.llm.endpoint import Endpoint
from loop.researchers.llm.stream import TextStream
from loop.researchers.protocol import Sink
from loop.study.events import Spent

SMALLEST = 3000
"""Tokens below which a briefing says nothing useful."""


class Caller:
    """Calls one model at one endpoint."""

    def __init__(self, endpoint: Endpoint, settings: Settings, temperature: float | None = None) -> None:
        self._endpoint, self._settings, self._temperature = endpoint, settings, temperature
        self.model = settings.model or ""
        self.in_text: bool | None = None
        """The model calls no tools, so it writes them as blocks of text; None until earlier experiments have shown."""
        self._reading_checked = False
        """The first answer has shown how much of the briefing the endpoint reads."""

    async def call(self, conversation: Conversation, tools: Sequence[dict[str, object]], sink: Sink) -> Reply:
        """One answer, however long the endpoint makes us wait. What the person says meanwhile goes along."""

        async def attempt() -> Reply:
            for words in sink.messages():
                conversation.say(prompts.WORDS.format(words=words))
            while True:
                request = self._request(conversation, tools)
                stream = TextStream(sink)
                try:
                    reply = await self._endpoint.ask(request, stream.add)
                except faults.UnsupportedParameter as error:
                    self._do_without(error, request)
                    continue
                except faults.ContextTooLong:
                    if "max_tokens" in request.without:
                        raise
                    self._endpoint.without.add("max_tokens")  # some servers keep that much of the context free
                    continue
                except faults.TransientError:
                    if stream.said:  # it has cost something, and nobody says how much
                        sink.spend(self._estimated(request, stream.said))
                        stream.end("\n(the answer broke off; asked again)")
                    raise
                except asyncio.CancelledError:
                    if stream.said:
                        sink.spend(self._estimated(request, stream.said))
                        conversation.say(prompts.INTERRUPTED.format(end=stream.said[-1500:]))
                    raise
                stream.end("\n(it said the same over and over, and was cut off)" if reply.finish == "stuck" else "")
                usage = reply.usage
                if usage is not None:
                    self._check_reading(request, usage.read, sink)
                said = reply.reasoning + reply.text + "".join(call.arguments for call in reply.calls)
                sink.spend(self._estimated(request, said) if usage is None else self._endpoint.spent(usage, self.model))
                return reply

        return await self._endpoint.patiently(attempt, sink)

    def _request(self, conversation: Conversation, tools: Sequence[dict[str, object]]) -> Request:
        if self.in_text and tools:
            manual = text_tools.manual(tools, conversation.path)
            conversation, tools = Conversation(f"{conversation.system}\n\n{manual}", conversation.messages), ()
        without, settings = frozenset(self._endpoint.without), self._settings
        return Request(self.model, conversation, tools, settings.effort, settings.answer, without, self._temperature)

    def _do_without(self, error: faults.UnsupportedParameter, request: Request) -> None:
        """Leave out what this endpoint does not support, from now on; another conversation may have found it first."""
        if error.parameter in request.without or (error.parameter == "tools" and not request.tools):
            raise faults.RequestRefused(str(error))
        if error.parameter == "tools":
            self.in_text = True
        else:
            self._endpoint.without.add(error.parameter)

    def _check_reading(self, request: Request, read: int, sink: Sink) -> None:
        """Warn, once, if the endpoint has read far less than it was sent: some truncate what is too long silently.

        Only the first call tells: later on, some servers do not count what comes from a cache.
        """
        sent = _length(request)
        if not self._reading_checked and read * 3 < sent:
            sink.trouble(
                f"{self._endpoint.where} says that it read {read:,} tokens of about {sent:,}: its context seems too "
                "small and its input truncated. Give it a larger context (docs/models.md says how), or set briefing = "
                f"{max(SMALLEST, read // 2)} in looptop's settings"
            )
        self._reading_checked = True

    def _estimated(self, request: Request, said: str) -> Spent:
        """The cost of a call that nobody counted: the tokens are an estimate, the price is unknown."""
        read, written = _length(request), tokens(said)
        return Spent(researcher="", tokens=read + written, usd=None, model=self.model, read=read, written=written)


def _length(request: Request) -> int:
    """Estimated tokens of a conversation as it is sent, without its tools."""
    return tokens(request.conversation.system + "".join(message.text for message in request.conversation.messages))
