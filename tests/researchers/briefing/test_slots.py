"""What a briefing says of the slots that runs are in."""

from loop.researchers.automl import trials
from loop.researchers.briefing.row import row
from loop.researchers.briefing.slots import slots_told
from loop.study import events as e
from loop.study.contract import Contract, Limits
from loop.study.outcomes import Outcome
from loop.study.slot_record import SlotRecord
from tests.stories import Story

GB = 2**30


def test_what_a_run_gets_stands_in_the_contract() -> None:
    small = [SlotRecord(name=f"CPU {at}", kind="CPU, 1 of 2 cores", cores=1, memory=3 * GB) for at in range(2)]
    assert slots_told(small, Contract()) == ["- A run has 1 CPU core and 3.0 GB of main memory; up to 2 run at once."]
    (told,) = slots_told(small[:1], Contract(limits=Limits(memory="2GB")))  # type: ignore[arg-type]
    assert told == "- A run has 1 CPU core and 2 GB of main memory."
    assert slots_told([], Contract()) == []


def test_of_several_kinds_each_is_told_and_that_they_do_not_compare() -> None:
    gpus = [SlotRecord(name=f"GPU {at}", kind="H100", cores=8, memory=64 * GB, gpu_memory=80 * GB) for at in range(2)]
    gpus.append(SlotRecord(name="GPU 2", kind="A100", cores=8, memory=64 * GB, gpu_memory=40 * GB))
    first, second = slots_told(gpus, Contract())
    assert first.startswith("- A run has one of these: H100 with 80 GB, 8 CPU cores and 64 GB of main memory (2 slots)")
    assert "A100 with 40 GB" in first and "against the champion's runs there" in second


def on_two_kinds() -> Story:
    story = Story().slots("A", "A", "B").propose(0).queue(0, None)
    story.start(0, 1, 1337, 0, "A").finish(0, 1, 1.0).start(0, 2, 1337, 2, "B").finish(0, 2, 6.0).judge(0, "kept", 1.0)
    story.propose(1).queue(1).start(1, 1, 1337, 2, "B").finish(1, 1, 5.5)
    return story.tell(e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="so", metric=5.5, effect=0.5, noise=1.0), 1)


def test_a_row_says_where_its_number_is_from_if_most_are_from_elsewhere() -> None:
    study = on_two_kinds().study()
    assert row(study.experiments[1], study.contract, (), "A").numbers.startswith("5.5 on B")
    assert " on " not in row(study.experiments[0], study.contract, (), "A").numbers


def test_an_optimiser_learns_the_difference_and_not_the_offset_of_a_kind() -> None:
    study = on_two_kinds().study()
    first = study.experiments[1]
    first.notes = {"params": {"A": 2}, "was": {"A": 1}, "parent": 0}
    (_, second) = trials.read(list(study.experiments.values()), 0, {"A": 1}, study.contract)
    assert (second.metric, second.effect) == (0.5, 0.5)
