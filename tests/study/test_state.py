"""The fold: what events amount to."""

import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from loop.study import events as e
from loop.study import queries
from loop.study.contract import Contract
from loop.study.folding import FOLDED, fold
from loop.study.slot_record import SlotRecord
from tests.stories import Story


def test_a_study_with_a_champion() -> None:
    study = Story().baseline().propose(1).queue(1).runs(1, [0.9]).judge(1, "kept", 0.9).study()
    assert study.state == "running"
    assert (study.champion, study.lineage) == (1, [0, 1])
    assert study.verdicts() == {
        "kept": 1, "discarded": 0, "crashed": 0, "out_of_memory": 0, "no_metric": 0, "timed_out": 0, "killed": 0,
            "rejected": 0, "open": 0,
    }  # fmt: skip
    assert study.judged() == 1


def test_the_same_events_give_the_same_study_in_any_portions() -> None:
    events = Story().baseline().propose(1).queue(1).start(1, 1).events
    whole = fold(events)
    for cut in range(len(events)):
        assert pickle.dumps(fold(events[cut:], fold(events[:cut]))) == pickle.dumps(whole)
    assert pickle.dumps(fold(events, fold(events))) == pickle.dumps(whole)  # told twice, taken in once


def test_the_stream_changes_nothing() -> None:
    story = Story().baseline()
    quiet = fold(story.events)
    story.tell(e.Thought(researcher="r", text="hm"), 1).tell(e.StepSampled(step=1), 0, 1)
    story.tell(e.GaugeRead(cpu=1, ram_used=1, ram_total=2, disk_free=3))
    loud = story.study()
    assert loud.seq > quiet.seq
    loud.seq, loud.at = quiet.seq, quiet.at
    assert pickle.dumps(loud) == pickle.dumps(quiet)
    assert not {"thought", "step_sampled", "gauge_read"} & FOLDED


def test_a_crash_has_no_number_and_neither_has_nan() -> None:
    story = Story().baseline().propose(1).queue(1).start(1, 1).finish(1, 1, None, "crashed")
    story.start(1, 2).finish(1, 2, float("nan"))
    runs = story.study().experiments[1].runs
    assert (runs[1].metric, runs[2].metric) == (None, None)


def test_with_a_verification_its_number_counts_and_not_the_runs_own() -> None:
    story = Story(Contract(verify="check")).propose(0).queue(0, None).start(0, 1).finish(0, 1, 0.1)
    assert story.study().experiments[0].runs[1].metric is None
    story.tell(e.Verified(metric=1.2), 0, 1)
    assert story.study().experiments[0].runs[1].metric == 1.2


def test_a_lost_run_does_not_count() -> None:
    experiment = Story().propose(0).queue(0, None).start(0, 1).finish(0, 1, None, "lost").runs(0, [1.0], 2).study()
    found = experiment.experiments[0]
    assert [run.number for run in found.counted()] == [2]
    assert found.phase == "queued"


def test_runs_of_before_a_move_onto_a_new_champion_do_not_count() -> None:
    story = Story().baseline().propose(1).queue(1).runs(1, [0.98])
    assert story.study().experiments[1].measured(story.contract.protocol_id) == [0.98]
    assert story.queue(1, 0).study().experiments[1].measured(story.contract.protocol_id) == []


def test_a_baseline_that_never_worked_is_taken_anew_and_its_runs_keep_their_numbers() -> None:
    story = Story().propose(0).queue(0, None).start(0, 1).finish(0, 1, None, "crashed").judge(0, "crashed")
    study = story.propose(0).queue(0, None).study()
    baseline = study.experiments[0]
    assert baseline.verdict is None and baseline.counted() == [] and list(baseline.runs) == [1]
    again = Story().baseline().propose(0).study()
    assert again.experiments[0].verdict == "kept"  # but never one that worked


def test_a_request_is_open_until_it_is_granted() -> None:
    story = Story().baseline().tell(e.Steered(who="ada", text="try less"))
    seq = len(story.events)
    assert [request.seq for request in story.study().open_requests()] == [seq]
    story.tell(e.RequestFulfilled(request=seq, outcome="heard"))
    study = story.study()
    assert study.open_requests() == []
    assert study.requests[seq].outcome == "heard" and study.requests[seq].fulfilled_at == 1000.0 + seq + 1


def test_states_follow_what_a_person_asks_and_what_the_supervisor_says() -> None:
    story = Story()
    assert story.study().state == "baseline"
    assert story.baseline().study().state == "running"
    assert story.tell(e.Fault(where="disk", message="full", next_at=1.0)).study().state == "no room"
    assert story.tell(e.Recovered(where="disk")).study().state == "running"
    assert story.tell(e.Paused()).study().state == "paused"
    assert story.tell(e.Stopped()).study().state == "stopping"
    assert story.tell(e.SupervisorStopped(reason="asked")).study().state == "stopped"
    assert story.tell(e.SupervisorStarted(pid=2, host="h", version="1")).study().state == "paused"
    assert story.tell(e.Resumed()).study().state == "running"
    assert story.tell(e.SupervisorStopped(reason="no", failed=True)).study().state == "failed"


def test_hours_count_time_under_supervision_only() -> None:
    story = Story()  # supervisor starts at 1002
    story.tell(e.SupervisorStopped(reason="asked"))  # 1003
    for _ in range(100):
        story.tell(e.Paused())
    story.tell(e.SupervisorStarted(pid=2, host="h", version="1"))  # 1104
    assert round(story.study().hours(now=1110) * 3600) == 1 + 6
    # one that died without a word is booked up to the last thing that was heard
    story.tell(e.Resumed())  # 1105
    story.tell(e.SupervisorStarted(pid=3, host="h", version="1"))  # 1106
    assert round(story.study().hours(now=1106) * 3600) == 1 + 1


def test_money_of_unknown_price_is_not_zero() -> None:
    study = Story().tell(e.Spent(researcher="r", tokens=10, usd=0.5)).tell(e.Spent(researcher="r", tokens=5)).study()
    assert (study.tokens, study.usd, study.usd_unknown) == (15, 0.5, True)


def test_what_is_waited_for_is_known_until_it_is_over() -> None:
    story = Story().tell(e.Fault(where="llm", message="429", next_at=1010.0))
    story.tell(e.Fault(where="llm", message="503", next_at=1020.0))
    trouble = story.study().troubles["llm"]
    assert (trouble.since, trouble.message, trouble.next_at, trouble.tries) == (1003.0, "503", 1020.0, 2)
    assert story.tell(e.Fault(where="git", message="nothing waits for it")).study().troubles.keys() == {"llm"}
    assert story.tell(e.Recovered(where="llm")).study().troubles == {}


def test_pins_keep_their_numbers_until_they_are_taken_back() -> None:
    story = Story().tell(e.Pinned(text="a")).tell(e.Pinned(text="b")).tell(e.Unpinned(pin=1)).tell(e.Pinned(text="c"))
    assert story.study().pins == {2: "b", 3: "c"}
    assert story.tell(e.Unpinned()).study().pins == {}


def test_a_rewritten_notebook_stands_for_all_before_it() -> None:
    story = Story().tell(e.NoteWritten(researcher="r", text="a")).tell(e.NotebookRewritten(researcher="r", text="b"))
    assert story.tell(e.NoteWritten(researcher="r", text="c")).study().minds.notebook == ["b", "c"]


@settings(deadline=None)  # a busy machine is no fault of the fold
@given(st.lists(st.sampled_from(sorted(FOLDED)), max_size=30), st.randoms(use_true_random=False))
def test_no_order_of_events_breaks_the_fold(kinds: list[str], chance: object) -> None:
    """A reader may meet a journal that another version wrote, or that was rebuilt with gaps."""
    story = Story()
    bodies = {event.kind: event.body for event in _one_of_each()}
    for kind in kinds:
        story.tell(bodies[kind], chance.choice([None, 0, 1, 7]), chance.choice([None, 1, 2]))  # type: ignore[attr-defined]
    study = story.study()
    study.verdicts(), study.running(), study.state, study.hours(), queries.repetitions(study)


def _one_of_each() -> list[e.Event]:
    story = Story().baseline().propose(1).queue(1).start(1, 1).finish(1, 1, 1.0)
    for body in (
        e.ProgramChanged(contract=story.contract),
        e.SupervisorStopped(reason="x"),
        e.LimitReached(limit="hours", reason="x"),
        e.Fault(where="x", message="y"),
        e.ResearcherJoined(name="r", about="x"),
        e.NoteWritten(researcher="r", text="x"),
        e.Spent(researcher="r", tokens=1),
        e.NotebookRewritten(researcher="r", text="x"),
        e.IdeaWritten(researcher="r", text="x"),
        e.LessonWritten(researcher="r", text="x"),
        e.Recovered(where="x"),
        e.ClockMoved(set_by=3600.0),
        e.CheckoutChanged(files=("train.py",)),
        e.Rehearsed(proof="proven", setup="x"),
        e.Pinned(text="x"),
        e.Unpinned(),
        e.Submitted(title="x", parent=0, edits={}),
        e.ApprovalAsked(reason="x"),
        e.Verified(metric=1.0),
        e.Paused(),
        e.Resumed(),
        e.Steered(text="x"),
        e.Approved(),
        e.Rejected(),
        e.Killed(),
        e.Overruled(verdict="kept"),
        e.Requeued(),
        e.Branched(),
        e.Noted(text="x"),
        e.Drained(slot="CPU"),
        e.Undrained(slot="CPU"),
        e.Validated(),
        e.ValidationBegan(champion=1, seeds=(7,), protocol_id=story.contract.protocol_id, commits=("1", "0")),
        e.ValidationEnded(champion=1, pairs=1),
        e.AblationBegan(
            champion=1,
            factors=((1,),),
            rows=("+", "-"),
            commits=("1", "0"),
            seeds=(7, 7),
            champion_commit="1",
            protocol_id=story.contract.protocol_id,
        ),
        e.AblationEnded(champion=1),
        e.Ablated(),
        e.Without(),
        e.ClimbBegan(experiment=1, rung="large", seeds=(1,), protocol_id="0", commits=("0" * 40, "0" * 40)),
        e.ClimbEnded(experiment=1, rung="large"),
        e.Promoted(then="hold"),
        e.PlaceboOpened(nonce="x"),
        e.Stopped(),
        e.RequestFulfilled(request=3, outcome="x"),
        e.ThoughtBegan(researcher="r", champion=0),
        e.Claimed(researcher="r", title="x"),
        e.ThoughtEnded(researcher="r", why="x"),
        e.Heard(request=3, researcher="r"),
        e.RunAdopted(slot=1, slot_name="beta/CPU"),
        e.RunCondemned(then="shadow", curve="loss", share=0.4, value=3.1, beside=3.0, limit=0.05, champion=0),
        e.MilestoneOpened(champion=0),
        e.NeighboursMeasured(slots="CPU", protocol_id=story.contract.protocol_id, runs=2, worse=0.1, error=0.1),
        e.SlotsReserved(sets=((0, 1),), gpus=2, experiment=1, rung="large"),
        e.SlotsJoined(records=(SlotRecord(name="beta/CPU", kind="CPU"),)),
    ):
        story.tell(body, 1, 1)
    assert {event.kind for event in story.events} == FOLDED
    return story.events


def test_an_idea_is_on_the_list_until_an_experiment_takes_it_up_and_a_lesson_stays_with_its_experiment() -> None:
    story = Story().baseline()
    for text in ("wider", "deeper"):
        story.tell(e.IdeaWritten(researcher="r", text=text), 1)
    taken = e.ExperimentProposed(researcher="r", title="wider", parent=0, notes={"idea": 1})
    story.tell(taken, 1).tell(e.LessonWritten(researcher="r", text="it is slower"), 1)
    story.tell(e.LessonWritten(researcher="r", text="of none"), 99)
    assert story.study().ideas == {2: "deeper"} and story.study().experiments[1].lesson == "it is slower"
    assert story.tell(e.IdeaWritten(researcher="r", text="again"), 2).study().ideas == {2: "deeper", 3: "again"}
