"""The sealed part of the data: what two numbers a run say of the gain, and what the program may say of it."""

import pytest
from pydantic import ValidationError

from loop.policy.sealed import all_opened, told
from loop.reporting import cost, page
from loop.reporting.summary import sentences
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.state import Study
from tests.reporting.page import Page, ask
from tests.stories import Story


def milestone(*numbers: tuple[int, float, float | None]) -> e.MilestoneOpened:
    runs = tuple(
        e.SealedNumber(experiment=x, run=n, search=search, sealed=sealed)
        for n, (x, search, sealed) in enumerate(numbers, 1)
    )
    return e.MilestoneOpened(champion=1, numbers=runs)


def a_study(*opened: e.MilestoneOpened) -> Study:
    story = Story(Contract(sealed="check")).baseline().propose(1).queue(1).runs(1, [0.9, 0.9, 0.9])
    story.judge(1, "kept", 0.9)
    for one in opened:
        story.tell(one)
    return story.study()


BOTH = milestone((0, 1.00, 1.10), (0, 1.02, 1.13), (1, 0.90, 1.04), (1, 0.92, 1.05))


def test_the_gap_is_the_champions_difference_less_the_baselines() -> None:
    (one,) = all_opened(a_study(BOTH))
    assert one.search_gain == pytest.approx(0.1) and one.sealed_gain == pytest.approx(0.07)
    assert one.gap == pytest.approx(0.03)
    # Differences 0.14 and 0.13 against 0.10 and 0.11: variance 0.00005 each, so two degrees of freedom, t = 4.3027.
    assert one.low is not None and one.high is not None
    assert (one.high - one.low) / 2 == pytest.approx(4.3027 * 0.00005**0.5, rel=1e-4)
    assert "the gap of 0.030 is within what chance explains" in told("val_bpb", one, 1)


def test_what_selection_has_eaten_is_said_and_how_often_it_was_opened() -> None:
    clear = milestone(*((0, 1.0 + n / 100, 1.1 + n / 100) for n in range(3)), *((1, 0.9, 1.05) for _ in range(3)))
    study = a_study(BOTH, clear)
    assert "selection has eaten 0.050 (95% interval +0.05 to +0.05); opened 2 times" in told(
        "val_bpb", all_opened(study)[-1], 2
    )
    assert any("selection has eaten" in line for line in sentences(study))


def test_a_side_without_a_number_gives_no_gap_and_one_run_no_interval() -> None:
    assert all_opened(a_study(milestone((0, 1.0, 1.1), (1, 0.9, None)))) == []
    (one,) = all_opened(a_study(milestone((0, 1.0, 1.1), (1, 0.9, 1.05))))
    assert (one.low, one.high) == (None, None)


def test_the_report_says_it_with_its_numbers() -> None:
    study = a_study(BOTH)
    books = cost.books(study, ())
    found = Page(page.as_html(page.gather(study, books, lambda x: ""), books))
    told_there = [(of, value) for of, value in found.numbers if of.startswith("sealed.")]
    assert len(told_there) == 8
    for of, value in told_there:
        assert ask(study, books, of) == value
    assert "a gap of" in found.prose


def test_the_program_names_a_command_and_what_only_that_reads() -> None:
    alone, mapped = Contract(sealed="check it"), Contract(sealed={"run": "check it", "read": "~/sealed"})
    assert alone.sealed is not None and (alone.sealed.run, alone.sealed.read) == ("check it", ())
    assert mapped.sealed is not None and mapped.sealed.read == ("~/sealed",)
    assert alone.protocol_id == mapped.protocol_id == Contract().protocol_id, "it gives the search's number no meaning"
    for wrong in (
        {"run": " "},
        {"read": ["x"]},
        {"run": "x", "read": "a\0b"},
        {"run": "x", "read": [".git/x"]},
        {"run": "x", "reads": "y"},
        7,
    ):
        with pytest.raises(ValidationError):
            Contract(sealed=wrong)
    for open_to_runs in ("data", "data/", "data/sealed.bin"):
        with pytest.raises(ValidationError, match="every run can read it"):
            Contract(sealed={"run": "x", "read": ["data/sealed.bin"]}, read=(open_to_runs,))
    assert Contract(sealed={"run": "x", "read": ["data2"]}, read=("data",)).sealed
