"""Brings the journal to the watch: first the past, in slices that never hold the screen, then the present as it comes.

Only reads. The past is the kinds that the fold needs, then the newest thoughts, gauges and samples; the million
samples of past runs are never touched. Journals are read in windows of `seq`, so that no query is longer than its
window, however few rows of a kind there are.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable

from loop.journal import Journal
from loop.study.events import Event
from loop.study.state import FOLDED
from tui.model.transcript import MIND, told
from tui.model.view_state import ViewState

_WINDOW = 8000
"""Events of one slice; about 10 ms of reading at the usual share of folded kinds."""

_TURN = 0.03
"""Seconds after which the screen gets a turn."""

_STORY = 3000
"""Events of the mind that a new cockpit reads back."""


_LOOK = 0.1
"""Seconds between two looks for what is new; the screen takes it up four times a second, so more would only cost."""

_PAGE = 1000
"""Events of the mind that come in at once when a person scrolls past its top: about 20 ms."""


class Feed:
    """The reading side of one cockpit."""

    def __init__(self, journal: Journal, watch: ViewState) -> None:
        self.journal, self.watch = journal, watch

    async def catch_up(self) -> AsyncIterator[float]:
        """Read the past; yields the share read so far whenever the screen may have a turn."""
        last = self.journal.last_seq()
        self._gauges(1)
        turn = time.monotonic()
        # Everything made here stays, and the collector looking at it again and again is over half of the time.
        gc.disable()
        try:
            async for share in self._past(last, turn):
                yield share
        finally:
            gc.freeze()
            gc.enable()
        self.watch.study.seq = max(self.watch.study.seq, last)
        self.watch.caught_up()
        yield 1.0

    async def _past(self, last: int, turn: float) -> AsyncIterator[float]:
        for start in range(0, last, _WINDOW):
            for event in self.journal.read(start, until=min(last, start + _WINDOW), kinds=FOLDED):
                self.watch.study.apply(event)
            if time.monotonic() - turn > _TURN:
                self.watch.share = min(0.99, (start + _WINDOW) / last)
                yield self.watch.share
                await asyncio.sleep(0.002)  # 0 would give the screen one step of the many that a paint takes
                turn = time.monotonic()
        self._gauges(120)
        for event in self._newest(last, MIND, _STORY):
            self.watch.story.tell(event)

    async def live(self) -> AsyncIterator[set[str]]:
        """What changes from here on, as the parts of the watch."""
        async for events in self.journal.follow(self.watch.study.seq, interval=_LOOK):
            changed = self.watch.apply(events)
            if changed:
                yield changed

    def samples(self, wanted: Iterable[tuple[int, int]]) -> None:
        """Have the samples of these runs, and of no others."""
        wanted = set(wanted)
        for experiment, run in wanted - self.watch.samples.keys():
            self.watch.samples[experiment, run] = []
            for event in self.journal.read(
                until=self.watch.study.seq, kinds={"step_sampled"}, experiment=experiment, run=run
            ):
                self.watch.take_sample(event)
        self.watch.forget_samples(wanted)

    def older(self) -> int:
        """Page in the mind's text before the oldest that is there; returns how many rows came, 0 at the beginning."""
        ring = self.watch.mind
        first = ring.paragraphs[0].seq if ring.paragraphs else 0
        events = self._newest(first - 1, MIND, _PAGE) if first > 1 else []
        before = ring.first
        ring.prepend(told(events, self.watch.study, ring.width, ring.folded))
        return before - ring.first

    def _gauges(self, count: int) -> None:
        self.watch.history.clear()
        for event in self.journal.read(kinds={"gauge_read"}, limit=count, newest=True):
            self.watch.take_gauge(event)

    def _newest(self, last: int, kinds: frozenset[str], count: int) -> list[Event]:
        """The newest `count` events of some kinds, oldest first."""
        found: list[list[Event]] = []
        have, until = 0, last
        while until > 0 and have < count:
            part = self.journal.read(max(0, until - _WINDOW), until=until, kinds=kinds, limit=count - have, newest=True)
            found.append(part)
            have += len(part)
            until -= _WINDOW
        events = [event for part in reversed(found) for event in part]
        return events[-count:]
