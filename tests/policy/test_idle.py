"""What each slot does, why one is idle, and how busy they were."""

import pytest

from loop.policy import idle
from loop.study import events as e
from loop.study.contract import Contract, Limits
from loop.study.outcomes import Outcome
from loop.study.queries import verifying_since
from tests.stories import Story


def two(contract: Contract | None = None) -> Story:
    """A study on two slots, at work since second 1001."""
    story = Story(contract)
    story.events.pop()
    story.tell(e.SupervisorStarted(pid=1, host="h", version="1", slots=("GPU 0", "GPU 1"), device="H100"))
    return story


def why(story: Story) -> list[str]:
    return [slot.why for slot in idle.states(story.study())]


def test_a_slot_with_a_run_says_which_and_since_when() -> None:
    first, second = idle.states(two().baseline().propose(1).queue(1).start(1, 1).study())
    assert (first.name, first.device, first.run, first.why) == ("GPU 0", "H100", "1.1", "")
    assert first.since == 1015.0 and (second.run, second.why) == ("", "no proposal is ready")
    assert second.since is None, "nothing ran there yet"


def test_a_slot_that_verifies_is_busy_and_one_that_has_judged_is_idle_since_then() -> None:
    story = two(Contract(verify="python check.py")).propose(0).queue(0, None).start(0, 1).finish(0, 1, 1.0)
    assert idle.states(story.study())[0].run == "0.1"
    story.tell(e.Verified(metric=1.0, seconds=3.0), 0, 1)
    slot = idle.states(story.study())[0]
    assert (slot.run, slot.since) == ("", 1005.0 + 20 + 3)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (e.Paused(), "the loop is paused (`looptop resume`)"),
        (e.Stopped(), "the loop is being stopped"),
        (e.LimitReached(limit="hours", reason="2 of 2 hours are used"), "a limit is reached: 2 of 2 hours are used"),
        (e.SupervisorStopped(reason="x"), "the loop has stopped"),
        (e.Drained(who="ada", slot="GPU 0"), "ada keeps it out of work (`looptop undrain 'GPU 0'`)"),
        (e.Fault(where="GPU 0", message="it is gone", next_at=2000.0), "it is gone"),
        (e.Fault(where="runs on GPU 0", message="it lost 3", next_at=2000.0), "it lost 3"),
        (e.Fault(where="disk", message="it is full", next_at=2000.0), "it is full"),
    ],
)
def test_why_it_is_idle(body: e.Body, said: str) -> None:
    assert why(two().baseline().propose(1).queue(1).tell(body))[0] == said


def test_a_loop_that_died_has_nothing_in_its_slots() -> None:
    story = two().baseline().propose(1).queue(1).start(1, 1)
    assert [slot.run for slot in idle.states(story.study(), alive=False)] == ["", ""]
    assert {slot.why for slot in idle.states(story.study(), alive=False)} == {"the loop died (`looptop` goes on)"}


def test_what_it_waits_for_where_nothing_is_in_the_way() -> None:
    assert why(two())[0] == "waits for the baseline, whose next run is about to begin"
    begun = two().propose(0).queue(0, None).start(0, 1)
    assert why(begun)[1] == "waits for the baseline: the runs that it still needs are under way"
    assert why(two().baseline().propose(1).queue(1)) == ["it is about to start one"] * 2
    thinks = two().baseline().tell(e.ResearcherJoined(name="llm", about=""))
    thinks.tell(e.ThoughtBegan(researcher="llm", champion=0), 1)
    assert why(thinks)[0] == "no proposal is ready, 1 being thought about"
    thinks.tell(e.Resumed(), at=thinks.events[-1].at + 100)
    assert why(thinks)[0] == "needs 14 more researchers: no proposal is ready, 1 being thought about"
    near = two().baseline().propose(1).queue(1).runs(1, [0.975]).start(0, 4)
    assert why(near) == ["", "experiment 1 waits for the champion to be measured again"]
    pile = two().baseline()
    for number in range(1, 5):
        pile.propose(number).queue(number).tell(e.ApprovalAsked(reason="x"), number)
    assert why(pile)[0] == "4 proposals wait for you (`looptop approve 1`)"


def test_the_share_and_the_rate_are_those_of_the_present_supervisor_in_its_last_hour() -> None:
    story = two(Contract(verify=None, limits=Limits(experiments=9)))
    story.propose(0).queue(0, None)
    started = e.RunStarted(seed=1, slot=1, budget=1, deadline=9, protocol_id="m", pid=1, pid_started=1.0)
    story.tell(started, 0, 1, at=1012.0).tell(e.RunFinished(outcome=Outcome.FINISHED, seconds=10), 0, 1, at=1022.0)
    story.judge(0, "kept", 1.0).propose(1).queue(1).judge(1, "rejected")
    study = story.study()
    assert idle.busy_share(study, 1022.0) == pytest.approx(10 / 40), "ten seconds of one of two slots, in twenty"
    assert idle.an_hour(study, 1022.0) == pytest.approx(1 * 3600 / 20)
    assert idle.busy_share(study, 1012.0 + 3600) == pytest.approx(10 / 7200)
    assert idle.busy_share(Story().study(), 2000.0) is None


def test_time_in_which_no_loop_was_there_is_neither_idle_nor_of_a_verification() -> None:
    story = two().baseline()
    ended = story.study().experiments[0].runs[3]
    assert (
        verifying_since(story.study(), ended) == ended.started_at + ended.seconds == idle.states(story.study())[0].since
    )
    back = story.events[-1].at + 9000
    story.tell(e.SupervisorStarted(pid=2, host="h", version="1", slots=("GPU 0", "GPU 1")), at=back)
    assert verifying_since(story.study(), ended) == back == idle.states(story.study())[0].since
