"""How much one run of our own `train.py` varies when nothing changes but the seed: measured, for `bench.judge`.

    python -m bench.noise [--runs 12] [--budget 5]

Each run is the real command with its own seed, and each number comes from the real verification. The figures go into
`bench/noise.json`, with the date, the machine and its load: a run that stops by the clock also varies with other load,
which is part of the noise that a judge has to cope with.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FILE = Path(__file__).with_name("noise.json")
_ROOT = Path(__file__).parents[1]


def one(seed: int, budget: float) -> tuple[float, int]:
    """Train once and verify; returns val_bpb and the steps that fitted into the budget."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "LOOPTOP_RUN_DIR": folder, "LOOPTOP_BUDGET_S": str(budget), "LOOPTOP_SEED": str(seed)
        }  # fmt: skip
        said = {}
        for command in (["train.py"], ["-m", "loop.harness", "verify"]):
            done = subprocess.run(
                [sys.executable, *command], cwd=_ROOT, env=environment, capture_output=True, text=True, check=True
            )
            said |= dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.count(": ") == 1)
    return float(said["val_bpb"]), int(said["num_steps"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--budget", type=float, default=5.0, help="seconds of training a run (default 5)")
    arguments = parser.parse_args()
    values, steps, loads = [], [], []
    for seed in range(1337, 1337 + arguments.runs):
        value, count = one(seed, arguments.budget)
        values.append(value)
        steps.append(count)
        loads.append(round(os.getloadavg()[0], 1))
        print(f"seed {seed}: val_bpb {value:.6f}, {count} steps", flush=True)
    figures = {
        "how": f"python -m bench.noise --runs {arguments.runs} --budget {arguments.budget:g}",
        "day": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} processor cores, {platform.machine()}, {platform.system()}",
        "load": loads,
        "steps": steps,
        "val_bpb": values,
    }
    FILE.write_text(json.dumps(figures, indent=1) + "\n")
    print(
        f"mean {statistics.fmean(values):.6f}, standard deviation {statistics.stdev(values):.6f}; kept in {FILE.name}"
    )


if __name__ == "__main__":
    main()
