"""One endpoint and its model: makes calls, waits when it has to, counts what they cost.

A busy, broken or unreachable endpoint is tried again with growing pauses (tenacity), for days if need be; each wait
is reported, and so is its end. What a person has to mend raises `Unusable`. The key is in the client and nowhere
else: it is removed from every message.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from difflib import get_close_matches
from typing import TypeVar

import openai
from openai import AsyncOpenAI
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from loop.config.settings import Settings
from loop.researchers.llm import chat, faults, prices, responses
from loop.researchers.llm.conversation import IncompleteStream, OnPiece, Reply, Request, Usage, checked
from loop.researchers.protocol import Sink, Unusable
from loop.study.events import Spent

WAITS = (2.0, 300.0)
"""Seconds: the upper bound of the first random pause, which doubles with each try, and the longest pause."""

CONNECT_S = 15.0
"""Seconds to wait for a connection."""

OPENAI = "OpenAI's endpoint"

Answer = TypeVar("Answer")


class Endpoint:
    """An OpenAI-compatible endpoint, as the settings name it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
        self._client: AsyncOpenAI | None = None
        self._ask = responses.ask if self.dialect == "responses" else chat.ask
        self.without: set[str] = set()
        """Parameters that the endpoint was found not to support."""

    @property
    def dialect(self) -> str:
        """ "chat" or "responses"."""
        if self._settings.dialect != "auto":
            return self._settings.dialect
        return "responses" if self._is_openai else "chat"

    @property
    def _is_openai(self) -> bool:
        return self._settings.base_url is None or "://api.openai.com/" in self._settings.base_url + "/"

    @property
    def where(self) -> str:
        """The endpoint, as a person knows it."""
        return self._settings.base_url or OPENAI

    @property
    def client(self) -> AsyncOpenAI:
        """The client; made when first needed, because that takes 0.1 s.

        Raises:
            Unusable: the endpoint is OpenAI's, and there is no key.
        """
        if self._client is None:
            if not self._key and self._is_openai:
                raise Unusable(
                    "there is no key for OpenAI's endpoint; set OPENAI_API_KEY, or --base-url to an endpoint of "
                    "your own, and start `looptop` again"
                )
            silence = self._settings.silence
            self._client = AsyncOpenAI(
                api_key=self._key or "none",  # the package insists on one; a local server ignores it
                base_url=self._settings.base_url or "https://api.openai.com/v1",
                max_retries=0,
                timeout=openai.Timeout(silence, connect=min(CONNECT_S, silence)),
            )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    # --- asking ------------------------------------------------------------------------------------------------

    async def models(self) -> list[str]:
        """Names of the models that it lists; empty where it has no such list.

        Raises:
            What `faults.explain` returns.
        """
        try:
            async with asyncio.timeout(self._settings.silence):
                found = [model.id async for model in self.client.models.list()]
                return [name for name in found if isinstance(name, str)]
        except openai.NotFoundError:
            return []  # not every server has such a list
        except (openai.OpenAIError, TimeoutError, *faults.MALFORMED) as error:
            raise self._explained(error, "") from None

    async def model(self, tell: Sink) -> str:
        """Name of the model to ask, from the settings or the only one there is. Waits for an endpoint that is not up.

        Raises:
            Unusable: the key or the name is wrong, or there are several models and none was named.
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

    async def ask(self, request: Request, on_piece: OnPiece) -> Reply:
        """One call, tried once.

        Raises:
            TransientError, ContextTooLong, UnsupportedParameter, RequestRefused, Unusable: see `faults`.
        """
        silence = self._settings.silence
        try:
            # The client's own timeout counts bytes; this one counts text, since a proxy may keep a dead stream alive.
            async with asyncio.timeout(silence) as deadline:

                def received(kind: str, piece: str) -> None:
                    if not isinstance(piece, str):
                        raise ValueError(f"{type(piece).__name__} where text belongs")
                    deadline.reschedule(asyncio.get_running_loop().time() + silence)
                    on_piece(kind, piece)

                return checked(await self._ask(self.client, request, received))
        except (openai.OpenAIError, IncompleteStream, TimeoutError, *faults.MALFORMED) as error:
            raise self._explained(error, request.model) from None

    async def patiently(self, attempt: Callable[[], Awaitable[Answer]], tell: Sink) -> Answer:
        """The answer of `attempt`, repeated as long as it fails with a `TransientError`.

        Args:
            tell: is told of every wait, and of its end.
        """

        def waiting(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome is not None else None
            tell.trouble(str(error), state.next_action.sleep if state.next_action is not None else None)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(faults.TransientError), wait=_pause, before_sleep=waiting, reraise=True
        )
        answer: Answer = await retrying(attempt)
        tell.recovered()
        return answer

    def spent(self, usage: Usage, model: str) -> Spent:
        """What a call took, with its price where that is known: the person's own, the gateway's, or the list's."""
        usd = usage.usd
        if usd is None or self._settings.prices is not None:
            usd = prices.cost(usage, model, self._settings.base_url, self._settings.prices)
        counts = asdict(usage) | {"usd": usd}
        return Spent(researcher="", tokens=usage.read + usage.written, model=model, **counts)

    def _explained(self, error: Exception, model: str) -> Exception:
        found = faults.explain(error, self.where, model)
        found.args = tuple(self._clean(arg) if isinstance(arg, str) else arg for arg in found.args)
        return found

    def _clean(self, text: str) -> str:
        """`text` without the key."""
        return text.replace(self._key, "(key)") if len(self._key) > 3 else text


_growing = wait_random_exponential(multiplier=WAITS[0], max=WAITS[1])


def _pause(state: RetryCallState) -> float:
    """Seconds to wait: growing and random, so that clients do not come back at once; at least what is asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    least = error.after if isinstance(error, faults.TransientError) else None
    pause = max(0.1, _growing(state))
    return pause if least is None else least + min(pause, 5.0)
