"""A place where one run can happen, and what no run may take of its machine."""

from dataclasses import dataclass

RESERVE = 256 << 20
"""Bytes of the disk that no run may take: the journal of the loop has to go on."""


@dataclass(frozen=True)
class Slot:
    """A place where one run can happen."""

    index: int
    name: str
    devices: str | None = None
    """What the run gets as CUDA_VISIBLE_DEVICES; None leaves it as it is."""
    gpus: tuple[int, ...] = ()
    """NVML indices of its GPUs."""
