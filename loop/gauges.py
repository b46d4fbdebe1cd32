"""What the machine is doing: GPUs through NVML, processors, memory and disk through psutil.

Readings only: it changes no device's settings and asks for no lists of processes, which hold the driver's lock for
4.5 ms each and slow a training run. What a GPU said is remembered for seconds, so a caller may read as often as it
likes. It never raises: what a device does not support, or no longer answers, is None.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
import pynvml

from loop.events import GaugeRead, GpuGauge

QUICK_S = 1.0  # between two looks at a GPU's utilisation and memory
SLOW_S = 3.0  # between two looks at its temperature and power


@dataclass(frozen=True)
class Reading:
    """The machine at one moment. Sizes in bytes."""

    cpu: float
    """Per cent of all processors since the reading before, 0 to 100."""
    ram_used: int
    """Main memory that cannot be had without swapping."""
    ram_total: int
    disk_free: int
    """Free for this user, on the disk of the workspace."""
    gpus: tuple[GpuGauge, ...] = ()
    """By NVML index, which is the order of the bus."""

    def gpu_memory(self, devices: Iterable[int]) -> int | None:
        """Bytes in use on the GPUs with these indices, by whomever; None where none of them tells."""
        wanted = set(devices)
        known = [gpu.memory_used for gpu in self.gpus if gpu.index in wanted and gpu.memory_used is not None]
        return sum(known) if known else None

    def event(self, run_memory: int | None = None) -> GaugeRead:
        """The reading as a fact for the journal, with the main memory that the runs in flight hold (bytes)."""
        return GaugeRead(
            cpu=self.cpu,
            ram_used=self.ram_used,
            ram_total=self.ram_total,
            disk_free=self.disk_free,
            gpus=self.gpus,
            run_memory=run_memory,
        )


class Gauges(Protocol):
    """Something that can be read."""

    def read(self) -> Reading:
        """The machine now. May take some milliseconds; never raises."""


def open_gauges(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Gauges:
    """This machine's gauges; `LOOPTOP_GAUGES=fake:8` makes up a machine with eight GPUs, for pictures and tests.

    Args:
        folder: on the disk whose free space counts; the current folder where it is not given.
        environ: where LOOPTOP_GAUGES is looked up.

    Raises:
        ValueError: LOOPTOP_GAUGES is set to anything but `fake:N`.
    """
    wanted = environ.get("LOOPTOP_GAUGES", "")
    if not wanted:
        return MachineGauges(folder or Path())
    kind, _, count = wanted.partition(":")
    if kind != "fake" or not count.isdecimal():
        raise ValueError(f"LOOPTOP_GAUGES={wanted!r} is not understood: leave it out, or use fake:N for N made-up GPUs")
    return FakeGauges(int(count))


class MachineGauges:
    """The machine that this process runs on."""

    def __init__(self, folder: Path, driver: Any = pynvml, clock: Callable[[], float] = time.monotonic) -> None:
        """Look for GPUs once; without a driver there are none (0.2 ms).

        Args:
            folder: on the disk whose free space counts.
            driver: the NVML binding.
            clock: seconds that never go back.
        """
        self._folder, self._clock = folder, clock
        self._gpus = _find_gpus(driver, clock)
        psutil.cpu_percent()  # the first call has nothing to compare with, and says 0

    def read(self) -> Reading:
        """The machine now: 0.1 ms, and once a second what the driver takes to answer."""
        memory = psutil.virtual_memory()
        try:
            disk_free = psutil.disk_usage(str(self._folder)).free
        except OSError:
            disk_free = 0  # the folder is gone, so nothing can be written there
        return Reading(
            cpu=psutil.cpu_percent(),
            ram_used=memory.total - memory.available,
            ram_total=memory.total,
            disk_free=disk_free,
            gpus=tuple(gpu.read() for gpu in self._gpus),
        )


class _Gpu:
    """One GPU. Each field is asked for on its own, since one that is not supported says nothing about the next."""

    def __init__(self, driver: Any, index: int, clock: Callable[[], float]) -> None:
        self._driver, self._index, self._clock = driver, index, clock
        self._quick_at = self._slow_at = -math.inf
        self._reading = GpuGauge(index=index, name=f"GPU {index}")

    def read(self) -> GpuGauge:
        now = self._clock()
        changed: dict[str, Any] = {}
        try:
            if now - self._quick_at >= QUICK_S:
                self._quick_at = now
                changed |= self._look_quickly(self._driver.nvmlDeviceGetHandleByIndex(self._index))
            if now - self._slow_at >= SLOW_S:
                self._slow_at = now
                changed |= self._look_slowly(self._driver.nvmlDeviceGetHandleByIndex(self._index))
        except self._driver.NVMLError:  # fallen off the bus: it stays on screen, with nothing to say
            nothing = ("utilisation", "memory_used", "memory_total", "temperature", "power")
            changed = dict.fromkeys(nothing)
        if changed:
            self._reading = self._reading.model_copy(update=changed)
        return self._reading

    def _look_quickly(self, handle: Any) -> dict[str, Any]:
        driver = self._driver
        rates = self._ask(driver.nvmlDeviceGetUtilizationRates, handle)
        # The first version of the structure counts what the driver reserves for itself as used.
        memory = self._ask(driver.nvmlDeviceGetMemoryInfo, handle, version=driver.nvmlMemory_v2)
        return {
            "utilisation": None if rates is None else float(rates.gpu),
            "memory_used": None if memory is None else int(memory.used),
            "memory_total": None if memory is None else int(memory.total),
        }

    def _look_slowly(self, handle: Any) -> dict[str, Any]:
        driver = self._driver
        name = self._ask(driver.nvmlDeviceGetName, handle)
        degrees = self._ask(driver.nvmlDeviceGetTemperature, handle, driver.NVML_TEMPERATURE_GPU)
        milliwatts = self._ask(driver.nvmlDeviceGetPowerUsage, handle)
        return {
            "name": self._reading.name if name is None else str(name),
            "temperature": None if degrees is None else float(degrees),
            "power": None if milliwatts is None else milliwatts / 1000,
        }

    def _ask(self, question: Callable[..., Any], *about: Any, **how: Any) -> Any:
        """The driver's answer; None where this device has none. NVMLError where the device itself is gone."""
        try:
            return question(*about, **how)
        except self._driver.NVMLError as error:
            if error.value in (self._driver.NVML_ERROR_GPU_IS_LOST, self._driver.NVML_ERROR_UNINITIALIZED):
                raise
            return None


def _find_gpus(driver: Any, clock: Callable[[], float]) -> list[_Gpu]:
    try:
        driver.nvmlInit()
        return [_Gpu(driver, index, clock) for index in range(driver.nvmlDeviceGetCount())]
    except driver.NVMLError:
        return []


class FakeGauges:
    """A made-up machine: the same second of the same seed gives the same reading."""

    GPU_MEMORY = 80 << 30
    RAM = 128 << 30

    def __init__(self, gpus: int, seed: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._count, self._seed, self._clock = gpus, seed, clock

    def read(self) -> Reading:
        """A machine that trains: busy GPUs that breathe a little, each in its own rhythm."""
        now = math.floor(self._clock())
        chance = random.Random(f"{self._seed}.{now}")
        return Reading(
            cpu=round(22 + 6 * math.sin(now / 7) + chance.random() * 4, 1),
            ram_used=int(self.RAM * (0.32 + 0.02 * math.sin(now / 41))),
            ram_total=self.RAM,
            disk_free=412 << 30,
            gpus=tuple(self._gpu(index, now, chance) for index in range(self._count)),
        )

    def _gpu(self, index: int, now: int, chance: random.Random) -> GpuGauge:
        load = 0.93 + 0.05 * math.sin(now / 5 + index) + 0.02 * chance.random()
        return GpuGauge(
            index=index,
            name="NVIDIA H100 80GB HBM3",
            utilisation=round(100 * load),
            memory_used=int(self.GPU_MEMORY * (0.56 + 0.004 * index)),
            memory_total=self.GPU_MEMORY,
            temperature=round(58 + 6 * load + index % 3),
            power=round(690 * load - 8 * index),
        )
