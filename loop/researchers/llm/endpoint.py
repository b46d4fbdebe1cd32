"""One endpoint and its model: makes calls, waits when it has to, counts what they cost.

Waiting is what it does with everything that may pass: a busy, broken or unreachable endpoint is tried again with
growing pauses (tenacity), for days if need be, without spinning; each wait is told, and that it is over. What a
person has to mend is `Unusable`. The key is in the client and nowhere else: every message from here is cleaned of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from typing import TypeVar

import openai
from openai import AsyncOpenAI
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from loop.config.settings import Settings
from loop.researchers.llm import chat, faults, prices, responses
from loop.researchers.llm.conversation import Cut, Hear, Reply, Request, Usage, checked
from loop.researchers.protocol import Sink, Unusable
from loop.study.events import Spent

WAITS = (2.0, 300.0)
"""Seconds: the first pause is a random part of the first, and the pauses double up to the second."""

CONNECT_S = 15.0
"""Seconds to wait for a connection."""

OURS = "OpenAI's endpoint"

_NO_ANSWER = (ValidationError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the package and our dialects stumble over where an answer is JSON of some other kind, or none."""

Answer = TypeVar("Answer")


class Endpoint:
    """An OpenAI-compatible endpoint, as the settings name it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
        self._client: AsyncOpenAI | None = None
        self._ask = responses.ask if self.dialect == "responses" else chat.ask
        self.without: set[str] = set()
        """Parameters that the endpoint was found not to take."""

    @property
    def dialect(self) -> str:
        """ "chat" or "responses"."""
        if self._settings.dialect != "auto":
            return self._settings.dialect
        return "responses" if self._own_of_openai else "chat"

    @property
    def _own_of_openai(self) -> bool:
        return self._settings.base_url is None or "://api.openai.com/" in self._settings.base_url + "/"

    @property
    def where(self) -> str:
        """The endpoint, as a person knows it."""
        return self._settings.base_url or OURS

    @property
    def client(self) -> AsyncOpenAI:
        """The client; made when it is needed, because that takes 0.1 s.

        Raises:
            Unusable: OpenAI's own endpoint, and no key.
        """
        if self._client is None:
            if not self._key and self._own_of_openai:
                raise Unusable(
                    "there is no key for OpenAI's endpoint; set OPENAI_API_KEY, or --base-url to an endpoint of "
                    "your own, and start `looptop` again"
                )
            silence = self._settings.silence
            self._client = AsyncOpenAI(
                api_key=self._key or "none",  # the package insists on one; a server of one's own does not look
                base_url=self._settings.base_url or "https://api.openai.com/v1",
                max_retries=0,
                timeout=openai.Timeout(silence, connect=min(CONNECT_S, silence)),
            )
        return self._client

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    # --- asking ------------------------------------------------------------------------------------------------

    async def models(self) -> list[str]:
        """Names of the models it lists; none where it has no such list.

        Raises:
            what `faults.explain` says.
        """
        try:
            async with asyncio.timeout(self._settings.silence):
                found = [model.id async for model in self.client.models.list()]
                return [name for name in found if isinstance(name, str)]
        except openai.NotFoundError:
            return []  # not every server has such a list
        except (openai.OpenAIError, TimeoutError, *_NO_ANSWER) as error:
            raise self._explained(error, "") from None

    async def model(self, tell: Sink) -> str:
        """Name of the model to ask: the settings', or the only one there is. Waits for an endpoint that is not up yet.

        Raises:
            Unusable: the key or the name does not do, or there are several and none was named.
        """
        named = self._settings.model
        listed = await self.patiently(self.models, tell)
        if named is None:
            if len(listed) == 1:
                return listed[0]
            several = (
                f"has several ({', '.join(listed[:12])}{', …' if len(listed) > 12 else ''})" if listed else "lists none"
            )
            raise Unusable(f"no model is named, and {self.where} {several}; name one with --model and start again")
        stem = named.partition(":")[0]
        if listed and not any("*" in name or name.partition(":")[0] == stem for name in listed):
            near = get_close_matches(named, listed, 3, 0.4) or listed[:8]
            raise Unusable(
                f"{self.where} has no model {named!r}; it has {', '.join(near)}; name one with --model and start again"
            )
        return named

    async def ask(self, request: Request, hear: Hear) -> Reply:
        """One call, tried once.

        Raises:
            faults.Passing, TooLong, NotTaken, Declined, Unusable: what stood in the way.
        """
        silence = self._settings.silence
        try:
            # The client's own time-out is for bytes; this one is for words, since a proxy may keep a dead stream alive.
            async with asyncio.timeout(silence) as patience:

                def heard(kind: str, piece: str) -> None:
                    if not isinstance(piece, str):
                        raise ValueError(f"{type(piece).__name__} in the place of a text")
                    patience.reschedule(asyncio.get_running_loop().time() + silence)
                    hear(kind, piece)

                return checked(await self._ask(self.client, request, heard))
        except (openai.OpenAIError, Cut, TimeoutError, *_NO_ANSWER) as error:
            raise self._explained(error, request.model) from None

    async def patiently(self, attempt: Callable[[], Awaitable[Answer]], tell: Sink) -> Answer:
        """The answer of `attempt`, tried for as long as what stands in the way may pass.

        Args:
            tell: hears of every wait, and when it is over.
        """

        def waiting(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            tell.trouble(str(error), state.next_action.sleep if state.next_action is not None else None)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(faults.Passing), wait=_pause, before_sleep=waiting, reraise=True
        )
        answer: Answer = await retrying(attempt)
        tell.recovered()
        return answer

    def spent(self, usage: Usage, model: str) -> Spent:
        """What a call took, with its price where somebody knows it."""
        return Spent(
            researcher="",
            tokens=usage.read + usage.written,
            usd=prices.cost(usage, model, self._settings.base_url, self._settings.prices),
            model=model,
            read=usage.read,
            cached=usage.cached,
            written=usage.written,
            reasoning=usage.reasoning,
        )

    def _explained(self, error: Exception, model: str) -> Exception:
        found = faults.explain(error, self.where, model)
        found.args = tuple(self._clean(arg) if isinstance(arg, str) else arg for arg in found.args)
        return found

    def _clean(self, text: str) -> str:
        """Without the key, whoever put it there."""
        return text.replace(self._key, "(key)") if len(self._key) > 3 else text


_growing = wait_random_exponential(multiplier=WAITS[0], max=WAITS[1])


def _pause(state: RetryCallState) -> float:
    """Seconds to wait: growing and random, so that not all come back at once; what the endpoint asks at least."""
    error = state.outcome.exception() if state.outcome is not None else None
    least = error.after if isinstance(error, faults.Passing) else None
    pause = max(0.1, _growing(state))
    return pause if least is None else least + min(pause, 5.0)
