"""The supervisor's pen and memory: it appends to the journal and keeps the study folded up to the newest event.

Facts are recorded one by one and are in the study when `record` returns. The stream (thoughts, step samples, gauges)
is gathered and written a few times a second. What other processes append (a person's requests) comes in with
`catch_up`, so the study holds exactly what a reader of the journal would fold.

Nothing that is handed over is lost while this process lives. Where the disk is full the reserve goes for it, with the
fault that makes the loop pause; where even that is not enough, everything stands still until it could be written.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from loop.journal import Journal, JournalBusy, JournalError, JournalFull
from loop.journal.wal import WAL_USUAL, flush_factor, holding
from loop.lineage import LineageError
from loop.machine.clocks import Clocks
from loop.machine.disk import Room, is_full, out_of_order
from loop.study.events import Body, ClockMoved, Fault, Recovered, Thought
from loop.study.state import FOLDED, Study

log = logging.getLogger(__name__)

FLUSH_INTERVAL = 0.25
"""Seconds that a piece of the stream may wait; a reader sees words come at 4 Hz, and the disk 4 writes a second."""

SPARING_INTERVAL = 12.0
"""The same on a disk without room: 8 kB a time, so three hours until the reserve is used up, and still a heartbeat."""

CATCH_UP_INTERVAL = 0.1
"""Seconds between two looks for what others appended; a person's request takes effect within 250 ms."""

HOLD_INTERVAL, LONGEST_HOLD = 1.0, 3600.0
"""Seconds between two tries to write what must be written, and until the loop ends because it cannot be."""

DISK, JOURNAL = "disk", "journal"
"""Where the faults are that are told of here."""

LOOKS = 2
"""Looks in a row that must find a reader before it is told of: many read for some milliseconds."""

DISK_INTERVAL = 5.0
"""Seconds between two looks for room on a disk that had none."""

Fact = tuple[Body, int | None, int | None]
Done = TypeVar("Done")


class Recorder:
    """Appends and folds; for one event loop.

    Args:
        room: the disks' room; without it a full disk is an error like any other.
        clocks: this machine's; others in a test.
    """

    def __init__(self, journal: Journal, room: Room | None = None, clocks: Clocks | None = None) -> None:
        self._journal, self._room = journal, room
        self._clocks = Clocks() if clocks is None else clocks
        self.hurry = False
        """The loop is to end: what cannot be written now is not waited for."""
        self._pending: list[Fact] = []
        self._doing: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        self._seen = self._held_on = 0
        self.study = Study()
        self.catch_up()

    def record(self, body: Body, experiment: int | None = None, run: int | None = None) -> None:
        """Make a fact; it is durable, and in the study, when this returns."""
        self.record_all([(body, experiment, run)])

    def record_all(self, facts: list[Fact]) -> None:
        """Make several facts: all of them or none, and what the stream has gathered before them.

        Raises:
            JournalError: they cannot be written; for lack of room only after an hour of trying, or in a hurry.
        """
        stream, self._pending = [*self._moved(), *self._pending], []
        try:
            self._write([*stream, *facts])
        except JournalError:
            self._pending = stream + self._pending
            raise
        self.catch_up()

    def now(self) -> float:
        """Unix seconds, which the study's own times may be compared with: a clock that was set is on record first."""
        if moved := self._moved():
            self._write(moved)
            self.catch_up()
        return time.time()

    def _moved(self) -> list[Fact]:
        """What happened to the clock since the last fact; it goes before all that is timed by it."""
        moved = self._clocks.moved()
        return [] if moved is None else [(ClockMoved(set_by=moved[0], slept=moved[1]), None, None)]

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
        """Write what the stream has gathered; where that cannot be now it waits for the next time."""
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

    def _write(self, facts: list[Fact]) -> None:
        """Write facts, however long it takes. The loop stands still meanwhile: it goes on from written facts only."""
        waited = 0.0
        while True:
            try:
                return self._append(facts)
            except (JournalFull, JournalBusy) as error:
                if self._room is None or self.hurry or waited >= LONGEST_HOLD:
                    raise
                if not waited:
                    log.error("%s; the loop stands still until it can be written", error)
            time.sleep(HOLD_INTERVAL)  # a signal is heard in it
            waited += HOLD_INTERVAL

    def _append(self, facts: list[Fact]) -> None:
        """Append facts; on a full disk in the place of the reserve, and with the reason why the loop pauses."""
        try:
            self._journal.append_all(facts)
        except JournalFull:
            if self._room is None or not self._room.give():
                raise
            told = any(isinstance(body, Fault) and body.where == DISK for body, _, _ in facts)
            self._journal.append_all(facts if told else [*facts, *self._fault(self._room.sentence())])
            self.catch_up()

    # --- room on the disk --------------------------------------------------------------------------------------

    def look_for_room(self) -> None:
        """Say once that a disk has too little room, which makes the loop pause; and once that it has enough again."""
        if self._room is None:
            return
        if self.study.short_of_room:
            if self._room.enough():
                self.record(Recovered(where=DISK))
        elif (reason := self._room.short()) is not None:
            self.record_all(self._fault(reason))

    def too_little_room(self) -> str | None:
        """Why whatever ends badly now may do so for lack of room, in a sentence, or None."""
        return None if self._room is None else self._room.short()

    def excuse(self, error: LineageError | OSError) -> None:
        """Say that something failed for lack of room, which makes the loop pause.

        Raises:
            DiskError: a disk is out of order.
            error: it failed for another reason.
        """
        if self._room is None:
            raise error
        short = self._room.short()
        if not (short or is_full(error)):
            raise out_of_order(error) or error
        if facts := self._fault(short or f"{error}; {self._room.until()}"):
            self.record_all(facts)

    async def room(self) -> None:
        """Wait until there is room."""
        while self.study.short_of_room:
            await self.until(lambda: not self.study.short_of_room, DISK_INTERVAL)
            self.look_for_room()

    async def with_room(self, work: Callable[[], Done], told: Callable[[Done], None] = lambda _: None) -> Done:
        """Do something in a thread that writes to the disk and may be done twice: again when there is room.

        Args:
            told: records what was done, also where nobody waits for it any more: see `finish`.
        """

        async def both() -> Done:
            done = await asyncio.to_thread(work)
            told(done)
            return done

        while True:
            doing = asyncio.create_task(both())
            self._doing.add(doing)
            doing.add_done_callback(self._done)
            try:
                return await asyncio.shield(doing)
            except (LineageError, OSError) as error:
                self.excuse(error)
            await self.room()

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._doing.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it has it; where nobody does, the next start finds what is missing

    async def finish(self, longest: float) -> None:
        """Wait until what was begun `with_room` is done and told, `longest` seconds at most."""
        if self._doing:
            await asyncio.wait(self._doing, timeout=longest)

    def _fault(self, reason: str) -> list[Fact]:
        if self.study.short_of_room:
            return []
        return [(Fault(where=DISK, message=reason, next_at=time.time() + DISK_INTERVAL), None, None)]

    # --- readers that hold on ----------------------------------------------------------------------------------

    def look_at_readers(self) -> None:
        """Say once that a reader holds on to the journal, and who; and once that it is gone and the WAL short again."""
        size = self._journal.wal_size
        if size <= WAL_USUAL or self._journal.empty_wal():
            self._held_on = 0
            if JOURNAL in self.study.troubles:
                self.record(Recovered(where=JOURNAL))
            return
        self._held_on += 1
        if self._held_on < LOOKS or JOURNAL in self.study.troubles or self.study.short_of_room:
            return
        who = ", ".join(holding(self._journal.path)) or "another program"
        message = (
            f"{who} has been reading the journal without an end, so its WAL grows ({size >> 20} MB); end it, or its "
            "transaction. Nothing is lost; what a screen shows comes later and later"
        )
        self.record(Fault(where=JOURNAL, message=message, next_at=time.time() + DISK_INTERVAL))

    # --- keeping up --------------------------------------------------------------------------------------------

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
                async with asyncio.timeout(tick):  # `wait_for` of Python 3.11 may swallow a cancellation
                    await changed.wait()
            except TimeoutError:
                pass  # time itself may have made the condition true

    async def keep_up(self) -> None:
        """Catch up and flush for ever."""
        flushed = time.monotonic()
        while True:
            await asyncio.sleep(CATCH_UP_INTERVAL)
            self.catch_up()
            wait = FLUSH_INTERVAL * flush_factor(self._journal.wal_size)
            if time.monotonic() - flushed >= (max(wait, SPARING_INTERVAL) if self.study.short_of_room else wait):
                flushed = time.monotonic()
                self.flush()
