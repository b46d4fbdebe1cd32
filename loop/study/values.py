"""Values of the front matter that more than one of its keys takes: durations, names of numbers, variables. Pure."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from loop.study.team import text

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_NAME = 80
"""Characters of a metric's name."""
_LONGEST = 1e9  # seconds, 31 years; the system's clocks and locks take no more than a few hundred
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def duration(value: Any) -> Any:
    """Seconds from `90`, `"20s"`, `"5m"`, `"1.5h"` or `"2d"`; a bare number is seconds.

    Raises:
        ValueError: anything else; the message fits behind "budget: ".
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LONGEST:
        return float(value)
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return float(match[1]) * _SECONDS[match[2]]
    raise ValueError(f"expected a duration such as 20s, 5m or 1h, not {value!r:.80}")


def name(value: str) -> str:
    """A name that a program may print a number under, such as `val_loss`, `recall@10` or `metrics/mAP50-95(B)`."""
    if (
        not 0 < len(value) <= LONGEST_NAME
        or not value.isprintable()
        or value != value.strip()
        or set(value) & set(":=")
    ):
        raise ValueError(f"{value!r:.80} is no name of a number; write it as the program prints it, such as val_loss")
    return value


def environment(value: Any) -> Any:
    """Variables from `{NAME: value}`, or from a list of `NAME` (passed on) and `NAME=value`."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        pairs = [str(item).partition("=") for item in value]
        value = {name: text if equals else None for name, equals, text in pairs}
    if not isinstance(value, dict):
        raise ValueError(f"expected lines of `NAME: value` or a list of names, not {value!r:.80}")
    found: dict[str, str | None] = {}
    for name, given in value.items():
        if not _VARIABLE.fullmatch(str(name)):
            raise ValueError(f"{name!r:.80} is no name of a variable")
        if name.startswith("LOOPTOP_"):
            raise ValueError(f"looptop itself sets {name} for every run")
        if isinstance(given, dict | list):
            raise ValueError(f"{name} needs one value, not {given!r:.80}")
        if isinstance(given, bool):
            given = str(given).lower()  # as it was written
        found[name] = None if given is None else text(str(given))
    return found


def switch(value: Any) -> Any:
    """`on` and `off` are true and false to YAML."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


Seconds = Annotated[float, BeforeValidator(duration), Field(gt=0, lt=_LONGEST)]
