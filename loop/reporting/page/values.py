"""A number on the page: what it is, where in the study it stands, and how it reads.

Each number is rendered as `<data value="0.9712" data-of="experiment.12.mean">0.9712</data>`, so that a program can
read the page's numbers and ask the record about each; a test does.
"""

import math
from dataclasses import dataclass

from loop.words import duration


@dataclass(frozen=True, slots=True)
class Value:
    """A number."""

    of: str
    """What it is of, such as `experiment.12.mean`."""
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a worth lies with the confidence that the report says."""

    low: Value
    high: Value


def plain(of: str, value: float | None, digits: int = 6) -> Value | None:
    """With so many significant digits; None where there is no finite number, here and below."""
    return None if not _is(value) else Value(of, float(value or 0), f"{value:.{digits}g}")


def signed(of: str, value: float | None, digits: int = 3) -> Value | None:
    return None if value is None or not _is(value) else Value(of, float(value), signs(value, digits))


def signs(value: float, digits: int = 3) -> str:
    """A number with its sign."""
    return f"{value:+#.{digits}g}".rstrip(".").replace("-", "\u2212")


def few(of: str, value: float | None) -> Value | None:
    """An expected number of things."""
    if not _is(value):
        return None
    assert value is not None
    return Value(of, float(value), "fewer than 0.1" if value < 0.1 else f"about {value:.1f}")


def count(of: str, value: float | None) -> Value | None:
    return None if not _is(value) else Value(of, float(value or 0), f"{value:,.0f}")


def percent(of: str, share: float | None, digits: int = 0) -> Value | None:
    """A share, 0 to 1; never rounded up to all of it."""
    if not _is(share):
        return None
    assert share is not None
    text = f"{100 * share:.{digits}f}%"
    return Value(of, float(share), "over 99.9%" if share > 0.999 and share < 1 and digits == 0 else text)


def change(of: str, share: float | None) -> Value | None:
    """A relative change, with its sign."""
    return None if not _is(share) else Value(of, float(share or 0), f"{share:+.1%}".replace("-", "\u2212"))


def time(of: str, seconds: float | None) -> Value | None:
    return None if not _is(seconds) else Value(of, float(seconds or 0), duration(float(seconds or 0)))


def money(of: str, usd: float | None) -> Value | None:
    if not _is(usd):
        return None
    assert usd is not None
    return Value(of, float(usd), f"${usd:,.2f}" if usd >= 0.1 or not usd else f"${usd:.2g}")


def energy(of: str, joules: float | None) -> Value | None:
    """In watt hours, as bills count."""
    if not _is(joules):
        return None
    assert joules is not None
    hours = joules / 3600
    return Value(of, float(joules), f"{hours / 1000:.3g} kWh" if hours >= 1000 else f"{hours:.3g} Wh")


def _is(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
