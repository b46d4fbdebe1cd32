"""The contract of a study: what the front matter of `program.md` says, as typed values.

Plain data with its own validation; everything may import it. It never reads a file: `config/program` does that and adds
file and line to what is refused here.

Units: durations are seconds, sizes are bytes.
"""

import hashlib
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
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


def _text(value: str) -> str:
    """A text that fits into a command line, a path and the journal."""
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"{value!r:.80} is no text: it has a zero byte or half a character in it")
    return value


Seconds = Annotated[float, BeforeValidator(duration), Field(gt=0, lt=_LONGEST)]
Size = Annotated[ByteSize, Field(gt=0, lt=2**63)]
Text = Annotated[str, AfterValidator(_text)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Keep(_Strict):
    """When a change is kept; `policy/judge` has the rule itself."""

    confidence: float = Field(default=0.99, gt=0.5, lt=1)
    """One-sided confidence from which a candidate is kept as better than the champion; with several looks the first
    needs more and the last less, see `judge.needed`."""
    baseline_runs: int = Field(default=3, ge=2, le=50)
    """Runs of the file as the person left it. They measure the noise, so there are at least two."""
    max_runs: int = Field(default=5, ge=1, le=50)
    """Runs of one experiment after which an unclear result is discarded."""
    simpler_wins: bool = True
    """Keep a change that removes lines and is no worse."""


class Limits(_Strict):
    """Where the loop stops by itself. None: no such limit."""

    experiments: int | None = Field(default=None, ge=1)
    """Experiments with a verdict, the baseline not counted."""
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Hours under supervision; time while stopped does not count."""
    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """US dollars of model calls. Calls of unknown price do not count, and the screen says so."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens of model calls, read and written together."""
    failures: int | None = Field(default=20, ge=1)
    """Experiments in a row that ended without a number."""
    memory: Size | None = None
    """Bytes of main memory that one run's process tree may hold."""
    processes: int | None = Field(default=1024, ge=1)
    """Processes that a run may have at once."""
    file: Size | None = None
    """Bytes that one file may have which a run writes."""
    run_disk: Size | None = ByteSize(20_000_000_000)
    """Bytes that a run may leave on the disk, its temporary files included."""
    disk: Size | None = None
    """Bytes that `.looptop/` may hold."""


class Contract(_Strict):
    """One validated front matter. The defaults are the original autoresearch protocol's."""

    edit: tuple[str, ...] = ("train.py",)
    """The only files a proposal may change, relative to the root of the repository."""
    run: Text = "python train.py"
    """The command line of one run, in the root of the experiment's worktree."""
    metric: str = Field(default="val_bpb", pattern=r"^[A-Za-z_][\w./-]*$")
    """Name of the number that is compared."""
    goal: Literal["min", "max"] = "min"
    budget: Seconds = 300.0
    """Training time of one run, in seconds; the script gets it as LOOPTOP_BUDGET_S."""
    deadline: Seconds = 600.0
    """Seconds for start-up, training and scoring together; the run is ended after them."""
    read: tuple[str, ...] = ()
    """Files and folders outside the repository's commits that a run may read, such as its data: absolute, below the
    home (`~/`), or relative to the checkout."""
    verify: Text | None = None
    """Command that measures the metric again where the proposal cannot reach; None: the run's own number counts."""
    keep: Keep = Keep()
    limits: Limits = Limits()
    review: Literal["auto", "all", "flagged"] = "auto"
    """Which proposals wait for a person: none, all, or those with a flag (see `policy/review_flags`)."""
    researcher: Text | None = None
    """Who proposes: `automl`, `llm`, or the command line of a coding agent; None: what the person's settings say."""

    @field_validator("edit", "read", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list | tuple):
            raise ValueError(f"expected a file or a list of files, not {value!r:.80}")
        return value

    @field_validator("edit")
    @classmethod
    def _inside(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if not paths:
            raise ValueError("name at least one file that a proposal may change")
        for path in paths:
            parts = path.split("/")
            if not path.isprintable():
                raise ValueError(f"{path!r:.80} has a sign in it that no file name here may have")
            if path.startswith(("/", "~")) or ".." in parts or not path.strip():
                raise ValueError(f"{path!r:.80} is outside the repository")
            if parts[0] in (".git", ".looptop"):
                raise ValueError(f"{path!r} belongs to {'git' if parts[0] == '.git' else 'looptop'} itself")
        return paths

    @field_validator("read")
    @classmethod
    def _not_looptops_own(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not path.strip() or not path.isprintable() or ".looptop" in path.split("/"):
                raise ValueError(f"{path!r:.80} is nothing that a run may read: name a file or a folder of yours")
        return paths

    @field_validator("run", "verify", "researcher")
    @classmethod
    def _not_blank(cls, command: str | None) -> str | None:
        if command is not None and not command.strip():
            raise ValueError("the command is empty")
        return command

    @model_validator(mode="before")
    @classmethod
    def _deadline_follows_budget(cls, values: Any) -> Any:
        """Default: twice the budget (five minutes, ended at ten), and at least a minute more, to start up."""
        if isinstance(values, dict) and "budget" in values and "deadline" not in values:
            try:
                budget = duration(values["budget"])
            except ValueError:
                return values  # the field's own validation has the better message
            return {**values, "deadline": max(2 * budget, budget + 60)}
        return values

    @model_validator(mode="after")
    def _deadline_leaves_room(self) -> "Contract":
        if self.deadline < self.budget:
            raise ValueError(f"deadline ({self.deadline:g} s) is shorter than budget ({self.budget:g} s)")
        return self

    @property
    def protocol_id(self) -> str:
        """Digest of everything that gives a metric its meaning.

        Only runs with the same digest may be compared: a number from a budget of 20 s says nothing about one from five
        minutes.
        """
        parts = (self.run, self.metric, self.goal, f"{self.budget:.6f}", self.verify or "")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def better_by(self, candidate: float, reference: float) -> float:
        """How much better `candidate` is than `reference`, in the metric's units; negative is worse."""
        return reference - candidate if self.goal == "min" else candidate - reference
