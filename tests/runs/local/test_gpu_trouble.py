"""GPUs that vanish, are taken, or run out: a real loop on a driver of our own, through the real binding of NVML.

The driver is `native/nvml.c`; the runs write into its file what a training script would hold, and take its GPU away.
"""

import ctypes
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pynvml
import pytest

from loop.machine.gauges import MachineGauges
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.runs.local.gpus import NOTHING, Look, in_the_way, seen
from loop.runs.local.machine_faults import Around, lost
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.outcomes import Outcome
from loop.study.readings import GpuGauge, GpuProcess, GpuUse
from loop.study.state import Study
from tests.native import compiled
from tests.supervisor.house import SCRIPT, House, Scripted, change

GIB = 1 << 30
TOTAL = 80 * GIB
FREE = f"gpu 0 {TOTAL}"
SHORT = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 80.00 GiB "
    "of which 1.00 GiB is free."
)


class Driver:
    """A driver whose GPUs are what its file says; and a stranger on this machine who may take one."""

    def __init__(self, folder: Path, binding: Any) -> None:
        self.binding = binding
        self.state, self.idle = folder / "gpus", folder / "idle"
        self.idle.write_text(f"{FREE}\n")
        self.say(FREE)
        self.stranger = subprocess.Popen(["sleep", "300"])

    def say(self, *lines: str) -> None:
        new = self.state.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.state)

    def script(self, *tail: str) -> str:
        """A training script that holds 40 GiB for a while, and then does `tail`."""
        held = (
            f"printf '{FREE}\\nprocess 0 %s {40 * GIB}\\n' $$ > {self.state}\nsleep 0.3\ncp {self.idle} {self.state}\n"
        )
        return SCRIPT.replace("# the end\n", f"{held}# the end\n" + "".join(f"{line}\n" for line in tail))


@pytest.fixture(scope="module")
def binding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real binding once more, on our driver: the other tests of this process keep theirs."""
    library = compiled("nvml", tmp_path_factory.mktemp("nvml"))
    spec = importlib.util.spec_from_file_location("nvml_of_a_test", pynvml.__file__)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "nvml_of_a_test", made)
        spec.loader.exec_module(made)
        made.nvmlLib = ctypes.CDLL(str(library))  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def driver(tmp_path: Path, binding: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv("FAKE_NVML", str(tmp_path / "gpus"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_BUSY", 0.05)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.05)
    monkeypatch.setattr("loop.machine.gauges.QUICK_S", 0.05)
    monkeypatch.setattr("loop.pipeline.quarantine.LONGEST_TROUBLE", 0.05)
    monkeypatch.setattr("loop.runs.local.readiness.WAITS", (0.05, 0.1))
    made = Driver(tmp_path, binding)
    yield made
    made.stranger.kill()
    made.stranger.wait()


@pytest.fixture
def house(tmp_path: Path, driver: Driver) -> House:
    (tmp_path / "study").mkdir()
    house = House(tmp_path / "study", sandbox="off", script=driver.script())
    house.gauges = MachineGauges(house.root, driver.binding, foreign=False)
    return house


async def work(house: House, scripted: Scripted, meanwhile: Callable[[e.Event], None]) -> Study:
    """Run the loop to its end, and do something about each of its faults at a GPU."""

    def act(event: e.Event) -> None:
        if isinstance(event.body, e.Fault) and event.body.where == "GPU 0":
            meanwhile(event)

    return await house.work_while(act, scripted)


async def test_a_gpu_that_is_gone_is_waited_for_and_said_so(house: House, driver: Driver) -> None:
    driver.say(f"{FREE} lost")
    said: list[str] = []

    def bring_back(event: e.Event) -> None:
        assert isinstance(event.body, e.Fault)
        said.append(event.body.message)
        driver.say(FREE)

    study = await work(house, Scripted(), bring_back)
    assert said[0].startswith("GPU 0 does not answer any more; runs wait until it is back (`nvidia-smi` and ")
    assert [event.body.where for event in house.events("recovered")] == ["GPU 0"]  # type: ignore[union-attr]
    assert study.troubles == {} and study.experiments[0].verdict == "kept"
    assert [run.outcome for run in study.experiments[0].runs.values()] == ["finished", "finished"]
    assert study.experiments[0].runs[1].peak_gpu_memory == 40 * GIB


async def test_a_gpu_that_somebody_has_taken_is_waited_for_and_told_whose_it_is(house: House, driver: Driver) -> None:
    said: list[str] = []

    def take(briefing: Any) -> Any:
        driver.say(FREE, f"process 0 {driver.stranger.pid} {60 * GIB}")
        return change("A=5", "A=1")(briefing)

    def leave(event: e.Event) -> None:
        assert isinstance(event.body, e.Fault)
        said.append(event.body.message)
        driver.say(FREE)

    study = await work(house, Scripted(take), leave)
    assert "GPU 0 is taken: 20.0 GiB are free and a run of the champion used 40.0 GiB; in use by" in said[0]
    assert f"process {driver.stranger.pid} (sleep 300, 60.0 GiB); runs wait until that is free" in said[0]
    assert study.experiments[1].verdict == "kept" and study.troubles == {}


async def test_a_run_whose_memory_somebody_took_is_run_again_and_held_against_nobody(
    house: House, driver: Driver
) -> None:
    once = house.root.parent / "once"
    intrusion = (
        f"if mkdir {once}; then printf '{FREE}\\nprocess 0 {driver.stranger.pid} {50 * GIB}\\n' > {driver.state}; "
        f"echo '{SHORT}'; exit 1; fi"
    )
    said: list[str] = []

    def leave(event: e.Event) -> None:
        assert isinstance(event.body, e.Fault)
        said.append(event.body.message)
        driver.say(FREE)

    study = await work(house, Scripted(change("# the end", f"{intrusion}; A=1")), leave)
    experiment = study.experiments[1]
    first, second = list(experiment.runs.values())[:2]
    assert first.outcome == "lost" and first.reason.startswith("others took 50.0 GiB of GPU 0's memory from it (")
    assert first.reason.endswith("; it is run again") and first.gpu_others == 50 * GIB
    assert (second.outcome, second.seed) == ("finished", first.seed)
    assert experiment.verdict == "kept"
    assert any("GPU 0 is " in message and str(driver.stranger.pid) in message for message in said)


async def test_a_gpu_that_vanishes_under_a_run_loses_the_run_only(house: House, driver: Driver) -> None:
    once = house.root.parent / "once"
    vanishing = f"if mkdir {once}; then echo '{FREE} lost' > {driver.state}; exit 1; fi"

    def bring_back(event: e.Event) -> None:
        driver.say(FREE)

    study = await work(house, Scripted(change("# the end", f"{vanishing}; A=1")), bring_back)
    runs = list(study.experiments[1].runs.values())
    assert [run.outcome for run in runs][:2] == ["lost", "finished"]
    assert runs[0].reason == "GPU 0 stopped answering while it ran; it is run again"
    assert study.experiments[1].verdict == "kept"


async def test_an_experiment_that_needs_too_much_by_itself_runs_out_of_memory(house: House) -> None:
    study = await work(house, Scripted(change("# the end", f"echo '{SHORT}'; exit 1")), lambda event: None)
    experiment = study.experiments[1]
    assert (experiment.verdict, len(experiment.runs)) == ("out_of_memory", 1)
    assert experiment.reason == ("ran out of GPU memory: 79.0 of 80.0 GiB were in use when it asked for 2.0 GiB more")


async def test_what_only_a_run_says_of_its_gpu_is_believed_twice(house: House) -> None:
    says = "echo 'RuntimeError: No CUDA GPUs are available'; exit 1"
    study = await work(house, Scripted(change("# the end", says)), lambda event: None)
    experiment = study.experiments[1]
    assert [run.outcome for run in experiment.runs.values()] == ["lost", "lost", "crashed"]
    assert experiment.verdict == "crashed"


def test_a_gpu_comes_back_under_the_number_of_another_and_is_still_gone(driver: Driver, tmp_path: Path) -> None:
    driver.say(f"gpu 0 {TOTAL}", f"gpu 1 {TOTAL}")
    gauges = MachineGauges(tmp_path, driver.binding, foreign=False)
    assert [gpu.gone for gpu, _ in gauges.look([0, 1])] == [False, False]
    driver.state.unlink()
    assert [gpu.gone for gpu, _ in gauges.look([0, 1])] == [True, True], "the driver was unloaded"
    driver.say(f"gpu 0 {TOTAL}")
    assert [gpu.gone for gpu, _ in gauges.look([0, 1])] == [False, True]
    assert [gpu.gone for gpu in gauges.read().gpus] == [False, True]


# --- the decisions ---------------------------------------------------------------------------------------------


def look(free: int, others: int, *holders: GpuProcess) -> Look:
    return Look(free=free * GIB, others=others * GIB, holders=holders)


def test_only_what_somebody_else_holds_is_waited_for() -> None:
    assert in_the_way("GPU 0", look(10, 0), need=40 * GIB, most=None) == "", "it is all there, and never was enough"
    assert in_the_way("GPU 0", look(60, 20), need=40 * GIB, most=None) == "", "there is room for both"
    assert in_the_way("GPU 0", look(20, 60), need=None, most=None) == "", "nobody knows yet what a run needs"
    assert "in use by others;" in in_the_way("GPU 0", look(20, 60), need=40 * GIB, most=None)
    assert "is shared" in in_the_way("GPU 0", look(60, 20), need=40 * GIB, most=10 * GIB)
    assert in_the_way("GPU 0", look(70, 10), need=40 * GIB, most=10 * GIB) == ""


def test_who_holds_a_gpu_is_named_the_largest_first() -> None:
    use = GpuUse(
        index=0,
        processes=(
            GpuProcess(pid=1, memory=GIB),
            GpuProcess(pid=2, memory=9 * GIB, user="ada", command="python train.py"),
            *(GpuProcess(pid=pid) for pid in (3, 4)),
        ),
    )
    found = seen([(GpuGauge(index=0, name="x", memory_used=10 * GIB, memory_total=80 * GIB), use)])
    assert found.whose == "ada's process 2 (python train.py, 9.0 GiB) and process 1 (1.0 GiB) and process 3 and 1 more"
    assert (found.free, found.others) == (70 * GIB, 10 * GIB)


def failed(tail: str, outcome: Any = "out_of_memory", **more: Any) -> RunResult:
    return RunResult(Outcome(outcome), "it failed", 1, None, 9.0, 9.0, 0, None, 0, {}, tail, **more)


def test_memory_that_others_took_is_the_reason_only_where_the_run_would_have_had_enough() -> None:
    around = Around("GPU 0", budget=300, others=50 * GIB)
    assert lost(failed(SHORT), around) is not None
    large = SHORT.replace("Tried to allocate 2.00 GiB", "Tried to allocate 60.00 GiB")
    assert lost(failed(large), around) is None
    always = Around("GPU 0", budget=300, others=50 * GIB, usual_others=50 * GIB)
    assert lost(failed(SHORT), always) is None, "the champion had no more"
    assert lost(failed(SHORT), Around("GPU 0", budget=300, others=NOTHING)) is None
    silent = "torch.AcceleratorError: CUDA error: out of memory"
    assert lost(failed(silent), around) is not None
    assert lost(failed("MemoryError"), around) is None, "main memory is not on the GPU"


@pytest.mark.parametrize(
    "line",
    [
        "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
        "RuntimeError: CUDA error: device-side assert triggered",
        "RuntimeError: CUDA error: unspecified launch failure",
        "ValueError: unknown error",
    ],
)
def test_what_a_program_does_to_a_gpu_by_itself_is_its_crash(line: str) -> None:
    assert lost(failed(line, "crashed"), Around("GPU 0", budget=300)) is None


# --- several GPUs ----------------------------------------------------------------------------------------------------


async def test_of_eight_gpus_of_two_kinds_each_is_a_slot_and_one_that_fails_is_out_and_back(
    tmp_path: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loop.policy.slot_health.LOOKS", (0.3, 0.3))
    eight = [f"gpu {index} {TOTAL}" for index in range(8)] + [f"name {index} A100" for index in (1, 6, 7)]
    driver.say(*eight)
    broken = tmp_path / "broken"
    broken.touch()
    ecc = (
        f'[ -e {broken} ] && [ $CUDA_VISIBLE_DEVICES = 3 ] && {{ echo "CUDA error: uncorrectable ECC error"; exit 1; }}'
    )
    (tmp_path / "study").mkdir()
    script = SCRIPT.replace("# one", f'{ecc}\n[ "$CUDA_DEVICE_ORDER" = PCI_BUS_ID ] || exit 9\n# one').replace(
        "# the end", "sleep 0.05\n# the end"
    )
    house = House(tmp_path / "study", sandbox="off", script=script)
    house.gauges = MachineGauges(house.root, driver.binding, foreign=False)
    lost = f"{eight[4]} lost"

    def act(event: e.Event) -> None:
        body = event.body
        if isinstance(body, e.Fault) and "GPU 3 is out of work" in body.message:
            broken.unlink(missing_ok=True)
        elif isinstance(body, e.Fault) and body.where == "GPU 4":
            driver.say(*eight)  # it is back
        elif event.kind == "experiment_judged" and event.experiment == 2:
            driver.say(*(lost if line == eight[4] else line for line in eight))

    class Endless(Scripted):
        """Goes on until both are back."""

        async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
            if len(house.events("recovered")) == 2:
                raise NothingLeft("both are back")
            return change("# the end", f"# {briefing.next_id}")(briefing)

    study = await house.work_while(act, Endless(ahead=2))
    assert study.supervisor is not None
    assert study.supervisor.slots == tuple(f"GPU {index}" for index in range(8))
    assert study.supervisor.kinds == ("Imaginary H100", "Imaginary A100")
    told = {event.body.where: event.body.message for event in house.events("fault")}  # type: ignore[union-attr]
    assert told["slots"].startswith("GPUs of 2 kinds (5 x Imaginary H100, 3 x Imaginary A100)")
    assert told["runs on GPU 3"].startswith("GPU 3 is out of work: it lost 3 runs in a row: GPU 3 failed (uncorrect")
    assert told["GPU 4"].startswith("GPU 4 does not answer any more")
    back = [event.body.where for event in house.events("recovered")]  # type: ignore[union-attr]
    assert sorted(back) == ["GPU 4", "runs on GPU 3"] and study.troubles == {}
    runs = [run for x in study.experiments.values() for run in x.runs.values()]
    assert {run.slot for run in runs if run.outcome == Outcome.FINISHED} >= {0, 1, 2}
    assert {x.verdict for x in study.experiments.values() if x.id} == {"discarded"}, "nobody paid for it"
    assert all(run.outcome in ("finished", "lost") for run in runs)
    assert all(run.device == ("Imaginary A100" if run.slot_name[4:] in "167" else "Imaginary H100") for run in runs)
    baseline = study.experiments[0]
    assert all(len(study.measured(baseline, kind)) >= study.contract.keep.baseline_runs for kind in study.kinds)
    assert all(len({run.device for run in x.counted()}) == 1 for x in study.experiments.values() if x.id)
