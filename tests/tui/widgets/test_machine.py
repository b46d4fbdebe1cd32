"""The machine view as a function: who is on the GPUs, what runs hold, and what is said where nobody can know."""

from loop.study import events as e
from loop.study.readings import GpuGauge, GpuProcess, GpuUse, RunGauge
from tui.render.glyphs import ASCII
from tui.widgets.machine import machine_lines, others

GB = 2**30


def gauge(gpus: int, *runs: RunGauge, foreign: bool = False) -> e.GaugeRead:
    return e.GaugeRead(
        cpu=50,
        ram_used=8 * GB,
        ram_total=32 * GB,
        disk_free=100 * GB,
        gpus=tuple(GpuGauge(index=i, name="H100", memory_used=GB, memory_total=80 * GB) for i in range(gpus)),
        runs=runs,
        foreign_pids=foreign,
    )


def shown(reading: e.GaugeRead, use: list[GpuUse] | None, width: int = 78) -> list[str]:
    lines = machine_lines(reading, [reading], use, [(1.0, {"loss": 2.5})], width, ASCII)
    return ["".join(text for text, _ in line).rstrip() for line in lines]


MINE = GpuProcess(pid=7, memory=20 * GB, user="ada", command="python train.py", run="3.1")
GUEST = GpuProcess(pid=8, memory=2 * GB, user="grace", command="python serve.py")
UNKNOWN = GpuProcess(pid=9)


def test_a_gpu_that_is_gone_says_so() -> None:
    reading = gauge(1)
    gone = reading.model_copy(update={"gpus": (GpuGauge(index=0, name="H100", gone=True),)})
    assert any(line.startswith("GPU 0") and line.endswith("n/a  does not answer") for line in shown(gone, None))


def test_each_run_says_what_it_holds_and_strangers_are_named_the_largest_first() -> None:
    runs = (
        RunGauge(experiment=3, run=1, memory=6 * GB, gpu_memory=20 * GB),
        RunGauge(experiment=4, run=2, memory=GB),
    )
    use = [GpuUse(index=0, processes=(MINE,)), GpuUse(index=1, processes=(UNKNOWN, GUEST))]
    text = shown(gauge(2, *runs), use)
    assert text[5:] == [
        "run    3.1  RAM 6.0 GB  GPU 20 GB",
        "run    4.2  RAM 1.0 GB  GPU n/a",
        "others GPU 1  2.0 GB  grace: python serve.py (8)",
        "       GPU 1  memory n/a  somebody: unknown (9)",
        "reports loss 2.500",
    ]
    assert [process.pid for _, process in others(use)] == [8, 9]


def test_nobody_else_is_an_answer_and_not_known_is_another() -> None:
    alone = [GpuUse(index=0, processes=(MINE,)), GpuUse(index=1)]
    assert shown(gauge(2), alone)[5:7] == [
        "others nobody else is on the GPUs",
        "       GPU 1: the driver does not tell who is on it",
    ]
    assert not any("others" in line for line in shown(gauge(2), None)), "nobody has asked yet"
    silent = shown(gauge(1), [GpuUse(index=0)])
    assert "others GPU 0: the driver does not tell who is on it" in silent
    assert not any("nobody else" in line for line in silent)


def test_in_a_container_no_process_is_called_somebody_s() -> None:
    use = [GpuUse(index=0, processes=(GpuProcess(pid=4242, memory=GB),))]
    text = shown(gauge(1, foreign=True), use, 100)
    assert "others in this container nobody can tell whose a process is; the driver counts 1 on GPU 0" in text
    assert not any("4242" in line for line in text)


def test_without_a_gpu_there_is_no_hole() -> None:
    text = shown(gauge(0, RunGauge(experiment=3, run=1, memory=6 * GB)), None)
    assert [line.split()[0] for line in text] == ["CPU", "RAM", "disk", "run", "reports"]
    assert text[3] == "run    3.1  RAM 6.0 GB"
