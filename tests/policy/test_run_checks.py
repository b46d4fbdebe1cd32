"""What is looked at when a run has ended well, and by what it is measured."""

from loop.policy.run_checks import Course, inspect, too_long_to_verify

BASELINE = [Course(27.0, 20.1, 19.6), Course(26.0, 20.0, 19.5)]


def reason(run: Course, usual: list[Course] = BASELINE, budget: float = 20) -> str | None:
    failed = inspect(run, usual, budget)
    return None if failed is None else f"{failed.check}: {failed.reason}"


def test_a_run_like_the_baselines_passes() -> None:
    assert reason(Course(26.5, 20.1, 19.6)) is None
    assert reason(Course(33.0, 21.5, 21.0)) is None, "another model compiles longer, and its last step takes its time"


def test_a_run_that_says_it_trained_too_long_is_told_both_figures() -> None:
    assert (
        reason(Course(36.0, 29.6, 29.0)) == "budget: it trained for 29.6 s by its own account, and its budget is 20 s"
    )


def test_a_run_whose_steps_went_on_too_long_is_told_what_it_claimed() -> None:
    assert reason(Course(36.0, 20.0, 29.4)) == (
        "budget: its steps went on for 29.4 s (it says 20.0 s), and its budget is 20 s"
    )


def test_training_that_nobody_was_told_of_shows_in_the_time_of_the_whole_run() -> None:
    assert reason(Course(45.0, 20.0, 19.5)) == (
        "budget: it took 45.0 s in all for 20.0 s of training, the baseline 26.5 s, with a budget of 20 s"
    )
    assert (
        reason(Course(45.0, None, 0.0)) == "budget: it took 45.0 s in all, the baseline 26.5 s, with a budget of 20 s"
    )


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


def test_training_that_is_hidden_in_the_verification_shows_in_its_time() -> None:
    assert too_long_to_verify(9.9, [2.0, 1.5, 3.0], 20) is None
    assert too_long_to_verify(99.0, [], 20) is None, "there is nothing to compare with yet"
    failed = too_long_to_verify(19.0, [2.0, 1.5, 3.0], 20)
    assert failed is not None
    assert failed.reason == "its verification took 19.0 s, the baseline's 2.0 s, with a budget of 20 s"
