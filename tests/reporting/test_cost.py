"""What a study has cost: every second of a slot is booked once, and money where it was spent."""

import pytest

from loop.reporting import cost
from loop.runs.local.gpus import Look, taken
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from tests.stories import Story

HOUR = 3600.0


def ran(
    story: Story, number: int, run: int, at: float, seconds: float, outcome: str = "finished", gpus: float | None = 1.0
) -> None:
    """A run that started `at` and took so long."""
    started = e.RunStarted(
        seed=1, slot=0, budget=1, deadline=9, protocol_id=story.contract.protocol_id, pid=1, pid_started=1, gpus=gpus
    )
    story.tell(started, number, run, at)
    joules = None if outcome == "lost" else 300 * seconds
    story.tell(
        e.RunFinished(outcome=Outcome(outcome), metrics={"val_bpb": 1.0}, seconds=seconds, joules=joules),
        number,
        run,
        at + seconds,
    )


def a_study() -> Story:
    """Two hours with one slot: three runs of the baseline, an experiment of two runs, one that was lost and crashed."""
    story = Story(Contract(verify="check"))
    story.events.pop()  # the story's own supervisor
    story.tell(e.SupervisorStarted(pid=1, host="h", version="1", slots=("GPU 0",)), at=0.0)
    story.propose(0).queue(0, None)
    for run in (1, 2, 3):
        ran(story, 0, run, 100.0 * run, 60)
        story.tell(e.Verified(metric=1.0, seconds=10, joules=100), 0, run, 100.0 * run + 70)
    story.tell(e.ExperimentJudged(verdict="kept", reason="r", metric=1.0), 0, at=400.0)
    story.tell(e.ChampionChanged(commit="0" * 40, metric=1.0), 0, at=400.0)
    story.tell(e.Spent(researcher="r", tokens=1000, usd=0.5), 1, at=410.0)
    story.tell(e.Spent(researcher="r", tokens=500), 1, at=420.0)
    story.propose(1).queue(1)
    ran(story, 1, 1, 500.0, 100)
    ran(story, 1, 2, 700.0, 100)
    story.tell(e.ExperimentJudged(verdict="kept", reason="r", metric=0.9, confidence=0.999, effect=0.1), 1, at=900.0)
    story.propose(2).queue(2)
    ran(story, 2, 1, 1000.0, 30, "lost")
    ran(story, 2, 2, 1100.0, 50, "crashed")
    ran(story, 0, 4, 1300.0, 60)  # measured again after its verdict
    story.tell(e.SupervisorStopped(reason="x"), at=2 * HOUR)
    return story


def test_every_second_of_a_slot_is_booked_once() -> None:
    story = a_study()
    books = cost.books(story.study(), story.events)
    booked = {name: spend.seconds for name, spend in books.accounts.items()}
    assert booked == {
        "search": 150.0,
        "baseline": 180.0,
        "repeats": 160.0,
        "verification": 30.0,
        "validation": 0.0,
        "attribution": 0.0,
        "climbing": 0.0,
        "lost": 30.0,
        "idle": pytest.approx(2 * HOUR - 550),
    }
    assert books.total.seconds == 550 == sum(spend.seconds for spend in books.experiments.values())
    assert books.total.gpu_seconds == 550 and books.total.runs == 8
    assert sum(spend.seconds for spend in books.days.values()) == 550
    assert books.slot_seconds == 2 * HOUR == sum(booked.values())


def test_energy_is_told_for_what_was_metered_and_money_is_booked_to_who_thought() -> None:
    story = a_study()
    books = cost.books(story.study(), story.events)
    assert books.total.joules == pytest.approx(300 * 490 + 300) and books.total.metered == 490
    assert books.experiments[2].data()["joules"] == 15_000
    one = books.experiments[1]
    assert (one.tokens, one.usd, one.unpriced) == (1500, 0.5, 1)
    assert books.researchers["r"].tokens == 1500 and books.researchers["r"].seconds == 280
    assert books.experiments[0].data()["usd"] == 0


def test_a_true_improvement_pays_for_all_that_was_tried() -> None:
    story = a_study()
    books = cost.books(story.study(), story.events)
    each = cost.per_improvement(books)
    assert books.true_improvements is not None and 0.99 < books.true_improvements <= 1
    assert each is not None and each.seconds == pytest.approx(550 / books.true_improvements)
    nothing = Story().baseline()
    assert cost.per_improvement(cost.books(nothing.study(), nothing.events)) is None


def test_the_next_eight_hours_go_on_as_the_last_day() -> None:
    story = a_study()
    pace = cost.books(story.study(), story.events).pace
    assert pace is not None and pace.hours == pytest.approx(2)
    assert cost.ahead(pace) == {
        "experiments": pytest.approx(4),
        "kept": pytest.approx(4),
        "gpu_hours": pytest.approx(4 * 550 / HOUR),
        "tokens": pytest.approx(6000),
        "usd": pytest.approx(2.0),
    }
    short = Story().baseline()
    assert cost.books(short.study(), short.events).pace is None, "a minute says nothing of a night"


def test_a_supervisor_that_died_was_there_until_its_last_sign() -> None:
    story = Story()
    story.events.pop()  # the story's own supervisor
    story.tell(e.SupervisorStarted(pid=1, host="h", version="1", slots=("GPU 0", "GPU 1")), at=0.0)
    story.propose(0).queue(0, None)
    ran(story, 0, 1, 100.0, 100)
    story.tell(e.SupervisorStarted(pid=2, host="h", version="1", slots=("GPU 0",)), at=90_000.0)
    story.tell(e.SupervisorStopped(reason="x"), at=90_100.0)
    assert cost.books(story.study(), story.events).slot_seconds == pytest.approx(2 * 200 + 100)


def test_an_older_journal_tells_gpus_by_their_memory() -> None:
    story = Story().propose(0).queue(0, None)
    ran(story, 0, 1, 2000.0, 50, gpus=None)
    assert cost.books(story.study(), story.events).total.gpu_seconds == 0
    story.start(0, 2)
    story.tell(e.RunFinished(outcome=Outcome.FINISHED, seconds=50, peak_gpu_memory=1 << 30), 0, 2)
    assert cost.books(story.study(), story.events).total.gpu_seconds == 50


def test_energy_is_the_difference_of_two_looks() -> None:
    assert taken(Look(joules=100.0), Look(joules=700.0), on_gpu=2) == 300
    assert taken(Look(joules=700.0), Look(joules=100.0), on_gpu=1) is None, "the driver was loaded anew"
    assert taken(Look(), Look(joules=100.0), on_gpu=1) is None
