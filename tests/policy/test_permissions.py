"""What a person may ask for, and what it would mean: every request of the table over studies in every state."""

from typing import get_args

import pytest

from loop.policy import request_table
from loop.policy.permissions import Allowed, Refused, find_experiment, find_pin, find_slot
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.queries import built_on
from loop.study.requests import AnyRequest
from loop.study.state import Study
from tests.stories import Story

# --- the table -----------------------------------------------------------------------------------------------------


def test_every_event_that_a_person_asks_for_has_a_row_and_every_row_makes_its_event() -> None:
    assert {row.event for row in request_table.TABLE} == set(get_args(AnyRequest))
    for row in request_table.TABLE:
        assert request_table.named(row.name) is row
        if row.of_slot:
            assert request_table.of(row.about_slot("ada", "GPU 3")) is row
        elif row.name not in ("steer", "pin", "submit"):  # they carry a text of their own
            assert request_table.of(row.body("ada")) is row
            assert row.body("ada").who == "ada"


def test_names_keys_and_words_are_told_apart() -> None:
    for value in ("name", "does"):
        every = [getattr(row, value) for row in request_table.TABLE]
        assert len(set(every)) == len(every)
    keys = [row.key for row in request_table.TABLE if row.key]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("row", request_table.TABLE, ids=lambda row: row.name)
def test_a_row_is_whole(row: request_table.Row) -> None:
    assert row.help[0].islower() and not row.help.endswith(".")
    assert ("{}" in row.does) == row.numbered
    assert row.default is None or row.takes.startswith("[N]")
    assert row.reasoned == ("why" in row.event.model_fields)


def test_a_reason_goes_with_the_request_and_overruling_has_two_names() -> None:
    keep, discard = (request_table.named(name) for name in ("keep", "discard"))
    assert keep.body("ada", "I know better") == e.Overruled(who="ada", verdict="kept", why="I know better")
    assert discard.body("ada") == e.Overruled(who="ada", verdict="discarded")
    assert (keep.words(3), request_table.named("kill").words(3, 1)) == ("keep 3", "kill run 3.1")
    assert keep.words(3, 1) == "keep 3", "only what is about a run names it"


# --- what may be asked ---------------------------------------------------------------------------------------------


def told() -> Story:
    """Champions 0, 1, 3 and 5, each built on the one before; around them an experiment in every other state."""
    story = Story().baseline()
    story.propose(1).queue(1).runs(1, [0.9]).judge(1, "kept", 0.9)
    story.propose(2).queue(2).runs(2, [1.2]).judge(2, "discarded", 1.2)
    story.propose(3, 1).queue(3, 1).runs(3, [0.8]).judge(3, "kept", 0.8)
    story.propose(4, 3).tell(e.ExperimentJudged(verdict="rejected", reason="no gain in it", by="guard"), 4)
    story.propose(5, 3).queue(5, 3).runs(5, [0.7]).judge(5, "kept", 0.7)
    story.propose(6, 5).queue(6, 5).runs(6, [0.71]).judge(6, "discarded", 0.71)
    story.propose(7, 5).queue(7, 5).start(7, 1).finish(7, 1, None, "out_of_memory").judge(7, "out_of_memory")
    story.propose(8, 5).queue(8, 5).tell(e.ApprovalAsked(reason="review: all"), 8)
    story.propose(9, 5).queue(9, 5).runs(9, [0.3]).tell(e.ApprovalAsked(reason="a gain too good to be true"), 9)
    story.propose(10, 5).queue(10, 5)
    return story.propose(11, 5).queue(11, 5).start(11, 1)


def answer(name: str, number: int, study: Study | None = None) -> str:
    study = told().study() if study is None else study
    found = request_table.named(name).check(study, study.experiments[number])
    return f"no: {found.sentence}" if isinstance(found, Refused) else found.sentence


@pytest.mark.parametrize(
    ("name", "number", "sentence"),
    [
        ("approve", 10, "no: experiment 10 does not wait for approval"),
        ("approve", 8, "idea 8 (+0 -0 lines; review: all). It is queued and run."),
        ("approve", 9, "idea 9 (+0 -0 lines; a gain too good to be true). It has run, and gets its verdict now."),
        ("reject", 6, "no: experiment 6 does not wait for approval"),
        ("reject", 8, "Experiment 8 (idea 8) is rejected. Its record stays."),
        ("kill", 7, "no: experiment 7 is not running; it was out of memory"),
        ("kill", 10, "Experiment 10 (idea 10) is taken out of the queue and counts as killed."),
        ("keep", 10, "no: experiment 10 has no verdict to overrule yet"),
        ("keep", 4, "no: experiment 4 has no verdict to overrule yet"),
        ("keep", 5, "no: experiment 5 is the champion already"),
        ("keep", 7, "no: experiment 7 has no number, and everything later would be measured against it"),
        ("keep", 2, "no: experiment 2 was made on another champion; `requeue 2` runs it on today's first"),
        ("discard", 6, "no: experiment 6 was not kept, so there is nothing to discard"),
        ("discard", 0, "no: the baseline cannot be discarded"),
        ("discard", 3, "no: later champions build on experiment 3; `branch 3` goes on from it without them"),
        ("requeue", 8, "no: experiment 8 is open already"),
        ("requeue", 3, "no: experiment 3 was kept; it needs no other run"),
        ("requeue", 4, "no: experiment 4 never became a commit, so there is nothing to run"),
        ("requeue", 6, "Experiment 6 is queued again, and gets a new verdict from new runs. The old runs stay."),
        ("branch", 11, "no: experiment 11 has no verdict yet"),
        ("branch", 5, "no: experiment 5 is the champion already"),
        ("branch", 6, "no: experiment 6 was not kept; `keep 6` makes it the champion"),
        ("branch", 2, "no: experiment 2 was not kept; `requeue 2` runs it on today's champion first"),
    ],
)
def test_each_answer_is_one_sentence(name: str, number: int, sentence: str) -> None:
    assert answer(name, number) == sentence


def test_what_a_verdict_of_a_person_does_to_the_champion_is_said_before() -> None:
    assert answer("keep", 6) == (
        "Experiment 6 (0.71) becomes the champion instead of 5 (0.7): the branch moves to it, and everything from here "
        "on is measured against it. The judge said: discarded, because."
    )
    assert answer("discard", 5).startswith(
        "Experiment 5 (0.7) is champion no longer: the branch moves back to experiment 3 (0.8)."
    )
    assert ", moved onto today's champion 5, and gets a new verdict" in answer("requeue", 2)


@pytest.mark.parametrize(
    ("number", "words"),
    [(3, "5 leaves the branch"), (1, "3 and 5 leave the branch"), (0, "1 to 5 (3 champions) leave the branch")],
)
def test_who_leaves_the_branch_is_said_before(number: int, words: str) -> None:
    assert words in answer("branch", number)


def test_who_has_left_the_branch_can_come_back_and_cannot_be_discarded() -> None:
    story = told().tell(e.ChampionChanged(commit=f"{1:040d}", metric=0.9), 1)
    study = story.study()
    assert built_on(study) == [1, 0]
    assert answer("discard", 5, study).startswith("no: today's champion does not build on experiment 5")
    assert "is the champion again instead of 1" in answer("branch", 5, study)
    assert "1 leaves the branch" in answer("branch", 5, study)


def test_killing_names_the_run_and_how_far_it_is() -> None:
    story = told()
    story.tell(e.GaugeRead(cpu=1, ram_used=1, ram_total=2, disk_free=3), at=story.events[-1].at + 12)
    assert answer("kill", 11, story.study()).startswith(
        "Run 11.1 (idea 11) started 00:12 ago and trains for 00:20. It is ended"
    )


def test_a_champion_that_is_measured_again_can_be_killed_and_one_at_rest_cannot() -> None:
    story = told()
    assert answer("kill", 5, story.study()) == "no: experiment 5 is not running; it was kept"
    assert answer("kill", 5, story.start(5, 2).study()).startswith("Run 5.2 (idea 5) started")


def test_all_runs_of_an_experiment_are_killed_together() -> None:
    assert answer("kill", 11, told().start(11, 2).study()).startswith("Runs 11.1 and 11.2 (idea 11) are ended with all")


def test_a_verification_can_be_killed() -> None:
    story = Story(Contract(verify="true"))
    story.propose(0).queue(0, None).start(0, 1).finish(0, 1, 1.0)
    assert answer("kill", 0, story.study()).startswith("The verification of run 0.1 (idea 0) is ended")


# --- who is meant --------------------------------------------------------------------------------------------------


def meant(name: str, study: Study) -> object:
    default = request_table.named(name).default
    assert default is not None
    found = default(study)
    return found.id if isinstance(found, Experiment) else found


def test_without_a_number_the_newest_run_and_the_oldest_proposal_are_meant() -> None:
    story = told()
    assert [meant(name, story.study()) for name in ("kill", "approve", "reject")] == [11, 8, 8]
    assert meant("kill", story.start(5, 2).study()) == 5, "a champion that is measured again runs as well"
    empty = Story().study()
    assert meant("kill", empty) == Refused("no run is under way")
    assert meant("approve", empty) == Refused("no proposal waits for approval")


def test_a_number_that_nobody_has() -> None:
    assert find_experiment(Story().study(), 0) == Refused("there is no experiment 0; there is none yet")
    assert find_experiment(told().study(), 12) == Refused("there is no experiment 12; they go from 0 to 11")
    assert find_experiment(told().study(), None) == Refused("there is no experiment None; they go from 0 to 11")
    pinned = Story().tell(e.Pinned(text="a")).tell(e.Pinned(text="b")).study()
    assert find_pin(Story().study(), None) == Refused("nothing is pinned")
    assert find_pin(pinned, 3) == Refused("there is no pin 3; pinned are 1, 2")
    assert (find_pin(pinned, 2), find_pin(pinned, None)) == (2, None)


def test_the_loop_as_a_whole_can_always_be_asked() -> None:
    assert request_table.named("resume").check(told().study(), None) == Refused("the loop is not paused")
    for row in request_table.TABLE:
        if not row.numbered and row.name != "resume":
            assert isinstance(row.check(told().study(), None), Allowed)
    assert request_table.named("stop").check(told().study(), None).sentence.startswith("The loop of t ends.")


def test_a_slot_goes_by_its_name_in_any_case_or_by_its_number() -> None:
    started = e.SupervisorStarted(pid=1, host="h", version="1", slots=("GPU 0", "GPU 1 a", "GPU 1 b"))
    study = Story().tell(started).study()
    assert [find_slot(study, name) for name in ("gpu 0", "0", " GPU  1 B", "1 a")] == [
        "GPU 0", "GPU 0", "GPU 1 b", "GPU 1 a",
    ]  # fmt: skip
    for name in ("1", "GPU", "", "7"):
        refused = find_slot(study, name)
        assert isinstance(refused, Refused) and refused.sentence.endswith(": GPU 0, GPU 1 a, GPU 1 b")
    assert find_slot(Story().study(), "GPU 0") == Refused("there is no slot yet")


def test_a_drained_slot_stays_so_over_a_restart_until_it_is_taken_back() -> None:
    story = Story().tell(e.Drained(who="ada", slot="GPU 0")).tell(e.SupervisorStarted(pid=2, host="h", version="1"))
    assert story.study().drained == {"GPU 0": "ada"}
    assert story.tell(e.Undrained(who="ada", slot="GPU 0")).study().drained == {}
