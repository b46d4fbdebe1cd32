"""The rungs of a ladder, as `scales:` in program.md names them: what differs there from the study's own program.

    scales:
      small: {}
      large: {set: {DEPTH: 24}, budget: 1h, gpus_per_run: 8}

Plain data. What a rung's runs are measured by is `rungs`' to say.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from loop.study.measure import MetricSource
from loop.study.team import Text
from loop.study.values import Seconds, environment, name

MOST = 8
"""Rungs of one ladder."""

RUNS = 5
"""Runs of each side on a rung where nobody says otherwise."""


class Rung(BaseModel):
    """What differs on one rung. None: as in the study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: Seconds | None = None
    deadline: Seconds | None = None
    """None: twice the budget and at least a minute more, where the budget differs."""
    env: Annotated[dict[str, str | None], BeforeValidator(environment)] = Field(default_factory=dict)
    """Variables besides those of the study, or in their place."""
    set: dict[str, bool | int | float | Text] = Field(default_factory=dict)
    """Constants of the editable files, and what stands in their place."""
    run: Text | None = None
    gpus_per_run: int | None = Field(default=None, ge=1, le=64)
    """GPUs that each of its runs has; None: those of a slot."""
    runs: int = Field(default=RUNS, ge=2, le=50)
    """Runs of each side."""
    metric: Annotated[str, AfterValidator(name)] | None = None
    source: MetricSource | None = None
    """Where that number stands: the rest of a `metric:` that is a mapping."""
    goal: Literal["min", "max"] | None = None
    verify: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _metric_may_be_a_mapping(cls, values: Any) -> Any:
        if values is None:
            return {}
        if not isinstance(values, dict | Rung):
            raise ValueError(f"expected what differs there, such as `{{budget: 1h}}`, not {values!r:.80}")
        if isinstance(values, dict) and isinstance(metric := values.get("metric"), dict):
            if "name" not in metric:
                raise ValueError("metric needs a name")
            source = {key: value for key, value in metric.items() if key != "name"}
            return {**values, "metric": metric["name"], "source": source}
        return values

    @field_validator("run", "verify")
    @classmethod
    def _not_blank(cls, command: str | None) -> str | None:
        if command is not None and not command.strip():
            raise ValueError("the command is empty")
        return command

    @field_validator("set", mode="before")
    @classmethod
    def _one_value_each(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected lines of `CONSTANT: value`")
        for constant, given in value.items():
            if given is None or isinstance(given, dict | list):
                raise ValueError(f"the constant {constant} needs one value, not {given!r:.80}")
        return {str(constant): given for constant, given in value.items()}

    @model_validator(mode="after")
    def _deadline_leaves_room(self) -> "Rung":
        if self.deadline is not None and self.budget is not None and self.deadline < self.budget:
            raise ValueError(f"its deadline ({self.deadline:g} s) is shorter than its budget ({self.budget:g} s)")
        return self

    @property
    def told(self) -> str:
        """What differs, in a few words: `DEPTH 24, budget 3600 s, 8 GPUs a run`."""
        parts = [f"{constant} {value}" for constant, value in self.set.items()]
        parts += [f"{variable}={value}" for variable, value in self.env.items() if value is not None]
        parts += [f"budget {self.budget:g} s"] if self.budget is not None else []
        parts += [f"{self.gpus_per_run} GPUs a run"] if self.gpus_per_run is not None else []
        parts += [f"metric {self.metric}"] if self.metric is not None else []
        parts += ["a command of its own"] if self.run is not None else []
        parts += ["a verification of its own"] if self.verify is not None else []
        return ", ".join(parts)


Scales = dict[str, Rung]


def ladder(value: Any) -> Any:
    """The rungs, in their order, as the front matter or the journal has them.

    Raises:
        ValueError: no ladder; the message fits behind "scales: ".
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected rungs, such as `{{small: {{}}, large: {{budget: 1h}}}}`, not {value!r:.80}")
    if not value:
        return value
    names = [str(rung) for rung in value]
    if odd := next((rung for rung in names if not _is_name(rung)), None):
        raise ValueError(f"{odd!r:.80} is no name of a rung; take a word such as large or d24")
    if not 2 <= len(names) <= MOST:
        raise ValueError(f"a ladder has 2 to {MOST} rungs, and these are {len(names)}: the first is the study itself")
    first, *others = value.values()
    for rung, given in zip(names[1:], others, strict=True):
        if (given is None or isinstance(given, dict | Rung)) and not set(_keys(given)) - {"runs"}:
            raise ValueError(f"{rung} differs from the study in nothing; say what does, such as its budget")
    if keys := _keys(first):
        raise ValueError(
            f"{names[0]} is the first rung, which is the study itself; write `{names[0]}: {{}}`, and its "
            f"{keys[0]} outside of `scales:`"
        )
    return {str(rung): {} if given is None else given for rung, given in value.items()}


def _is_name(rung: str) -> bool:
    return 0 < len(rung) <= 20 and rung.isprintable() and all(sign.isalnum() or sign in "._-" for sign in rung)


def _keys(rung: Any) -> list[str]:
    if isinstance(rung, Rung):
        rung = rung.model_dump()
    if not isinstance(rung, dict):
        return []
    blank = Rung().model_dump()  # as in the journal, where every key of it is written
    return [str(key) for key, given in rung.items() if key not in blank or given != blank[key]]
