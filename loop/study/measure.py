"""What of a run's output is the metric, and what else it must say: the parts of a contract about values. Pure."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"(>=|<=|==|!=|>|<)?\s*(.+)", re.DOTALL)


class MetricSource(BaseModel):
    """Where the metric stands, beyond its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pattern: str | None = None
    """A regular expression that is searched for in every line; its first group is the number."""
    key: str | None = Field(default=None, alias="json")
    """Where the number stands in JSON, such as `eval.f1` or `results.0.value`."""
    file: str | None = None
    """A file that the run writes, in its worktree or in LOOPTOP_RUN_DIR, in the place of its output. Of those that a
    pattern stands for the one written last counts."""
    take: Literal["last", "first", "min", "max", "mean"] = "last"
    """Which of several counts."""

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"{pattern!r:.80} is no regular expression: {error}") from None
            if groups < 1:
                raise ValueError(f"{pattern!r:.80} has no group; put the number in brackets, such as `loss=([0-9.]+)`")
        return pattern

    @field_validator("file")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        if path is not None and (path.startswith(("/", "~")) or ".." in path.split("/") or not path.strip()):
            raise ValueError(f"{path!r:.80} is no file of a run: name it as the program does, below its own folder")
        return path

    @model_validator(mode="after")
    def _one_way(self) -> "MetricSource":
        if self.pattern is not None and self.key is not None:
            raise ValueError("pattern and json are two ways to find one number; leave one of them out")
        return self


class Printed(BaseModel):
    """How a run printed the number that counts: what must not change from one run to the next unnoticed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = ""
    """As printed, with the words that belong to it; empty where a pattern or a path found it."""
    unit: str = ""
    """The base of its unit, such as `s` or `%`; empty where it had none."""
    comma: str = ""
    """What a comma in it was taken for: "decimal", "thousands", or nothing."""


class Requirement(BaseModel):
    """One thing that a run's output has to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    op: Literal[">=", "<=", "==", "!=", ">", "<"] = "=="
    value: float | str

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float) else self.value
        return f"{self.name} {self.op} {value}"

    def met(self, found: float | str | None) -> bool:
        """Whether a value that was found meets it; what was not found meets nothing, and NaN neither."""
        if found is None or (isinstance(found, float) and math.isnan(found)):
            return False
        if isinstance(self.value, float):
            return OPERATORS[self.op](found, self.value) if isinstance(found, float) else self.op == "!="
        return OPERATORS[self.op](str(found).strip().lower(), str(self.value).strip().lower())


def requirements(value: Any) -> Any:
    """Requirements from `{quality: ">= 0.85", status: correct}`; others are passed on as they are."""
    if isinstance(value, list | tuple) and all(isinstance(one, dict | Requirement) for one in value):
        return value  # as in the journal
    if not isinstance(value, dict):
        raise ValueError(f'expected lines of `name: ">= 0.85"`, not {value!r:.80}')
    found = []
    for name, condition in value.items():
        match = None if isinstance(condition, dict | list) else _CONDITION.fullmatch(str(condition).strip())
        if not match:
            raise ValueError(f'{name} needs a condition such as ">= 0.85", not {condition!r:.80}')
        op, bound = match[1] or "==", match[2].strip()
        number = _number(bound)
        if number is None and op not in ("==", "!="):
            raise ValueError(f"{name} {op} needs a number, not {bound!r:.80}")
        found.append({"name": str(name), "op": op, "value": bound if number is None else number})
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
