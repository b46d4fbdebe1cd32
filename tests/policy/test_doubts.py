"""What is odd about a number that would make an experiment champion, and what the judge does about it."""

import pytest

from loop.policy import doubts
from loop.policy.comparison import Goal
from loop.policy.judge import Decision, judge
from loop.policy.noise import pooled
from loop.study.contract import Keep

KEEP = Keep()
BASELINE = [1.0203, 1.0197, 1.0211]
NOISE = pooled([BASELINE])


@pytest.mark.parametrize(
    ("champion", "candidate", "said"),
    [
        (BASELINE, [0.0], "it is exactly 0, which programs print where they have no number"),
        (BASELINE, [-0.0], "it is exactly 0, which programs print where they have no number"),
        (BASELINE, [1.0, -1.0], "it is exactly -1, which programs print where they have no number"),
        (BASELINE, [1e-12], ""),
        ([0.0, 3.0, 2.0], [0.0], ""),
        ([3.0, 3.0, 3.0], [0.0], "it is exactly 0, which programs print where they have no number"),
    ],
)
def test_what_stands_for_no_number_is_no_number_of_a_program_that_never_gave_it(
    champion: list[float], candidate: list[float], said: str
) -> None:
    assert doubts.sentinel(champion, candidate) == said


def test_one_number_from_every_seed_is_odd_where_the_champions_differ() -> None:
    assert doubts.constant(BASELINE, [1.01, 1.01])
    assert not doubts.constant(BASELINE, [1.01]), "one seed says nothing"
    assert not doubts.constant(BASELINE, [1.01, 1.011])
    assert not doubts.constant([1.02], [1.01, 1.01])
    assert not doubts.constant([0.93, 0.92, 0.93], [0.95, 0.95]), "a coarse metric repeats itself"
    assert not doubts.constant([47.6, 47.1, 47.4], [16.7, 16.7]), "so does a clock of three digits that is quieter now"
    assert doubts.constant([47.624, 46.561, 47.1], [16.7, 16.7])
    assert not doubts.constant([120, 121, 119], [97, 97, 97]), "and a count"


def test_a_sentinel_is_seen_twice_and_kept_with_its_doubt() -> None:
    decisions = [judge(KEEP, "min", BASELINE, [0.0] * n, NOISE, verified=False) for n in (1, 2, 3)]
    assert [decision.action for decision in decisions] == ["again", "again", "keep"]
    assert decisions[0].reason.startswith("run again: it is exactly 0, which programs print where")
    assert decisions[2].flag == "it is exactly 0, which programs print where they have no number"
    assert judge(KEEP, "max", BASELINE, [0.0], NOISE, verified=False).action == "discard", "it is worse then"


def test_a_fixed_seed_hides_no_sentinel() -> None:
    exact = pooled([[5.0, 5.0, 5.0]])
    assert judge(KEEP, "min", [5.0] * 3, [0.0] * 2, exact, verified=False).flag.startswith("it is exactly 0")


def test_what_nobody_verifies_is_shown_by_a_second_seed_before_it_is_kept() -> None:
    lone = judge(KEEP, "min", BASELINE, [1.008], NOISE, verified=False)
    assert (lone.action, judge(KEEP, "min", BASELINE, [1.008], NOISE).action) == ("again", "keep")
    assert lone.reason.endswith("nobody verifies it, so another seed has to show it, too")
    assert judge(KEEP, "min", BASELINE, [1.008, 1.0085], NOISE, verified=False).action == "keep"
    assert judge(Keep(max_runs=1), "min", BASELINE, [1.001], NOISE, verified=False).action == "keep", "as was asked for"


def test_the_same_number_from_every_seed_is_looked_at_as_often_as_the_baseline_was() -> None:
    decisions = [judge(KEEP, "min", BASELINE, [1.008] * n, NOISE, verified=False) for n in (2, 3)]
    assert [decision.action for decision in decisions] == ["again", "keep"]
    assert decisions[1].flag == "each of its 3 seeds gave exactly 1.008, and the champion's runs differ"
    assert judge(KEEP, "min", BASELINE, [1.008] * 3, NOISE).flag == "", "a verification has measured it"


def test_yesterdays_number_is_no_simpler_program() -> None:
    decision = judge(KEEP, "min", BASELINE, [1.0203] * 3, NOISE, lines_net=-5, verified=False)
    assert decision.action != "keep" or decision.flag


KINDS = [  # what is measured, better is, the champion's runs, an honest gain, and one that is no measurement
    ("ms_per_mb", "min", [47.62, 47.58, 47.66], 23.1, 0.004),
    ("ms_per_mb", "min", [47.62, 46.56, 48.9], 12.4, 3.1),
    ("tokens_per_second", "max", [10_400.0, 10_350.0, 10_420.0], 61_000.0, 1e9),
    ("val_loss", "min", [1.0203, 1.0197, 1.0211], 0.61, 0.02),
    ("val_loss", "min", [1.0203, 1.0197, 1.0211], 0.98, -5.0),
    ("bits", "min", [81_920.0, 81_920.0, 81_920.0], 30_112.0, 8.0),
    ("accuracy", "max", [0.931, 0.9302, 0.9315], 0.968, 0.9999),
    ("val_accuracy", "max", [0.61, 0.6102, 0.6099], 0.93, 1.0),
    ("Test accuracy", "max", [93.1, 93.02, 93.15], 98.8, 101.0),
    ("accuracy", "max", [0.9931, 0.9932, 0.9931], 0.9996, 1.2),
    ("score", "max", [12.0, 12.0, 12.0], 40.0, 4_000.0),
    ("failing", "min", [120.0, 120.0, 120.0], 31.0, 2.0),
    ("log_likelihood", "max", [-3.2, -3.21, -3.19], -1.1, 0.4),
    ("energy", "min", [-76.02, -76.021, -76.019], -80.4, -9e9),
]


@pytest.mark.parametrize(("metric", "goal", "champion", "honest", "broken"), KINDS)
def test_a_large_gain_is_held_to_the_scale_of_its_metric_and_not_to_a_quiet_clock(
    metric: str, goal: Goal, champion: list[float], honest: float, broken: float
) -> None:
    def last(value: float) -> Decision:
        noise = pooled([champion])
        runs = [value * (1 + 1e-4 * at) for at in range(3)] if noise and noise.sd else [value] * 3
        return judge(KEEP, goal, champion, runs, noise, verified=False, metric=metric)

    assert (last(honest).action, last(honest).doubt) == ("keep", "")
    assert last(broken).action == "keep" and last(broken).doubt, "so it waits for a person"


@pytest.mark.parametrize(
    ("metric", "champion", "candidate", "said"),
    [
        ("ms", [40.0, 40.2], [0.5, 0.5], "too good to be true? 0.5 is 80 times better than 40.1"),
        ("acc", [0.61, 0.6], [1.0, 1.0], "too good to be true? 1 leaves a 40th of what 0.605 left to 1"),
        ("acc", [0.61, 0.6], [0.5, 1.2], "it is 1.2, and acc cannot be above 1"),
        ("reward", [-3.0, -3.1], [4.0], "too good to be true? it is 4, of the other sign than the champion's -3.05"),
    ],
)
def test_what_is_off_the_scale_is_said(metric: str, champion: list[float], candidate: list[float], said: str) -> None:
    goal = "min" if metric == "ms" else "max"
    assert doubts.off_scale(metric, goal, champion, candidate, 0.1) == said


def test_a_number_near_zero_has_no_scale_and_is_held_to_the_noise() -> None:
    champion = [0.1, 0.02, 0.15]
    wide = pooled([champion])
    assert not doubts.off_scale("reward", "max", champion, [2.0], 0.065), "20 times of next to nothing"
    assert not judge(KEEP, "max", champion, [2.0, 2.1], wide, verified=False, metric="reward").doubt
    assert judge(KEEP, "max", champion, [40.0, 41.0], wide, verified=False, metric="reward").doubt
    assert not doubts.off_scale("ms", "min", [40.0], [400.0], 0.1), "ten times worse is for the judge"
