"""What an agent prints, passed on to a sink: made readable and bounded, its costs booked, its failures reported."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from loop.config.settings import Prices
from loop.researchers.agents.agent_events import Failure, ToolUse, Usage
from loop.researchers.agents.failures import Kind, kind, sentence
from loop.researchers.agents.listener import Listener, Shown, Words
from loop.researchers.llm import conversation, prices
from loop.researchers.protocol import Sink
from loop.study.events import Spent
from loop.words import duration

MOST_WORDS = 200_000
"""Characters of its output that go into the stream for one proposal: enough to read, and the log has the rest."""
MOST_TOOLS = 1000
"""Uses of tools that are reported for one proposal, since each is a write to disk."""
SILENCE_S = 120.0
"""Seconds without output after which a person is told; a tool may take that long, so nothing else happens."""
HOPELESS_TRIES = 2
"""Calls in a row that an account has to refuse before an agent that would go on trying is ended."""


class Relay:
    """Takes an agent's output as it comes.

    Args:
        model: what the command line names; the agent's own word goes over it.
        listed: prices of the settings.
    """

    def __init__(self, name: str, sink: Sink, model: str, listed: Prices | None) -> None:
        self._name, self._sink, self._model, self._prices = name, sink, model, listed
        self.listener = Listener()
        self.hopeless = asyncio.Event()
        """Set once it is known that only a person can help, though the agent itself would go on trying."""
        self._refusals = 0
        self._words, self._tools = MOST_WORDS, MOST_TOOLS
        self._heard, self._troubled = time.monotonic(), False
        self._speaks = asyncio.Event()

    def feed(self, data: bytes) -> None:
        self._heard = time.monotonic()
        self._speaks.set()
        self._pass_on(self.listener.feed(data, self._heard))

    def finish(self) -> None:
        self._pass_on(self.listener.finish(time.monotonic()))

    async def watch(self) -> None:
        """Tell a person once of each silence; until it is cancelled."""
        while True:
            silent = time.monotonic() - self._heard
            if silent < SILENCE_S:
                await asyncio.sleep(SILENCE_S - silent)
                continue
            self._trouble(f"it has printed nothing for {duration(silent)}; it is left alone until its deadline")
            self._speaks.clear()
            await self._speaks.wait()

    def _pass_on(self, shown: Sequence[Shown]) -> None:
        for one in shown:
            match one:
                case Words(text, thinking):
                    self._say(text, thinking)
                case ToolUse(intent, result, seconds) if self._tools > 0:
                    self._tools -= 1
                    self._sink.tool(intent, result, seconds)
                case Usage():
                    self._book(one)
                case Failure():
                    self._fail(one)
        if shown and self.listener.failure is None:
            self._refusals = 0
            if self._troubled:
                self._troubled = False
                self._sink.recovered()

    def _say(self, text: str, thinking: bool) -> None:
        if self._words > 0:
            self._words -= len(text)
            self._sink.think(text + ("" if self._words > 0 else "\n(the rest is not shown here)\n"), thinking)

    def _book(self, usage: Usage) -> None:
        model = usage.model or self._model
        tokens = usage.read + usage.written
        if not tokens and not usage.usd:
            return
        counted = conversation.Usage(usage.read, usage.written, usage.cached, usage.reasoning)
        usd = usage.usd if usage.usd is not None else prices.of_model(counted, model, self._prices)
        self._sink.spend(Spent(researcher=self._name, tokens=tokens, **asdict(replace(usage, model=model, usd=usd))))

    def _fail(self, failure: Failure) -> None:
        """Report what an agent tries again by itself; what it gives up at is reported with its end."""
        if failure.wait is None:
            return
        self._trouble(sentence(failure), failure.wait)
        self._refusals = self._refusals + 1 if kind(failure) in (Kind.PERSON, Kind.CREDIT) else 0
        if self._refusals >= HOPELESS_TRIES:
            self.hopeless.set()

    def _trouble(self, message: str, wait: float | None = None) -> None:
        self._troubled = True
        self._sink.trouble(message, wait)
