"""What a run waited for others, with real neighbours; each run has one processor, and shares it with them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from loop.runs.local.process import LocalProcess
from loop.runs.local.waiting import Waiting
from loop.runs.spec import RunResult
from tests.runs.conftest import Place

pytestmark = pytest.mark.skipif(not Waiting().known, reason="this system does not tell how long a thread has waited")

COMPUTES = "import time; t = time.process_time\nwhile t() < 0.7: pass"
NICELY = f"import os; os.nice(19)\n{COMPUTES}"
SLEEPS = "import time; time.sleep(1.5)"
HIDES = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(16):
    if os.fork() == 0:
        while time.process_time() < 0.2:
            pass
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        pass
"""


@contextmanager
def one_processor(neighbours: int) -> Iterator[None]:
    """Leave this process, and what it starts, one processor, and as many busy neighbours on it."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(neighbours)
    ]
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        for one in busy:
            one.kill()
            one.wait()


async def result(place: Place, code: str, neighbours: int) -> RunResult:
    spec = place.spec("trains.py")
    spec.argv[1:] = ["-c", code]
    with one_processor(neighbours):
        run = await LocalProcess.start(spec)
        return await asyncio.wait_for(run.wait(), 120)


async def test_a_run_beside_busy_neighbours_has_waited_for_them(place: Place) -> None:
    found = await result(place, COMPUTES, neighbours=2)
    assert found.waited is not None
    assert 0.2 * found.seconds < found.waited.total < found.seconds
    assert found.cpu_seconds > 0.7
    assert found.pressure is None or found.pressure > 0.2, "not every kernel counts it"


async def test_a_run_that_is_bound_to_a_processor_waits_for_whoever_is_on_that_one(place: Place) -> None:
    spec = place.spec("trains.py")
    spec.argv[1:] = ["-c", COMPUTES]
    with one_processor(2):
        bound = tuple(os.sched_getaffinity(0))
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        found = await asyncio.wait_for((await LocalProcess.start(replace(spec, cores=bound))).wait(), 120)
    assert found.waited is not None and 0.2 * found.seconds < found.waited.total < found.seconds


async def test_who_makes_itself_nicer_than_it_was_started_waits_by_its_own_choice(place: Place) -> None:
    found = await result(place, NICELY, neighbours=2)
    assert found.waited is not None and found.waited.total < 0.2 * found.seconds
    assert found.seconds > 1.5 * found.cpu_seconds, "it was starved"


async def test_who_sleeps_waits_for_nobody(place: Place) -> None:
    found = await result(place, SLEEPS, neighbours=1)
    assert found.waited is not None and found.waited.total < 0.2 * found.seconds


async def test_who_hides_what_its_children_use_is_not_measured_at_all(place: Place) -> None:
    found = await result(place, HIDES, neighbours=0)
    assert found.outcome == "finished" and found.waited is None


async def test_a_budget_of_processor_time_ends_a_program_that_never_stops_when_that_is_used_up(place: Place) -> None:
    spec = place.spec("trains.py")
    spec.argv[1:] = ["-c", "while True: pass"]
    with one_processor(neighbours=2):
        run = await LocalProcess.start(replace(spec, end_s=1.0, end_clock="cpu"))
        found = await asyncio.wait_for(run.wait(), 120)
    assert found.outcome == "finished", found.reason
    assert found.cpu_seconds >= 1.0, "others had most of the processor meanwhile"
    assert found.computed is not None and found.computed.total >= 1.0
