"""A slot as the journal has it: what its runs are compared by, and what they get."""

from pydantic import BaseModel, ConfigDict

SLICES = 100
"""Slices of a GPU at most, the driver has seven; by this their numbers stay apart from those of whole ones."""


class SlotRecord(BaseModel):
    """One slot of a supervisor."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    """The same at every start, such as "GPU 3"."""
    kind: str = ""
    """What its numbers can be compared by, such as "NVIDIA H100 80GB HBM3" or "CPU, 1 of 4 cores"."""
    shares: str = ""
    """What it has in common with the slots that say the same, such as "GPU 0" or "CPU"; empty where it has a GPU, or
    the machine, to itself."""
    cores: int = 0
    """Processors that one of its runs may use; 0 where that is not known."""
    memory: int = 0
    """Bytes of main memory that one of its runs may hold."""
    gpu_memory: int = 0
    """Bytes of memory of its GPUs; 0 without a GPU."""
    gpus: tuple[int, ...] = ()
    """Indices of its GPUs, as in `GpuGauge`; empty without one, and in journals from before this was kept."""
