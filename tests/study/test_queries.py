"""What is asked of a study's past."""

from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import CLASH
from loop.study.outcomes import Outcome
from loop.study.queries import (
    built_on,
    failures_in_a_row,
    gpu_memory_needed,
    largest_gain,
    repetitions,
    slower_of_late,
    usual_gpu_others,
    usual_runs,
)
from tests.stories import Story


def test_the_branch_goes_from_the_champion_down_to_the_baseline() -> None:
    story = Story().baseline().propose(1).queue(1).judge(1, "kept").propose(2).queue(2).judge(2, "discarded")
    story.propose(3, 1).queue(3, 1).judge(3, "kept")
    assert built_on(story.study()) == [3, 1, 0]
    assert built_on(Story().study()) == []


def test_failures_in_a_row_end_with_a_number() -> None:
    story = Story().baseline()
    for number, verdict in enumerate(["crashed", "discarded", "crashed", "timed_out"], 1):
        story.propose(number).queue(number).judge(number, verdict)
    assert failures_in_a_row(story.study()) == 2


def test_a_second_verdict_is_the_newest_and_one_taken_back_is_none() -> None:
    story = Story().baseline()
    for number, verdict in enumerate(["crashed", "discarded", "timed_out"], 1):
        story.propose(number).queue(number).judge(number, verdict)
    assert (story.study().judged(), failures_in_a_row(story.study())) == (3, 1)
    story.judge(1, "crashed")
    assert (story.study().judged(), failures_in_a_row(story.study())) == (3, 2)
    story.queue(2)
    assert (story.study().judged(), failures_in_a_row(story.study())) == (2, 2)
    story.judge(2, "discarded")
    assert (story.study().judged(), failures_in_a_row(story.study())) == (3, 0)


def test_without_a_number_of_the_champion_the_first_other_is_what_the_noise_refers_to() -> None:
    story = Story().baseline(()).propose(1).queue(1).runs(1, (1.0,)).judge(1, "discarded")
    story.propose(2).queue(2).runs(2, (1.1,)).judge(2, "discarded")
    story.propose(3).queue(3).runs(3, (1.2, 1.3)).judge(3, "discarded")
    assert repetitions(story.study()) == [[[1.0], [1.2, 1.3]]]


def test_repetitions_stand_by_the_champion_they_were_measured_on() -> None:
    story = Story().baseline((1.0, 1.01, 0.99))
    story.propose(1).queue(1).runs(1, (1.02, 1.03)).judge(1, "discarded")
    story.propose(2).queue(2).runs(2, (1.04,)).judge(2, "discarded")
    story.propose(3).queue(3).runs(3, (0.8,)).judge(3, "kept", 0.8)
    story.propose(4, 3).queue(4, 3).runs(4, (0.81, 0.82)).judge(4, "discarded").runs(3, (0.83,), first=2)
    assert repetitions(story.study()) == [[[1.0, 1.01, 0.99], [1.02, 1.03]], [[0.8, 0.83], [0.81, 0.82]]]


def test_what_was_built_on_a_champion_put_aside_stands_with_the_first() -> None:
    story = Story().baseline((1.0, 1.01)).propose(1).queue(1).runs(1, (0.8, 0.81)).judge(1, "kept", 0.8)
    story.propose(2, 1).queue(2, 1).runs(2, (0.82, 0.83)).judge(2, "discarded")
    assert len(repetitions(story.study())) == 2
    story.tell(e.ChampionChanged(commit="0" * 40, metric=1.0), 0)
    assert repetitions(story.study()) == [[[1.0, 1.01], [0.8, 0.81], [0.82, 0.83]]]


def test_the_largest_gain_is_of_what_was_kept_and_measured_as_today() -> None:
    story = Story().baseline()
    for number, effect in ((1, 0.1), (2, 0.3)):
        story.propose(number).queue(number).runs(number, (0.9,))
        story.tell(e.ExperimentJudged(verdict="kept", reason="", metric=0.9, effect=effect), number)
        story.tell(e.ChampionChanged(commit="c", metric=0.9), number)
    assert largest_gain(story.study()) == 0.3
    story.tell(e.ProgramChanged(contract=Contract(budget=40), changed=("budget",)))
    assert largest_gain(story.study()) is None


def test_the_usual_runs_are_those_of_the_first_champion_under_the_present_protocol() -> None:
    story = Story().baseline((1.0, 1.01)).propose(1).queue(1).runs(1, (0.8,)).judge(1, "kept", 0.8)
    assert [run.metric for run in usual_runs(story.study())] == [1.0, 1.01]
    story.contract = Contract(budget=40)
    story.tell(e.ProgramChanged(contract=story.contract, changed=("budget",)))
    assert usual_runs(story.study()) == []
    story.runs(1, (0.9,), first=2)
    assert [run.metric for run in usual_runs(story.study())] == [0.9]


def test_the_gpu_memory_that_the_champion_takes_is_known_once_it_was_seen() -> None:
    story = Story().baseline()
    assert (gpu_memory_needed(story.study()), usual_gpu_others(story.study())) == (None, 0)
    for run, outcome, peak, others in ((4, "finished", 50, 10), (5, "finished", 44, None), (6, "crashed", 9, 30)):
        story.start(0, run)
        story.tell(e.RunFinished(outcome=outcome, peak_gpu_memory=peak, gpu_others=others), 0, run)
    assert (gpu_memory_needed(story.study()), usual_gpu_others(story.study())) == (40, 30)


def test_the_hour_is_as_much_slower_as_the_champion_itself_is_in_it() -> None:
    story = Story().baseline()

    def slower(at: float) -> float:
        return slower_of_late(story.study(), at, lambda run: run.seconds)

    def again(number: int, run: int, seconds: float, at: float) -> None:
        body = e.RunStarted(
            seed=run, slot=0, budget=20, deadline=80, protocol_id=story.contract.protocol_id, pid=1, pid_started=1.0
        )
        story.tell(body, number, run, at)
        story.tell(e.RunFinished(outcome="finished", seconds=seconds, metrics={"val_bpb": 1.0}), number, run)

    again(0, 4, 60, at=5000)
    assert slower(5001) == 0, "the baseline's own runs are the usual ones, the slow one among them"
    story.propose(1).queue(1).runs(1, (0.8,)).judge(1, "kept", 0.8)
    assert slower(5001) == 0, "it has run once"
    again(1, 2, 26, at=6000)
    again(1, 3, 23, at=7000)
    assert (slower(7001), slower(9700), slower(10601)) == (6, 3, 0)
    again(1, 4, 10, at=12000)
    assert slower(12001) == 0, "faster is no reason to allow less"


def test_what_clashed_with_a_new_champion_was_never_tried_and_may_come_back_as_the_same_text() -> None:
    story = Story().baseline().propose(1, fingerprint="a").propose(2, fingerprint="b")
    study = story.study()
    assert (first := study.first_of("b")) is not None and first.id == 2
    story.tell(e.ExperimentJudged(verdict=Outcome.REJECTED, reason="it changes the same lines", by=CLASH), 2)
    assert story.study().first_of("b") is None
    first = story.propose(3, fingerprint="b").propose(4, fingerprint="b").study().first_of("b")
    assert first is not None and first.id == 3
