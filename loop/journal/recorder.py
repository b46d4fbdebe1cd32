"""The supervisor's writer: it appends to the journal and keeps the study folded up to the newest event.

Facts are recorded one by one; they are on disk and in the study when `record` returns. The stream (thoughts, step
samples, gauges) is buffered and written a few times a second. Events that other processes append (a person's requests)
arrive with `catch_up`, so the study is always what a reader of the journal would fold.

Nothing that is handed over is lost while this process lives. On a full disk the reserve is released to make room for
it, along with the fault that pauses the loop; if that is not enough, the loop blocks until the write succeeds.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from loop.journal import Journal, JournalBusy, JournalError, JournalFull
from loop.journal.wal import WAL_USUAL, flush_factor
from loop.machine.clocks import Clocks
from loop.machine.disk import CHECK_INTERVAL, DISK, DiskGuard, DiskReserve
from loop.study.events import Body, ClockMoved, Entry, Fault, Recovered, Thought
from loop.study.folding import FOLDED, apply
from loop.study.state import Study
from loop.words import size

log = logging.getLogger(__name__)

FLUSH_INTERVAL = 0.25
"""Seconds that a piece of the stream may wait: a reader sees words at 4 Hz, and the disk sees 4 writes a second."""

SPARING_INTERVAL = 12.0
"""The same while the disk is short of space: 8 kB each, so the reserve lasts three hours and the heartbeat goes on."""

CATCH_UP_INTERVAL = 0.1
"""Seconds between two looks for events of other processes; a person's request takes effect within 250 ms."""

RETRY_INTERVAL, LONGEST_RETRY = 1.0, 3600.0
"""Seconds between two attempts to write what must be written, and until the loop gives up and ends."""

JOURNAL = "journal"
"""`where` of the fault about a reader that makes the WAL grow."""

LOOKS = 2
"""Checks in a row that must find the WAL blocked before it is reported: many readers block it for milliseconds."""


class Recorder:
    """Appends and folds; for one event loop.

    Args:
        reserve: of the study's disk; without one a full disk is an error like any other.
        clocks: this machine's; others in a test.

    Attributes:
        disk: pauses the loop while the disk is short of space.
        study: the study, folded up to the newest event.
    """

    def __init__(self, journal: Journal, reserve: DiskReserve | None = None, clocks: Clocks | None = None) -> None:
        self._journal, self._reserve = journal, reserve
        self._clocks = Clocks() if clocks is None else clocks
        self.disk = DiskGuard(reserve, self)
        self.hurry = False
        """The loop is about to end: do not wait for what cannot be written now."""
        self._pending: list[Entry] = []
        self._changed = asyncio.Event()
        self._seen = self._blocked_checks = 0
        self.study = Study()
        self.catch_up()

    def record(self, body: Body, experiment: int | None = None, run: int | None = None) -> None:
        """Make a fact; it is durable, and in the study, when this returns."""
        self.record_all([(body, experiment, run)])

    def record_all(self, facts: Sequence[Entry]) -> None:
        """Make several facts, all or none, and before them what the stream has buffered.

        Raises:
            JournalError: they cannot be written; on a full disk only after an hour of retries, or in a hurry.
        """
        stream, self._pending = [*self._moved(), *self._pending], []
        try:
            self._write([*stream, *facts])
        except JournalError:
            self._pending = stream + self._pending
            raise
        self.catch_up()

    def now(self) -> float:
        """Unix seconds, comparable with the study's own times: a clock that was set is recorded first."""
        if moved := self._moved():
            self._write(moved)
            self.catch_up()
        return time.time()

    def _moved(self) -> list[Entry]:
        """What happened to the clock since the last fact, to be recorded before anything that carries the new time."""
        moved = self._clocks.moved()
        return [] if moved is None else [(ClockMoved(set_by=moved[0], slept=moved[1]), None, None)]

    def record_dated(self, facts: Sequence[tuple[float, Body, int | None, int | None]]) -> None:
        """Make facts of an earlier time, each with its own, all or none."""
        self.flush()
        self._journal.append_all([fact[1:] for fact in facts], at=[fact[0] for fact in facts])
        self.catch_up()

    def stream(self, body: Body, experiment: int | None = None, run: int | None = None) -> None:
        """Add to the stream; consecutive pieces of one thought are merged."""
        last = self._pending[-1] if self._pending else None
        if (
            isinstance(body, Thought)
            and last is not None
            and isinstance(last[0], Thought)
            and (last[0].researcher, last[0].thinking, last[1]) == (body.researcher, body.thinking, experiment)
        ):
            body = last[0].model_copy(update={"text": last[0].text + body.text})
            self._pending.pop()
        self._pending.append((body, experiment, run))

    def flush(self) -> None:
        """Write the buffered stream; if that is not possible now it stays buffered."""
        if not self._pending:
            return
        moved = self._moved()
        facts, self._pending = [*moved, *self._pending], []
        try:
            self._append(facts)
            if moved:
                self.catch_up()  # before anybody compares the new time with the study's
        except (JournalFull, JournalBusy):
            self._pending = facts

    def _write(self, facts: list[Entry]) -> None:
        """Write facts, however long it takes. This blocks the loop, which must only act on facts that are on disk."""
        waited = 0.0
        while True:
            try:
                return self._append(facts)
            except (JournalFull, JournalBusy) as error:
                if self._reserve is None or self.hurry or waited >= LONGEST_RETRY:
                    raise
                if not waited:
                    log.error("%s; the loop waits until it can be written", error)
            time.sleep(RETRY_INTERVAL)  # a signal interrupts it
            waited += RETRY_INTERVAL

    def _append(self, facts: list[Entry]) -> None:
        """Append facts; on a full disk, release the reserve for them and for the fault that pauses the loop."""
        try:
            self._journal.append_all(facts)
        except JournalFull:
            if self._reserve is None or not self._reserve.release():
                raise
            told = any(isinstance(body, Fault) and body.where == DISK for body, _, _ in facts)
            self._journal.append_all(facts if told else [*facts, *self.disk.fault(self._reserve.sentence())])
            self.catch_up()

    def check_wal(self) -> None:
        """Report once that a reader makes the WAL grow, and once that the WAL is short again."""
        wal = self._journal.wal_size
        if wal <= WAL_USUAL or self._journal.empty_wal():
            self._blocked_checks = 0
            if JOURNAL in self.study.troubles:
                self.record(Recovered(where=JOURNAL))
            return
        self._blocked_checks += 1
        if self._blocked_checks < LOOKS or JOURNAL in self.study.troubles or self.study.short_of_room:
            return
        path = self._journal.path
        message = (
            f"another program keeps a read transaction open on the journal, so its WAL grows ({size(wal)}); end "
            f"that program (`lsof {path}` lists who has it open). Nothing is lost, but screens lag more and more"
        )
        self.record(Fault(where=JOURNAL, message=message, next_at=time.time() + CHECK_INTERVAL))

    # --- following the journal ---------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Fold what any process has appended since the last look, and wake all waiters."""
        newest = self._journal.last_seq()
        if newest == self._seen:
            return
        events = self._journal.read(self._seen, until=newest, kinds=FOLDED)
        self._seen = newest
        for event in events:
            apply(self.study, event)
        if events:
            self.wake()

    def wake(self) -> None:
        """Make all waiters check their conditions again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, condition: Callable[[], bool], tick: float | None = None) -> None:
        """Wait until `condition` holds; it is checked after every change, and every `tick` seconds."""
        while True:
            changed = self._changed
            if condition():
                return
            try:
                async with asyncio.timeout(tick):  # `wait_for` of Python 3.11 may swallow a cancellation
                    await changed.wait()
            except TimeoutError:
                pass  # time itself may have made the condition true

    async def keep_up(self) -> None:
        """Catch up and flush, for ever."""
        flushed = time.monotonic()
        while True:
            await asyncio.sleep(CATCH_UP_INTERVAL)
            self.catch_up()
            wait = FLUSH_INTERVAL * flush_factor(self._journal.wal_size)
            if time.monotonic() - flushed >= (max(wait, SPARING_INTERVAL) if self.study.short_of_room else wait):
                flushed = time.monotonic()
                self.flush()
