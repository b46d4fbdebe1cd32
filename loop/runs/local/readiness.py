"""Whether a run can start in a slot now: its GPUs are there, and free enough.

Where that is not so the slot waits, says for what, and looks again; nothing of it is held against an experiment, and it
is waited for as long as it takes. It starts nothing and decides nothing about a run.
"""

import asyncio
import time

from loop.journal.recorder import Recorder
from loop.machine.gauges import Gauges
from loop.runs.local.gpus import NOTHING_SEEN, Look, in_the_way, needed, seen
from loop.runs.slot import Slot
from loop.study import events as e

WAITS = (0.5, 20.0)
"""Seconds until the second look and between two looks at most; they double from one to the other."""

TOLD_FROM = 2
"""Looks in vain from which it is told: a process that has just ended may hold its memory for a second."""


class Readiness:
    """Of the slots of one supervisor."""

    def __init__(self, gauges: Gauges, recorder: Recorder) -> None:
        self._gauges, self._recorder = gauges, recorder
        self._most: dict[int, int] = {}
        """Bytes that others may hold on a slot, after a run has failed there for what they held."""

    async def wait(self, slot: Slot) -> Look:
        """Wait until a run can start in `slot`; returns what its GPUs look like then."""
        pause, tries, told = WAITS[0], 0, ""
        while True:
            need, most = needed(self._recorder.study), self._most.get(slot.index)
            look = await asyncio.to_thread(self.look, slot)
            why = in_the_way(slot.name, look, need, most)
            if not why:
                break
            tries += 1
            if tries >= TOLD_FROM and (why != told or pause < WAITS[1]):
                told = why
                self._recorder.record(e.Fault(where=slot.name, message=why, next_at=time.time() + pause))
            await asyncio.sleep(pause)
            pause = min(2 * pause, WAITS[1])
        if told:
            self._recorder.record(e.Recovered(where=slot.name))
        self._most.pop(slot.index, None)
        return look

    def keep_off(self, slot: Slot, most: int) -> None:
        """Start no run in `slot` before others hold no more than `most` bytes of its GPUs' memory."""
        self._most[slot.index] = most

    def look(self, slot: Slot) -> Look:
        """The slot's GPUs now. Blocks for some milliseconds."""
        return seen(self._gauges.look(slot.gpus)) if slot.gpus else NOTHING_SEEN
