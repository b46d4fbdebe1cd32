"""Whether a run can start in a slot now: its GPUs are there, and free enough.

If not, the slot waits for as long as it takes, reports for what, and looks again. None of it counts against an
experiment. Nothing is started here.
"""

import asyncio
from collections.abc import Callable

from loop.machine.gauges import Gauges
from loop.runs.executor import Report
from loop.runs.local.gpus import NOTHING_SEEN, Look, in_the_way, seen
from loop.runs.slot import Slot

WAITS = (0.5, 20.0)
"""Seconds until the second look and between two looks at most; they double from one to the other."""

TOLD_FROM = 2
"""Failed looks after which it is reported: a process that has just ended may hold its memory for a second."""


class Readiness:
    """Of the slots of this machine."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._most: dict[int, int] = {}
        """Bytes that others may hold on a slot where a run has failed for want of what they held."""

    async def wait(self, slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        pause, tries, told = WAITS[0], 0, ""
        while True:
            look = await asyncio.to_thread(self.look, slot)
            why = in_the_way(slot.name, look, need(), self._most.get(slot.index))
            if not why:
                break
            tries += 1
            if tries >= TOLD_FROM and (why != told or pause < WAITS[1]):
                told = why
                report(why, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, WAITS[1])
        if told:
            report("", 0.0)
        self._most.pop(slot.index, None)

    def keep_off(self, slot: Slot, most: int) -> None:
        """Start no run in `slot` until others hold at most `most` bytes of its GPUs' memory."""
        self._most[slot.index] = most

    def look(self, slot: Slot) -> Look:
        """The slot's GPUs now. Blocks for some milliseconds."""
        return seen(self._gauges.look(slot.gpus)) if slot.gpus else NOTHING_SEEN
