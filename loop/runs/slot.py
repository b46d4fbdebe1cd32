"""A place where one run can happen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A place where one run can happen."""

    index: int
    name: str
    devices: str | None = None
    """What the run gets as CUDA_VISIBLE_DEVICES; None leaves it as it is."""
    gpus: tuple[int, ...] = ()
    """NVML indices of its GPUs."""
