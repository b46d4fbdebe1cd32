"""What the flags of `looptop` and `looptop run` say, on top of the program. Plain data.

A flag stays in force when the loop is started again without it, because it is part of what the numbers mean: a study
begun with `--budget 20s` must not go on with five minutes after a reboot.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from loop.config.settings import Address, Cluster, NodeNames, Sandboxes, Settings
from loop.study.contract import Contract
from loop.study.slot_plan import DEFAULT, MOST, SlotPlan
from loop.study.values import Seconds


def _one_or_several(value: Any) -> Any:
    """One researcher stands alone in journals from before there could be several."""
    return (value,) if isinstance(value, str) else value


class Overrides(BaseModel):
    """Flags; None where none was given."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    researcher: Annotated[tuple[str, ...] | None, BeforeValidator(_one_or_several)] = None
    """Who propose: each a kind, or the command line of a coding agent."""
    model: str | None = None
    """Name of the language model, as its endpoint calls it."""
    base_url: Address | None = None
    """Where the endpoint is; never with a key in it."""
    sandbox: Sandboxes | None = None
    """What confines the runs, instead of what the person's settings say."""
    budget: Seconds | None = None
    """Seconds of training in one run, instead of the program's."""
    experiments: int | None = Field(default=None, ge=1)
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Tighter limits than the program's."""
    slots: int | None = Field(default=None, ge=1, le=MOST)
    """Runs at once, whatever the program and the settings say."""
    cluster: Cluster | None = None
    """Address of a Ray cluster that runs happen on; "off": they happen on this machine again."""
    cluster_nodes: NodeNames | None = None
    """Which nodes of the cluster are used; empty: all are."""
    tag: str | None = None
    """Name of a study that is begun."""

    def over(self, earlier: dict[str, Any]) -> "Overrides":
        """These flags, and where one was not given what `earlier` flags said."""
        return Overrides.model_validate({**earlier, **self.model_dump(exclude_none=True)})

    def over_settings(self, settings: Settings) -> Settings:
        """A person's settings with the flags in force."""
        given = {
            name: value
            for name in ("model", "base_url", "sandbox", "cluster", "cluster_nodes")
            if (value := getattr(self, name)) is not None
        }
        return settings.model_copy(update=given)

    def slot_plan(self, contract: Contract, settings: Settings) -> SlotPlan:
        """How the machine is divided: as the program says, else the settings; the flag says how many."""
        plan = contract.slots or settings.slots or DEFAULT
        return plan if self.slots is None else plan.model_copy(update={"count": self.slots})

    def without_effect(self, contract: Contract) -> str | None:
        """Why a limit given here would change nothing, where the program's own is smaller; None where there is none."""
        for name in ("experiments", "hours"):
            given, own = getattr(self, name), getattr(contract.limits, name)
            if given is not None and own is not None and given > own:
                return (
                    f"--{name} {given:g} would change nothing, since program.md ends the loop at {own:g}; raise "
                    f"`limits: {name}` there (a flag can only lower it)"
                )
        return None

    def applied(self, contract: Contract) -> Contract:
        """`contract` with the flags in force. A flag can only tighten a limit, never widen it."""
        limits = contract.limits.model_copy(
            update={
                "experiments": _tighter(contract.limits.experiments, self.experiments),
                "hours": _tighter(contract.limits.hours, self.hours),
            }
        )
        changes: dict[str, Any] = {"limits": limits}
        if self.budget is not None and self.budget != contract.budget:
            changes |= {"budget": self.budget, "deadline": max(2 * self.budget, self.budget + 60)}
        return contract.model_copy(update=changes)


def _tighter(one: float | None, other: float | None) -> float | None:
    given = [value for value in (one, other) if value is not None]
    return min(given, default=None)
