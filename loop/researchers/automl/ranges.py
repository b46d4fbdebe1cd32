"""Where a constant may go: a range around its starting value, on a scale that suits it.

Pure. A range maps values to places between 0 and 1 and back, so that equal steps in place are equally bold for a
learning rate, a momentum and a width; the optimiser only knows places. A value is always one that a person would have
written: two significant digits, and a whole number where there was one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from loop.researchers.automl.constants import Constant, Number, Value
from loop.researchers.automl.naming import own_words

Scale = Literal["log", "share", "near one", "zero or log", "whole", "power of two", "choice"]

_RATES = frozenset(
    {"LR", "RATE", "RATES", "DECAY", "WD", "STD", "SIGMA", "SCALE", "INIT", "MULT", "MULTIPLIER", "ETA", "ETA0"}
)
# fmt: off
_SHARES = frozenset({
    "RATIO", "FRAC", "FRACTION", "SHARE", "PART", "PORTION", "PROB", "PROBABILITY", "DROPOUT", "DROP", "SUBSAMPLE",
    "COLSAMPLE",
})
# fmt: on
_MEMORIES = frozenset({"BETA", "BETA1", "BETA2", "BETAS", "MOMENTUM", "EMA"})

ZERO_UNTIL = 0.1
"""On "zero or log", places up to this one are exactly zero."""


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both reachable."""

    scale: Scale
    low: float
    """Smallest magnitude; on "zero or log" the smallest other than zero."""
    high: float
    """Largest magnitude."""
    step: int = 1
    """Whole numbers are multiples of this."""
    negative: bool = False
    """The value is the magnitude with a minus."""
    choices: tuple[Value, ...] = ()
    """On "choice" all that there is; each has an equal part of the way from 0 to 1."""

    def place(self, value: Value) -> float:
        """The place of a value, 0 to 1; values outside count as the nearest end, unknown choices as the middle."""
        if self.scale == "choice" or isinstance(value, str):
            known = value in self.choices
            return (self.choices.index(value) + 0.5) / len(self.choices) if known else 0.5
        size = abs(value)
        if self.scale == "zero or log":
            if size < self.low / 2:
                return 0.0
            return ZERO_UNTIL + (1 - ZERO_UNTIL) * self._share(size)
        return self._share(size)

    def value(self, place: float) -> Value:
        """The value at a place, rounded to what a person would write."""
        place = min(1.0, max(0.0, place))
        if self.scale == "choice":
            return self.choices[min(len(self.choices) - 1, int(place * len(self.choices)))]
        if self.scale == "zero or log":
            if place <= ZERO_UNTIL:
                return 0.0
            place = (place - ZERO_UNTIL) / (1 - ZERO_UNTIL)
        to, back = _SCALES[self.scale]
        size = back(to(self.low) + place * (to(self.high) - to(self.low)))
        return -self._rounded(size) if self.negative else self._rounded(size)

    def holding(self, value: Value) -> "Range":
        """This range, extended where needed to contain a value that someone else chose."""
        if self.scale == "choice" or isinstance(value, str):
            return self
        size = abs(value)
        if (value < 0) != self.negative or size == 0 or (self.scale in ("share", "near one") and size >= 1):
            return self
        return replace(self, low=min(self.low, size), high=max(self.high, size))

    def _share(self, size: float) -> float:
        to, _ = _SCALES[self.scale]
        low, high = to(self.low), to(self.high)
        return (to(min(self.high, max(self.low, size))) - low) / (high - low)

    def _rounded(self, size: float) -> Number:
        match self.scale:
            case "power of two":
                return 1 << round(math.log2(size))
            case "whole":
                return max(math.ceil(self.low), self.step * round(size / self.step))
            case "near one":
                # 1 - 0.028 is 0.972 only after rounding again: ten digits hide the float's error.
                return round(1 - _two_digits(1 - size), 10)
            case _:
                return _two_digits(size)


def around(constant: Constant, start: Value | None = None) -> Range:
    """The range of a constant around its value at the start of the study (`start`; the present one where None).

    The rules, first match first. Whole numbers: powers of two (as written, or from 16 on) within a factor of 4; others
    within a factor of 2.5, at least 1, from 16 on in multiples of the largest power of two that leaves eight steps to
    the value (192 goes by 16). Floats: 0.0 is zero or 0.01 to 1 (a share: to 0.5); learning rates, decays and spreads,
    by name, and whatever is at most 0.1: a factor of 10 each way; momenta by name, and whatever is from 0.8 to 1: a
    factor of 5 in the distance to 1; other numbers between 0 and 1 stay there, within a factor of 8 in their odds;
    the rest: a factor of 4. What began below 1 stays below 1, rates excepted. Choices have no range but an order.
    """
    if constant.choices:
        return Range("choice", 0.0, 1.0, choices=constant.choices)
    origin = constant.value if start is None or isinstance(start, str) else start
    assert not isinstance(origin, str)  # a text has choices
    if isinstance(constant.value, int):
        whole = max(1, round(origin))
        if whole.bit_count() == 1 and (whole >= 16 or constant.form != "plain"):
            return Range("power of two", max(1, whole // 4), whole * 4)
        return _whole(whole)
    words = own_words(constant.name)
    size, negative = float(abs(origin)), origin < 0
    if size == 0:
        return Range("zero or log", 0.01, 0.5 if words & _SHARES else 1.0)
    rate = bool(words & _RATES) and not words & _SHARES
    if size < 1 and (size >= 0.8 or words & _MEMORIES) and not words & {"LR", "RATE"}:
        low, high = max(1 - 5 * (1 - size), size / 2), 1 - (1 - size) / 5
        return Range("near one", round(1 - _two_digits(1 - low), 10), round(1 - _two_digits(1 - high), 10), 1, negative)
    if rate or size <= 0.1:
        ceiling = math.inf if rate else 0.99
        return Range("log", _two_digits(size / 10), min(_two_digits(size * 10), ceiling), 1, negative)
    if size < 1:
        odds = size / (1 - size)
        low, high = odds / 8 / (1 + odds / 8), 8 * odds / (1 + 8 * odds)
        return Range("share", _two_digits(low), _two_digits(high), 1, negative)
    if size == 1 and words & _SHARES:
        return Range("log", 0.25, 1.0, 1, negative)
    return Range("log", _two_digits(size / 4), _two_digits(size * 4), 1, negative)


def _whole(whole: int) -> Range:
    step = 1
    if whole >= 16:
        step = min(whole & -whole, 1 << ((whole // 8).bit_length() - 1))
    low = step * math.ceil(whole / 2.5 / step)
    high = step * math.floor(whole * 2.5 / step)
    return Range("whole", max(1, low), max(high, whole + 3 * step if whole == 1 else high), step)


def _two_digits(size: float) -> float:
    return float(f"{size:.2g}")


_SCALES: dict[Scale, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "log": (math.log, math.exp),
    "zero or log": (math.log, math.exp),
    "whole": (math.log, math.exp),
    "power of two": (math.log, math.exp),
    "share": (lambda x: math.log(x / (1 - x)), lambda y: 1 / (1 + math.exp(-y))),  # the odds
    "near one": (lambda x: -math.log(1 - x), lambda y: 1 - math.exp(-y)),  # the distance to 1
    "choice": (float, float),
}
