"""The supervisor's pen and memory: it appends to the journal and keeps the study folded up to the newest event.

Facts are recorded one by one and are in the study when `record` returns. The stream (thoughts, step samples, gauges)
is gathered and written a few times a second. What other processes append (a person's wishes) comes in with
`catch_up`, so the study holds exactly what a reader of the journal would fold.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from loop.events import Body, Thought
from loop.journal import Journal
from loop.study import FOLDED, Study

FLUSH_INTERVAL = 0.25
"""Seconds that a piece of the stream may wait; a reader sees words come at 4 Hz, and the disk 4 writes a second."""

CATCH_UP_INTERVAL = 0.1
"""Seconds between two looks for what others appended; a person's wish takes effect within 250 ms."""


class Recorder:
    """Appends and folds; for one event loop."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._pending: list[tuple[Body, int | None, int | None]] = []
        self._changed = asyncio.Event()
        self._seen = 0
        self.study = Study()
        self.catch_up()

    def record(self, body: Body, experiment: int | None = None, run: int | None = None) -> None:
        """Make a fact; it is durable, and in the study, when this returns."""
        self.record_all([(body, experiment, run)])

    def record_all(self, facts: list[tuple[Body, int | None, int | None]]) -> None:
        """Make several facts: all of them or none."""
        self.flush()
        self._journal.append_all(facts)
        self.catch_up()

    def record_dated(self, facts: Sequence[tuple[float, Body, int | None, int | None]]) -> None:
        """Make facts of an earlier time, each with its own: all of them or none."""
        self.flush()
        self._journal.append_all([fact[1:] for fact in facts], at=[fact[0] for fact in facts])
        self.catch_up()

    def stream(self, body: Body, experiment: int | None = None, run: int | None = None) -> None:
        """Add to the stream; pieces of one thought that come together are written as one."""
        last = self._pending[-1] if self._pending else None
        if (
            isinstance(body, Thought)
            and last is not None
            and isinstance(last[0], Thought)
            and (last[0].researcher, last[1]) == (body.researcher, experiment)
        ):
            body = last[0].model_copy(update={"text": last[0].text + body.text})
            self._pending.pop()
        self._pending.append((body, experiment, run))

    def flush(self) -> None:
        """Write what the stream has gathered."""
        if self._pending:
            facts, self._pending = self._pending, []
            self._journal.append_all(facts)

    def catch_up(self) -> None:
        """Fold what was appended since the last look, by anybody, and wake who waits for a change."""
        newest = self._journal.last_seq()
        if newest == self._seen:
            return
        events = self._journal.read(self._seen, until=newest, kinds=FOLDED)
        self._seen = newest
        for event in events:
            self.study.apply(event)
        if events:
            self.wake()

    def wake(self) -> None:
        """Make all who wait look at their conditions again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, condition: Callable[[], bool], tick: float | None = None) -> None:
        """Wait until `condition` holds; it is looked at after every change, and every `tick` seconds."""
        while True:
            changed = self._changed
            if condition():
                return
            try:
                await asyncio.wait_for(changed.wait(), tick)
            except TimeoutError:
                pass  # time itself may have made the condition true

    async def keep_up(self) -> None:
        """Catch up and flush for ever."""
        flushed = time.monotonic()
        while True:
            await asyncio.sleep(CATCH_UP_INTERVAL)
            self.catch_up()
            if time.monotonic() - flushed >= FLUSH_INTERVAL:
                flushed = time.monotonic()
                self.flush()
