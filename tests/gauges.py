"""A machine that is made up, for tests and measurements: as many GPUs as wanted, all of them training."""

import math
import random
import time
from collections.abc import Callable, Collection

from loop.machine.gauges import USERS_S, Device
from loop.study.readings import GaugeRead, GpuGauge, GpuProcess, GpuUse


class FakeGauges:
    """A made-up machine: the same second of the same seed gives the same reading."""

    NAME = "NVIDIA H100 80GB HBM3"
    GPU_MEMORY = 80 << 30
    RAM = 128 << 30

    def __init__(self, gpus: int, seed: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._count, self._seed, self._clock = gpus, seed, clock
        self._users_at = -math.inf

    def read(self) -> GaugeRead:
        """A machine that trains: busy GPUs that breathe a little, each in its own rhythm."""
        now = math.floor(self._clock())
        chance = random.Random(f"{self._seed}.{now}")
        return GaugeRead(
            cpu=round(22 + 6 * math.sin(now / 7) + chance.random() * 4, 1),
            ram_used=int(self.RAM * (0.32 + 0.02 * math.sin(now / 41))),
            ram_total=self.RAM,
            disk_free=412 << 30,
            gpus=tuple(self._gpu(index, now, chance) for index in range(self._count)),
            gpu_use=self._use(now),
        )

    def devices(self) -> tuple[Device, ...]:
        return tuple(Device(index, self.NAME, f"GPU-{index}") for index in range(self._count))

    def look(self, devices: Collection[int]) -> tuple[tuple[GpuGauge, GpuUse], ...]:
        """See `Gauges`: nobody else is on a made-up GPU."""
        gpus = self.read().gpus
        return tuple((gpu, GpuUse(index=gpu.index, processes=())) for gpu in gpus if gpu.index in devices)

    def _use(self, now: int) -> tuple[GpuUse, ...] | None:
        """A training script on every GPU, and somebody's notebook on the last of several."""
        if not self._count or now - self._users_at < USERS_S:
            return None
        self._users_at = now
        mine = [
            GpuProcess(pid=4300 + index, memory=self._held(index), user="ada", command="python train.py")
            for index in range(self._count)
        ]
        guest = GpuProcess(pid=977, memory=3 << 30, user="grace", command="python -m ipykernel_launcher")
        return tuple(
            GpuUse(index=one.pid - 4300, processes=(guest, one) if one is mine[-1] and len(mine) > 1 else (one,))
            for one in mine
        )

    def _held(self, index: int) -> int:
        return int(self.GPU_MEMORY * (0.56 + 0.004 * index))

    def _gpu(self, index: int, now: int, chance: random.Random) -> GpuGauge:
        load = 0.93 + 0.05 * math.sin(now / 5 + index) + 0.02 * chance.random()
        return GpuGauge(
            index=index,
            name=self.NAME,
            utilisation=round(100 * load),
            memory_used=self._held(index),
            memory_total=self.GPU_MEMORY,
            temperature=round(58 + 6 * load + index % 3),
            power=round(690 * load - 8 * index),
        )
