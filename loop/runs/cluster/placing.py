"""The slots of a node as slots of the study: numbers, names, and what their runs can be compared by. Pure."""

from dataclasses import replace

from loop.runs.cluster.node import ClusterNode
from loop.runs.cluster.wire import Facts
from loop.runs.slot import Slot


def numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}#{number}"


def placed(node: ClusterNode, slot: Slot, number: int, facts: Facts) -> Slot:
    """A slot of that node as one of the study."""
    shares = f"{node.name}/{slot.shares}" if slot.shares else ""
    return replace(slot, index=number, name=f"{node.name}/{slot.name}", shares=shares, kind=kind_of(slot, facts))


def kind_of(slot: Slot, facts: Facts) -> str:
    """What its runs can be compared by: without a GPU the processors are what differs between machines."""
    return slot.kind if slot.gpus else f"{slot.kind}, {facts.processor}"
