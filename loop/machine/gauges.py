"""What the machine is doing: GPUs through NVML, processors, memory and disk through psutil.

Reads only: it changes no device's settings. Readings of a GPU are cached for seconds, so callers may read as often as
they like; process lists, which hold the driver's lock for 4.5 ms each and slow a training run, are read every ten
seconds at most. It never raises: what a device does not support, or no longer answers, is None.
"""

import math
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
import pynvml

from loop.study.readings import GaugeRead, GpuGauge, GpuProcess, GpuUse
from loop.study.slot_record import SLICES

QUICK_S = 1.0  # between two looks at a GPU's utilisation and memory
SLOW_S = 3.0  # between two looks at its temperature and power
USERS_S = 10.0  # between two looks at who is on the GPUs

_FIRST_PIDS = "pid:[4026531836]"  # PROC_PID_INIT_INO of Linux: the process table of the machine itself
_LONGEST_COMMAND = 60


def cores() -> tuple[int, ...]:
    """Numbers of the processors that this process and what it starts may use; none where nobody can choose (macOS)."""
    try:
        return tuple(sorted(os.sched_getaffinity(0)))
    except AttributeError:
        return ()


def processors() -> int | None:
    """How many those are; None where nobody knows."""
    return len(cores()) or os.cpu_count()


@dataclass(frozen=True)
class Device:
    """A GPU that runs can have to themselves: a whole one, or a slice of one that the driver has divided (MIG)."""

    index: int
    """As in `GpuGauge`: the driver's, or `SLICES * (driver's + 1)` and the slice's number in it."""
    name: str
    """What it is, such as "NVIDIA H100 80GB HBM3"."""
    uuid: str = ""
    """By which CUDA knows it whatever its number is; empty where the driver does not tell."""
    slice_of: int | None = None
    """The driver's index of the GPU that it is a slice of."""

    @property
    def label(self) -> str:
        """Its name for a person, the same at every start."""
        if self.slice_of is None:
            return f"GPU {self.index}"
        return f"GPU {self.slice_of}:{self.index % SLICES}"


class Gauges(Protocol):
    """Something that can be read."""

    def devices(self) -> tuple[Device, ...]:
        """The GPUs that there are, in the order of the bus; those that have gone, too."""

    def read(self) -> GaugeRead:
        """The machine now. May take some milliseconds; never raises."""

    def look(self, devices: Collection[int]) -> tuple[tuple[GpuGauge, GpuUse], ...]:
        """The GPUs with these NVML indices at this very moment, and who is on each; 10 ms a GPU, never raises."""


class MachineGauges:
    """The machine that this process runs on."""

    def __init__(
        self,
        folder: Path,
        driver: Any = pynvml,
        clock: Callable[[], float] = time.monotonic,
        foreign: bool | None = None,
    ) -> None:
        """Look for GPUs once; without a driver there are none (0.2 ms).

        Args:
            folder: on the disk whose free space counts.
            driver: the NVML binding.
            clock: seconds that never go back.
            foreign: whether the driver's process ids are those of another process table; looked up where not given.
        """
        self._folder, self._clock = folder, clock
        self._gpus = _find_gpus(driver, clock)
        self._foreign = bool(self._gpus) and (in_container() if foreign is None else foreign)
        self._users_at = -math.inf
        psutil.cpu_percent()  # the first call has nothing to compare with, and says 0

    def read(self) -> GaugeRead:
        """The machine now: 0.1 ms, and once a second what the driver takes to answer."""
        memory = psutil.virtual_memory()
        try:
            disk_free = psutil.disk_usage(str(self._folder)).free
        except OSError:
            disk_free = 0  # the folder is gone, so nothing can be written there
        return GaugeRead(
            cpu=psutil.cpu_percent(),
            cpus=processors(),
            ram_used=memory.total - memory.available,
            ram_total=memory.total,
            disk_free=disk_free,
            gpus=tuple(gpu.read() for gpu in self._gpus),
            gpu_use=self._use(),
            foreign_pids=self._foreign,
        )

    def devices(self) -> tuple[Device, ...]:
        """See `Gauges`."""
        return tuple(gpu.device() for gpu in self._gpus)

    def look(self, devices: Collection[int]) -> tuple[tuple[GpuGauge, GpuUse], ...]:
        """See `Gauges`."""
        found = [gpu for gpu in self._gpus if gpu.index in devices]
        return tuple((gpu.read(anew=True), gpu.use(known=not self._foreign)) for gpu in found)

    def _use(self) -> tuple[GpuUse, ...] | None:
        """Who is on the GPUs, where it is time to ask."""
        now = self._clock()
        if not self._gpus or now - self._users_at < USERS_S:
            return None
        self._users_at = now
        return tuple(gpu.use(known=not self._foreign) for gpu in self._gpus)


def in_container(own: Path = Path("/proc/self/ns/pid")) -> bool:
    """Whether our process ids are others than the machine's, which are those that its driver speaks of."""
    try:
        return str(own.readlink()) != _FIRST_PIDS
    except OSError:
        return False  # no Linux, so no such containers


class _Gpu:
    """One GPU, or a slice of one. Each field is asked for on its own: one that is not supported says nothing of the
    next.

    Args:
        number: the driver's, of the whole GPU.
        part: the slice's in it; None: it is the whole one.
    """

    def __init__(self, driver: Any, number: int, clock: Callable[[], float], part: int | None = None) -> None:
        self._driver, self._number, self._part, self._clock = driver, number, part, clock
        self.index = index = number if part is None else SLICES * (number + 1) + part
        self._quick_at = self._slow_at = -math.inf
        self._identity: object = None
        self._reading = GpuGauge(index=index, name=f"GPU {index}")

    def read(self, anew: bool = False) -> GpuGauge:
        """What it says now, or said a moment ago.

        Args:
            anew: ask now; where it was gone, also let the driver look for its GPUs again.
        """
        now = self._clock()
        changed: dict[str, Any] = {}
        try:
            if anew and self._reading.gone:
                self._driver.nvmlShutdown()
                self._driver.nvmlInit()
            if anew or now - self._quick_at >= QUICK_S:
                self._quick_at = now
                changed |= {"gone": False, **self._look_quickly(self._handle())}
            if now - self._slow_at >= SLOW_S:
                self._slow_at = now
                changed |= self._look_slowly(self._handle())
            if anew:  # before and after a run only: nobody draws it, and each reading is kept
                changed["energy"] = self._joules(self._handle())
        except self._driver.NVMLError:  # fallen off the bus: it stays on screen, with nothing to say
            nothing = ("utilisation", "memory_used", "memory_total", "temperature", "power")
            changed = {**dict.fromkeys(nothing), "gone": True}
        energy = changed.pop("energy", None)
        if changed:
            self._reading = self._reading.model_copy(update=changed)
        return self._reading if energy is None else self._reading.model_copy(update={"energy": energy})

    def use(self, known: bool) -> GpuUse:
        """Who is on it.

        Args:
            known: whether the driver's process ids are ours too, so that user and command can be looked up.
        """
        driver = self._driver
        try:
            handle = self._handle()
            compute = self._ask(driver.nvmlDeviceGetComputeRunningProcesses, handle)
            lists = [compute, self._ask(driver.nvmlDeviceGetGraphicsRunningProcesses, handle)]
        except driver.NVMLError:
            lists = [None, None]
        if lists == [None, None]:
            return GpuUse(index=self.index)
        held = {found.pid: found.usedGpuMemory for processes in lists for found in processes or ()}
        processes = (
            _somebody(pid, None if memory is None else int(memory), known) for pid, memory in sorted(held.items())
        )
        return GpuUse(index=self.index, processes=tuple(processes))

    def device(self) -> Device:
        """What it is."""
        name = self.read().name
        identity = "" if self._identity is None else str(self._identity)
        return Device(self.index, name, identity, None if self._part is None else self._number)

    def _handle(self) -> Any:
        """How the driver names it now. NVMLError where another GPU has its number by now, because it is gone itself."""
        handle = self._driver.nvmlDeviceGetHandleByIndex(self._number)
        if self._part is not None:
            handle = self._driver.nvmlDeviceGetMigDeviceHandleByIndex(handle, self._part)
        identity = self._ask(self._driver.nvmlDeviceGetUUID, handle)
        self._identity = self._identity or identity
        if identity is not None and identity != self._identity:
            raise self._driver.NVMLError(self._driver.NVML_ERROR_GPU_IS_LOST)
        return handle

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

    def _joules(self, handle: Any) -> float | None:
        """Energy that the GPU has taken since its driver was loaded; no slice of one is metered by itself."""
        count = None if self._part is not None else self._ask(self._driver.nvmlDeviceGetTotalEnergyConsumption, handle)
        return None if count is None else float(count) / 1000

    def _ask(self, question: Callable[..., Any], *about: Any, **how: Any) -> Any:
        """The driver's answer; None where this device has none. NVMLError where the device itself is gone."""
        try:
            return question(*about, **how)
        except self._driver.NVMLError as error:
            if error.value in (self._driver.NVML_ERROR_GPU_IS_LOST, self._driver.NVML_ERROR_UNINITIALIZED):
                raise
            return None


def _somebody(pid: int, memory: int | None, known: bool) -> GpuProcess:
    """A process on a GPU, with the name of its user and the beginning of its command line where they can be known."""
    user = command = ""
    if known:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                words = process.cmdline() or [process.name()]
                user, command = process.username(), " ".join([Path(words[0]).name, *words[1:]])[:_LONGEST_COMMAND]
        except psutil.Error:
            pass  # gone by now, or somebody's whose processes we may not look at
    return GpuProcess(pid=pid, memory=memory, user=user, command=command)


def _find_gpus(driver: Any, clock: Callable[[], float]) -> list[_Gpu]:
    try:
        driver.nvmlInit()
        return [gpu for number in range(driver.nvmlDeviceGetCount()) for gpu in _parts(driver, number, clock)]
    except driver.NVMLError:
        return []


def _parts(driver: Any, number: int, clock: Callable[[], float]) -> list[_Gpu]:
    """A GPU as what runs can have of it: its slices where it is divided, else all of it."""
    found: list[_Gpu] = []
    try:
        whole = driver.nvmlDeviceGetHandleByIndex(number)
        if driver.nvmlDeviceGetMigMode(whole)[0] != driver.NVML_DEVICE_MIG_ENABLE:
            return [_Gpu(driver, number, clock)]
        for part in range(driver.nvmlDeviceGetMaxMigDeviceCount(whole)):
            try:
                driver.nvmlDeviceGetMigDeviceHandleByIndex(whole, part)
            except driver.NVMLError:
                continue  # nothing was made there
            found.append(_Gpu(driver, number, clock, part))
    except driver.NVMLError:
        pass  # it cannot be divided, or is gone
    return found or [_Gpu(driver, number, clock)]
