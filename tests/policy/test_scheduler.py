"""What comes next, from the study alone."""

from loop.policy import scheduler, supply
from loop.policy.standing import standing
from loop.study import events as e
from loop.study.contract import Contract, Limits
from tests.stories import Story


def next_id(story: Story, *claimed: tuple[int, int], slots: int = 1) -> int | None:
    found = scheduler.next_work(story.study(), dict.fromkeys(claimed, 0), 0, range(1, slots))
    return None if found is None else found.experiment.id


def next_run(story: Story, *claimed: tuple[int, int]) -> tuple[int, int, int]:
    """Experiment, number and seed of what comes next."""
    found = scheduler.next_work(story.study(), dict.fromkeys(claimed, 0))
    assert found is not None
    return found.experiment.id, found.run, scheduler.next_seed(found.experiment)


def test_the_baseline_runs_until_the_noise_is_known() -> None:
    story = Story().propose(0)
    assert next_id(story) is None  # not a commit yet
    story.queue(0, None)
    assert next_id(story) == 0
    assert [next_run(story, *((0, run) for run in range(1, before))) for before in (1, 2, 3)] == [
        (0, 1, 1337), (0, 2, 1337), (0, 3, 1337),
    ], "side by side; the seed is given as each starts"  # fmt: skip
    assert next_id(story, (0, 1), (0, 2), (0, 3)) is None, "all that it needs are under way"
    story.start(0, 1).finish(0, 1, 1.0).runs(0, [1.01], 2)
    assert next_id(story, (0, 3)) is None
    assert next_id(story) == 0
    assert not supply.wants_proposal(story.study(), 1, ahead=False)
    story.runs(0, [0.99], 3).judge(0, "kept", 1.0)
    assert next_id(story) is None
    assert supply.wants_proposal(story.study(), 1, ahead=False)


def test_a_baseline_that_fails_is_not_run_again() -> None:
    story = Story().propose(0).queue(0, None).start(0, 1).start(0, 2).finish(0, 1, None, "crashed")
    assert standing(story.study(), story.study().experiments[0])[0] == "crashed", "whatever goes on beside it"
    assert next_id(story, (0, 2)) is None


def test_two_slots_verify_two_runs_and_neither_one_that_the_other_has() -> None:
    story = Story(Contract(verify="python check.py")).propose(0).queue(0, None).start(0, 1).start(0, 2)
    story.finish(0, 1, 1.0).finish(0, 2, 1.0)
    assert [next_run(story, *claimed)[:2] for claimed in ((), ((0, 1),), ((0, 2),))] == [(0, 1), (0, 2), (0, 1)]
    assert next_run(story, (0, 1), (0, 2))[:2] == (0, 3), "both are in hand, and it needs three"


def test_a_slot_with_nothing_to_do_repeats_a_champion_that_is_known_too_little() -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [0.5]).judge(1, "kept", 0.5)
    assert next_id(story) is None, "a single slot would keep the next proposal waiting"
    assert next_id(story, slots=2) == next_id(story, (1, 2), slots=2) == 1
    assert next_id(story, (1, 2), (1, 3), slots=4) is None, "as often as the baseline"
    assert next_id(story.propose(2, 1).queue(2, 1), slots=2) == 2, "what was proposed goes first"


def test_what_a_slot_has_lost_twice_another_one_runs() -> None:
    story = Story().baseline().propose(1).queue(1)
    for run in (1, 2):
        assert next_id(story, slots=2) == 1
        story.start(1, run).finish(1, run, None, "lost")
    assert next_id(story, slots=2) is None and next_id(story) == 1, "unless there is no other"
    found = scheduler.next_work(story.study(), {}, 1, (0,))
    assert found is not None and found.experiment.id == 1


def test_seeds_begin_alike_for_every_experiment_and_a_lost_run_keeps_its_seed() -> None:
    story = Story().baseline().propose(1).queue(1)
    assert next_run(story) == (1, 1, scheduler.FIRST_SEED)
    story.start(1, 1).finish(1, 1, None, "lost")
    assert next_run(story) == (1, 2, scheduler.FIRST_SEED)
    story.runs(1, [1.0], 2)
    assert scheduler.next_seed(story.study().experiments[1]) == scheduler.FIRST_SEED + 1


def test_runs_of_one_experiment_at_once_have_each_a_number_and_a_seed_of_its_own() -> None:
    first = scheduler.FIRST_SEED
    story = Story().propose(0).queue(0, None).start(0, 1, first).start(0, 2, first + 1)
    baseline = story.study().experiments[0]
    assert [run.number for run in baseline.running()] == [1, 2]
    assert [(x.id, run.number) for x, run in story.study().running()] == [(0, 1), (0, 2)]
    assert scheduler.next_seed(baseline) == first + 2
    assert scheduler.next_seed(baseline, starting={first + 2}) == first + 3
    story.finish(0, 1, None, "lost")
    baseline = story.study().experiments[0]
    assert (baseline.phase, standing(story.study(), baseline)[0]) == ("running", "unfinished")
    assert next_run(story) == (0, 3, first), "the lost one is run again, while the second goes on"
    story.start(0, 3, first).finish(0, 2, 1.0)
    assert story.study().experiments[0].phase == "running"
    assert story.finish(0, 3, 1.0).study().experiments[0].phase == "queued"


def test_an_experiment_runs_until_the_last_of_its_runs_is_verified() -> None:
    story = Story(Contract(verify="python check.py")).propose(0).queue(0, None).start(0, 1).start(0, 2)
    story.finish(0, 1, 1.0).finish(0, 2, 1.0)
    for run in (1, 2):
        assert story.study().experiments[0].phase == "running"
        story.tell(e.Verified(metric=1.0), 0, run)
    assert story.study().experiments[0].phase == "queued"


def test_a_verdict_near_goes_before_a_start() -> None:
    story = Story().baseline().propose(1).queue(1).propose(2).queue(2).runs(2, [0.99])
    assert next_id(story) == 2
    assert next_id(story, (2, 2)) == 1


def test_what_slots_take_next_is_known_before_one_is_free() -> None:
    story = Story().baseline()
    for number in (1, 2, 3, 4):
        story.propose(number).queue(number)
    story.start(1, 1).start(2, 1).finish(2, 1, 0.99)

    def next_ones(*claimed: tuple[int, int]) -> list[int]:
        return [x.id for x in scheduler.upcoming(story.study(), dict.fromkeys(claimed, 0), 2)]

    assert next_ones((1, 1)) == [2, 3], "what has run already goes before a start"
    assert next_ones((1, 1), (2, 2), (3, 1)) == [4]
    story.tell(e.Paused(who="x"))
    assert next_ones() == []


def near_win() -> Story:
    """A challenger, worth another run, of a baseline that has three."""
    return Story().baseline().propose(1).queue(1).propose(2).queue(2).runs(1, [0.975])


def test_a_champion_that_a_challenger_comes_near_runs_before_the_challenger_does() -> None:
    story = near_win()
    assert next_id(story) == 0
    assert next_id(story, (0, 4)) == 2, "another slot goes on with others, not with who waits for the champion"
    story.start(0, 4)
    assert next_id(story) == 2
    story.finish(0, 4, 1.0)
    assert next_id(story) == 1, "now it is the challenger's turn"
    assert story.study().experiments[0].phase == "judged"


def test_a_champion_without_a_verdict_near_is_left_alone() -> None:
    assert next_id(Story().baseline().propose(1).queue(1).propose(2).queue(2)) == 1
    story = near_win().propose(3).queue(3).runs(3, [0.9]).judge(3, "kept", 0.9)
    assert next_id(story) == 1, "it has to move onto the new champion first, which is not near"


def test_a_champion_whose_runs_fail_is_not_run_for_ever() -> None:
    story = near_win()
    for run in (4, 5):
        assert next_id(story) == 0
        story.start(0, run).finish(0, run, None, "crashed")
    assert next_id(story) == 1


def test_the_run_of_a_champion_that_lost_its_place_is_still_one_in_flight() -> None:
    story = near_win().start(0, 4).start(2, 1).finish(2, 1, 0.5).judge(2, "kept", 0.5)
    assert [(found.id, run.number) for found, run in story.study().running()] == [(0, 4)]


def test_nothing_starts_while_paused_stopping_or_at_a_limit() -> None:
    for body in (e.Paused(), e.Stopped(), e.LimitReached(limit="hours", reason="x")):
        story = Story().baseline().propose(1).queue(1)
        assert next_id(story) == 1
        story.tell(body)
        assert next_id(story) is None
        assert not supply.wants_proposal(story.study(), 1, ahead=True)
    assert next_id(Story().baseline().propose(1).queue(1).tell(e.Paused()).tell(e.Resumed())) == 1


def test_after_a_new_budget_the_champion_is_measured_anew_first() -> None:
    story = Story().baseline().propose(1).queue(1)
    story.contract = Contract(budget=40)
    story.tell(e.ProgramChanged(contract=story.contract, changed=("budget",)))
    for run in (4, 5, 6):
        assert next_id(story) == 0
        story.runs(0, [0.8 + run / 1000], run)
    assert next_id(story) == 1
    assert story.study().experiments[0].phase == "judged"


def test_a_waiting_proposal_does_not_block_the_slot_but_a_pile_does() -> None:
    story = Story().baseline()
    for number in range(1, supply.MOST_WAITING + 1):
        assert supply.wants_proposal(story.study(), 1, ahead=False)
        story.propose(number).queue(number).tell(e.ApprovalAsked(reason="x"), number)
        assert next_id(story) is None
    assert not supply.wants_proposal(story.study(), 1, ahead=False)


def test_proposals_stop_where_the_open_ones_reach_the_limit() -> None:
    story = Story(Contract(limits=Limits(experiments=2))).baseline().propose(1).queue(1)
    assert supply.wants_proposal(story.study(), 4, ahead=False)
    story.tell(e.ThoughtBegan(researcher="r", champion=0), 2)
    assert not supply.wants_proposal(story.study(), 4, ahead=False)
