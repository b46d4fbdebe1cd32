"""What is looked at when a run has ended well, and by what it is measured."""

from dataclasses import replace

import pytest

from loop.policy.run_checks import Course, inspect, limits_told, starved, too_long_to_verify
from loop.study.run_events import Waited

BASELINE = [Course(27.0, 20.1, 19.6), Course(26.0, 20.0, 19.5)]


def reason(run: Course, usual: list[Course] = BASELINE, budget: float = 20, slower: float = 0.0) -> str | None:
    failed = inspect(run, usual, budget, slower)
    return None if failed is None else f"{failed.check}: {failed.reason}"


def test_a_run_like_the_baselines_passes() -> None:
    assert reason(Course(26.5, 20.1, 19.6)) is None
    assert reason(Course(33.0, 21.5, 21.0)) is None, "another model compiles longer, and its last step takes its time"


def test_a_run_that_says_it_trained_too_long_is_told_its_limit() -> None:
    assert reason(Course(36.0, 29.6, 29.0)) == (
        "budget: it trained for 29.6 s by its own account; at most 23.1 s (the baseline's 20.1 s, +10% +1 s)"
    )


def test_a_run_whose_steps_went_on_too_long_is_told_what_it_claimed() -> None:
    assert reason(Course(36.0, 20.0, 29.4)) == (
        "budget: its steps went on for 29.4 s (it says 20.0 s); at most 23.0 s (budget 20 s, +10% +1 s)"
    )


def test_training_that_nobody_was_told_of_shows_in_the_time_of_the_whole_run() -> None:
    limit = "at most 37.0 s (the baseline's slowest 27.0 s, +25% of the budget of 20 s +5 s)"
    assert reason(Course(45.0, 20.0, 19.5, cpu_seconds=80.2)) == (
        f"budget: it took 45.0 s in all (80.2 s of CPU) for 20.0 s of training; {limit}"
    )
    assert reason(Course(45.0, None, 0.0)) == f"budget: it took 45.0 s in all; {limit}"


def test_a_program_that_never_kept_to_a_budget_is_measured_by_its_own_baseline() -> None:
    slow = [Course(90.0, 80.0, 79.0)]
    assert reason(Course(94.0, 85.0, 84.0), slow) is None
    assert reason(Course(94.0, 99.0, 84.0), slow) is not None
    assert reason(Course(900.0, 900.0, 900.0), []) is None, "there is nothing to compare with yet"


def test_files_that_the_baseline_left_alone_are_not_to_be_changed() -> None:
    assert reason(Course(26.0, 20.0, 19.0, ("loop/a.py", "loop/b.py"))) == (
        "protected: it changed loop/a.py and 1 more in its worktree, which no proposal may edit"
    )
    writes = [Course(26.0, 20.0, 19.0, ("results.tsv",))]
    assert reason(Course(26.0, 20.0, 19.0, ("results.tsv",)), writes) is None


# --- a busy machine ----------------------------------------------------------------------------------------------

STARVED = Course(44.0, 20.4, 19.8, waited=Waited(total=30.0, around=16.0))
"""Start-up and scoring took 24 s where the baseline's took 7, and others took 16 of these."""


def test_what_others_took_outside_of_the_budget_is_no_time_of_the_run() -> None:
    assert reason(STARVED) is None
    assert reason(replace(STARVED, waited=Waited())) is not None, "as long on an idle machine"


def test_idle_or_added_work_earns_no_time_by_looking_starved() -> None:
    sleeps = replace(STARVED, seconds=70.0, waited=Waited(total=52.0, around=37.5))
    assert reason(sleeps) == (
        "budget: it took 70.0 s in all for 20.4 s of training, 37.5 s of that taken by others on the machine (26.2 s "
        "allowed for); at most 37.0 s (the baseline's slowest 27.0 s, +25% of the budget of 20 s +5 s)"
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8, 0.9])
def test_under_any_load_the_same_work_passes_and_ten_seconds_more_on_the_clock_do_not(share: float) -> None:
    outside = 7.0 / (1 - share)
    honest = Course(20.0 + outside, 20.0, 19.5, waited=Waited(total=99, around=share * outside))
    assert reason(honest) is None
    longer = outside * 1.25 + 11.0
    assert reason(replace(honest, seconds=20.0 + longer, waited=Waited(total=99, around=share * longer))) is not None


def test_a_baseline_that_was_starved_itself_gives_nobody_more_time() -> None:
    busy = [Course(60.0, 24.0, 23.5, waited=Waited(total=40.0, around=33.0, steps=3.0, claim=3.5))]
    assert reason(Course(26.5, 20.1, 19.6), busy) is None
    assert reason(Course(38.0, 20.1, 19.6), busy) == (
        "budget: it took 38.0 s in all for 20.1 s of training; at most 37.0 s (the baseline's slowest 27.0 s, +25% of "
        "the budget of 20 s +5 s)"
    )
    assert reason(Course(30.0, 24.5, 19.6), busy) is not None


@pytest.mark.parametrize("last", [23.5, 25.8])
def test_a_last_step_that_others_stretched_may_end_late(last: float) -> None:
    took = Waited(total=14.0, around=6.0, steps=2.9, claim=2.9)
    assert reason(Course(36.0, last, last, waited=took)) is None
    assert reason(Course(36.0, last, last)) is not None


def test_no_load_lets_training_go_on_for_more_than_a_second_tolerance() -> None:
    stretched = Course(60.0, 20.0, 40.0, waited=Waited(total=42.0, around=29.0, steps=14.0))
    assert reason(stretched) == (
        "budget: its steps went on for 40.0 s (it says 20.0 s), 14.0 s of that taken by others on the machine (3.0 s "
        "allowed for); at most 23.0 s (budget 20 s, +10% +1 s)"
    )
    owned_up = Course(60.0, 40.0, 0.0, waited=Waited(total=42.0, around=29.0, claim=14.0))
    assert (reason(owned_up) or "").startswith("budget: it trained for 40.0 s by its own account, 14.0 s of that taken")


def test_an_hour_in_which_the_champion_itself_is_slower_allows_for_that_and_no_more_than_once_again() -> None:
    late = Course(41.0, 20.0, 19.5)
    assert reason(late) is not None
    assert reason(late, slower=4.5) is None
    assert reason(replace(late, seconds=99.0), slower=70.0) == (
        "budget: it took 99.0 s in all for 20.0 s of training; at most 47.0 s (the baseline's slowest 27.0 s, +25% of "
        "the budget of 20 s +5 s, +10.0 s in this hour)"
    )


def test_a_deadline_is_held_against_a_run_only_where_it_had_the_machine() -> None:
    assert starved(Course(100.0, None, 0.0, waited=Waited(total=70.0)), BASELINE, 20)
    assert not starved(Course(100.0, None, 0.0, waited=Waited(total=50.0)), BASELINE, 20), "it had 50 s, and 37 do"
    assert not starved(Course(100.0, None, 0.0), BASELINE, 20), "it slept, or hung"
    assert not starved(Course(30.0, None, 0.0, waited=Waited(total=2.0)), BASELINE, 20), "a deadline that is too short"
    assert starved(Course(100.0, None, 0.0, waited=Waited(total=60.0)), [], 20)
    assert not starved(Course(100.0, None, 0.0, waited=Waited(total=40.0)), [], 20)


def test_training_that_is_hidden_in_the_verification_shows_in_its_time() -> None:
    assert too_long_to_verify(9.9, 0.0, [2.0, 1.5, 3.0], 20) is None
    assert too_long_to_verify(99.0, 0.0, [], 20) is None, "there is nothing to compare with yet"
    failed = too_long_to_verify(19.0, 0.0, [2.0, 1.5, 3.0], 20)
    assert failed is not None
    limit = "at most 13.0 s (the baseline's slowest 3.0 s, +25% of the budget of 20 s +5 s)"
    assert failed.reason == f"its verification took 19.0 s; {limit}"
    assert too_long_to_verify(19.0, 16.0, [2.0, 1.5, 3.0], 20) is None
    failed = too_long_to_verify(29.0, 14.5, [2.0, 1.5, 3.0], 20)
    assert failed is not None
    taken = "14.5 s of that taken by others on the machine (3.8 s allowed for)"
    assert failed.reason == f"its verification took 29.0 s, {taken}; {limit}"


def test_whoever_proposes_is_told_the_limits() -> None:
    assert "for more than 23 s (the budget, +10% +1 s)" in limits_told(20)
    assert "10 s longer than the baseline's slowest (25% of the budget, +5 s)" in limits_told(20)
    assert "What other programs on the machine took" in limits_told(20)
    assert "these are seconds of processor time" in limits_told(20, "cpu") and "other programs" not in limits_told(
        20, "cpu"
    )
