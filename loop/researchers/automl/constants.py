"""A number, switch or choice in the text of a file, and its change in place.

Pure: text in, text out. Only the literals change, byte for byte, so that comments, layout and the diff stay small:
nothing is ever written anew from what was understood. The readers of each language (`python_source`, `config_files`,
`c_source`) say where the literals are.

Whatever the language, these are left alone:

- names that are not about the model or its training (`naming`);
- constants whose comment starts with "fixed" or says "do not change": the person's way to say no;
- zero and negative integers, which are switches and sentinels;
- numbers beyond what models have (1e30, 2**53), and those just below 1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as altered
from typing import Literal

from loop.researchers.automl.naming import is_searched, is_switch

Number = int | float
Value = Number | bool | str
Form = Literal["plain", "power", "shift"]
Condition = tuple[str, str, bool]
"""Name of a constant, one of its values as text, and whether it must have that value or must not."""

LINE_END = re.compile(rb"\r\n|\r|\n")
_FIXED = re.compile(r"^\W*fixed\b|\b(?:do not|don't|never) (?:change|touch|tune|edit)\b", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:[|,/]|\bor\b)\s*")
_PLAIN = re.compile(r"[\w.+-]{1,60}")


@dataclass(frozen=True)
class Constant:
    """One constant that may be searched."""

    name: str
    value: Value
    text: str
    """The literal as written."""
    form: Form
    """How it is written: as a number, as `2**k` or as `1 << k`."""
    start: int
    end: int
    """Position of the literal, in bytes of the file as UTF-8."""
    choices: tuple[Value, ...] = ()
    """All that it may be; empty for a number with a range."""
    read: bool = True
    """False where nothing in its file reads it."""
    under: Condition | None = None
    """It is read under this condition only; None where it always matters, or nobody knows."""


def is_fixed(comment: str) -> bool:
    """Whether a person says in a comment that the number beside it is not to be changed."""
    return bool(_FIXED.search(comment))


def choices_of(name: str, value: Value, offered: Sequence[object] = ()) -> tuple[Value, ...] | None:
    """What a constant may be: the choices that its program offers, both values of a switch, or () for any number.

    None where it is to be left alone.
    """
    if offered:
        same = [item for item in offered if type(item) is type(value)]
        fine = len(same) == len(offered) == len(set(same)) > 1 and value in same and is_searched(name)
        if not fine or any(isinstance(item, str) and not _PLAIN.fullmatch(item) for item in same):
            return None
        return tuple(item for item in same if isinstance(item, bool | int | float | str))
    if isinstance(value, bool):
        return (False, True) if is_switch(name) else None
    if isinstance(value, str):
        return None
    return () if has_a_range(value) and is_searched(name) else None


def choices_told(comment: str, value: Value) -> list[object]:
    """The choices that a comment lists beside a value, such as `adamw | sgd` or `64, 128 or 256`; else none."""
    words = [word.strip(" \t'\"`.") for word in _BETWEEN.split(comment.partition(":")[2] or comment)]
    if isinstance(value, bool) or len(words) < 2 or not all(_PLAIN.fullmatch(word) for word in words):
        return []
    try:
        told = [type(value)(word) for word in words]
    except ValueError:
        return []
    return list(told) if value in told else []


def has_a_range(value: Number) -> bool:
    """Whether there are numbers around it that a person would write and a float can hold."""
    if isinstance(value, int):
        return 0 < value < 2**53
    size = abs(value)
    return value == 0 or (1e-30 < size < 1e30 and not 1 - 1e-8 < size < 1)


def unique(found: Sequence[Constant]) -> list[Constant]:
    """The constants in the order of the file, each with a name of its own: a second `lr` is `lr#2`."""
    times: dict[str, int] = {}
    named = {constant.start: constant for constant in reversed(found)}
    result = []
    for _, constant in sorted(named.items()):
        times[constant.name] = times.get(constant.name, 0) + 1
        again = times[constant.name]
        result.append(constant if again == 1 else altered(constant, name=f"{constant.name}#{again}"))
    return result


def put(source: str, constants: Sequence[Constant], values: Mapping[str, Value]) -> str:
    """The file with new values for some of its constants.

    Raises:
        ValueError: a name is not a searchable constant of this file.
    """
    by_name = {constant.name: constant for constant in constants}
    if missing := sorted(values.keys() - by_name.keys()):
        raise ValueError(f"{', '.join(missing)} cannot be changed: not a searchable constant of this file")
    raw = source.encode(errors="surrogatepass")
    for constant in sorted((by_name[name] for name in values), key=lambda found: -found.start):
        raw = raw[: constant.start] + written(values[constant.name], constant).encode() + raw[constant.end :]
    return raw.decode(errors="surrogatepass")


def written(value: Value, like: Constant) -> str:
    """A value, written in the form of the literal that it replaces."""
    if isinstance(like.value, bool):
        return _switch(bool(value), like.text)
    if isinstance(value, str) or isinstance(like.value, str):
        quote = like.text[0] if like.text[:1] in ("'", '"') else ""
        return f"{quote}{value}{quote}"
    if isinstance(like.value, int):
        whole = int(value)
        if like.form != "plain" and whole > 0 and whole.bit_count() == 1:
            exponent = whole.bit_length() - 1
            return f"2**{exponent}" if like.form == "power" else f"1 << {exponent}"
        return f"{whole:_}" if "_" in like.text else str(whole)
    text = repr(float(value))
    if "e" not in like.text.lower() or value == 0:
        return text
    # repr gives the shortest digits; only the point has to move behind the first one.
    digits = re.sub(r"e.*", "", text).replace(".", "").lstrip("-0").rstrip("0")
    mantissa, exponent_text = f"{value:.{max(0, len(digits) - 1)}e}".split("e")
    return f"{mantissa}e{int(exponent_text)}"


def _switch(on: bool, like: str) -> str:
    """`True` in the words and capitals of the file: `true`, `True`, `yes`, `off`."""
    pairs = {"true": ("false", "true"), "yes": ("no", "yes"), "on": ("off", "on")}
    pairs |= {pair[0]: pair for pair in pairs.values()}
    word = pairs[like.lower()][on]
    return word.upper() if like.isupper() else word.title() if like.istitle() else word
