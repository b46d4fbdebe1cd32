"""How much the number of one run scatters beside a changing neighbour, by the wall clock and by processor time.

    python -m bench.fair_number [--runs 12] [--seconds 8]

The real `train.py`, verified as always, by each clock in turn under the same seeds. Meanwhile busy processes come and
go: none to three of them, another number every few seconds, drawn once and the same for both clocks. By processor time
the standard deviation has to be at most half of that by the wall clock. Takes about ten minutes, and two processors.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST = 0.5
"""Standard deviation by processor time, in those by the wall clock."""

NEIGHBOURS = 3
LONGEST = 12.0
"""Seconds for which a number of neighbours stays, at most."""

CLOCKS = ("wall", "cpu")


@contextmanager
def changing_neighbours(draw: random.Random) -> Iterator[None]:
    """Busy processes that come and go until the end."""
    over = threading.Event()

    def neighbours() -> None:
        busy: list[subprocess.Popen[bytes]] = []
        command = [sys.executable, "-c", f"import os\nwhile os.getppid() == {os.getpid()}: pass"]
        while not over.is_set():
            wanted = draw.randint(0, NEIGHBOURS)
            while len(busy) > wanted:
                busy.pop().kill()
            while len(busy) < wanted:
                busy.append(subprocess.Popen(command, start_new_session=True))
            over.wait(draw.uniform(1.0, LONGEST))
        for one in busy:
            one.kill()
            one.wait()

    thread = threading.Thread(target=neighbours)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measured(clock: str, seed: int, seconds: float, draw: random.Random) -> tuple[float, int]:
    """The verified number of one run, and its steps. Neighbours are there while it trains, not while it is verified."""
    with tempfile.TemporaryDirectory() as folder:
        told = {"SEED": str(seed), "BUDGET_S": f"{seconds:g}", "BUDGET_CLOCK": clock, "RUN_DIR": folder}
        environment = {**os.environ, **{f"LOOPTOP_{name}": text for name, text in told.items()}}
        root = Path(__file__).parents[1]

        def run(*command: str) -> str:
            ended = subprocess.run(
                [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=True
            )
            return ended.stdout

        with changing_neighbours(draw):
            trained = run("train.py")
        verified = run("-m", "loop.harness", "verify")
    return _number("val_bpb", verified), int(_number("num_steps", trained))


def _number(name: str, text: str) -> float:
    found = re.search(rf"^{name}: (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=12, help="by each clock")
    parser.add_argument("--seconds", type=float, default=8.0, help="budget of each")
    options = parser.parse_args()
    draws = {clock: random.Random(7) for clock in CLOCKS}
    numbers: dict[str, list[float]] = {clock: [] for clock in CLOCKS}
    steps: dict[str, list[int]] = {clock: [] for clock in CLOCKS}
    for seed in range(1, options.runs + 1):
        for clock in CLOCKS:
            value, made = measured(clock, seed, options.seconds, draws[clock])
            numbers[clock].append(value)
            steps[clock].append(made)
    scatter = {clock: statistics.stdev(found) for clock, found in numbers.items()}
    for clock in CLOCKS:
        least, most = min(steps[clock]), max(steps[clock])
        print(f"{clock}: val_bpb {statistics.fmean(numbers[clock]):.4f}, sd {scatter[clock]:.4f}; steps {least}-{most}")
    ratio = scatter["cpu"] / scatter["wall"]
    print(f"sd by processor time, in those by the wall clock: {ratio:.2f} (budget {MOST:g})")
    raise SystemExit(ratio > MOST)


if __name__ == "__main__":
    main()
