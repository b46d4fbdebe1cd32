"""Numbers as programs print them, and their units. Pure.

- `2.31`, `1e-3`, `nan`, `-inf`, and the same in `tensor(0.12, device='cuda:0')` or `np.float64(0.1)`.
- `1,204,331` and `1_204_331`: thousands; a single group of three digits too (`1,234`), unless a zero stands before it.
- `0,5`, `12,50`, `0,123` and `1.234,5`: a decimal comma. Which of the two a comma was stands in `Number.comma`, since
  `0,998` in one run and `1,002` in the next are no neighbours.
- A unit right behind it, or a known one after a space, brings it to the unit's base: times to seconds, sizes to bytes,
  `kHz` to Hz. The letters k K M G B T alone multiply (`1.5B` is 1.5e9). A percentage stays as printed, and so does
  whatever else stands there; both are remembered.
"""

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple


class Number(NamedTuple):
    """One number of a line."""

    value: float
    """In the base of its unit."""
    unit: str = ""
    """The base: `s`, `B`, `%`, `tok/s`; an unknown unit as printed; empty where there is none."""
    comma: str = ""
    """What a comma in it was taken for: "decimal", "thousands", or nothing."""


# Every repetition is bounded or possessive, so no line costs more than its length times a constant.
_SIGN = r"[-+−]?"
_THOUSANDS = r"(?!0,)\d{1,3}(?:,\d{3})++(?:\.\d*+)?(?![\d,])"
_EUROPEAN = r"\d{1,3}(?:\.\d{3})++,\d++(?![\d,.])"
_COMMA = r"\d++,\d++(?![\d,.])"
_GROUPED = r"\d{1,3}(?:_\d{3})++(?:\.\d*+)?(?![\d_])"
_USUAL = r"\d++(?:\.\d*+)?(?:[eE][-+]?\d++)?|\.\d++(?:[eE][-+]?\d++)?"
_WORDED = r"(?:n|u|µ|μ|m)?s|[mnuµμ]?secs?|seconds?|(?:milli|micro|nano)seconds?|mins?|minutes?|h|hrs?|hours?|days?"
_KNOWN = rf"(?:{_WORDED}|[kKMGTP]i?B|[Bb]ytes?|[kMGTP]?(?:FLOPS|FLOPs|Hz)|[A-Za-zµμ]{{1,12}}/[A-Za-z]{{1,8}}|[kKMGBT])"
_ENDS = r"(?=\.?(?:[\s,;|)\]}\"'`*(+±│┃┆!…<>&]|$))"
_AMBIGUOUS = r"(?!(?:mins?|[kKMGBTh])[ \t]\S)"  # "loss 0.5 min 0.3", "0.93 T 12": more likely the next word
_UNIT = (
    r"(?:[ \t]?%|[kMGT][ \t][A-Za-z]{1,12}/[A-Za-z]{1,8}|[A-Za-zµμ°]{1,12}(?:/[A-Za-z]{1,8})?|/[A-Za-z]{1,8}"
    rf"|[ \t]{_AMBIGUOUS}{_KNOWN}{_ENDS})"
)
_WRAPPER = (
    r"(?:(?:tensor|array|Array|Decimal|(?:np|numpy|jnp|torch|tf)\.\w{1,16}|float\d{0,3})\([\[(\"']{0,2}"
    r"|<tf\.Tensor:[^>]{0,60}numpy=)"
)
NUMBER = (
    rf"(?:{_WRAPPER})?+(?:(?P<number>{_SIGN}(?>{_THOUSANDS}|{_EUROPEAN}|{_COMMA}|{_GROUPED}|{_USUAL}))"
    rf"(?P<unit>{_UNIT})?"
    rf"|(?P<odd>{_SIGN}(?i:inf(?:inity)?+|nan))(?:%|ms|s)?)"  # of words that begin like this there are many: "nanogpt"
    rf"{_ENDS}"
)
"""A pattern of a number with what may stand around it; `of_match` reads it."""

_ONLY = re.compile(rf"\s*{NUMBER}(?:[\])\"']{{0,3}}|, ?\w{{1,16}}=[^)]{{1,60}}\))\s*$")
_FRACTION = re.compile(r"\s*(\d{1,15}+(?:\.\d{1,15}+)?)/(\d{1,15}+(?:\.\d{1,15}+)?)(?=[\s,;|)(]|$)")
_CLOCK = re.compile(r"\s*(?:(\d{1,6}+)h\s?)?(?:(\d{1,6}+)m\s?)?(\d{1,6}+(?:\.\d{1,9}+)?)s(?![\w/])")
_HMS = re.compile(r"\s*(\d{1,4}+):([0-5]\d):([0-5]\d(?:\.\d{1,9}+)?)(?![\w:/])")

_TIMES = {
    **dict.fromkeys(("ns", "nsec", "nsecs", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("us", "usec", "usecs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("day", "days"), 86400.0),
}
_COUNTS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_BYTES = re.compile(r"([kKMGTP]?)(i?)B(?:ytes?)?|bytes?")
_SCALED = re.compile(r"([kMGTP])(FLOPS|FLOPs|FLOP|Flops?|flops?|bps|bit|bits|Hz|W|Wh|J|ops?|it|toks?|tokens|samples)")


def of_match(match: re.Match[str]) -> Number:
    """The number of a match of `NUMBER`."""
    if match["odd"]:
        return Number(float(match["odd"].replace("−", "-")))
    text, comma = match["number"].replace("−", "-").replace("_", ""), ""
    if "," in text:
        whole, _, rest = text.rpartition(",")
        last = rest.partition(".")[0]
        decimal = "." in whole or len(last) != 3 or whole.lstrip("+-") == "0"
        comma = "decimal" if decimal else "thousands"
        text = f"{whole.replace('.', '')}.{rest}" if decimal else text.replace(",", "")
    factor, unit = _base(match["unit"].strip()) if match["unit"] else (1.0, "")
    value = float(text)
    if factor != 1 and value and math.isfinite(value):
        # In decimal, so that 960 us and 0.96 ms are the same number to the last digit.
        value = float(Decimal(text) * Decimal(repr(factor)))
    return Number(value, unit, comma)


def of_text(text: str) -> Number | None:
    """The number that a text is, whole; also a fraction such as `9899/10000`, and a time such as `1m2.3s`."""
    if only := _ONLY.match(text):
        return of_match(only)
    found = other_form(text, 0)
    return found[0] if found and not text[found[1] :].strip() else None


def other_form(line: str, at: int) -> tuple[Number, int] | None:
    """What stands at `at` and is a number though not written as one, and where it ends: `9899/10000` is a share,
    `0:00:01.23` and `1m2.3s` are times."""
    if (fraction := _FRACTION.match(line, at)) and float(fraction[2]):
        return Number(float(fraction[1]) / float(fraction[2])), fraction.end()
    if clock := _HMS.match(line, at) or _CLOCK.match(line, at):
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        return Number(hours * 3600 + minutes * 60 + seconds, "s"), clock.end()
    return None


@lru_cache(maxsize=256)
def _base(unit: str) -> tuple[float, str]:
    """By how much a unit multiplies, and the base that it is then in."""
    unit = unit.replace("μ", "u").replace("µ", "u")
    if unit in _COUNTS:
        return _COUNTS[unit], ""
    if unit[1:2].isspace():  # 1.2M tok/s
        factor, base = _base(unit[2:])
        return factor * _COUNTS[unit[0]], base
    above, slash, below = unit.partition("/")
    factor, base = 1.0, above
    if above in _TIMES:
        factor, base = _TIMES[above], "s"
    elif size := _BYTES.fullmatch(above):
        power = "kMGTP".find((size[1] or "").replace("K", "k")) + 1 if size[1] else 0
        factor, base = float((1024 if size[2] else 1000) ** power), "B"
    elif scaled := _SCALED.fullmatch(above):
        factor, base = _PREFIXES[scaled[1]], scaled[2]
    elif slash and above in _COUNTS:
        factor, base = _COUNTS[above], ""
    if below in _TIMES:
        factor, below = factor / _TIMES[below], "s"
    return factor, f"{base}{slash}{below}"
