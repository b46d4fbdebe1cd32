"""Slots in trouble: a slot that fails is out of work for a while, which is told, and the others go on.

It is looked at again by itself: after seconds where it is the only one, after minutes where others do its work. Whether
its GPU is there and free is another question, which `Executor.ready` asks before every run.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from loop.errors import UserError
from loop.journal.recorder import Recorder
from loop.policy import slot_health
from loop.runs.slot import Slot
from loop.study import events as e

MOST_TROUBLES, LONGEST_TROUBLE = 10, 60.0
"""Runs in a row that the only slot may lose by its machine's doing before the loop ends, and seconds that it waits
between two of them at most."""


class CannotGoOn(UserError):
    """The study cannot go on; the message is a sentence for a person."""


class Quarantine:
    """One study's.

    Args:
        slots: all that there are now; on a cluster they come and go.
    """

    def __init__(self, recorder: Recorder, slots: Callable[[], Sequence[Slot]]) -> None:
        self._recorder, self._there = recorder, slots
        self._troubles: Counter[int] = Counter()
        """Runs in a row that each slot has lost by its machine's doing."""
        self._times: Counter[int] = Counter()
        """How many times running each slot was out of work."""
        self._out: set[int] = set()
        self._since: dict[int, float] = {}
        """When each slot was put to work again."""

    @property
    def _slots(self) -> Sequence[Slot]:
        return self._there()

    def is_drained(self, slot: Slot) -> bool:
        """Whether a person keeps it out of work."""
        return slot_health.is_drained(self._recorder.study, slot.name)

    def working(self) -> list[Slot]:
        """The slots that are not out of work."""
        return [one for one in self._slots if one.index not in self._out and not self.is_drained(one)]

    def others(self, slot: Slot) -> list[int]:
        """Numbers of the other slots that are not out of work."""
        return [one.index for one in self.working() if one is not slot]

    def _each(self, slot: Slot) -> list[Slot]:
        """The slots themselves, of a run that had several; the first of them serves it, and is the one that rests."""
        there = {one.index: one for one in self._slots}
        return [there.get(slot.index, slot), *(there[index] for index in slot.also if index in there)]

    def works(self, slot: Slot) -> None:
        """Take in that a run in the slot was not lost; one in several slots says so of each of them."""
        for one in self._each(slot):
            self._works(one)

    def _works(self, slot: Slot) -> None:
        had = self._troubles.pop(slot.index, 0)
        if had or (self._times[slot.index] and not self._suspect(slot)):
            self._times.pop(slot.index, None)
            self._recorder.record(e.Recovered(where=self._where(slot)))

    async def rest(self, slot: Slot, trouble: str | None) -> None:
        """Keep a slot out of work where it has to be, after a run in it.

        Whose doing it was that a run in several slots was lost, nobody knows: it counts against each of them.

        Args:
            trouble: what of its machine lost the run; None where none was lost by it.

        Raises:
            CannotGoOn: no slot is left that works, and a person has to look.
        """
        slot, *others = self._each(slot)
        if trouble is None:
            if self._suspect(slot):
                several = f"{slot_health.IN_A_ROW} experiments in a row ended without a number there"
                what = "yet another experiment ended without a number there" if self._times[slot.index] else several
                why = f"{what}, and those of the other slots came to theirs"
                await self._drain(slot, why)
            return
        self._troubles.update(one.index for one in (slot, *others))
        times = self._troubles[slot.index]
        if len(self._slots) > 1:
            if times >= slot_health.IN_A_ROW:
                await self._drain(slot, f"it lost {times} runs in a row: {trouble}")
                return
        elif times >= MOST_TROUBLES:
            raise CannotGoOn(f"no run can be started here, {times} times in a row: {trouble}")
        wait = min(2.0 ** min(times - 1, MOST_TROUBLES), LONGEST_TROUBLE)
        self._recorder.record(e.Fault(where=self._where(slot), message=trouble, next_at=time.time() + wait))
        await asyncio.sleep(wait)

    async def _drain(self, slot: Slot, why: str) -> None:
        """Tell that a slot is out of work, and wait until it is to be tried again."""
        self._out.add(slot.index)
        if all(one.index in self._out or self.is_drained(one) for one in self._slots):
            raise CannotGoOn(f"no slot is left to run anything in; of {slot.name}: {why}")
        self._times[slot.index] += 1
        wait = slot_health.look_again(self._times[slot.index])
        message = (
            f"{slot.name} is out of work: {why}; the other slots go on, and it is tried again by itself "
            f"(`looptop undrain {slot.name}` tries it now, `looptop drain {slot.name}` keeps it out)"
        )
        self._recorder.record(e.Fault(where=self._where(slot), message=message, next_at=time.time() + wait))
        asked = self._recorder.study.seq
        try:
            async with asyncio.timeout(wait):
                await self._recorder.until(lambda: self._recorder.study.taken_back.get(slot.name, 0) > asked)
        except TimeoutError:
            pass
        self._out.discard(slot.index)
        self._since[slot.index] = time.time()

    def _suspect(self, slot: Slot) -> bool:
        if len(self._slots) == 1:
            return False
        enough = 1 if self._times[slot.index] else slot_health.IN_A_ROW
        return slot_health.suspect(self._recorder.study, slot.index, self._since.get(slot.index, 0.0), enough)

    def _where(self, slot: Slot) -> str:
        """What a slot's trouble goes by: each has its own where there are several."""
        return "runs" if len(self._slots) == 1 else f"runs on {slot.name}"
