"""What runs beside each other cost, how that is found out, and when it matters."""

import pytest

from loop.policy import neighbours, scheduler
from loop.policy.scheduler import Work
from loop.policy.standing import decision
from loop.study import events as e
from loop.study.contract import Contract, Keep
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story

KIND = "CPU, 1 of 2 cores"


def pair(slots: int = 2) -> Story:
    """A study on CPU slots that share the cores of one machine."""
    records = tuple(e.SlotRecord(name=f"CPU {at}", kind=KIND, shares="CPU", cores=1) for at in range(slots))
    story = Story(Contract(verify=None, keep=Keep(max_runs=3)))
    names = tuple(record.name for record in records)
    story.tell(e.SupervisorStarted(pid=1, host="h", version="1", slots=names, device=KIND, records=records))
    return story.propose(0).queue(0, None)


def start(story: Story, number: int, run: int, seed: int, slot: int, alone: bool = False, at: float = 0.0) -> Story:
    started = e.RunStarted(
        seed=seed, slot=slot, budget=20, deadline=80, protocol_id=story.contract.protocol_id, pid=1, pid_started=1.0,
        device=KIND, slot_name=f"CPU {slot}", alone=alone,
    )  # fmt: skip
    return story.tell(started, number, run, at=at or None)


def end(story: Story, number: int, run: int, value: float, company: float | None = 1.0, steps: int = 80) -> Story:
    ended = e.RunFinished(
        outcome=Outcome.FINISHED, metrics={story.contract.metric: value}, seconds=20, stepping=20, steps=steps,
        cpu_seconds=19, company=company,
    )  # fmt: skip
    return story.tell(ended, number, run)


def works(study: Study, claimed: scheduler.Claims = scheduler.NONE, slots: int = 2) -> list[Work | None]:
    found = []
    for slot in range(slots):
        others = [other for other in range(slots) if other != slot]
        found.append(scheduler.next_work(study, claimed, slot, others))
    return found


def measured(penalty: float) -> Story:
    """The baseline ran once alone and three times in company, at `penalty` more."""
    story = end(start(pair(), 0, 1, 1337, 0, alone=True), 0, 1, 1.0, 0.0, steps=100)
    for run, luck in enumerate((0.0, 0.01, -0.01), 2):
        end(start(story, 0, run, 1335 + run, run % 2), 0, run, 1.0 + penalty + luck, steps=80 + run)
    found = neighbours.measure(story.study(), KIND)
    assert found is not None
    return story.tell(found).judge(0, "kept", 1.0 + penalty)


def test_the_baseline_runs_once_alone_and_then_in_company_under_the_same_seeds() -> None:
    story = pair()
    first, second = works(story.study())
    assert first is not None and first.alone and second is not None, "whoever comes first"
    assert works(story.study(), {(0, 1): 0})[1] is None, "nothing beside it, from the moment that a slot has it"
    start(story, 0, 1, 1337, 0, alone=True)
    assert works(story.study(), {(0, 1): 0})[1] is None
    end(story, 0, 1, 1.0, 0.0)
    study = story.study()
    assert study.measured(study.experiments[0]) == [], "it is compared with nothing else"
    assert [work and (work.run, work.alone) for work in works(study)] == [(2, False), (2, False)]
    assert scheduler.next_seed(study.experiments[0], kind=KIND) == scheduler.FIRST_SEED
    for run in (2, 3):
        end(start(story, 0, run, 1335 + run, run - 2), 0, run, 1.0)
    claimed = {(0, 4): 0}
    assert works(start(story, 0, 4, 1339, 0).study(), claimed)[1] is not None, "the third has company, too"


def test_one_slot_or_slots_of_their_own_measure_no_company() -> None:
    assert [work and work.alone for work in works(pair(1).study(), slots=1)] == [False]
    gpus = Story().slots("A", "A").propose(0).queue(0, None)
    assert [work and work.alone for work in works(gpus.study())] == [False, False]


def test_what_company_costs_is_told_with_its_error() -> None:
    found = measured(0.05).study().company(KIND)
    assert found is not None and (found.runs, found.matters) == (3, True)
    assert found.worse == pytest.approx(0.05) and found.error == pytest.approx(0.0115, abs=1e-4)
    assert found.slower == pytest.approx(0.17) and found.slower_error == pytest.approx(0.0115, abs=1e-4)
    told = neighbours.told(found, "val_bpb")
    assert told == (
        "runs beside it cost a run 0.05 ±0.012 of val_bpb and 17.0% ±1.2% of its steps a second; "
        "only runs in company are compared"
    )
    little = measured(0.005).study().company(KIND)
    assert little is not None and not little.matters


def test_where_it_matters_a_run_without_company_is_compared_with_none_that_had_it() -> None:
    story = measured(0.05).propose(1).queue(1)
    study = end(start(story, 1, 1, 1337, 0), 1, 1, 1.0, company=0.2).study()
    assert study.measured(study.experiments[1]) == [], "0.05 better for having been alone"
    study = end(start(story, 1, 2, 1337, 0), 1, 2, 1.05, company=0.9).study()
    assert decision(study, study.experiments[1]).effect == pytest.approx(0.0)
    story = measured(0.005).propose(1).queue(1)
    study = end(start(story, 1, 1, 1337, 0), 1, 1, 1.0, company=0.2).study()
    assert len(study.measured(study.experiments[1])) == 1, "and where it does not matter all count"


def test_where_nobody_is_left_to_keep_company_numbers_without_have_to_do() -> None:
    story = measured(0.05).propose(1).queue(1)
    for run in (1, 2, 3):
        end(start(story, 1, run, 1336 + run, 0), 1, run, 1.0, company=0.0)
    study = story.study()
    assert len(study.measured(study.experiments[1])) == 1


def test_an_idle_slot_keeps_company_only_where_it_matters() -> None:
    for penalty, does in ((0.05, 0), (0.005, None)):
        story = measured(penalty).propose(1).queue(1)
        (_, beside) = works(start(story, 1, 1, 1337, 0).study(), {(1, 1): 0})
        assert (None if beside is None else beside.experiment.id) == does


def test_the_share_of_company_is_what_the_clocks_say() -> None:
    story = measured(0.0).propose(1).queue(1)
    start(story, 1, 1, 1337, 0, at=2000.0)
    start(story, 0, 5, 1340, 1, at=2015.0)
    study = story.study()
    assert neighbours.company_of(study, study.experiments[1].runs[1], 20) == 0.25
    assert neighbours.company_of(study, study.experiments[1].runs[1], 0) is None
