"""How a machine is divided into slots."""

import os
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from loop.config.overrides import Overrides
from loop.config.program import ProgramError, parse
from loop.config.settings import Settings
from loop.machine.gauges import Device, MachineGauges
from loop.runs.local.slots import CannotDivide, divide, refuse_rungs
from loop.study.contract import Contract
from loop.study.scales import Rung
from loop.study.slot_plan import DEFAULT, SlotPlan
from tests.machine.test_gauges import Driver

H100 = [Device(index, "H100", f"GPU-{index}{index}") for index in range(4)]
MIXED = [*H100, Device(4, "A100", "GPU-44"), Device(5, "A100", "GPU-55")]
CORES = tuple(range(8))


def slots(devices: list[Device], visible: str | None = None, **plan: int) -> list[tuple[str, str | None]]:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return [(slot.name, slot.devices) for slot in divide(devices, CORES, SlotPlan(**plan), environ).slots]


def test_each_gpu_is_a_slot_of_its_own() -> None:
    assert slots(H100) == [("GPU 0", "0"), ("GPU 1", "1"), ("GPU 2", "2"), ("GPU 3", "3")]
    assert slots(H100, count=2) == [("GPU 0", "0"), ("GPU 1", "1")]
    assert slots(H100[:1]) == [("GPU 0", "0")]


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("2,0", ["GPU 2", "GPU 0"]),
        ("GPU-33", ["GPU 3"]),
        ("1,-1,2", ["GPU 1"]),
        ("1,1", ["GPU 1"]),
        ("", ["CPU"]),
        ("9", ["CPU"]),
    ],
)
def test_what_a_person_makes_visible_is_obeyed_as_cuda_does(visible: str, names: list[str]) -> None:
    assert [name for name, _ in slots(H100, visible)] == names


def test_a_run_gets_several_gpus_or_shares_one() -> None:
    assert slots(H100, gpus_per_run=2) == [("GPU 0 + GPU 1", "0,1"), ("GPU 2 + GPU 3", "2,3")]
    assert slots(H100[:1], count=2) == slots(H100[:1], slots_per_gpu=2) == [("GPU 0 a", "0"), ("GPU 0 b", "0")]
    shared = divide(H100[:1], CORES, SlotPlan(slots_per_gpu=2), {}).slots
    assert {slot.kind for slot in shared} == {"H100, 1 of 2"}, "a crowded one is another kind"
    assert {(slot.threads, slot.beside, slot.on_gpu) for slot in shared} == {(4, 2, 2)}
    three = divide(H100[:3], CORES, SlotPlan(gpus_per_run=2), {})
    assert [slot.name for slot in three.slots] == ["GPU 0 + GPU 1"] and "GPU 2 stays unused" in three.notes[0]


def test_gpus_of_two_kinds_are_slots_of_two_kinds_and_how_to_use_one_is_said() -> None:
    division = divide(MIXED, CORES, DEFAULT, {})
    assert [slot.name for slot in division.slots] == [f"GPU {index}" for index in range(6)]
    assert [slot.kind for slot in division.slots] == ["H100"] * 4 + ["A100"] * 2
    (note,) = division.notes
    assert note.startswith("GPUs of 2 kinds (4 x H100, 2 x A100)") and "CUDA_VISIBLE_DEVICES=0,1,2,3 " in note
    (alone,) = {slot.kind for slot in divide(MIXED, CORES, DEFAULT, {"CUDA_VISIBLE_DEVICES": "4,5"}).slots}
    assert alone == "A100" and divide(MIXED, CORES, DEFAULT, {"CUDA_VISIBLE_DEVICES": "4,5"}).notes == ()


def test_fewer_slots_than_gpus_are_of_the_most_common_kind_first() -> None:
    turned = [Device(index, "A100" if index < 2 else "H100", f"GPU-{index}") for index in range(5)]
    assert [slot.name for slot in divide(turned, CORES, SlotPlan(count=3), {}).slots] == ["GPU 2", "GPU 3", "GPU 4"]
    assert [slot.name for slot in divide(turned, CORES, SlotPlan(count=4), {}).slots] == [
        "GPU 0", "GPU 2", "GPU 3", "GPU 4",
    ]  # fmt: skip


def test_a_run_of_several_gpus_never_has_two_kinds() -> None:
    division = divide([*H100[:3], *MIXED[4:]], CORES, SlotPlan(gpus_per_run=2), {})
    assert [(slot.name, slot.kind) for slot in division.slots] == [
        ("GPU 0 + GPU 1", "2 x H100"), ("GPU 4 + GPU 5", "2 x A100"),
    ]  # fmt: skip
    assert division.notes[-1] == "GPU 2 stays unused: a run gets 2 GPUs of one kind (`gpus_per_run:`)"
    with pytest.raises(CannotDivide, match=r"a run is to get 4 GPUs of one kind .* 5 .3 H100, 2 A100."):
        divide([*H100[:3], *MIXED[4:]], CORES, SlotPlan(gpus_per_run=4), {})


def test_a_gpu_that_comes_back_under_another_number_is_the_same_slot_by_its_uuid() -> None:
    before = divide(H100[:2], CORES, DEFAULT, {"CUDA_VISIBLE_DEVICES": "GPU-11"}).slots
    turned = [Device(0, "H100", "GPU-11"), Device(1, "H100", "GPU-00")]
    after = divide(turned, CORES, DEFAULT, {"CUDA_VISIBLE_DEVICES": "GPU-11"}).slots
    assert [(slot.devices, slot.gpus) for slot in (*before, *after)] == [("1", (1,)), ("0", (0,))]


def test_cores_are_divided_evenly_and_no_two_slots_share_one() -> None:
    found = divide([], tuple(range(2, 11)), SlotPlan(cpu_slots=4), {}).slots
    assert [(slot.name, slot.cores, slot.threads) for slot in found] == [
        ("CPU 0", (2, 3), 2), ("CPU 1", (4, 5), 2), ("CPU 2", (6, 7), 2), ("CPU 3", (8, 9), 2),
    ]  # fmt: skip
    (whole,) = divide([], CORES, DEFAULT, {}).slots
    assert (whole.name, whole.cores, whole.threads) == ("CPU", (), None), "nothing is divided, so nothing is told"
    assert whole.kind != found[0].kind


def test_more_slots_than_cores_share_them_and_that_is_told() -> None:
    division = divide([], (4, 7), SlotPlan(count=4), {})
    assert [slot.cores for slot in division.slots] == [(4,), (7,), (4,), (7,)]
    assert division.notes == ("4 slots share 2 cores, so that runs wait for each other and get less far",)
    assert [slot.cores for slot in divide([], (4, 7), SlotPlan(count=3), {}).slots] == [()] * 3, "nobody gets more"
    assert {slot.threads for slot in division.slots} == {1}


@pytest.mark.parametrize(
    ("devices", "plan", "said"),
    [
        (H100[:1], {"gpus_per_run": 2}, "a run is to get 2 GPUs (`gpus_per_run:`), and there are 1 (H100)"),
        (H100, {"gpus_per_run": 2, "count": 3}, "2 fit"),
        (H100[:3], {"count": 4}, "3 and 6 can"),
    ],
)
def test_what_a_machine_has_not_is_refused(devices: list[Device], plan: dict[str, int], said: str) -> None:
    with pytest.raises(CannotDivide) as refused:
        divide(devices, CORES, SlotPlan(**plan), {})
    assert said in str(refused.value) and str(refused.value).startswith("slots: ")


class Sliced(Driver):
    """A GPU that is divided in two, and a whole one."""

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:
        return [int(handle == 0)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: int) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: int, part: int) -> int:
        if part not in (0, 2):
            raise self.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return 10 + part

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int | None = None) -> object:
        return SimpleNamespace(used=(handle + 1) << 30, total=80 << 30)

    def nvmlDeviceGetUUID(self, handle: int) -> object:
        return f"MIG-{handle}" if handle >= 10 else f"GPU-{handle}"

    def nvmlDeviceGetName(self, handle: int) -> object:
        return "A100 MIG 3g.20gb" if handle >= 10 else "A100"


def test_a_slice_of_a_gpu_is_a_gpu(tmp_path: Path) -> None:
    gauges = MachineGauges(tmp_path, Sliced(), foreign=False)
    assert [(one.label, one.uuid) for one in gauges.devices()] == [
        ("GPU 0:0", "MIG-10"), ("GPU 0:2", "MIG-12"), ("GPU 1", "GPU-1"),
    ]  # fmt: skip
    division = divide(gauges.devices(), CORES, DEFAULT, {})
    assert [(slot.name, slot.devices, slot.kind) for slot in division.slots] == [
        ("GPU 0:0", "MIG-10", "A100 MIG 3g.20gb"), ("GPU 0:2", "MIG-12", "A100 MIG 3g.20gb"), ("GPU 1", "1", "A100"),
    ]  # fmt: skip
    assert [gpu.memory_used for gpu, _ in gauges.look(division.slots[1].gpus)] == [13 << 30]
    assert slots(list(gauges.devices()), "MIG-12") == [("GPU 0:2", "MIG-12")]


def test_the_flag_goes_over_the_program_and_the_program_over_the_settings() -> None:
    pairs = parse("---\nslots: {gpus_per_run: 2}\n---\n").contract
    settings = Settings.model_validate({"slots": "3"})
    assert Overrides().slot_plan(Contract(), Settings()) == DEFAULT
    assert Overrides().slot_plan(Contract(), settings) == SlotPlan(count=3)
    assert Overrides().slot_plan(pairs, settings) == SlotPlan(gpus_per_run=2)
    assert Overrides(slots=4).slot_plan(pairs, settings) == SlotPlan(count=4, gpus_per_run=2)
    assert parse("---\nslots: 4\n---\n").contract.slots == SlotPlan(count=4)
    assert pairs.protocol_id == Contract().protocol_id, "it is the machine's, and says nothing of what a number means"


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ("0", "program.md:2: slots.count: input should be greater than or equal to 1, not 0"),
        ("many", "program.md:2: slots: "),
        ("true", "program.md:2: slots: expected a number of slots, or keys such as `slots_per_gpu: 2`"),
        ("{gpu_per_run: 2}", "program.md:2: unknown key `slots.gpu_per_run` (did you mean `gpus_per_run`?)"),
        ("{gpus_per_run: 2, slots_per_gpu: 2}", "so set only one of the two keys"),
    ],
)
def test_a_plan_that_means_nothing_is_refused_with_its_line(slots: str, said: str) -> None:
    with pytest.raises(ProgramError) as refused:
        parse(f"---\nslots: {slots}\n---\n")
    assert said in str(refused.value)


def test_this_machine_has_cores_to_divide() -> None:
    from loop.machine.gauges import cores, processors

    assert len(cores()) == processors() == len(os.sched_getaffinity(0))


def test_a_ladder_may_ask_for_the_gpus_that_there_are_and_for_no_more() -> None:
    eight = divide([*H100, *MIXED[4:]], CORES, SlotPlan(), {}).slots
    refuse_rungs({"small": Rung(), "large": Rung(gpus_per_run=4)}, eight)
    refuse_rungs(
        {"small": Rung(), "large": Rung(gpus_per_run=2)}, divide(H100, CORES, SlotPlan(gpus_per_run=2), {}).slots
    )
    with pytest.raises(
        CannotDivide, match=r"^huge asks for 9 GPUs a run .*, and 4 GPUs of one kind are here; ask for fewer"
    ):
        refuse_rungs({"small": Rung(), "huge": Rung(gpus_per_run=9)}, eight)
    with pytest.raises(CannotDivide, match="and no GPU is here; ask"):
        refuse_rungs({"small": Rung(), "huge": Rung(gpus_per_run=1)}, divide([], CORES, SlotPlan(), {}).slots)
