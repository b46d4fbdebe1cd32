"""Gauges: this machine's, a driver that misbehaves, and the made-up machine."""

import ctypes
import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from loop.machine.gauges import MachineGauges, in_container, processors
from loop.study.codec import decode, encode
from loop.study.readings import RunGauge
from tests.gauges import FakeGauges


class Driver:
    """An NVML with two GPUs, as its binding looks from outside; each may be told to fail."""

    NVMLError = pynvml.NVMLError
    NVML_ERROR_GPU_IS_LOST = pynvml.NVML_ERROR_GPU_IS_LOST
    NVML_ERROR_UNINITIALIZED = pynvml.NVML_ERROR_UNINITIALIZED
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU
    nvmlMemory_v2 = pynvml.nvmlMemory_v2
    NVML_DEVICE_MIG_ENABLE = pynvml.NVML_DEVICE_MIG_ENABLE

    def __init__(self) -> None:
        self.unsupported: set[str] = set()
        self.lost: set[int] = set()
        self.asked: list[str] = []

    def _answer(self, what: str, index: int, value: object) -> object:
        self.asked.append(f"{what} {index}")
        if index in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        if what in self.unsupported:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return value

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlShutdown(self) -> None:
        pass

    def nvmlDeviceGetUUID(self, handle: int) -> object:
        return self._answer("identity", handle, f"GPU-{handle}")

    def nvmlDeviceGetName(self, handle: int) -> object:
        return self._answer("name", handle, "NVIDIA H100")

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> object:
        return self._answer("utilisation", handle, SimpleNamespace(gpu=91, memory=40))

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int | None = None) -> object:
        assert version == pynvml.nvmlMemory_v2
        return self._answer("memory", handle, SimpleNamespace(used=(handle + 1) << 30, total=80 << 30))

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> object:
        return self._answer("temperature", handle, 64)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> object:
        return self._answer("power", handle, 612_000)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> object:
        return self._answer("energy", handle, 1_000 * (5_000 + handle))

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> object:
        mine = SimpleNamespace(pid=os.getpid(), usedGpuMemory=5 << 30)
        return self._answer("compute", handle, [mine, SimpleNamespace(pid=2**22 + 7, usedGpuMemory=None)])

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: int) -> object:
        return self._answer("graphics", handle, [])


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_this_machine_reads_without_a_fuss(tmp_path: Path):
    gauges = MachineGauges(tmp_path)
    gauges.read()
    reading = gauges.read()
    assert 0 <= reading.cpu <= 100
    assert 0 < reading.ram_used < reading.ram_total == psutil.virtual_memory().total
    assert reading.disk_free > 0


def test_a_machine_without_a_driver_has_no_gpus(tmp_path: Path):
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        assert MachineGauges(tmp_path).read().gpus == ()
    else:
        pytest.skip("this machine has a driver")


def test_a_folder_that_is_gone_is_a_disk_without_room(tmp_path: Path):
    assert MachineGauges(tmp_path / "gone").read().disk_free == 0


def test_a_gpu_tells_all_its_figures_in_their_units(tmp_path: Path, clock: Clock):
    first, second = MachineGauges(tmp_path, Driver(), clock).read().gpus
    assert (first.index, first.name, first.utilisation, first.temperature, first.power) == (
        0,
        "NVIDIA H100",
        91,
        64,
        612,
    )
    assert (first.memory_used, first.memory_total, second.memory_used) == (1 << 30, 80 << 30, 2 << 30)


@pytest.mark.parametrize("field", ["utilisation", "memory", "temperature", "power"])
def test_what_a_gpu_does_not_support_is_none_and_the_rest_is_there(tmp_path: Path, clock: Clock, field: str):
    driver = Driver()
    driver.unsupported = {field}
    gpu = MachineGauges(tmp_path, driver, clock).read().gpus[0]
    told = {
        "utilisation": gpu.utilisation,
        "memory": gpu.memory_used,
        "temperature": gpu.temperature,
        "power": gpu.power,
    }
    assert [name for name, value in told.items() if value is None] == [field]


def test_a_gpu_that_falls_off_the_bus_stays_on_screen_with_nothing_to_say(tmp_path: Path, clock: Clock):
    driver = Driver()
    gauges = MachineGauges(tmp_path, driver, clock)
    gauges.read()
    driver.lost = {1}
    clock.now += 5
    first, second = gauges.read().gpus
    assert first.utilisation == 91
    assert (second.index, second.name) == (1, "NVIDIA H100")
    assert second.utilisation is second.memory_used is second.memory_total is second.temperature is second.power is None


def test_the_driver_is_asked_no_more_often_than_is_good_for_it(tmp_path: Path, clock: Clock):
    driver = Driver()
    gauges = MachineGauges(tmp_path, driver, clock)
    for _ in range(120):  # ten times a second for twelve seconds
        gauges.read()
        clock.now += 0.1
    assert driver.asked.count("memory 0") in range(11, 14) and driver.asked.count("utilisation 1") in range(11, 14)
    assert driver.asked.count("power 0") in range(4, 6) and driver.asked.count("temperature 1") in range(4, 6)


def test_memory_of_a_slot_is_the_sum_over_its_gpus(tmp_path: Path, clock: Clock):
    reading = MachineGauges(tmp_path, Driver(), clock).read()
    assert reading.gpu_memory([0, 1]) == 3 << 30 and reading.gpu_memory([1]) == 2 << 30
    assert reading.gpu_memory([]) is None and reading.gpu_memory([7]) is None


def test_a_reading_is_a_fact_for_the_journal(tmp_path: Path, clock: Clock):
    reading = MachineGauges(tmp_path, Driver(), clock).read()
    held = (RunGauge(experiment=3, run=1, memory=5), RunGauge(experiment=4, run=1, memory=2))
    event = reading.model_copy(update={"runs": held})
    assert reading.cpus == processors() and reading.runs == ()
    assert decode(encode(event)) == event


def test_who_is_on_a_gpu_is_asked_every_ten_seconds_and_told_by_name(tmp_path: Path, clock: Clock):
    driver = Driver()
    gauges = MachineGauges(tmp_path, driver, clock, foreign=False)
    told = []
    for _ in range(61):  # twice a second for half a minute
        told.append(gauges.read().gpu_use)
        clock.now += 0.5
    assert driver.asked.count("compute 0") == driver.asked.count("graphics 1") == 4
    assert [index for index, use in enumerate(told) if use is not None] == [0, 20, 40, 60]
    use = told[0]
    assert use is not None and use[0].processes is not None
    mine, gone = use[0].processes
    assert (mine.pid, mine.memory) == (os.getpid(), 5 << 30) and mine.user and "python" in mine.command
    assert (gone.memory, gone.user, gone.command) == (None, "", ""), "a process that is gone, and memory not told"


def test_in_a_container_processes_have_no_names(tmp_path: Path, clock: Clock):
    reading = MachineGauges(tmp_path, Driver(), clock, foreign=True).read()
    assert reading.foreign_pids and reading.gpu_use is not None
    assert all((one.user, one.command) == ("", "") for use in reading.gpu_use for one in use.processes or ())
    own = tmp_path / "pid"
    own.symlink_to("pid:[4026531836]")
    assert not in_container(own), "the machine's own process table"
    own.unlink()
    own.symlink_to("pid:[4026532999]")
    assert in_container(own)
    assert not in_container(tmp_path / "none")


def test_a_driver_that_does_not_tell_who_is_on_it_is_no_empty_gpu(tmp_path: Path, clock: Clock):
    driver = Driver()
    driver.unsupported, driver.lost = {"compute", "graphics"}, {1}
    use = MachineGauges(tmp_path, driver, clock, foreign=False).read().gpu_use
    assert use is not None and [one.processes for one in use] == [None, None]
    driver.unsupported, driver.lost = {"graphics"}, set()
    clock.now += 10
    use = MachineGauges(tmp_path, driver, clock, foreign=False).read().gpu_use
    assert use is not None and [len(one.processes or ()) for one in use] == [2, 2]


@pytest.mark.parametrize("count", [1, 8])
def test_the_made_up_machine_is_the_same_at_the_same_time(count: int, clock: Clock):
    one, two = FakeGauges(count, seed=3, clock=clock), FakeGauges(count, seed=3, clock=clock)
    earlier = one.read()
    assert earlier == two.read() and len(earlier.gpus) == count
    clock.now += 10
    assert one.read() != earlier
    use = earlier.gpu_use
    assert use is not None and [one.index for one in use] == list(range(count))
    assert max(len(one.processes or ()) for one in use) == (2 if count > 1 else 1), "a guest on the last of several"
    for gpu in one.read().gpus:
        assert gpu.utilisation is not None and 0 <= gpu.utilisation <= 100
        assert gpu.memory_used is not None and gpu.memory_total is not None and gpu.memory_used < gpu.memory_total


def test_energy_is_read_before_and_after_a_run_and_not_with_every_beat(tmp_path: Path) -> None:
    driver = Driver()
    gauges = MachineGauges(tmp_path, driver, foreign=False)
    assert gauges.read().gpus[1].energy is None and "energy 1" not in driver.asked
    (gpu, _) = gauges.look([1])[0]
    assert gpu.energy == 5001.0 and gauges.read().gpus[1].energy is None
    driver.unsupported.add("energy")
    assert gauges.look([1])[0][0].energy is None
