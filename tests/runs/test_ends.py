"""What the end of a run is on record as, where more than its metric decides."""

from dataclasses import replace

import pytest

from loop.runs import outcome
from loop.runs.spec import RunResult
from loop.runs.waited import Curve, WaitedCurve
from loop.study import events as e
from loop.study import queries
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story


def study(contract: Contract, names: tuple[str, ...] = ("LOOPTOP_BUDGET_S",)) -> Study:
    told = Story(contract)
    begun = told.events[0].body.model_copy(update={"names": names})
    told.events[0] = told.events[0]._replace(body=begun)
    return told.baseline().propose(1).queue(1).start(1, 1).study()


def ran(
    outcome: str = "finished", seconds: float = 20, texts: dict[str, str] | None = None, **metrics: float
) -> RunResult:
    return RunResult(Outcome(outcome), "", 0, None, seconds, 1.0, 0, None, 0, metrics, "", texts=texts or {})


def end(contract: Contract, result: RunResult, experiment: int = 1, names: tuple[str, ...] = ("LOOPTOP_BUDGET_S",)):
    told = study(contract, names)
    return outcome.finished(told, told.experiments[experiment], result, None, "")


GATED = Contract.model_validate({"budget": 20, "require": {"quality": ">= 0.85", "status": "correct"}})


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (ran(val_bpb=1, quality=0.8, texts={"status": "correct"}), "quality is 0.8, and >= 0.85 is required"),
        (ran(val_bpb=1, quality=0.9, texts={"status": "wrong"}), "status is wrong, and correct is required"),
        (ran(texts={"status": "wrong"}), "status is wrong, and correct is required"),
        (ran(val_bpb=1, quality=0.9), "it printed no status, and status == correct is required"),
        (ran(val_bpb=1, status=1, quality=float("nan")), "quality is nan, and >= 0.85 is required"),
    ],
)
@pytest.mark.parametrize("experiment", [0, 1])
def test_what_is_required_is_asked_of_every_run(result: RunResult, reason: str, experiment: int) -> None:
    found = end(GATED, result, experiment)
    assert (found.outcome, found.check, found.reason) == ("finished", "require", reason)


def test_what_meets_it_counts_and_what_says_nothing_has_no_number() -> None:
    assert end(GATED, ran(val_bpb=1, quality=0.85, texts={"status": "Correct "})).check is None
    assert "has no val_bpb" in end(GATED, ran()).reason


def test_a_verification_is_asked_and_not_the_run() -> None:
    contract = GATED.model_copy(update={"verify": "check"})
    assert end(contract, ran(val_bpb=1)).check is None
    told = study(contract)
    kind = told.experiments[1]
    found = outcome.verified(told, kind, ran(val_bpb=1, quality=0.8, texts={"status": "correct"}))
    assert (found.metric, found.check) == (None, "require")
    assert found.reason == "its verification: quality is 0.8, and >= 0.85 is required"
    found = outcome.verified(told, kind, ran(val_bpb=1.5, quality=0.9, seconds=0.1, texts={"status": "correct"}))
    assert isinstance(found, e.Verified) and (found.metric, found.metrics["quality"]) == (1.5, 0.9)


def test_a_program_that_does_not_take_its_budget_may_last_as_long_as_the_deadline() -> None:
    slow = ran(val_bpb=1, seconds=50)
    assert end(Contract(budget=20), slow).check == "budget"
    assert end(Contract(budget=20), slow, names=("LOOPTOP_SEED",)).check is None


def told(contract: Contract, had: list[float], used: float = 40.0, cores: int = 2) -> Study:
    """A study whose baseline had these shares of its time, and used so many processor seconds in each of its runs."""
    story = Story(contract)
    begun = story.events[0].body.model_copy(update={"names": ("LOOPTOP_BUDGET_S",)})
    story.events[0] = story.events[0]._replace(body=begun)
    story.propose(0).queue(0, None)
    for number, share in enumerate(had, 1):
        story.start(0, number)
        started = story.events[-1]
        story.events[-1] = started._replace(body=started.body.model_copy(update={"clock": contract.budget_clock}))
        body = e.RunFinished(
            outcome=Outcome.FINISHED,
            metrics={"val_bpb": 1.0, "training_seconds": 20.0},
            seconds=30,
            cpu_seconds=used,
            cores=cores,
            computing=20.0,
            waited=e.Waited(total=30 * (1 - share)),
        )
        story.tell(body, 0, number)
    return story.judge(0, "kept", 1.0).propose(1).queue(1).start(1, 1).study()


def seen(used: float, waited: float = 0.0, seconds: float = 30.0) -> RunResult:
    """A run that used so many processor seconds, evenly, and waited so long for others."""
    computed, wait = Curve(), WaitedCurve()
    for curve, total in ((computed, used), (wait, waited)):
        for look in range(11):
            curve.add(seconds * look / 10, total * look / 10)
    found = replace(ran(seconds=seconds, val_bpb=1, training_seconds=20), cpu_seconds=used, cores=2)
    return replace(found, computed=computed, waited=wait)


BY_PROCESSOR = Contract(budget=20, budget_clock="cpu")


def test_where_the_budget_counts_processor_time_a_slow_hour_is_no_fault_and_more_work_is() -> None:
    study = told(BY_PROCESSOR, [1.0, 1.0])
    busy = outcome.finished(study, study.experiments[1], seen(42, 60, 90), (3, 87), "")
    assert busy.check is None and busy.computing == pytest.approx(42 / 2 * 84 / 90)
    longer = outcome.finished(study, study.experiments[1], seen(80), (2, 29), "")
    assert longer.check == "budget"
    assert longer.reason.startswith("its steps went on for 36.0 s of processor time per core (it says 20.0 s); at most")
    around = outcome.finished(study, study.experiments[1], seen(80), (2, 12), "")
    assert around.reason.startswith("it took 40.0 s in all of processor time per core for 20.0 s of training; at most")


def test_what_hides_the_time_it_used_is_taken_by_the_clock() -> None:
    study = told(BY_PROCESSOR, [1.0, 1.0])
    hidden = replace(seen(10, seconds=60), computed=None, waited=None)
    assert outcome.finished(study, study.experiments[1], hidden, (2, 58), "").check == "budget"


def test_a_program_that_computes_elsewhere_goes_by_the_clock() -> None:
    study = told(BY_PROCESSOR, [1.0, 1.0], used=6.0)
    assert outcome.finished(study, study.experiments[1], seen(6, seconds=60), (2, 58), "").check == "budget"


def test_a_run_that_had_much_less_of_the_machine_than_the_champion_s_is_done_again() -> None:
    def again(study: Study, waited: float) -> bool:
        return outcome.cut_short(study, study.experiments[1], seen(30, waited)) is not None

    plain = Contract(budget=20)
    assert again(told(plain, [0.95, 0.97, 0.96]), 12) and not again(told(plain, [0.95, 0.97, 0.96]), 3)
    assert not again(told(plain, [0.65, 0.6, 0.7]), 12), "they had no more"
    assert not again(told(Contract(budget=1), [0.95]), 12), "too short to tell"
    assert not again(told(BY_PROCESSOR, [0.95]), 12), "it had all that is counted"


def test_a_program_without_an_end_is_told_of_the_key_at_its_deadline() -> None:
    assert "`ends: at-budget`" in end(Contract(), ran("timed_out", val_bpb=1.25)).reason
    assert end(Contract(), ran("timed_out")).reason == "", "it has printed nothing that could count"
    assert "ends:" not in end(Contract(ends="at-budget"), ran("timed_out", val_bpb=1.25)).reason


def busy(seconds: float, share: float, first: float = 0.0, **more: object) -> RunResult:
    """A run on a machine of which others took this share, from `first` on."""
    curve = WaitedCurve()
    for second in range(int(seconds) + 1):
        curve.add(second, max(0.0, second - first) * share)
    return replace(ran(seconds=seconds, val_bpb=1), waited=curve, **more)


def test_a_run_on_a_busy_machine_is_on_record_with_what_others_took() -> None:
    found = outcome.finished((told := study(Contract(budget=10))), told.experiments[1], busy(30, 0.5), None, "")
    assert found.check is None and found.waited == e.Waited(total=15, around=10)
    assert end(Contract(budget=10), ran(seconds=30, val_bpb=1)).check == "budget"
    assert end(Contract(budget=10), busy(50, 0.5)).check == "budget", "it did twice the work of the baseline around it"


def test_what_others_took_among_its_last_steps_is_what_they_took_after_its_budget() -> None:
    told = study(Contract(budget=20))
    late = busy(30, 0.5, metrics={"val_bpb": 1.0, "training_seconds": 24.0})
    found = outcome.finished(told, told.experiments[1], late, (4.0, 28.0), "")
    assert found.waited == e.Waited(total=15, around=5, steps=2, claim=2) and found.check is None
    late = busy(30, 0.5, first=26, metrics={"val_bpb": 1.0, "training_seconds": 25.0})
    found = outcome.finished(told, told.experiments[1], late, (3.0, 28.0), "")
    assert found.waited is not None and (found.waited.steps, found.waited.claim) == (1, 1)
    assert found.check == "budget"


def test_at_its_deadline_a_run_that_others_starved_is_run_again() -> None:
    told = study(Contract(budget=20))
    lost = outcome.starved(told, told.experiments[1], busy(100, 0.8, outcome=Outcome.TIMED_OUT))
    assert lost is not None and not lost.believed
    assert outcome.starved(told, told.experiments[1], busy(100, 0.4, outcome=Outcome.TIMED_OUT)) is None
    assert outcome.starved(told, told.experiments[1], busy(100, 0.8, outcome=Outcome.CRASHED)) is None
    assert outcome.starved(told, told.experiments[1], ran("timed_out", seconds=100)) is None


def test_a_verification_on_a_busy_machine_is_allowed_what_others_took() -> None:
    told = study(Contract(budget=20, verify="check"))
    for run in told.experiments[0].runs.values():
        run.verify(e.Verified(metric=1.0, seconds=4.0))
    for seconds, share, check in ((20, 0.8, None), (20, 0.1, "budget"), (40, 0.5, "budget")):
        found = outcome.verified(told, told.experiments[1], busy(seconds, share))
        assert found.check == check, found.reason
    assert found.waited == 20


def excused(story: Story, number: int, result: RunResult) -> str:
    """Why the first run of an experiment is to be run again."""
    told = story.study()
    experiment = told.experiments[number]
    lost = outcome.excused(told, experiment, experiment.runs[1], result, None)
    return lost.reason if lost is not None else ""


def on_nodes() -> Story:
    """The baseline has run on one node, and experiments 1 and 2 run on another at once."""
    story = Story(Contract(budget=20))
    begun = story.events[0].body.model_copy(update={"names": ("LOOPTOP_BUDGET_S",)})
    story.events[0] = story.events[0]._replace(body=begun)
    story.propose(0).queue(0, None)
    for run in (1, 2, 3):
        story.start(0, run, slot_name="alpha/CPU").finish(0, run, 1.0)
    story.judge(0, "kept", 1.0)
    for number in (1, 2):
        story.propose(number).queue(number).start(number, 1, slot_name=f"beta/CPU {number}")
    return story


def on_beta(story: Story, number: int, at: float) -> None:
    story.start(number, 1, slot_name="beta/CPU 1")
    story.events[-1] = story.events[-1]._replace(at=at)


def test_the_first_runs_on_a_node_are_run_again_where_its_cold_caches_made_them_late() -> None:
    story, slow = on_nodes(), ran(val_bpb=1, seconds=35)
    assert excused(story, 1, slow) == excused(story, 2, slow) == excused(story, 2, ran("timed_out")) == outcome.COLD
    assert excused(story, 1, ran(val_bpb=1, seconds=22)) == "", "it was no slower than it may be"
    story.finish(1, 1, None, "lost").propose(3).queue(3)
    on_beta(story, 3, at=1060.0)
    assert excused(story, 3, slow) == "", "something has run there meanwhile"
    story.tell(e.Fault(where="beta", message="beta has gone"), at=1070.0)
    story.tell(e.Recovered(where="beta"), at=1080.0)
    on_beta(story.propose(4).queue(4), 4, at=1090.0)
    assert excused(story, 4, slow) == outcome.COLD, "it came back, from a power cut maybe"


def test_at_home_a_run_is_late_by_itself_once_another_has_ended_since_the_start() -> None:
    told = study(GATED.model_copy(update={"require": ()}))
    assert queries.is_cold(told, told.experiments[1].runs[1])  # in a story all happens within seconds
    warm = replace(told.experiments[1].runs[1], started_at=1100.0)
    assert not queries.is_cold(told, warm)
