"""The sealed part of the data: what the program says of it, and what was found when it was opened. Plain data.

Whoever picks the best of many numbers picks some luck with it, and `verify:` sees every candidate. What no decision of
the search has ever seen tells how much of the gain is real; but only as long as nobody decides by it either.
"""

from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from loop.study.fact import Fact
from loop.study.team import Text


class Sealed(BaseModel):
    """What `sealed:` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Text
    """Command that measures the metric there, as `verify` does elsewhere."""
    read: tuple[str, ...] = ()
    """Files and folders that it reads and no run may; named as in the program's `read`."""

    @field_validator("run")
    @classmethod
    def _not_blank(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("the command is empty")
        return command

    @field_validator("read", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("read")
    @classmethod
    def _nameable(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not path.strip() or not path.isprintable() or {".looptop", ".git"} & set(path.split("/")):
                raise ValueError(
                    f"{path!r:.80} is nothing that a measurement may read: name a file or a folder of yours"
                )
        return paths

    def among(self, open_to_runs: Collection[str]) -> str:
        """What of it lies in one of these places; empty where nothing does."""
        places = [place.rstrip("/") for place in open_to_runs]
        inside = (
            name for name in self.read for place in places if name.rstrip("/") == place or name.startswith(f"{place}/")
        )
        return next(inside, "")


def sealed_part(value: Any) -> Any:
    """A command alone, or `{run: ..., read: [...]}`."""
    if value is not None and not isinstance(value, str | dict | Sealed):
        raise ValueError(f"expected a command, or `{{run: COMMAND, read: [FILE]}}`, not {value!r:.80}")
    return {"run": value} if isinstance(value, str) else value


class SealedNumber(BaseModel):
    """One run's number on the sealed part, beside the one that the search went by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    experiment: int
    run: int
    search: float
    sealed: float | None = None
    reason: str = ""
    """Why there is none."""


class MilestoneOpened(Fact):
    """Champion and baseline were measured on the sealed part of the data."""

    kind: Literal["milestone_opened"] = "milestone_opened"
    champion: int
    baseline: int = 0
    command: str = ""
    protocol_id: str = ""
    numbers: tuple[SealedNumber, ...] = ()
