"""The contract of a study: what the front matter of `program.md` says, as typed values.

Plain data with its own validation; everything may import it. It never reads a file: `config/program` does that and adds
file and line to what is refused here.

Units: durations are seconds, sizes are bytes.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from loop.study.measure import MetricSource, Requirement, requirements
from loop.study.scales import Scales, ladder
from loop.study.sealed import Sealed, sealed_part
from loop.study.slot_plan import Slots
from loop.study.team import Team, Text
from loop.study.values import Seconds, duration, environment, name, switch

VALIDATION = 5
"""Runs of each side of a validation where nobody says otherwise."""


def _times(value: Any) -> Any:
    """A number of runs; `on` and `off` are true and false to YAML."""
    return {True: VALIDATION, False: 0}.get(value, value) if isinstance(value, bool) else value


def _per_study(value: Any) -> Any:
    """A number from `1 per study` or 1."""
    if isinstance(value, bool):
        raise ValueError(f"expected how many false keeps a study may have, such as `1 per study`, not {value}")
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)(?: per study)?", value.strip())):
        return float(match[1])
    return value


def _share(value: Any) -> Any:
    """A share from `2%` or 0.02; `off` is none."""
    if isinstance(value, bool):
        return None if value else 0.0
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value.strip())):
        return float(match[1]) / 100
    return value


Size = Annotated[ByteSize, Field(gt=0, lt=2**63)]


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
    pairs: bool | None = None
    """Compare runs at equal seeds; None: as the study began, which is so since there are pairs."""
    simpler_wins: bool = True
    """Keep a change that removes lines and is no worse."""
    deterministic: bool = False
    """Nothing in the program is drawn by chance, so where repeated runs agree any difference counts."""
    false: Annotated[float | None, BeforeValidator(_per_study)] = Field(default=None, gt=0, le=100)
    """False keeps that the study may spend in all, such as `1 per study`: the bars follow what is left of it, see
    `policy/error_account`. None: no such budget."""

    @model_validator(mode="before")
    @classmethod
    def _false_is_a_word_here(cls, values: Any) -> Any:
        """`keep: {false: 1}`, in which YAML takes the key for a truth value."""
        if isinstance(values, dict) and False in values:
            return {("false" if key is False else key): value for key, value in values.items()}
        return values


class Stop(_Strict):
    """What is ended before its time."""

    hopeless: Annotated[Literal["off", "shadow", "on"] | None, BeforeValidator(switch)] = None
    """Runs that by their curve will not come near the champion: never ended; only told; ended. None: told at first,
    and ended once that has proved right, see `policy/early_stop`."""
    after: int = Field(default=20, ge=8)
    """Finished runs from which it is learnt what a curve tells; nothing is said before."""


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
    """The only files a proposal may change, relative to the folder of `program.md`."""
    run: Text = "python train.py"
    """The command line of one run, as a person types it in the folder of `program.md`. `{seed}` and `{budget}` in it
    stand for the run's seed and its training time in seconds."""
    metric: Annotated[str, AfterValidator(name)] = "val_bpb"
    """Name of the number that is compared."""
    source: MetricSource = MetricSource()
    """Where that number stands, where its name alone does not find it: the rest of a `metric:` that is a mapping."""
    goal: Literal["min", "max"] = "min"
    require: Annotated[tuple[Requirement, ...], BeforeValidator(requirements)] = ()
    """What else a run's output has to say for its number to count, such as `quality: ">= 0.85"`."""
    report: tuple[Annotated[str, AfterValidator(name)], ...] = ()
    """Names of other values that are shown beside the metric."""
    budget: Seconds = 300.0
    """Training time of one run, in seconds; the script gets it as LOOPTOP_BUDGET_S."""
    deadline: Seconds = 600.0
    """Seconds for start-up, training and scoring together; the run is ended after them."""
    budget_clock: Literal["wall", "cpu"] = "wall"
    """What the budget counts in a run without a GPU: seconds of the clock, or of processor time on each core that it
    may use, of which other programs on the machine take nothing (LOOPTOP_BUDGET_CLOCK). With a GPU it is the clock."""
    ends: Literal["itself", "at-budget"] = "itself"
    """Who ends a run: it does itself; or looptop does when its budget is over, and what it has said by then counts."""
    env: Annotated[dict[str, str | None], BeforeValidator(environment)] = Field(default_factory=dict)
    """Variables of the run's environment: a value, or None to pass on what the loop was started with."""
    network: Annotated[Literal["off", "loopback", "on"], BeforeValidator(switch)] = "off"
    """What a run may reach of the network."""
    read: tuple[str, ...] = ()
    """Files and folders outside the repository's commits that a run may read, such as its data: absolute, below the
    home (`~/`), or relative to the folder of `program.md`, and then found there."""
    write: tuple[str, ...] = ()
    """Files and folders besides its own worktree that a run may write to and that stay; named as in `read`."""
    verify: Text | None = None
    """Command that measures the metric again where the proposal cannot reach; None: the run's own number counts."""
    sealed: Annotated[Sealed | None, BeforeValidator(sealed_part)] = None
    """What `looptop milestone` measures champion and baseline on; None: there is no such part."""
    keep: Keep = Keep()
    stop: Stop = Stop()
    limits: Limits = Limits()
    review: Literal["auto", "all", "flagged"] | None = None
    """Which proposals wait for a person: none, all, or those with a flag (see `policy/review_flags`); None: see
    `reviewed`."""
    placebos: Annotated[float | None, BeforeValidator(_share)] = Field(default=None, ge=0, le=0.5)
    """Share of the candidates that are the champion itself, sealed until their verdict, such as `2%`; 0 or `off`: none.
    None: `policy/placebos.SHARE`, in a study that began since there are placebos."""
    bundles: bool | None = None
    """Bring near wins together into one candidate; None: yes, in a study that began since there are bundles."""
    validation: Annotated[int | None, BeforeValidator(_times)] = Field(default=None, ge=0, le=50)
    """Runs of champion and baseline each by which the end of a study measures its total gain anew; 0 or `off`: only
    `looptop validate` does. None: `VALIDATION`, in a study that began since there are validations."""
    ablate: Annotated[Literal["off", "idle"], BeforeValidator(switch)] = "off"
    """Whether slots that have nothing else to do measure what each kept change is worth today. Off: only
    `looptop ablate` does."""
    researcher: Text | None = None
    """Who proposes: `automl`, `llm`, `hybrid`, or the command line of a coding agent; None: what the person's settings
    say."""
    slots: Slots | None = None
    """How many runs there are at once, and what each gets; None: what the person's settings say, else one a GPU."""
    researchers: Team = ()
    """The same where several propose, or one needs more than its kind said; `researcher` is the short form."""
    ahead: bool = True
    """Proposals are made while all slots are busy, so that none waits. False: each knows every result before it."""
    shares: Literal["earned", "fixed"] = "earned"
    """Whether the shares of several researchers follow what each has brought for its cost, or stay as given."""
    scales: Annotated[Scales, BeforeValidator(ladder)] = Field(default_factory=dict)
    """The rungs of a ladder from small to large, by name, each with what differs there; the first is the study's own.
    None: there is no ladder."""
    climb: Annotated[float | None, BeforeValidator(_share)] = Field(default=None, ge=0, le=1)
    """Share of the run time that may go into climbing the ladder while the search goes on, such as `10%`; 0 or `off`:
    only `looptop promote` does. None: idle slots climb, and the end of a study does."""

    @field_validator("edit", "read", "write", "report", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list | tuple):
            what = "a name or a list of names" if info.field_name == "report" else "a file or a list of files"
            raise ValueError(f"expected {what}, not {value!r:.80}")
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
            if not path.strip():
                raise ValueError("a file without a name; write one such as train.py")
            if path.startswith(("/", "~")) or ".." in parts:
                raise ValueError(f"{path!r:.80} is outside the repository")
            if parts[0] in (".git", ".looptop"):
                raise ValueError(f"{path!r} belongs to {'git' if parts[0] == '.git' else 'looptop'} itself")
        return paths

    @field_validator("read", "write")
    @classmethod
    def _not_looptops_own(cls, paths: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for path in paths:
            if not path.strip() or not path.isprintable() or {".looptop", ".git"} & set(path.split("/")):
                may = f"nothing that a run may {info.field_name}"
                raise ValueError(f"{path!r:.80} is {may}: name a file or a folder of yours")
        return paths

    @field_validator("run", "verify", "researcher")
    @classmethod
    def _not_blank(cls, command: str | None) -> str | None:
        if command is not None and not command.strip():
            raise ValueError("the command is empty")
        return command

    @model_validator(mode="before")
    @classmethod
    def _metric_may_be_a_mapping(cls, values: Any) -> Any:
        """`metric: {name: f1, json: eval.f1}` is a name and where it stands."""
        if isinstance(values, dict) and isinstance(metric := values.get("metric"), dict):
            if "name" not in metric:
                raise ValueError('metric needs a name: write `metric: {name: f1, pattern: "..."}`')
            source = {key: value for key, value in metric.items() if key != "name"}
            return {**values, "metric": metric["name"], "source": source}
        return values

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
    def _sealed_is_sealed(self) -> "Contract":
        if self.sealed is not None and (name := self.sealed.among(self.read)):
            raise ValueError(f"sealed: {name!r:.80} is under `read:` too, where every run can read it")
        return self

    @model_validator(mode="after")
    def _one_way_to_name_them(self) -> "Contract":
        if self.researcher is not None and self.researchers:
            raise ValueError("researchers and `researcher` both say who proposes; keep one of them")
        return self

    @model_validator(mode="after")
    def _deadline_leaves_room(self) -> "Contract":
        if self.deadline < self.budget:
            raise ValueError(f"deadline ({self.deadline:g} s) is shorter than budget ({self.budget:g} s)")
        for rung, given in self.scales.items():
            if given.deadline is not None and given.deadline < self.budget and given.budget is None:
                raise ValueError(f"scales: the deadline of {rung} ({given.deadline:g} s) is shorter than the budget")
        return self

    @property
    def protocol_id(self) -> str:
        """Digest of everything that gives a metric its meaning.

        Only runs with the same digest may be compared: a number from a budget of 20 s says nothing about one from five
        minutes.
        """
        parts = [self.run, self.metric, self.goal, f"{self.budget:.6f}", self.verify or ""]
        # Only where they differ from the default: numbers of a journal from before there were these keys still compare.
        if self.source != MetricSource():
            parts.append(f"source {self.source.model_dump_json()}")
        if self.env:
            parts.append(f"env {json.dumps(self.env, sort_keys=True)}")
        if self.ends != "itself":
            parts.append(f"ends {self.ends}")
        if self.budget_clock != "wall":
            parts.append(f"clock {self.budget_clock}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def reviewed(self) -> Literal["auto", "all", "flagged"]:
        """Which proposals wait for a person. Where nothing is said and nobody verifies, those with a flag do: the
        program's own word is all there is then, and one line that prints another number is the cheapest gain."""
        return self.review or ("flagged" if self.verify is None else "auto")

    @property
    def beside(self) -> list[str]:
        """Names of what is shown beside the metric: what is to be reported, and what is required."""
        names = dict.fromkeys((*self.report, *(one.name for one in self.require)))
        return [name for name in names if name != self.metric]

    def variables(self, parent: Mapping[str, str]) -> dict[str, str]:
        """What `env:` gives a run: its values, in which only a leading `~/` is expanded, and what it passes on.

        Args:
            parent: what the loop was started with; a name that this does not have is left out.
        """
        home = parent.get("HOME", "~")
        given = {name: parent.get(name) if value is None else value for name, value in self.env.items()}
        return {
            name: f"{home}/{value[2:]}" if value.startswith("~/") else value
            for name, value in given.items()
            if value is not None
        }

    def better_by(self, candidate: float, reference: float) -> float:
        """How much better `candidate` is than `reference`, in the metric's units; negative is worse."""
        return reference - candidate if self.goal == "min" else candidate - reference
