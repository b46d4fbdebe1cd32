"""Numbers that were printed in another way than the baseline's are not compared."""

import pytest

from loop.policy.print_checks import inspect
from loop.study.measure import Printed

USUAL = Printed(name="time", unit="s")


def test_the_same_unit_name_and_comma_pass() -> None:
    assert inspect("time", USUAL, [None, USUAL]) is None
    assert inspect("time", Printed(name="Time", unit="s"), [USUAL]) is None
    assert inspect("x", Printed(name="x", comma="thousands"), [Printed(name="x")]) is None


def test_there_is_nothing_to_compare_with_in_a_journal_from_before() -> None:
    assert inspect("time", Printed(name="time", unit="s"), [None]) is None
    assert inspect("time", None, [USUAL]) is None


@pytest.mark.parametrize(
    ("now", "before", "sentence"),
    [
        (
            Printed(name="time"),
            USUAL,
            "it printed time without a unit, and the baseline in s: these numbers do not compare",
        ),
        (
            Printed(name="acc", unit="%"),
            Printed(name="acc"),
            "it printed time in %, and the baseline without a unit: these numbers do not compare",
        ),
        (
            Printed(name="x", comma="thousands"),
            Printed(name="x", comma="decimal"),
            "it printed time with commas for thousands, and the baseline with a decimal comma: print a point",
        ),
        (
            Printed(name="train time", unit="s"),
            USUAL,
            'its number for time stands under "train time", and the baseline\'s under "time"',
        ),
    ],
)
def test_another_way_is_a_failed_check(now: Printed, before: Printed, sentence: str) -> None:
    failed = inspect("time", now, [before])
    assert failed is not None and (failed.check, failed.reason) == ("printed", sentence)
