"""How this machine is divided into slots, as `slots:` says it. Plain data with its own validation."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MOST = 512
"""Slots of one machine."""


class SlotPlan(BaseModel):
    """How many runs there may be at once, and what each gets. It is no part of what a number means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int | None = Field(default=None, ge=1, le=MOST)
    """Slots altogether; more than the GPUs have to offer share them. None: as many as the machine gives."""
    gpus_per_run: int = Field(default=1, ge=1, le=64)
    """GPUs that one run gets, as with `torchrun` inside."""
    slots_per_gpu: int = Field(default=1, ge=1, le=64)
    """Runs that share a GPU."""
    cpu_slots: int | None = Field(default=None, ge=1, le=MOST)
    """Slots of a machine without a GPU; they divide its cores."""

    @model_validator(mode="after")
    def _one_way_or_the_other(self) -> "SlotPlan":
        if self.gpus_per_run > 1 and self.slots_per_gpu > 1:
            raise ValueError("slots: a run has several GPUs or several runs share one, so set only one of the two keys")
        return self


DEFAULT = SlotPlan()
"""One slot a GPU, or one for a machine without any."""


def _short(value: Any) -> Any:
    """`slots: 4` is four slots."""
    if isinstance(value, bool):
        raise ValueError("expected a number of slots, or keys such as `slots_per_gpu: 2`")
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    return {"count": value} if isinstance(value, int) else value


Slots = Annotated[SlotPlan, BeforeValidator(_short)]
"""A plan, or the number of slots alone."""
