"""The bench and the loop decide alike: one simulated study through both, event by event."""

import random

import pytest

from bench.judge import Change, Noisiness, Ours
from loop.policy import scheduler
from loop.policy.standing import decision
from loop.study import events as e
from loop.study.contract import Contract, Keep
from loop.study.outcomes import Outcome
from tests.stories import Story

KEEP = Keep(simpler_wins=False)


def effects() -> list[float]:
    rng = random.Random(4)
    some = [0.0] * 12 + [-abs(rng.gauss(0, 6)) for _ in range(14)] + [1.5, 2.0, 3.0, 4.0, 30.0]
    rng.shuffle(some)
    return some


def noise() -> random.Random:
    return random.Random(11)


def by_the_bench(change: Change) -> tuple[list[bool], list[float]]:
    """Which candidates are kept, and the measured numbers in the order of the runs."""
    rng, measured = noise(), []

    def draw() -> float:
        measured.append(rng.gauss(0, 1))
        return measured[-1]

    study = Ours(KEEP, draw, change=change)
    kept = []
    for effect in effects():
        before = study.champion
        study.try_out(effect, 10_000)
        kept.append(study.champion is not before)
    return kept, measured


def by_the_loop(change: Change) -> tuple[list[bool], list[float]]:
    """The same through events, the folded study and `schedule`, as the supervisor goes about it."""
    rng, measured = noise(), []
    story = Story(Contract(keep=KEEP))
    level, scale, noisy, true = {0: 0.0}, {0: 1.0}, Noisiness(change), 0

    def run(number: int) -> None:
        experiment = story.study().experiments[number]
        measured.append(rng.gauss(0, 1))
        story.runs(number, [-(level[number] + measured[-1] * scale[number])], max(experiment.runs, default=0) + 1)

    story.propose(0).queue(0, None)
    for _ in range(KEEP.baseline_runs):
        run(0)
    story.judge(0, "kept", 0.0)
    kept = []
    for number, effect in enumerate(effects(), 1):
        champion = story.study().champion
        assert champion is not None
        level[number] = level[champion] + effect
        scale[number] = noisy.of(effect, true)
        story.propose(number, champion).queue(number, champion)
        while True:
            found = scheduler.next_work(story.study())
            assert found is not None
            run(found.experiment.id)
            study = story.study()
            decided = decision(study, study.experiments[number])
            if decided.action in ("keep", "discard"):
                break
        verdict = Outcome.KEPT if decided.action == "keep" else Outcome.DISCARDED
        story.tell(e.ExperimentJudged(verdict=verdict, reason="x", metric=1.0, effect=decided.effect), number)
        if verdict == "kept":
            story.tell(e.ChampionChanged(commit="c", metric=1.0), number)
            noisy.champion, true = scale[number], true + (effect > 0)
        kept.append(verdict == "kept")
    return kept, measured


@pytest.mark.parametrize("change", [Change(), Change(0.03, at=1), Change(8, at=2)])
def test_the_bench_decides_as_the_loop_does(change: Change) -> None:
    kept, measured = by_the_bench(change)
    assert by_the_loop(change) == (kept, measured)
    assert 2 <= sum(kept) < 10, "a study in which nothing or everything is kept would show nothing"
    assert len(measured) > len(kept) + KEEP.baseline_runs + 5, "near wins and champions ran again"
