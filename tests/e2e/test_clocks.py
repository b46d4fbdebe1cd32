"""A loop whose machine has its clock set and is suspended: by a C library in the place of the system's clocks."""

from pathlib import Path

import pytest

from loop.study import events as e
from tests.e2e.conftest import Bench
from tests.native import compiled

DAY = 86400.0


@pytest.mark.soak
def test_a_loop_goes_on_through_a_clock_that_is_set_and_a_machine_that_sleeps(bench: Bench, tmp_path: Path) -> None:
    shift = tmp_path / "shift"
    bench.environment |= {"LD_PRELOAD": str(compiled("clock", tmp_path)), "CLOCK_SHIFT": str(shift)}
    bench.program(budget="3s", limits={"experiments": 1, "hours": 3}, keep={"baseline_runs": 2, "max_runs": 2})

    def move(wall: float, boot: float, after: int) -> None:
        """Change the clocks under the next run."""
        bench.until(lambda: len(bench.events("run_started")) > after and bench.study().running())
        new = shift.with_suffix(".new")
        new.write_text(f"{wall:.0f} {boot:.0f}\n")
        new.replace(shift)

    bench.looptop()
    move(DAY, 0, after=0)
    bench.until(lambda: len(bench.events("run_finished")) >= 1)
    during = bench.json("status")
    assert 0 <= during["limits"]["hours"]["used"] < 0.1
    move(0, 0, after=1)
    bench.until(lambda: len(bench.events("run_finished")) >= 2)
    move(30_000, 30_000, after=2)
    bench.until_stopped()
    study = bench.consistent()
    assert study.limit is not None and study.limit.limit == "experiments"
    assert study.hours() < 0.1
    first, second, third, *rest = (event.body for event in bench.events("run_finished"))
    said = [body.reason for body in (first, second, third) if isinstance(body, e.RunFinished)]
    assert said == [
        "the machine's clock was set ahead by 24 h while it ran; it is run again",
        "the machine's clock was set back by 24 h while it ran; it is run again",
        "the machine was suspended for 8.3 h while it ran; it is run again",
    ]
    assert all(isinstance(body, e.RunFinished) and body.outcome == "finished" for body in rest)
    moved = [event.body for event in bench.events("clock_moved")]
    assert [(round(body.set_by), round(body.slept)) for body in moved if isinstance(body, e.ClockMoved)] == [
        (86400, 0),
        (-86400, 0),
        (0, 30000),
    ]
