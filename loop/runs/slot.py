"""A place where one run can happen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from loop.study.contract import Contract
from loop.study.slot_record import SlotRecord


@dataclass(frozen=True)
class Slot:
    """A place where one run can happen."""

    index: int
    name: str
    """The same at every start, such as "GPU 3"."""
    devices: str | None = None
    """What the run gets as CUDA_VISIBLE_DEVICES; None leaves it as it is."""
    gpus: tuple[int, ...] = ()
    """NVML indices of its GPUs."""
    kind: str = ""
    """What its runs can be compared by, such as "NVIDIA H100 80GB HBM3" or "CPU, 1 of 4": numbers of two kinds do not
    compare, since in the same time one of them gets further."""
    cores: tuple[int, ...] = ()
    """Processors that its runs keep to; none: they may use all."""
    threads: int | None = None
    """What the numeric libraries are told of them; None: nothing."""
    cpus: int = 0
    """Processors that fall to one of its runs; 0 where that is not known."""
    beside: int = 1
    """Slots that share this machine's memory, cores and disks."""
    on_gpu: int = 1
    """Slots that share its GPU."""
    shares: str = ""
    """What it has in common with the slots that say the same; empty where it has its GPU, or the machine, to itself."""
    memory: int = 0
    """Bytes of main memory that fall to one of its runs; 0 where that is not known."""
    gpu_memory: int = 0
    """Bytes of memory of its GPUs; 0 where that is not known, and without a GPU."""
    also: tuple[int, ...] = ()
    """Indices of the other slots that it is made of, where a run has several; see `together`."""

    def clock(self, contract: Contract) -> Literal["wall", "cpu"]:
        """What the budget counts here: on a GPU processor time says nothing of what a run has done."""
        return "wall" if self.gpus or self.devices else contract.budget_clock

    @property
    def record(self) -> SlotRecord:
        """What the journal says of it."""
        return SlotRecord(
            name=self.name,
            kind=self.kind,
            shares=self.shares,
            cores=self.cpus,
            memory=self.memory,
            gpu_memory=self.gpu_memory,
            gpus=self.gpus,
        )


def together(slots: Sequence[Slot], gpus: int) -> Slot:
    """Slots of whole GPUs as one, for a run on all of them.

    Args:
        slots: of one kind and one machine; the first gives its index.
        gpus: how many of their GPUs the run has, the first ones.
    """
    first = slots[0]
    found = dict(pair for slot in slots for pair in zip(slot.gpus, (slot.devices or "").split(","), strict=True))
    taken = list(found)[:gpus]
    one, each = first.kind.partition(", 1 of ")[0], len(first.gpus)
    return replace(
        first,
        name=" + ".join(dict.fromkeys(slot.shares or slot.name for slot in slots)),
        devices=",".join(found[index] for index in taken),
        gpus=tuple(taken),
        kind=f"{gpus} x {one.removeprefix(f'{each} x ') if each > 1 else one}" if gpus > 1 else one,
        cores=tuple(sorted({core for slot in slots for core in slot.cores})),
        threads=None if first.threads is None else sum(slot.threads or 0 for slot in slots),
        cpus=sum(slot.cpus for slot in slots),
        beside=max(1, first.beside - len(slots) + 1),
        on_gpu=1,
        shares="",
        memory=sum(slot.memory for slot in slots),
        gpu_memory=sum({slot.gpus: slot.gpu_memory for slot in slots}.values()) * gpus // len(found),
        also=tuple(slot.index for slot in slots[1:]),
    )
