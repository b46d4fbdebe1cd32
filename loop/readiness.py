"""Whether a run can start in a slot now: its GPUs are there and free enough, and the disk has room.

Where that is not so the slot waits, says for what, and looks again; nothing of it is held against an experiment, and it
is waited for as long as it takes. It starts nothing and decides nothing about a run.
"""

import asyncio
import shutil
import time
from pathlib import Path

from loop import events as e
from loop.gauges import Gauges
from loop.gpus import NOTHING_SEEN, Look, in_the_way, needed, seen
from loop.recorder import Recorder
from loop.slot import RESERVE, Slot

WAITS = (0.5, 20.0)
"""Seconds until the second look and between two looks at most; they double from one to the other."""

TOLD_FROM = 2
"""Looks in vain from which it is told: a process that has just ended may hold its memory for a second."""

ROOM = 64 << 20
"""Bytes beside the reserve that a disk must have for a run to start."""


class Readiness:
    """Of the slots of one supervisor."""

    def __init__(self, folder: Path, gauges: Gauges, recorder: Recorder) -> None:
        self._folder, self._gauges, self._recorder = folder, gauges, recorder
        self._most: dict[int, int] = {}
        """Bytes that others may hold on a slot, after a run has failed there for what they held."""

    async def wait(self, slot: Slot) -> Look:
        """Wait until a run can start in `slot`; returns what its GPUs look like then."""
        pause, tries, told, last = WAITS[0], 0, "", ""
        while True:
            need = needed(self._recorder.study)
            look, where, why = await asyncio.to_thread(self._look, slot, need)
            if told and where != told:
                self._recorder.record(e.Recovered(where=told))
                told = ""
            if not why:
                self._most.pop(slot.index, None)
                return look
            tries += 1
            if tries >= TOLD_FROM and (why != last or pause < WAITS[1]):
                told, last = where, why
                self._recorder.record(e.Fault(where=where, message=why, next_at=time.time() + pause))
            await asyncio.sleep(pause)
            pause = min(2 * pause, WAITS[1])

    def keep_off(self, slot: Slot, most: int) -> None:
        """Start no run in `slot` before others hold no more than `most` bytes of its GPUs' memory."""
        self._most[slot.index] = most

    def look(self, slot: Slot) -> Look:
        """The slot's GPUs now. Blocks for some milliseconds."""
        return seen(self._gauges.look(slot.gpus)) if slot.gpus else NOTHING_SEEN

    def _look(self, slot: Slot, need: int | None) -> tuple[Look, str, str]:
        """The slot's GPUs, and where and why nothing can start; both are empty where it can."""
        look = self.look(slot)
        if why := in_the_way(slot.name, look, need, self._most.get(slot.index)):
            return look, slot.name, why
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return look, "", ""  # it is gone, which others say
        if free < RESERVE + ROOM:
            return (
                look,
                "disk",
                (
                    f"the disk under {self._folder} has {free / 1e6:.0f} MB left; runs wait until there are "
                    f"{(RESERVE + ROOM) / 1e6:.0f} MB, so free some (`looptop status` says what the study holds)"
                ),
            )
        return look, "", ""
