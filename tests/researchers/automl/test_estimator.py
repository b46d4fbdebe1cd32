"""Optuna's process: it answers as Optuna does here, forgets nothing when it is begun anew, and outlives nobody."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from loop.researchers.automl import estimator as module
from loop.researchers.automl.estimator import Estimator, EstimatorEnded
from loop.researchers.automl.ranges import around
from loop.researchers.automl.sites import find
from loop.researchers.automl.tpe import Tpe
from loop.researchers.automl.trials import Trial

RANGES = {"RATE": around(find("RATE = 0.1")[0])}
TRIALS = [
    Trial(number, {"RATE": 0.1 + number / 50}, {}, "measured", 3.0 + number % 3, None, False, None)
    for number in range(8)
]
ASKING = """\
import os, signal
from tests.researchers.automl.test_estimator import RANGES, TRIALS, Estimator, children
estimator = Estimator(0)
estimator.tell("min", "val_bpb", RANGES, TRIALS)
estimator.ask(["RATE"], 1)
print(*children(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def children() -> list[int]:
    return [process.pid for process in psutil.Process().children()]


def here(trials: list[Trial], number: int) -> dict[str, float]:
    tpe = Tpe("min", RANGES, 0)
    tpe.tell(trials)
    return tpe.ask(["RATE"], number)


@pytest.fixture
def estimator() -> Iterator[Estimator]:
    before = children()
    made = Estimator(0)
    yield made
    made.close()
    assert children() == before


def tell(estimator: Estimator, trials: list[Trial]) -> None:
    estimator.tell("min", "val_bpb", RANGES, trials)


def test_it_answers_what_optuna_would_say_here(estimator: Estimator) -> None:
    tell(estimator, TRIALS[:5])
    assert [estimator.ask(["RATE"], number) for number in (1, 2)] == [here(TRIALS[:5], 1), here(TRIALS[:5], 2)]
    tell(estimator, TRIALS)
    assert estimator.ask(["RATE"], 3) == here(TRIALS, 3)


def test_without_a_question_there_is_no_process(estimator: Estimator) -> None:
    before = children()
    tell(estimator, TRIALS)
    assert children() == before


def test_a_process_that_somebody_killed_is_begun_anew_and_knows_everything(estimator: Estimator) -> None:
    before = set(children())
    tell(estimator, TRIALS)
    estimator.ask(["RATE"], 1)
    (process,) = set(children()) - before
    os.kill(process, signal.SIGKILL)
    with pytest.raises(EstimatorEnded, match=r"ended before it answered .*started again"):
        estimator.ask(["RATE"], 2)
    assert estimator.ask(["RATE"], 2) == here(TRIALS, 2)


def test_it_makes_room_for_a_new_one_now_and_then(estimator: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RENEWED", 2)
    before, seen = set(children()), []
    for count in range(4, 8):
        tell(estimator, TRIALS[:count])
        assert estimator.ask(["RATE"], count) == here(TRIALS[:count], count)
        (process,) = set(children()) - before
        seen.append(process)
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_it_ends_with_a_supervisor_that_is_killed() -> None:
    found = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True)
    assert found.returncode == -signal.SIGKILL, found.stderr
    try:
        psutil.Process(int(found.stdout)).wait(30)
    except psutil.NoSuchProcess:
        return
