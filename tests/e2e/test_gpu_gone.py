"""A GPU that falls off the bus under a loop of its own process, which knows it through the real binding of NVML."""

from pathlib import Path

import pytest

from tests.e2e.conftest import TRAIN, Bench
from tests.native import compiled

GPU = f"gpu 0 {80 << 30}\n"


@pytest.mark.soak
def test_a_gpu_that_falls_off_the_bus_is_waited_for_until_it_is_back(bench: Bench, tmp_path: Path) -> None:
    state = tmp_path / "gpus"
    library = compiled("nvml", tmp_path)
    bench.environment |= {"LD_LIBRARY_PATH": str(library.parent), "FAKE_NVML": str(state)}
    bench.environment.pop("CUDA_VISIBLE_DEVICES", None)

    def say(text: str) -> None:
        new = state.with_suffix(".new")
        new.write_text(text)
        new.replace(state)

    say(GPU)
    lost = (
        'if os.environ["LOOPTOP_SEED"] == "1338" and step == 1:\n        time.sleep(0.4)\n        raise SystemExit(1)'
    )
    bench.write("train.py", TRAIN.replace("    step += 1\n", f"    step += 1\n    {lost}\n"))
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 2})
    bench.looptop()
    bench.until(lambda: len(bench.events("run_started")) == 2)
    say(f"{GPU.strip()} lost\n")
    bench.until(lambda: "GPU 0" in bench.study().troubles)
    assert "GPU 0 does not answer any more; runs wait until it is back" in bench.looptop("status").stdout
    say(GPU)
    bench.until(lambda: bench.events("recovered"))
    lost_run = bench.study().experiments[0].runs[2]
    assert (lost_run.outcome, lost_run.reason) == ("lost", "GPU 0 stopped answering while it ran; it is run again")
    bench.until(lambda: len(bench.study().experiments[0].runs) == 3)
    assert bench.study().experiments[0].runs[3].seed == lost_run.seed
    bench.looptop("stop", "--now", code=None)
