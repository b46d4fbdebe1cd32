"""Reads the journal into the view state: first the past, in slices that never block the screen, then what comes.

Only reads. Of the past it takes the kinds that the fold needs, then the newest thoughts, gauges and samples; the
million samples of past runs are never touched. It reads in windows of `seq`, so that no query takes longer than its
window, however few rows of a kind there are.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable

from loop.journal import Journal
from loop.study.events import Event, StepSampled
from loop.study.folding import FOLDED, apply
from tui.model.transcript import MIND, paragraphs_of
from tui.model.view_state import ViewState

_WINDOW = 8000
"""Events of one slice; about 10 ms of reading at the usual share of folded kinds."""

_TURN = 0.03
"""Seconds after which the screen gets a turn."""

_BACKLOG = 3000
"""Events of the mind that a new cockpit reads back."""

_LOOK = 0.1
"""Seconds between two looks for what is new; the screen shows it four times a second, so a shorter time only costs."""

_PAGE = 1000
"""Events of the mind that are read at once when a person scrolls past its top: about 20 ms."""


class Feed:
    """The reading side of one cockpit."""

    def __init__(self, journal: Journal, state: ViewState) -> None:
        self.journal, self.state = journal, state

    async def catch_up(self, until: int | None = None) -> AsyncIterator[float]:
        """Read the past; yields the share read so far, whenever the screen may have a turn.

        Args:
            until: the newest event to take in; None: all there are.
        """
        last = self.journal.last_seq() if until is None else until
        self._gauges(1, last)
        turn = time.monotonic()
        # All objects made here stay; for the collector to scan them again and again took over half of the time.
        gc.disable()
        try:
            async for share in self._past(last, turn):
                yield share
        finally:
            gc.freeze()
            gc.enable()
        self.state.study.seq = max(self.state.study.seq, last)
        self.state.caught_up()
        yield 1.0

    async def _past(self, last: int, turn: float) -> AsyncIterator[float]:
        for start in range(0, last, _WINDOW):
            for event in self.journal.read(start, until=min(last, start + _WINDOW), kinds=FOLDED):
                apply(self.state.study, event)
            if time.monotonic() - turn > _TURN:
                self.state.share = min(0.99, (start + _WINDOW) / last)
                yield self.state.share
                await asyncio.sleep(0.002)  # 0 would give the screen one step of the many that a paint takes
                turn = time.monotonic()
        self._gauges(120, last)
        for event in self._newest(last, MIND, _BACKLOG):
            self.state.voices.hear(event)
            self.state.transcript.tell(event)

    async def live(self) -> AsyncIterator[set[str]]:
        """The parts of the state that change from here on."""
        async for events in self.journal.follow(self.state.study.seq, interval=_LOOK):
            changed = self.state.apply(events)
            if changed:
                yield changed

    def samples(self, wanted: Iterable[tuple[int, int]]) -> None:
        """Fetch the samples of these runs, and drop those of all others."""
        wanted = set(wanted)
        for experiment, run in wanted - self.state.samples.keys():
            self.state.samples[experiment, run] = []
            for event in self.journal.read(
                until=self.state.study.seq, kinds={"step_sampled"}, experiment=experiment, run=run
            ):
                self.state.take_sample(event)
        for key in self.state.samples.keys() - wanted:
            del self.state.samples[key]
            self.state.progress.pop(key, None)

    def step(self, experiment: int, run: int) -> int | None:
        """The newest step that a run had reported; None where it had reported none."""
        until = self.state.study.seq
        found = self.journal.read(
            until=until, kinds={"step_sampled"}, experiment=experiment, run=run, limit=1, newest=True
        )
        body = found[0].body if found else None
        return body.step if isinstance(body, StepSampled) else None

    def older(self) -> int:
        """Page in older text of the mind; returns how many rows came, 0 at the beginning of the journal."""
        buffer = self.state.mind
        first = buffer.paragraphs[0].seq if buffer.paragraphs else 0
        events = self._newest(first - 1, MIND, _PAGE) if first > 1 else []
        before = buffer.first
        buffer.prepend(paragraphs_of(events, self.state.study, buffer.width, buffer.folded))
        return before - buffer.first

    def _gauges(self, count: int, last: int) -> None:
        self.state.history.clear()
        for event in self.journal.read(kinds={"gauge_read"}, until=last, limit=count, newest=True):
            self.state.take_gauge(event)

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
