"""What runs under one seed have in common is found out, and its worth is no more than that."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.policy import pairs, scheduler
from loop.policy.changes import CONSTANTS, kind
from loop.policy.judge import Decision, judge
from loop.policy.noise import Noise, student_below
from loop.policy.standing import alike, decision
from loop.study import events as e
from loop.study.contract import Contract, Keep
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.stories import Story

NOISE = Noise(1.0, 20)
LUCK = [0.9, -1.1, 0.4, -0.2, 0.6]
"""Of the champion's runs, under one seed after the other."""
KNOWN = pairs.Alike({CONSTANTS: pairs.Scatter(30 * 0.02, 30), "": pairs.Scatter(30 * 0.7, 30)})


def decide(candidate: list[float], change: str = CONSTANTS, champion: list[float] = LUCK, **also: object) -> Decision:
    beside = pairs.Beside(champion[: len(candidate)], change, KNOWN)
    return judge(Keep(), "min", champion, candidate, NOISE, beside=beside, **also)  # type: ignore[arg-type]


# --- how alike they are ----------------------------------------------------------------------------------------


def test_a_study_starts_with_nothing_alike_and_learns_it_by_kind() -> None:
    nobody = pairs.Alike({})
    assert nobody.correlation("", NOISE, []) == 0
    assert KNOWN.correlation(CONSTANTS, NOISE, []) == pytest.approx(1 - (30 * 0.02 + pairs.PRIOR) / (30 + pairs.PRIOR))
    assert KNOWN.correlation("", NOISE, []) < 0.35
    assert pairs.Alike({"": pairs.Scatter(100 * 1.4, 100)}).correlation("", NOISE, []) == 0, "never less than nothing"


def test_a_candidates_own_pairs_are_weighed_with_those_of_its_kind() -> None:
    before = KNOWN.correlation(CONSTANTS, NOISE, [])
    assert KNOWN.correlation(CONSTANTS, NOISE, [0.5, 0.5, 0.5]) > before
    assert KNOWN.correlation(CONSTANTS, NOISE, [3.0, -0.1, 0.1]) < before


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.floats(1e-3, 1e3), st.sampled_from([CONSTANTS, ""]))
def test_a_correlation_is_a_correlation(differences: list[float], sd: float, change: str) -> None:
    assert 0 <= KNOWN.correlation(change, Noise(sd, 5), differences) <= pairs.MOST_ALIKE


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.9, 0.99])
def test_the_error_of_an_effect_is_what_it_scatters_by(correlation: float) -> None:
    rng = random.Random(3)
    found = []
    for _ in range(4000):
        champion = [rng.gauss(0, 1) for _ in range(4)]
        own = math.sqrt(1 - correlation**2)
        candidate = [correlation * luck + own * rng.gauss(0, 1) for luck in champion[:2]]
        found.append(pairs.effect(candidate, champion, champion[:2], correlation))
    assert statistics.stdev(found) == pytest.approx(pairs.error(NOISE, 2, 4, correlation), rel=0.05)
    assert statistics.fmean(found) == pytest.approx(0, abs=0.06)


def test_with_nothing_alike_it_is_the_rule_for_the_means() -> None:
    assert pairs.effect([1.0, 2.0], LUCK, LUCK[:2], 0.0) == pytest.approx(1.5 - statistics.fmean(LUCK))
    assert pairs.error(NOISE, 2, 5, 0.0) == pytest.approx(math.sqrt(1 / 2 + 1 / 5))


# --- the verdicts ----------------------------------------------------------------------------------------------


def test_a_gain_of_half_a_noise_is_seen_where_runs_are_alike_and_only_there() -> None:
    candidate = [luck - 0.8 for luck in LUCK[:3]]
    assert decide(candidate).action == "keep"
    assert decide(candidate, "").action != "keep"
    assert "at equal seeds" in decide(candidate).reason
    assert judge(Keep(), "min", LUCK, candidate, NOISE).action == "discard"


def test_luck_that_the_champion_shares_is_no_gain() -> None:
    champion = [-2.0, 1.0, 1.0]
    shared = judge(Keep(), "min", champion, [-2.0], NOISE, beside=pairs.Beside([-2.0], CONSTANTS, KNOWN))
    assert shared.action == "discard" and abs(shared.effect) < 0.4
    assert judge(Keep(), "min", champion, [-2.0], NOISE).effect == pytest.approx(2.0)


def test_no_gain_is_kept_before_as_many_seeds_have_shown_it_as_the_baseline_had() -> None:
    for runs in (1, 2):
        found = decide([luck - 9 for luck in LUCK[:runs]])
        assert found.action == "again" and "3 seeds have shown it" in found.reason
    assert decide([luck - 9 for luck in LUCK[:3]]).action == "keep"
    once = judge(Keep(max_runs=1), "min", LUCK, [-9.0], NOISE, beside=pairs.Beside(LUCK[:1], "", KNOWN))
    assert once.action == "keep", "who wants one run gets one"


@pytest.mark.parametrize("shines", [4.0, 6.0, 12.0])
def test_what_shines_on_the_first_seed_alone_is_not_kept(shines: float) -> None:
    candidate: list[float] = []
    for luck in LUCK:
        candidate.append(luck - (shines if not candidate else 0.05))
        found = decide(candidate, "")
        assert found.action != "keep", (len(candidate), found.reason)
    assert found.action == "discard"


def test_a_champion_without_a_run_under_the_newest_seed_runs_first() -> None:
    champion = LUCK[:3]
    found = judge(
        Keep(), "min", champion, [luck - 1 for luck in LUCK[:4]], NOISE, beside=pairs.Beside(champion, "", KNOWN)
    )
    assert found.action == "remeasure" and "seed" in found.reason
    found = judge(Keep(), "min", champion, LUCK[:4], NOISE, settled=True, beside=pairs.Beside(champion, "", KNOWN))
    assert found.action != "remeasure", "one that fails there is not run for ever"


def test_exact_numbers_need_no_second_seed() -> None:
    quiet = Noise(0.0, 2)
    found = judge(Keep(), "min", [5.0, 5.0, 5.0], [4.0], quiet, beside=pairs.Beside([5.0], "", pairs.Alike({})))
    assert found.action == "keep"


def test_changes_without_effect_are_kept_as_rarely_as_promised() -> None:
    rng = random.Random(11)
    kept = 0
    for _ in range(1500):
        champion = [rng.gauss(0, 1) for _ in range(5)]
        candidate: list[float] = []
        action = "again"
        while action == "again":
            luck = champion[len(candidate)]
            candidate.append(0.95 * luck + math.sqrt(1 - 0.95**2) * rng.gauss(0, 1))
            action = decide(candidate, CONSTANTS, champion).action
        kept += action == "keep"
    assert kept <= 1500 * 0.02


# --- in a study ------------------------------------------------------------------------------------------------


def test_an_effect_is_taken_from_pairs_in_a_study_that_has_them_and_from_means_in_one_of_before() -> None:
    values = (1.0, 1.01, 0.99, 1.0, 1.01, 0.99)
    seeds = range(scheduler.FIRST_SEED, scheduler.FIRST_SEED + len(values))

    def told(paired: bool, contract: Contract | None = None) -> Story:
        story = Story(contract)
        body = story.events[0].body.model_copy(update={"pairs": paired})
        story.events[0] = story.events[0]._replace(body=body)
        story.propose(0).queue(0, None)
        for run, (seed, value) in enumerate(zip(seeds, values, strict=True), 1):
            story.start(0, run, seed).finish(0, run, value)
        story.judge(0, "kept", 1.0).propose(1)
        story.tell(e.ExperimentQueued(commit="1" * 40, parent=0, parent_commit="0" * 40, change=CONSTANTS), 1)
        return story.start(1, 1, seeds[0]).finish(1, 1, 0.9)

    new, old = told(True).study(), told(False).study()
    assert new.paired and not old.paired
    assert "3 seeds have shown it" in decision(new, new.experiments[1]).reason
    assert "nobody verifies it" in decision(old, old.experiments[1]).reason
    asked = told(False, Contract(verify=None, keep=Keep(pairs=True))).study()
    assert asked.paired


def next_experiment(study: Study) -> Experiment | None:
    found = scheduler.next_work(study)
    return None if found is None else found.experiment


def paired_story() -> Story:
    story = Story()
    story.events[0] = story.events[0]._replace(body=story.events[0].body.model_copy(update={"pairs": True}))
    story.propose(0).queue(0, None)
    for run, value in enumerate((1.0, 1.02, 0.98), 1):
        story.start(0, run, scheduler.FIRST_SEED + run - 1).finish(0, run, value)
    return story.judge(0, "kept", 1.0)


def discarded(story: Story, number: int, value: float) -> Story:
    story.propose(number).queue(number).start(number, 1, scheduler.FIRST_SEED).finish(number, 1, value)
    effect = 1.0 - value
    return story.tell(e.ExperimentJudged(verdict=Outcome.DISCARDED, reason="no", metric=value, effect=effect), number)


def test_a_discarded_one_runs_twice_more_to_tell_how_alike_runs_are_and_its_verdict_stands() -> None:
    story = discarded(paired_story(), 1, 1.01)
    for run, value in ((2, 1.03), (3, 0.99)):
        found = next_experiment(story.study())
        assert found is not None and found.id == 1
        assert scheduler.next_seed(found) == scheduler.FIRST_SEED + run - 1
        story.start(1, run, scheduler.FIRST_SEED + run - 1)
        assert [x.id for x, _ in story.study().running()] == [1]
        assert next_experiment(story.study()) is None
        story.finish(1, run, value)
    study = story.study()
    assert next_experiment(study) is None, "and no more"
    assert study.experiments[1].verdict == Outcome.DISCARDED and study.experiments[1].phase == "judged"
    known = alike(study).kinds[""]
    assert known.dof == 2 and known.squares == pytest.approx(0, abs=1e-12), "worse by 0.01 under every seed"


def test_nobody_is_asked_where_it_would_not_pay() -> None:
    far = discarded(paired_story(), 1, 2.0)
    assert next_experiment(far.study()) is None, "no rival of the champion's"
    old = Story().baseline()
    assert next_experiment(discarded(old, 1, 1.01).study()) is None, "the study goes by means"
    enough = discarded(paired_story(), 1, 1.01)
    for run in (2, 3):
        enough.start(1, run, scheduler.FIRST_SEED + run - 1).finish(1, run, 1.0)
    assert next_experiment(discarded(enough, 2, 1.01).study()) is None, "more than its share of the runs"
    limited = discarded(paired_story(), 1, 1.01).tell(e.LimitReached(limit="usd", reason="$5 of $5"))
    assert next_experiment(limited.study()) is None
    failed = discarded(paired_story(), 1, 1.01).start(1, 2, scheduler.FIRST_SEED + 1).finish(1, 2, None, "crashed")
    assert next_experiment(failed.study()) is None, "it does not run under that seed"


# --- the kind of a change --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RATE = 0.04\n", "RATE = 3e-2\n"),
        ("layers = [64, 32]", "layers = [128,  32]"),
        ("activation: 'gelu'\n", "activation: 'relu'\n"),
        ("let rate: f32 = 1_000.5;", "let rate: f32 = .5;"),
        ("x = -1", "x = +2.5E-3"),
    ],
)
def test_other_values_are_a_change_of_constants(before: str, after: str) -> None:
    assert kind({"a": before}, {"a": after}) == CONSTANTS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = relu(h)\n", "x = gelu(h)\n"),
        ("x = 1\n", "x = 1\ny = 2\n"),
        ("layers = [64, 32]", "layers = [64, 32, 16]"),
        ("conv2d(x)", "conv3d(x)"),
        ("use = True", "use = False"),
    ],
)
def test_another_structure_is_not(before: str, after: str) -> None:
    assert kind({"a": before}, {"a": after}) == ""


def test_a_new_file_is_no_change_of_constants() -> None:
    assert kind({"a": "1"}, {"a": "1", "b": ""}) == ""


def test_student_is_what_the_judge_goes_by() -> None:
    found = decide([luck - 0.8 for luck in LUCK[:3]])
    error = pairs.error(NOISE, 3, 5, found.alike)
    assert found.confidence == pytest.approx(student_below(NOISE.dof, found.effect / error))
