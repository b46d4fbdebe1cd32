"""Slots of several kinds: numbers of two of them never meet, whatever the order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from loop.policy import elsewhere, idle, scheduler
from loop.policy.standing import decision, lacks_champion, noise
from loop.study import events as e
from loop.study.contract import Contract, Keep
from loop.study.figures import Figures
from loop.study.folding import fold
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.policy.test_out_of_order import ORDERS, Machine, audit
from tests.stories import Story

EFFECTS = st.lists(st.sampled_from([-9.0, 0.0, 0.0, 1.0, 3.0, 9.0]), min_size=1, max_size=7)
KINDS = st.lists(st.sampled_from("AB"), min_size=2, max_size=6).filter(lambda kinds: len(set(kinds)) == 2)


def verdicts(study: Study) -> dict[int, Outcome | None]:
    return {x.id: x.verdict for x in study.experiments.values()}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(KINDS, EFFECTS, ORDERS, st.sampled_from([-10.0, 10.0]))
def test_an_offset_of_ten_noises_between_two_kinds_changes_no_verdict(
    kinds: list[str], effects: list[float], order: list[int], offset: float
) -> None:
    alike, apart = (Machine(len(kinds), effects, order, kinds, by) for by in (0.0, offset))
    assert verdicts(apart.go()) == verdicts(alike.go())
    audit(apart.story.events)
    for number, x in apart.study.experiments.items():
        assert number == 0 or len({run.device for run in x.counted()}) == 1 or x.verdict == Outcome.KEPT


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 6), EFFECTS, ORDERS)
def test_where_all_slots_are_of_one_kind_nothing_is_decided_otherwise(
    slots: int, effects: list[float], order: list[int]
) -> None:
    def decided(machine: Machine) -> list[tuple[object, ...]]:
        machine.go()
        told = [x for x in machine.story.events if x.kind not in ("study_started", "supervisor_started")]
        return [(x.kind, x.experiment, x.run, getattr(x.body, "seed", getattr(x.body, "effect", None))) for x in told]

    assert decided(Machine(slots, effects, order, ["A"] * slots)) == decided(Machine(slots, effects, order))


def two() -> Story:
    """A study whose baseline has been measured on both kinds: B adds 5."""
    story = Story(Contract(verify=None, keep=Keep(max_runs=3))).slots("A", "A", "B").propose(0).queue(0, None)
    for run, (value, kind) in enumerate([(1.0, "A"), (1.01, "A"), (0.99, "A"), (6.0, "B"), (6.1, "B"), (5.9, "B")], 1):
        story.start(0, run, 1337 + (run - 1) % 3, 2 if kind == "B" else 0, kind).finish(0, run, value)
    return story.judge(0, "kept", 1.0)


def ran(story: Story, number: int, run: int, value: float, slot: int, kind: str) -> Story:
    return story.start(number, run, 1336 + run, slot, kind).finish(number, run, value)


def work(study: Study, slot: int, others: tuple[int, ...] = (0, 1, 2)) -> int | None:
    found = scheduler.next_work(study, {}, slot, [other for other in others if other != slot])
    return None if found is None else found.experiment.id


def test_each_kind_measures_the_baseline_with_seeds_and_a_noise_of_its_own() -> None:
    story = Story().slots("A", "A", "B").propose(0).queue(0, None)
    for run, value in enumerate((1.0, 1.01, 0.99), 1):
        ran(story, 0, run, value, 0, "A")
    study = story.judge(0, "kept", 1.0).study()
    assert work(study, 0) is None and work(study, 2) == 0
    assert scheduler.next_seed(study.experiments[0], kind="B") == scheduler.FIRST_SEED
    found = [noise(two().study(), kind) for kind in ("A", "B")]
    assert [round(one.sd, 3) for one in found if one is not None] == [0.01, 0.1]


def test_an_experiment_is_compared_and_goes_on_where_it_ran_first() -> None:
    story = ran(two().propose(1).queue(1), 1, 1, 5.7, 2, "B")
    study = story.study()
    assert round(decision(study, study.experiments[1]).effect, 3) == 0.3, "with the champion's runs on B, not on A"
    assert [work(study, slot) for slot in (0, 2)] == [None, 1]
    assert work(study, 0, (0, 1)) == 1, "elsewhere where no slot of its kind works any more"
    ran(story, 1, 2, 0.8, 0, "A")
    moved = story.study()
    assert moved.measured(moved.experiments[1]) == [0.8], "and begins anew there"


def test_a_champion_from_one_kind_runs_on_the_other_before_anything_is_judged_there() -> None:
    story = ran(two().propose(1).queue(1), 1, 1, 3.0, 2, "B").judge(1, "kept", 3.0).propose(2, 1).queue(2, 1)
    assert work(story.study(), 0) == 1, "the champion goes first"
    ran(story, 2, 1, 0.1, 1, "A")
    study = story.study()
    assert lacks_champion(study, study.experiments[2]) and work(study, 1) == 1
    ran(story, 1, 2, 0.5, 0, "A")
    study = story.study()
    assert not lacks_champion(study, study.experiments[2])
    assert round(decision(study, study.experiments[2]).effect, 3) == 0.4
    assert study.measured(study.experiments[1]) == [0.5] and Figures(study).gain(study.experiments[1]) == 0.5


def test_a_champion_that_is_worse_on_another_kind_is_told_there() -> None:
    def told(value: float) -> list[str]:
        story = ran(two().propose(1).queue(1), 1, 1, 0.5, 0, "A").judge(1, "kept", 0.5)
        return elsewhere.setbacks(ran(story, 1, 2, value, 2, "B").study())

    assert told(5.9) == told(6.1) == [], "better, and within the luck of one run"
    (said,) = told(6.5)
    assert said.startswith(
        "the champion, experiment 1, is worse on B than experiment 0, which it replaced: by 0.5 ±0.1 "
    )
    assert "kept by its runs on A" in said
    alone = ran(two().propose(1).queue(1), 1, 1, 0.5, 0, "A").judge(1, "kept", 0.5)
    assert elsewhere.setbacks(alone.study()) == [], "it has not run there yet"


def test_a_kind_on_which_the_baseline_fails_is_left_alone_and_says_why() -> None:
    story = Story().slots("A", "A", "B").propose(0).queue(0, None).start(0, 1, 1337, 2, "B")
    story.tell(e.RunFinished(outcome=Outcome.OUT_OF_MEMORY, reason="it ran out of GPU memory", seconds=3), 0, 1)
    for run, value in enumerate((1.0, 1.01, 0.99), 2):
        ran(story, 0, run, value, 0, "A")
    study = story.judge(0, "kept", 1.0).study()
    assert work(study, 2) is None
    assert idle.states(study)[2].why.startswith("the champion, experiment 0 gives no number on B: it ran out of GPU")


def test_started_on_other_slots_the_champion_is_measured_there_first() -> None:
    story = two().propose(1).queue(1)
    study = fold(story.slots("C", "C").events)
    assert [work(study, slot, (0, 1)) for slot in (0, 1)] == [0, 0]
    assert study.measured(study.experiments[0]) == [] and noise(study) is None
