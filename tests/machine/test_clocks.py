"""Clocks that are set and machines that sleep: told apart, on record, and nothing is early, late or out of order."""

import pytest

from loop.machine.clocks import Clocks, Moment
from loop.policy import limits
from loop.runs.local.machine_faults import Around, lost
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.folding import fold
from loop.study.outcomes import Outcome
from loop.study.queries import failures_in_a_row
from tests.stories import Story

DAY = 86400.0


def test_a_clock_that_is_set_and_a_machine_that_sleeps_are_told_apart() -> None:
    moments = iter(
        [
            Moment(1000, 10, 50),
            Moment(1001, 11, 51),
            Moment(1001.5 + DAY, 11.5, 51.5),  # set a day ahead
            Moment(1002 + DAY, 12, 52),
            Moment(1003 + DAY + 3600, 13, 53 + 3600),  # suspended for an hour
            Moment(1004 + 3600, 14, 54 + 3600),  # set back
            Moment(1005.5 + 3600, 15, 55 + 3600),  # half a second of drift
        ]
    )
    clocks = Clocks(lambda: next(moments))
    found = [clocks.moved() for _ in range(6)]
    assert found == [None, (DAY, 0.0), None, (0.0, 3600.0), (-DAY, 0.0), None]


def result(outcome: str, slept: float = 0.0, clock_set: float = 0.0) -> RunResult:
    return RunResult(Outcome(outcome), "", 0, None, 300.0, 300.0, 0, None, 0, {}, "", slept=slept, clock_set=clock_set)  # type: ignore[arg-type]


def test_a_run_that_a_clock_lied_to_is_lost_however_it_ended() -> None:
    around = Around("CPU", budget=300)
    for outcome in ("finished", "timed_out", "crashed"):
        found = lost(result(outcome, slept=8 * 3600), around)
        assert found is not None and found.reason == "the machine was suspended for 8 h while it ran"
        found = lost(result(outcome, clock_set=-DAY), around)
        assert found is not None and found.reason == "the machine's clock was set back by 24 h while it ran"
    assert lost(result("finished", slept=2.5, clock_set=2.5), around) is None, "less than a hundredth of its budget"
    assert lost(result("killed", slept=DAY), around) is None


def begun(at: float) -> Story:
    """A study with its baseline proposed, whose supervisor has started at that time."""
    story = Story(Contract.model_validate({"limits": {"hours": 2}})).propose(0)
    return story.tell(e.SupervisorStarted(pid=1, host="here", version="0"), at=at)


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_the_hours_of_a_study_are_those_that_were_lived(jump: float) -> None:
    story = begun(at=1000.0)
    story.tell(e.NoteWritten(researcher="r", text="x"), at=4600.0)
    story.tell(e.ClockMoved(set_by=jump), at=4600.0 + jump)
    study = fold(story.events)
    assert study.hours() == pytest.approx(1.0, rel=1e-3) and study.hours(8200.0 + jump) == pytest.approx(2.0, rel=1e-3)
    assert limits.reached(study, 4700.0 + jump) is None
    story.tell(e.ClockMoved(slept=36_000.0), at=4600.0 + jump + 36_000)
    assert fold(story.events).hours() == pytest.approx(1.0, rel=1e-3), "asleep is no time at work"
    story.tell(e.SupervisorStopped(reason="x"), at=8200.0 + jump + 36_000)
    assert fold(story.events).hours() == pytest.approx(2.0, rel=1e-3)


def test_what_waits_and_what_runs_is_timed_as_if_the_clock_had_always_gone_so() -> None:
    story = begun(at=0.0)
    story.tell(
        e.RunStarted(seed=1, slot=0, budget=300, deadline=600, protocol_id="m", pid=1, pid_started=0), 0, 1, at=10.0
    )
    story.tell(e.Fault(where="llm", message="no answer", next_at=60.0), at=20.0)
    story.tell(e.ClockMoved(set_by=DAY), at=30.0 + DAY)
    study = fold(story.events)
    assert study.experiments[0].runs[1].started_at == 10.0 + DAY
    trouble = study.troubles["llm"]
    assert (trouble.since, trouble.next_at) == (20.0 + DAY, 60.0 + DAY)


def test_verdicts_are_in_the_order_they_were_given_in_whatever_the_clock_said() -> None:
    story = begun(at=10 * DAY)
    for number, (verdict, at) in enumerate([("kept", 10 * DAY), ("crashed", 9 * DAY), ("out_of_memory", 8 * DAY)]):
        story.propose(number)
        story.tell(e.ExperimentJudged(verdict=verdict, reason="x"), number, at=at)  # type: ignore[arg-type]
    assert failures_in_a_row(fold(story.events)) == 2
