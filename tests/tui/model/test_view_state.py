"""What the screens show of the runs that are under way: what the study says, and no count of their own."""

from loop.study import events as e
from loop.study.folding import apply
from tests.stories import Story
from tui.model.view_state import ViewState


def watched(story: Story) -> ViewState:
    state = ViewState()
    state.apply(story.events)
    return state


def current(state: ViewState) -> tuple[int, int] | None:
    pair = state.in_flight()
    return None if pair is None else (pair[0].id, pair[1].number)


def challenged() -> Story:
    """A champion that a challenger came near, so that the champion runs again before the challenger has a verdict."""
    return Story().baseline().propose(1).queue(1).runs(1, (0.98,)).start(0, 4)


def test_the_run_of_a_champion_that_is_measured_anew_is_the_current_run() -> None:
    story = challenged()
    assert current(watched(story)) == (0, 4)
    story.finish(0, 4, 1.0)
    assert current(watched(story)) is None
    story.judge(1, "kept", 0.98).propose(2, 1).queue(2, 1).runs(2, (0.97,)).start(1, 2)
    assert current(watched(story)) == (1, 2), "and so is that of a champion after the baseline"


def test_of_several_runs_the_current_one_started_last() -> None:
    story = challenged().start(1, 2)
    assert current(watched(story)) == (1, 2)
    assert len(watched(story).study.running()) == 2


def test_a_sample_of_a_champion_that_is_measured_anew_is_kept_at_its_training_time() -> None:
    story = challenged().tell(e.StepSampled(step=1, progress=0.5, values={"loss": 2.0}), 0, 4)
    assert watched(story).samples == {(0, 4): [(10.0, {"loss": 2.0})]}


def test_the_oldest_proposal_that_waits_comes_first_and_none_that_has_a_verdict() -> None:
    story = Story().baseline()
    for number in (1, 2, 3):
        story.propose(number).tell(e.ApprovalAsked(reason="review: all"), number)
    story.judge(1, "rejected")
    assert [found.id for found in watched(story).waiting()] == [2, 3]


def test_a_study_folded_by_the_feed_and_one_followed_live_show_the_same() -> None:
    story = challenged()
    live, past = watched(story), ViewState()
    for event in story.events:
        apply(past.study, event)
    past.caught_up()
    assert current(live) == current(past) == (0, 4) and live.study == past.study


def test_a_curve_is_held_against_runs_of_the_champions_own() -> None:
    """A row of an ablation is of other files, and a climb is on another scale, though both bear its number."""
    story = Story().baseline().propose(1).queue(1).runs(1, (0.90, 0.92, 0.97)).judge(1, "kept", 0.93)
    story.start(1, 4, validates=9, row=2).finish(1, 4, 0.93).start(1, 5, validates=9, rung="large").finish(1, 5, 0.93)
    curve = e.StepSampled(step=1, progress=0.5, values={"loss": 2.0})
    story.propose(2, 1).queue(2, 1).start(2, 1).tell(curve, 2, 1).start(2, 2, validates=9, rung="large")
    state = watched(story)
    found = state.reference()
    assert found is not None and found[1].number == 2
    assert {(1, 1), (1, 2), (1, 3)} <= state.leads.wanted() and not {(1, 4), (1, 5)} & state.leads.wanted()
