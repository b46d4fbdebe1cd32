"""Slots in trouble: what a run in several of them says of each."""

import asyncio
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.pipeline.quarantine import Quarantine
from loop.runs.slot import Slot, together

ONE, TWO, THREE = SLOTS = [Slot(index, f"GPU {index}", str(index), (index,)) for index in range(3)]
PAIR = together([ONE, TWO], 2)


async def told_of(quarantine: Quarantine, recorder: Recorder, slot: Slot) -> str:
    """What is on record once a run in the slot was lost, be it out of work by then or not."""
    before = recorder.study.seq
    resting = asyncio.create_task(quarantine.rest(slot, "no answer"))
    await recorder.until(lambda: recorder.study.seq > before)
    resting.cancel()
    return recorder.study.faults[-1][1].message


@pytest.mark.parametrize(("proved", "said"), [(False, "GPU 1 is out of work: it lost 3 runs"), (True, "no answer")])
async def test_a_run_in_two_slots_counts_for_both(tmp_path: Path, proved: bool, said: str) -> None:
    """Whether it was lost, or ran and so takes back what was held against them."""
    with Journal(tmp_path / "journal.db", create=True) as journal:
        recorder = Recorder(journal)
        quarantine = Quarantine(recorder, lambda: SLOTS)
        assert [await told_of(quarantine, recorder, PAIR) for _ in range(2)] == ["no answer"] * 2
        if proved:
            quarantine.works(PAIR)
            assert not recorder.study.troubles
        assert (await told_of(quarantine, recorder, TWO)).startswith(said)
        assert await told_of(quarantine, recorder, THREE) == "no answer"
