"""Promises held against what was measured: what is read, what is told, and which proposal runs first."""

import pytest

from loop.policy import calibration, scheduler, shares
from loop.policy.calibration import held, order, promised, told
from loop.reporting import cost, digest, page, summary
from loop.study import events as e
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.reporting.page import Page, ask
from tests.stories import Story


@pytest.mark.parametrize(
    ("words", "gain"),
    [
        ("better by 0.01", 0.01),
        ("better by about 0.0034, half of what the last step gained", 0.0034),
        ("better by 1.2e-05", 1.2e-5),
        ("worse by about 0.002, going by the slopes of earlier changes", -0.002),
        ("0.004 val_bpb lower", 0.004),
        ("-0.005", 0.005),
        ("val_bpb 0.002 to 0.004 lower", 0.003),
        ("0.01-0.03 better", 0.02),
        ("10% faster steps, so 0.003", 0.003),
        ("no better, but simpler", 0.0),
        ("a change of 0.01 either way, as far as other constants went", None),
        ("30% more steps", None),
        ("2 sigma", None),
        ("a bit", None),
        ("", None),
    ],
)
def test_a_promise_is_the_figure_in_its_words(words: str, gain: float | None) -> None:
    assert promised(words) == (None if gain is None else pytest.approx(gain))


def propose(story: Story, number: int, who: str, expected: str, change: str = "") -> None:
    story.tell(e.ExperimentProposed(researcher=who, title=f"idea {number}", parent=0, expected=expected), number)
    queued = e.ExperimentQueued(commit=f"{number:040d}", parent=0, parent_commit="0" * 40, change=change)
    story.tell(queued, number)


def judge(story: Story, number: int, effect: float | None, verdict: str = "discarded") -> None:
    story.runs(number, [1.0 - (effect or 0.0)])
    story.tell(e.ExperimentJudged(verdict=Outcome(verdict), reason="x", effect=effect), number)


def tried(*results: tuple[str, str, float | None], story: Story | None = None) -> Story:
    """A study of experiments by who, with which promise, that had which effect; None: it crashed."""
    story = story or Story().baseline()
    first = len(story.study().experiments)
    for number, (who, expected, effect) in enumerate(results, first):
        propose(story, number, who, expected, "constants" if number % 2 else "")
        judge(story, number, effect, "crashed" if effect is None else "discarded")
    return story


def test_a_researcher_is_told_what_its_promises_came_to() -> None:
    story = tried(*[("m", "better by 0.01", 0.001)] * 4, ("other", "better by 5", 5.0))
    assert told(story.study(), "m") == "", "four say little"
    story = tried(("m", "better by 0.02", -900.0), ("m", "better by 0.01", None), story=story)
    said = told(story.study(), "m")
    assert said.startswith("Your promises so far: you said +0.01, and +0.001 was measured (medians of 5 proposals")
    assert said.endswith("Say less."), "a run that diverged and one that crashed do not hide the others"
    found = held(story.study(), "m")
    assert str(found) == "said +0.01, measured +0.001, of 5" and found is not None and found.count == 5
    timid = tried(*[("m", "better by 0.001", 0.1)] * 5).study()
    assert told(timid, "m").endswith("Say more.") and told(timid, "nobody") == ""
    fair = told(tried(*[("m", "better by 0.01", 0.008)] * 10).study(), "m")
    assert "+0.01 and +0.008 for constants, +0.01 and +0.008 for structure." in fair and "Say" not in fair


def test_what_is_nobody_s_proposal_is_not_counted() -> None:
    story = tried(*[("m", "better by 0.01", 0.001)] * 5)
    assert held(story.study(), "m") is not None
    study = story.study()
    study.experiments[1].submitted = study.experiments[2].imported = True
    assert held(study, "m") is None
    study = story.study()
    study.placebos[3] = None  # type: ignore[assignment]
    assert held(study, "m") is None


def first(story: Story) -> int:
    found = scheduler.next_work(story.study())
    assert found is not None
    return found.experiment.id


def test_the_queue_begins_with_whom_most_is_to_be_expected_of() -> None:
    story = tried(*[("dull", "better by 1", 0.0), ("good", "better by 0.1", 0.1)] * 6)
    propose(story, 13, "dull", "better by 1", "constants")
    propose(story, 14, "good", "better by 0.1", "constants")
    assert first(story) == 14, "what is promised counts for nothing where nothing came of it"
    propose(story, 15, "good", "", "constants")
    assert first(story) == 14, "of equal ones the oldest"


def test_a_larger_promise_goes_first_where_such_promises_have_held() -> None:
    true = tried(*[("m", f"better by 0.{size}", size / 20) for size in (1, 1, 9, 9, 5, 5) * 3])
    vain = tried(*[("m", f"better by 0.{size}", 0.02) for size in (1, 1, 9, 9, 5, 5) * 3])
    for story in (true, vain):
        propose(story, 19, "m", "better by 0.1")
        propose(story, 20, "m", "better by 0.9")
    assert (first(true), first(vain)) == (20, 19)
    wild = calibration.Expectation(true.study())
    propose(true, 21, "m", "better by 1000")
    known = true.study().experiments
    assert wild.gain(known[21]) == wild.gain(known[20]), "nobody has ever kept more than that"


def test_nobody_is_passed_over_more_often_than_three_times() -> None:
    story = tried(*[("dull", "better by 1", 0.0), ("good", "better by 0.1", 0.1)] * 6)
    propose(story, 13, "dull", "better by 1")
    began = []
    for number in range(14, 20):
        propose(story, number, "good", "better by 0.1")
        began.append(first(story))
        judge(story, began[-1], 0.0)
    assert began[:4] == [14, 15, 16, 13]


def test_without_results_the_oldest_is_first() -> None:
    story = Story().baseline()
    propose(story, 1, "a", "better by 0.1")
    propose(story, 2, "b", "better by 9")
    assert [x.id for x in order(story.study(), story.study().open_experiments())] == [1, 2]


def test_of_two_whose_changes_are_kept_as_often_the_one_that_gains_more_has_the_larger_share() -> None:
    def kept(small: float, large: float) -> Study:
        story = Story().baseline()
        for number in range(1, 41):
            who, effect = ("a", small) if number % 2 else ("b", large)
            propose(story, number, who, "")
            judge(story, number, effect, "kept" if number % 8 in (1, 2) else "discarded")
        return story.study()

    given = {"a": 1.0, "b": 1.0}
    even, uneven = (shares.earned(study, given) for study in (kept(0.01, 0.01), kept(0.01, 0.05)))
    assert even["a"] > 0.6 and uneven["b"] > 1.5 * uneven["a"]
    assert uneven["a"] >= shares.FLOOR


def boasted() -> Story:
    """A study of two whose changes are kept as often: one brings what it promises, and one a hundredth of that."""
    story = Story().baseline()
    for number in range(1, 41):
        who, words, effect = ("vain", "better by 1", 0.01) if number % 2 else ("true", "better by 0.05", 0.05)
        propose(story, number, who, words, "constants")
        judge(story, number, effect, "kept" if number % 8 in (1, 2) else "discarded")
    return story


def test_whose_promises_are_worth_nothing_has_the_smaller_share_and_waits_in_the_queue() -> None:
    story = boasted()
    found = shares.earned(story.study(), {"vain": 1.0, "true": 1.0})
    assert found["vain"] < found["true"] / 1.5
    propose(story, 41, "vain", "better by 100", "constants")
    propose(story, 42, "true", "better by 0.05", "constants")
    assert first(story) == 42


def test_scripts_and_the_report_have_what_became_of_promises() -> None:
    story = boasted()
    study = story.study()
    told_to_scripts = {
        "vain": {"said": 1.0, "measured": 0.01, "count": 20, "advice": "say less"},
        "true": {"said": 0.05, "measured": 0.05, "count": 20, "advice": ""},
    }
    assert summary.status(study, None, study.at)["promises"] == told_to_scripts
    assert digest.as_data(study, digest.digest(study, story.events, 0.0, study.at))["promises"] == told_to_scripts
    books = cost.books(study, story.events)
    gathered = page.gather(study, books, lambda experiment: "")
    found = Page(page.as_html(gathered, books))
    told_there = [(of, value) for of, value in found.numbers if of.startswith("promises.")]
    assert len(told_there) == 6 and all(ask(study, books, of) == value for of, value in told_there)
    assert "- vain promised +1.00, and +0.0100 was measured: medians of 20" in page.as_markdown(gathered, books)
