"""What is read off the machine every second or so. Sizes are bytes.

Of these only `GaugeRead` is an event; the others are parts of it.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from loop.study.fact import Fact


class GpuGauge(BaseModel):
    """One GPU; None where the device does not tell."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    index: int
    name: str
    utilisation: float | None = None
    """Per cent of the last sampling period in which a kernel ran."""
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    """Degrees Celsius."""
    power: float | None = None
    """Watts."""
    energy: float | None = None
    """Joules since its driver was loaded; read before and after a run only."""
    gone: bool = False
    """It was there and no longer answers."""


class GpuProcess(BaseModel):
    """A process on a GPU."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    pid: int
    """As the driver numbers it."""
    memory: int | None = None
    """Bytes on this GPU."""
    user: str = ""
    command: str = ""
    """User and command are empty where they are not known."""
    run: str = ""
    """The current run that it belongs to, such as "12.1"; empty for other processes."""


class GpuUse(BaseModel):
    """Who is on one GPU."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    index: int
    processes: tuple[GpuProcess, ...] | None = None
    """None where the driver does not tell."""


class RunGauge(BaseModel):
    """What one current run holds, in bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    experiment: int
    run: int
    memory: int
    """Main memory of its whole process tree."""
    gpu_memory: int | None = None
    """On all GPUs; None where the driver does not tell whose memory it is."""


class GaugeRead(Fact):
    """The machine, and by its arrival the supervisor's heartbeat. Sizes in bytes."""

    kind: Literal["gauge_read"] = "gauge_read"
    cpu: float
    """Per cent of all processors since the reading before, 0 to 100."""
    cpus: int | None = None
    """Processors that a run may use."""
    ram_used: int
    """Main memory that cannot be had without swapping."""
    ram_total: int
    disk_free: int
    """Free for this user, on the disk of the workspace."""
    gpus: tuple[GpuGauge, ...] = ()
    """By NVML index, which is the order of the bus."""
    runs: tuple[RunGauge, ...] = ()
    gpu_use: tuple[GpuUse, ...] | None = None
    """None in most readings: process lists are read seldom, because reading them slows a training run."""
    foreign_pids: bool = False
    """We are in a container and the driver has the host's pids, so nobody knows whose processes they are."""

    def gpu_memory(self, devices: Iterable[int]) -> int | None:
        """Bytes in use on the GPUs with these indices, by whomever; None where none of them tells."""
        wanted = set(devices)
        known = [gpu.memory_used for gpu in self.gpus if gpu.index in wanted and gpu.memory_used is not None]
        return sum(known) if known else None
