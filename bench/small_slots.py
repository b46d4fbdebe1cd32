"""Many small slots or one large one: what the same hours of a machine find, divided by 1, 2, 4 or 8.

    python -m bench.small_slots [--studies 200] [--runs 96]
    python -m bench.small_slots --measure FOLDER [--budget 15]

Whole studies with the real judge. With K slots there are K times as many runs, out of order, each with its share of the
machine. A run with a share gets less far, so a change shows another effect in it; by how much is a matter of the
program, and nobody knows it beforehand. So the table has a line for each answer: effects as large, in noises of one
run, as in a whole run, 0.8 of that, and so on. A number is what the study truly gains by what it keeps, in noises of
one whole run, where all of it carries over to whole runs; `*` marks what is better than one whole slot by more than two
standard errors.

With --measure the `train.py` of a folder runs here: alone on one core, on each core at once, and alone on all of them,
as a run is told to (LOOPTOP_BUDGET_S, OMP_NUM_THREADS). It prints the steps a second, and those in a second of
processor time beyond what a start takes, which other programs on the machine hardly distort.
"""

import argparse
import concurrent.futures
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.judge import NOISE, Draws, published
from bench.judge_slots import OutOfOrder

SLOTS = (1, 2, 4, 8)
SCALES = (1.0, 0.8, 0.6, 0.4)
"""Effects in a run with a share of the machine, against those in a run that has all of it."""


def gains(slots: int, scale: float, runs: int, studies: int) -> list[float]:
    """True gain of each study, in noises of one run."""
    found = []
    for seed in range(studies):
        rng = np.random.default_rng([seed, slots])
        effects = [scale * float(effect) for effect in rng.choice(published(rng), runs * slots)]
        study = OutOfOrder(slots, effects, Draws(NOISE)(rng), rng)
        found.append(study.go().gain / NOISE / scale)
    return found


def measure(folder: Path, budget: float) -> None:
    """Print how far a run gets on one core, in company, and on all cores."""
    cores = sorted(os.sched_getaffinity(0))
    kinds = [("one core, alone", [cores[:1]]), ("one core each, at once", [[one] for one in cores])]
    for name, sets in [*kinds, (f"{len(cores)} cores, alone", [cores])]:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            short = list(pool.map(lambda mine: _run(folder, 0.5, mine), sets))
            whole = list(pool.map(lambda mine: _run(folder, budget, mine), sets))
        few, start = (statistics.fmean(column) for column in zip(*short, strict=True))
        steps, cpu = (statistics.fmean(column) for column in zip(*whole, strict=True))
        print(
            f"{name:24} {steps / budget:6.2f} steps a second and run, {steps * len(sets) / budget:6.2f} in all, "
            f"{(steps - few) / (cpu - start):6.2f} in a second of processor time"
        )


def _run(folder: Path, budget: float, cores: Sequence[int]) -> tuple[float, float]:
    """Steps of one run on these cores, and seconds of processor time that it took."""
    with tempfile.TemporaryDirectory() as out:
        variables = {"LOOPTOP_BUDGET_S": f"{budget:g}", "LOOPTOP_SEED": "1337", "LOOPTOP_RUN_DIR": out}
        environ = os.environ | variables | {"OMP_NUM_THREADS": str(len(cores)), "MKL_NUM_THREADS": str(len(cores))}
        output = Path(out, "output")
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "train.py"], cwd=folder, env=environ, stdout=file, stderr=file,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )  # fmt: skip
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        said = output.read_text(errors="replace")
        found = re.search(r"^num_steps: *(\d+)", said, re.MULTILINE)
        if found is None:
            raise SystemExit(f"train.py said nothing of its num_steps; the end of its output: {said[-500:]}")
        return float(found[1]), used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument(
        "--runs", type=int, default=96, help="that one whole slot makes in the time: 96 are 8 hours of 5 min"
    )
    parser.add_argument("--measure", type=Path, help="folder of a train.py that is run instead")
    parser.add_argument("--budget", type=float, default=15.0, help="seconds of each of its runs")
    given = parser.parse_args()
    if given.measure is not None:
        measure(given.measure, given.budget)
        return
    whole = gains(1, 1.0, given.runs, given.studies)
    one, its = statistics.fmean(whole), statistics.stdev(whole) / math.sqrt(given.studies)
    print(f"{given.studies} studies of {given.runs} runs of the whole machine: {one:.1f} ±{its:.1f} noises gained")
    print("effects " + "".join(f"{slots:>5} slots      " for slots in SLOTS[1:]))
    for scale in SCALES:
        line = f"x {scale:.1f}   "
        for slots in SLOTS[1:]:
            values = gains(slots, scale, given.runs, given.studies)
            mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(given.studies)
            more = mean - one > 2 * math.hypot(error, its)
            line += f"{mean:6.1f} ±{error:.1f}{' *' if more else '  '}     "
        print(line.rstrip())


if __name__ == "__main__":
    main()
