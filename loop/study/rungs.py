"""What holds on a rung of the ladder: the program by which its runs are made, measured and compared. Pure."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from loop.study.contract import Contract
from loop.study.scales import Rung


@dataclass(frozen=True)
class At:
    """The study's program on one rung."""

    name: str
    contract: Contract
    rung: Rung

    @property
    def protocol_id(self) -> str:
        """Digest of everything that gives a number of this rung its meaning, see `Contract.protocol_id`. It is never
        that of another rung: a number from depth 24 says nothing about one from depth 12."""
        said = json.dumps({"rung": self.name, "set": self.rung.set, "gpus": self.rung.gpus_per_run}, sort_keys=True)
        return hashlib.sha256(f"{self.contract.protocol_id}\0{said}".encode()).hexdigest()[:12]


def at(contract: Contract, name: str) -> At | None:
    """The program on the rung of that name; None where there is none."""
    rung = contract.scales.get(name)
    if rung is None:
        return None
    changes: dict[str, object] = {
        key: value
        for key in ("budget", "deadline", "run", "metric", "source", "goal", "verify")
        if (value := getattr(rung, key)) is not None
    }
    if rung.metric is not None and rung.source is None:
        changes["source"] = Contract.model_fields["source"].default
    if rung.budget is not None and rung.deadline is None:
        changes["deadline"] = max(2 * rung.budget, rung.budget + 60)
    if rung.env:
        changes["env"] = {**contract.env, **rung.env}
    return At(name, contract.model_copy(update=changes), rung)


def contract_on(contract: Contract, name: str) -> Contract:
    """The program on the rung of that name; the study's own where there is none, or no name."""
    there = at(contract, name) if name else None
    return contract if there is None else there.contract


def protocol_of(contract: Contract, name: str) -> str:
    """What the numbers of a run on that rung may be compared with."""
    there = at(contract, name) if name else None
    return contract.protocol_id if there is None else there.protocol_id


def names(contract: Contract) -> Sequence[str]:
    """The rungs above the study's own, from small to large."""
    return list(contract.scales)[1:]


def above(contract: Contract, name: str = "") -> str:
    """The rung above that of this name; empty where that is the top. Without a name: the first to climb to."""
    rungs = list(contract.scales)
    place = rungs.index(name) if name in rungs else 0
    return rungs[place + 1] if place + 1 < len(rungs) else ""


def is_between(contract: Contract, name: str, top: str) -> bool:
    """Whether a rung lies below another."""
    rungs = list(contract.scales)
    return name in rungs and top in rungs and rungs.index(name) < rungs.index(top)
