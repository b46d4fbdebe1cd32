"""The judge keeps what is better, says why, and is fooled no oftener than it was told."""

import math
import random
import re
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loop.policy.doubts import BEYOND_HISTORY, BEYOND_NOISE
from loop.policy.judge import FUTILE, Decision, judge, keep_threshold, needed
from loop.policy.noise import Noise, pooled, student_below
from loop.study.contract import Keep

KEEP = Keep()
NOISE = Noise(0.004, 20)
BASELINE = [1.000, 1.004, 0.996]
KNOWN = [1.000, 1.004, 0.996, 1.000, 1.000]
"""A champion that was run as often as an experiment may be."""

metrics = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))
groups = st.lists(metrics, min_size=1, max_size=5)
sizes = st.floats(1e-6, 1e6)
dofs = st.integers(1, 200)
noises = st.builds(Noise, sizes, dofs, st.none() | st.builds(Noise, sizes, dofs))
keeps = st.builds(
    Keep,
    confidence=st.floats(0.6, 0.9999),
    baseline_runs=st.integers(2, 6),
    max_runs=st.integers(1, 8),
    simpler_wins=st.booleans(),
)


# --- the verdicts ----------------------------------------------------------------------------------------------


def test_a_clear_win_is_kept_at_once() -> None:
    decision = judge(KEEP, "min", BASELINE, [0.97], NOISE)
    assert decision.action == "keep"
    assert decision.effect == pytest.approx(0.03)
    assert decision.confidence == pytest.approx(student_below(20, 0.03 / (0.004 * math.sqrt(1 + 1 / 3))))
    assert decision.reason == "kept: better by 0.0300 (+7.5σ; σ 0.0040), over 99.99% sure after 1 run (99.75% needed)"


def test_a_clear_loss_is_discarded_at_once() -> None:
    decision = judge(KEEP, "min", BASELINE, [1.03], NOISE)
    assert decision.action == "discard"
    assert decision.effect == pytest.approx(-0.03)
    assert decision.reason == (
        "discarded: worse by 0.0300 (-7.5σ; σ 0.0040), under 1% chance after 1 run that it helps"
    )


def test_a_result_inside_the_noise_is_discarded_and_called_so() -> None:
    decision = judge(KEEP, "min", BASELINE, [0.998], NOISE)
    assert decision.action == "discard"
    assert decision.reason == (
        "discarded: no clear gain: better by 0.00200 (+0.5σ; σ 0.0040), 66% chance after 1 run that it helps; "
        "not repeated: that takes 88%"
    )
    worse = judge(KEEP, "min", BASELINE, [1.002], NOISE).reason
    assert worse.endswith("worse by 0.00200 (-0.5σ; σ 0.0040), 33% chance after 1 run that it helps")


def test_a_near_win_runs_again_until_the_runs_are_used_up() -> None:
    near = 1.0 - 0.95 * keep_threshold(KEEP, 5, 5, NOISE)
    decisions = [judge(KEEP, "min", KNOWN, [near] * n, NOISE) for n in (3, 4, 5)]
    assert [decision.action for decision in decisions] == ["again", "again", "discard"]
    assert decisions[0].reason.startswith("run again: better by ")
    assert decisions[2].reason.startswith("discarded: still unclear: better by ")


def test_more_runs_turn_the_same_mean_into_a_win() -> None:
    good = 1.0 - 1.01 * keep_threshold(KEEP, 5, 3, NOISE)
    assert judge(KEEP, "min", KNOWN, [good], NOISE).action == "again"
    assert judge(KEEP, "min", KNOWN, [good] * 3, NOISE).action == "keep"


def test_a_champion_known_from_one_lucky_run_is_measured_anew_when_a_challenger_looks_better() -> None:
    decision = judge(KEEP, "min", [0.990], [0.9885], NOISE)
    assert decision.action == "remeasure"
    assert decision.reason == (
        "the champion runs again: it is known from 1 run, and this one is near: better by 0.00150 (+0.4σ; σ 0.0040)"
    )
    assert judge(KEEP, "min", [0.990], [0.991], NOISE).action == "discard", "no reason to run anything"
    assert judge(KEEP, "min", [0.990] * 3, [0.9885], NOISE).action == "discard", "known as well as the baseline was"


def test_no_champion_is_replaced_before_it_has_run_as_often_as_the_baseline() -> None:
    decision = judge(KEEP, "min", [0.990], [0.950], NOISE)
    assert decision.action == "remeasure"
    assert decision.reason.startswith("the champion runs again: it is known from 1 run, too few to be replaced: better")
    assert judge(KEEP, "min", [0.990] * 3, [0.950], NOISE).action == "keep"
    assert judge(KEEP, "min", [0.990], [0.950], NOISE, settled=True).action == "keep", "it does not run any more"


def test_what_only_a_narrower_noise_makes_clear_is_seen_as_often_as_the_baseline() -> None:
    narrow = Noise(0.004, 20, before=Noise(0.04, 20))
    decisions = [judge(KEEP, "min", BASELINE, [0.97] * n, narrow) for n in (1, 2, 3)]
    assert [decision.action for decision in decisions] == ["again", "again", "keep"]
    assert decisions[0].reason.endswith(
        "sure after 1 run; clear by the noise of the newest champions only, so it has to be seen 3 times"
    )
    assert judge(KEEP, "min", BASELINE, [0.8], narrow, largest=0.1).action == "keep", "clear by either"
    wide = Noise(0.004, 20, before=Noise(0.0004, 20))
    assert judge(KEEP, "min", BASELINE, [0.97], wide).action == "keep", "the wider noise is the one that counts"


def test_a_challenger_worth_another_run_has_the_champion_run_first_up_to_the_same_number() -> None:
    near = 1.0 - 1.7 * NOISE.sd
    actions = [judge(KEEP, "min", [1.0] * n, [near], NOISE).action for n in (3, 4, 5)]
    assert actions == ["remeasure", "again", "again"]
    assert judge(KEEP, "min", [1.0] * 3, [near], NOISE, settled=True).action == "again"
    assert judge(Keep(max_runs=1), "min", [1.0], [near], NOISE).action == "discard", "nobody runs twice"


def test_the_champion_counts_by_its_mean_not_its_luckiest_run() -> None:
    lucky = [0.95, 1.05, 1.0]
    assert judge(KEEP, "min", lucky, [0.97], NOISE).effect == pytest.approx(0.03)


def test_bar_is_the_smallest_effect_that_is_kept() -> None:
    for n in (1, 2, 5):
        needs = keep_threshold(KEEP, 3, n, NOISE)
        assert judge(KEEP, "min", BASELINE, [1.0 - 1.0001 * needs] * n, NOISE).action == "keep"
        assert judge(KEEP, "min", BASELINE, [1.0 - 0.9999 * needs] * n, NOISE).action != "keep"


def test_one_look_needs_what_was_asked_for_and_of_several_the_first_needs_most() -> None:
    assert needed(Keep(confidence=0.99, max_runs=1), 1) == 0.99
    bars = [needed(KEEP, look) for look in range(1, 6)]
    assert bars == pytest.approx([0.9975, 0.988125, 0.97875, 0.969375, 0.96])
    assert needed(Keep(confidence=0.95), 5) == FUTILE, "the last bar is never below the first one's floor"
    assert needed(Keep(confidence=0.7), 5) == 0.7


# --- too good to be true ---------------------------------------------------------------------------------------


def test_what_is_too_good_to_be_true_is_seen_twice_and_flagged_when_it_is_kept() -> None:
    great = 1.0 - 1.01 * BEYOND_NOISE * NOISE.sd
    decisions = [judge(KEEP, "min", BASELINE, [great] * n, NOISE) for n in (1, 2)]
    assert [decision.action for decision in decisions] == ["again", "keep"]
    assert decisions[0].reason == (
        "run again: too good to be true? better by 0.0808 is 20× the noise; it has to be seen twice"
    )
    assert decisions[1].flag == "too good to be true? better by 0.0808 is 20× the noise"
    assert judge(KEEP, "min", BASELINE, [great], NOISE, largest=0.05).flag == "", "the study has seen such a gain"


def test_the_history_of_the_study_bounds_what_is_believed_at_once() -> None:
    gain = 1.01 * BEYOND_HISTORY * 0.04
    decision = judge(KEEP, "max", BASELINE, [1.0 + gain], NOISE, largest=0.04)
    assert decision.action == "again"
    assert decision.flag == "too good to be true? better by 0.121 is 30× the noise and 3.0× the largest gain before it"
    exact = pooled([[5.0, 5.0, 5.0]])
    assert judge(KEEP, "min", [5.0] * 3, [1.0], exact).action == "keep", "no noise, and within its scale"
    assert judge(KEEP, "min", [5.0] * 3, [1.0], exact, largest=1.0).action == "keep", (
        "a small gain before bounds nothing"
    )
    assert judge(KEEP, "min", [5.0] * 3, [0.1], exact).action == "again"
    assert judge(Keep(max_runs=1), "min", [5.0] * 3, [0.1], exact).flag.startswith("too good to be true?")


def test_a_candidate_that_is_brilliant_on_one_seed_only_is_judged_by_its_own_scatter() -> None:
    decision = judge(KEEP, "min", KNOWN, [0.95, 1.0], NOISE)
    assert decision.action == "discard"
    assert decision.reason.startswith(
        "discarded: no clear gain: its own runs scatter by 0.035, so the noise of others says nothing: better by 0.0"
    )
    assert judge(KEEP, "min", KNOWN, [0.95, 0.951], NOISE).action == "keep"
    exact = pooled([[1.0, 1.0, 1.0]])
    assert judge(KEEP, "min", [1.0] * 3, [0.5, 1.0], exact).action == "discard"


# --- fewer lines -----------------------------------------------------------------------------------------------


def test_a_simpler_candidate_that_is_no_worse_is_kept_after_as_many_runs_as_the_baseline() -> None:
    runs = [0.9995, 0.999, 0.9998]
    decisions = [judge(KEEP, "min", BASELINE, runs[:n], NOISE, lines_net=-4) for n in (1, 2, 3)]
    assert [decision.action for decision in decisions] == ["again", "again", "keep"]
    assert decisions[2].reason.startswith("kept: 4 lines fewer and no worse in the mean: better by ")


def test_a_simpler_candidate_that_measures_worse_is_discarded_but_not_at_once() -> None:
    decisions = [judge(KEEP, "min", BASELINE, [1.001] * n, NOISE, lines_net=-1) for n in (1, 2, 3)]
    assert [decision.action for decision in decisions] == ["again", "again", "discard"]
    assert decisions[0].reason.endswith("chance after 1 run that it helps; the mean of 3 runs decides")
    assert decisions[2].reason == (
        "discarded: 1 line fewer, but not as good in the mean: worse by 0.00100 (-0.2σ; σ 0.0040), "
        "38% chance after 3 runs that it helps"
    )


def test_a_simpler_candidate_that_is_clearly_worse_is_discarded_at_once() -> None:
    decision = judge(KEEP, "min", BASELINE, [1.02], NOISE, lines_net=-40)
    assert decision.action == "discard"
    assert decision.reason.startswith("discarded: 40 lines fewer, but worse by 0.0200 (-5.0σ; σ 0.0040)")


def test_fewer_lines_count_for_nothing_where_the_person_says_so() -> None:
    keep = Keep(simpler_wins=False)
    assert judge(keep, "min", BASELINE, [0.9995], NOISE, lines_net=-4).action == "discard"


def test_a_simpler_candidate_never_takes_more_runs_than_there_are() -> None:
    keep = Keep(baseline_runs=3, max_runs=1)
    assert judge(keep, "min", BASELINE, [0.9999], NOISE, lines_net=-1).action == "keep"


# --- edges -----------------------------------------------------------------------------------------------------


def test_a_metric_without_noise_keeps_any_gain_and_says_so() -> None:
    noise = pooled([[5.0, 5.0, 5.0]])
    assert noise == Noise(0.0, 2)
    assert judge(KEEP, "min", [5.0] * 3, [4.999], noise).action == "keep"
    assert "agree to the last digit" in judge(KEEP, "min", [5.0] * 3, [4.999], noise).reason
    assert judge(KEEP, "min", [5.0] * 3, [5.0], noise).action == "discard"
    assert judge(KEEP, "min", [5.0] * 3, [5.001], noise).action == "discard"
    assert judge(KEEP, "min", [5.0] * 3, [5.0], noise, lines_net=-1).action == "keep"


def test_rounding_errors_are_no_gain() -> None:
    champion = [0.1 + 0.2] * 3
    assert judge(KEEP, "min", champion, [0.3], pooled([champion])).action == "discard"
    # Nearly no noise is no noise: 1e-17 of spread must not turn a rounding error into a hundred sigmas.
    assert judge(KEEP, "min", champion, [0.3], Noise(1e-18, 5)).confidence == 0.5


def test_without_a_noise_a_candidate_runs_again_and_is_then_given_up() -> None:
    keep = Keep(max_runs=2)
    first = judge(keep, "max", [1.0], [2.0], None)
    assert (first.action, first.confidence, first.noise) == ("again", None, None)
    assert "the noise is not known" in first.reason
    assert judge(keep, "max", [1.0], [2.0, 2.0], None).action == "discard"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no measurement"):
        judge(KEEP, "min", BASELINE, [bad], NOISE)
    with pytest.raises(ValueError, match="no measurement"):
        judge(KEEP, "min", [bad], [1.0], NOISE)


def test_without_runs_there_is_nothing_to_judge() -> None:
    with pytest.raises(ValueError, match="a run each"):
        judge(KEEP, "min", BASELINE, [], NOISE)


# --- properties ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(keeps, groups, groups, noises, st.integers(-3, 3))
def test_min_and_max_mirror_each_other(
    keep: Keep, champion: list[float], candidate: list[float], noise: Noise, lines: int
) -> None:
    assume(-1.0 not in (*candidate, *(-x for x in candidate)))  # a sentinel in one of the two
    low = judge(keep, "min", champion, candidate, noise, lines)
    high = judge(keep, "max", [-x for x in champion], [-x for x in candidate], noise, lines)
    assert (bool(low.flag), bool(low.doubt)) == (bool(high.flag), bool(high.doubt))

    def unsigned(decision: Decision) -> Decision:
        """Without the signs that its words give to the numbers."""
        return replace(decision, flag="", doubt="", reason=re.sub(r"(?<![\w.])-(?=\d)", "", decision.reason))

    assert unsigned(low) == unsigned(high)


@settings(deadline=None)
@given(keeps, groups, groups, noises, st.integers(-3, 3), st.randoms())
def test_the_order_of_runs_changes_nothing(
    keep: Keep, champion: list[float], candidate: list[float], noise: Noise, lines: int, rng: random.Random
) -> None:
    straight = judge(keep, "min", champion, candidate, noise, lines)
    shuffled = judge(
        keep, "min", rng.sample(champion, len(champion)), rng.sample(candidate, len(candidate)), noise, lines
    )
    assert straight == shuffled


@settings(deadline=None)
@given(keeps, groups, groups, noises, st.integers(-3, 3), st.floats(0, 1e6))
def test_a_better_number_is_never_treated_worse(
    keep: Keep, champion: list[float], candidate: list[float], noise: Noise, lines: int, gain: float
) -> None:
    rank = {"discard": 0, "remeasure": 1, "again": 1, "keep": 2}
    before = judge(keep, "min", champion, candidate, noise, lines)
    after = judge(keep, "min", champion, [x - gain for x in candidate], noise, lines)
    assert rank[after.action] >= rank[before.action] or after.flag
    assert before.confidence is not None and after.confidence is not None
    assert after.confidence >= before.confidence


@settings(deadline=None)
@given(keeps, groups, groups, noises, st.integers(-3, 3))
def test_there_is_an_end_to_running_again(
    keep: Keep, champion: list[float], candidate: list[float], noise: Noise, lines: int
) -> None:
    decision = judge(keep, "min", champion, candidate, noise, lines)
    assert not (decision.action == "again" and len(candidate) >= keep.max_runs)
    assert not (decision.action == "remeasure" and len(champion) >= max(keep.max_runs, keep.baseline_runs))
    if decision.action == "keep" and lines >= 0:
        assert decision.effect > 0 and decision.confidence is not None
        assert decision.confidence >= needed(keep, len(candidate)) >= min(keep.confidence, FUTILE)


# --- how often it is fooled ------------------------------------------------------------------------------------


def kept(keep: Keep, gain: float, studies: int) -> float:
    """Share of candidates kept that are truly better by `gain` standard deviations, in studies of known seed."""
    rng = random.Random(2)
    count = 0
    for _ in range(studies):
        champion = [rng.gauss() for _ in range(3)]
        others = [[rng.gauss() for _ in range(11)]]  # what the study repeated before: ten degrees of freedom
        candidate = [rng.gauss(-gain)]
        while True:
            action = judge(keep, "min", champion, candidate, pooled([*others, candidate])).action
            if action == "again":
                candidate.append(rng.gauss(-gain))
            elif action == "remeasure":
                champion.append(rng.gauss())
            else:
                break
        count += action == "keep"
    return count / studies


def test_one_look_is_fooled_as_often_as_it_was_told() -> None:
    share = kept(Keep(confidence=0.95, max_runs=1), gain=0.0, studies=6000)
    assert share == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 6000))


def test_five_looks_are_fooled_two_to_three_times_as_often_against_a_champion_of_three_runs() -> None:
    share = kept(Keep(), gain=0.0, studies=6000)
    assert share == pytest.approx(0.026, abs=3 * math.sqrt(0.026 * 0.974 / 6000))


def test_a_real_gain_is_found() -> None:
    assert kept(Keep(), gain=4.0, studies=1000) > 0.97
    assert kept(Keep(), gain=2.0, studies=1000) > 0.55
    assert kept(Keep(), gain=1.0, studies=1000) > kept(Keep(), gain=0.0, studies=1000)
