"""Reserving slots for runs that need several at once: what `policy/reservations` says goes on record, and slots that
such a run lacks are looked at. Nothing is started here."""

import asyncio
import time
from contextlib import suppress

from loop.journal.recorder import Recorder
from loop.pipeline.life import Life
from loop.policy import reservations
from loop.runs.executor import Executor
from loop.runs.slot import Slot
from loop.study import events as e
from loop.study.queries import gpu_memory_needed


class Reserving:
    """Looks after one study's reservations."""

    def __init__(self, recorder: Recorder, executor: Executor, life: Life) -> None:
        self._recorder, self._executor, self._life = recorder, executor, life
        self._looks: dict[int, asyncio.Task[None]] = {}
        """What waits until a slot is there again, by its number: where nothing is to run in it, nobody else asks."""

    async def follow(self) -> None:
        """Record each change. Never returns."""
        try:
            while True:
                await self._recorder.until(lambda: self._planned() != self._recorder.study.reserved)
                if (planned := self._planned()) != self._recorder.study.reserved:
                    self._recorder.record(planned)
                self._look_at(reservations.out_of_work(self._recorder.study, self._life.working()))
        finally:
            for look in self._looks.values():
                look.cancel()

    def _planned(self) -> e.SlotsReserved:
        study, life = self._recorder.study, self._life
        if life.closing or (study.climb is None and study.reserved == reservations.NONE):
            return study.reserved
        return reservations.planned(
            study, life.claimed, life.working(), life.together, life.is_idle, self._recorder.now()
        )

    def _look_at(self, slots: list[int]) -> None:
        """Wait for each of these slots, and for no other."""
        there = {slot.index: slot for slot in self._executor.slots()}
        for index in [index for index in self._looks if index not in slots or self._looks[index].done()]:
            self._looks.pop(index).cancel()
        for index in slots:
            slot = there.get(index)
            if slot is not None and slot.name in self._recorder.study.troubles and index not in self._looks:
                self._looks[index] = asyncio.create_task(self._look(slot))

    async def _look(self, slot: Slot) -> None:
        def report(why: str, wait: float) -> None:
            if why:
                self._recorder.record(e.Fault(where=slot.name, message=why, next_at=time.time() + wait))

        with suppress(Exception):  # such as a node that has gone: it is told where it is noticed
            await self._executor.ready(slot, lambda: gpu_memory_needed(self._recorder.study), report)
            if slot.name in self._recorder.study.troubles:
                self._recorder.record(e.Recovered(where=slot.name))
