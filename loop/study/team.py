"""The researchers that a program names, as plain data: one entry of `researchers:` each, validated.

Who stands behind a kind, and what each is called where the person gave no name, is `researchers/registry`'s to say.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

RESERVED = frozenset(
    (
        *("you", "all", "bundles", "everybody", "champion", "checkout", "disk", "environment", "git", "journal"),
        *("recovery", "rehearsal", "sandbox", "slot", "study", "verification", "watching"),
    )
)
"""Names that mean somebody or something else: faults and words of a person are told apart by name."""

MOST = 16
"""Researchers of one study."""

MOST_AT_ONCE = 64
"""Conversations that one researcher may hold at once."""

TUNERS = frozenset(("automl", "random"))
"""Kinds that move constants, need no key, propose within a second and read no words."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def text(value: str) -> str:
    """A text that fits into a command line, a path and the journal.

    Raises:
        ValueError: it does not.
    """
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"{value!r:.80} is no text: it has a zero byte or half a character in it")
    return value


Text = Annotated[str, AfterValidator(text)]

HYBRID = "hybrid"
"""The kind of an entry that stands for two researchers, a language model and AutoML; see `minds`."""

STRUCTURE = 0.3
"""Part of a hybrid's proposals that its language model makes, before anybody has earned more. In the published
comparison of hybrids (arXiv 2603.24647) three turns in ten were best, and eight in ten lost what it had gained."""


class Member(BaseModel):
    """One researcher of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Text
    """`llm`, `automl`, `hybrid` (one of each), `random`, or the command line of a coding agent."""
    name: str = ""
    """What it is called on screens and after `steer @`; empty: after its kind."""
    model: Text | None = None
    """The language model, instead of the settings'."""
    at_once: int | None = Field(default=None, ge=1, le=MOST_AT_ONCE)
    """Conversations that it may hold at once; None: `registry` says it for its kind."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Of the language model's answers; None leaves it to the endpoint."""
    role: Text | None = None
    """Its part among the researchers, in the person's own words."""
    share: float = Field(default=1.0, gt=0, le=1000, allow_inf_nan=False)
    """How many proposals it makes to each one of a researcher with a share of 1."""
    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """US dollars that its calls of models may cost; None: what the study's limit leaves."""

    @model_validator(mode="before")
    @classmethod
    def _a_kind_alone(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"kind": value}
        if isinstance(value, dict) and "kind" not in value:
            raise ValueError("a researcher needs a kind: llm, automl, hybrid, or the command line of a coding agent")
        return value

    @field_validator("kind", "role", "model")
    @classmethod
    def _not_blank(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("it is empty")
        return value

    @field_validator("name")
    @classmethod
    def _fit_to_call(cls, name: str) -> str:
        if name and not _NAME.fullmatch(name):
            raise ValueError(f"{name!r:.80} is no name: take letters, digits, dots and dashes, 40 at most")
        if name.lower() in RESERVED:
            raise ValueError(f"{name} means something else in looptop; take another name")
        return name

    @model_validator(mode="after")
    def _what_its_kind_has(self) -> "Member":
        for key, value in (("model", self.model), ("temperature", self.temperature)):
            if value is not None and self.kind not in ("llm", HYBRID):
                raise ValueError(f"{key} is for llm and hybrid only, and this is {self.kind!r:.80}")
        if self.kind in TUNERS:
            for key, wrong in (("at_once", (self.at_once or 1) > 1), ("role", self.role is not None)):
                if wrong:
                    raise ValueError(f"{key} is not for {self.kind}, which proposes within a second and reads no words")
        return self


def minds(member: Member) -> tuple[Member, ...]:
    """The researchers that an entry stands for: itself, or of a hybrid the language model and AutoML, which share its
    part of the proposals. What it says besides of models, money and words is the language model's."""
    if member.kind != HYBRID:
        return (member,)
    named = {kind: f"{member.name}-{kind}" if member.name else "" for kind in ("llm", "automl")}
    share = 2 * member.share
    model = member.model_copy(update={"kind": "llm", "name": named["llm"], "share": STRUCTURE * share})
    return model, Member(kind="automl", share=(1 - STRUCTURE) * share).model_copy(update={"name": named["automl"]})


def _team(value: Any) -> Any:
    if isinstance(value, (str, dict)):
        return [value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of researchers, such as [llm, automl], not {value!r:.80}")
    return value


def _told_apart(team: tuple[Member, ...]) -> tuple[Member, ...]:
    if len(team) > MOST:
        raise ValueError(f"there are {len(team)} researchers, and {MOST} are the most; `at_once` gives one several")
    names = [member.name for member in team if member.name]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two researchers are called {twice}; names tell them apart")
    return team


Team = Annotated[tuple[Member, ...], BeforeValidator(_team), AfterValidator(_told_apart)]


def call_name(program: str, taken: set[str]) -> str:
    """A name that none of `taken` has, after a kind or a program: "claude", and "claude-2" where that is taken."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", program).lstrip("._-")[:36] or "command"
    stem = f"{stem}-agent" if stem.lower() in RESERVED else stem
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
