"""What it is worth to bring near wins together in real studies: a project with ten planted gains of one noise each.

    python -m bench.bundles_real [--seeds 6] [--runs 120] [--out FOLDER]

`bench.bundles` simulates; this runs the loop itself, with its journal, git, sandbox and judge, on the problem
`small-gains` of `looptop bench`: 34 switches on lines of their own, of which ten gain one noise, ten do nothing, and
the rest are worse. A scripted model proposes them in an order drawn by the seed, and again later, with `bundles: true`
and `false`, at equal runs. These end at once, so no proposal is made ahead: the queue would always be full of fresh
ideas, as it is not where runs take minutes, and a bundle would never have room. What the champions are truly worth is
read off their files. With `--out` it goes on where it was ended. Claimed: with bundles at least twice the true gain.
"""

import argparse
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loop.yardsticks import study, truth
from loop.yardsticks.catalog import KNOWN
from loop.yardsticks.results import interval
from loop.yardsticks.scripted import MODEL, ScriptedModel

LEAST = 2.0
PROBLEM = KNOWN["small-gains"]


def gain(out: Path, model: ScriptedModel, together: bool, seed: int, runs: int) -> float:
    """The true gain of one study, in noises."""
    root = out / f"{'with' if together else 'without'}-{seed}"
    PROBLEM.make(root, seed, [{"kind": "llm"}], runs, {"bundles": together, "ahead": False})
    environ = {
        **os.environ, "XDG_STATE_HOME": str(out / "state"), "LOOPTOP_NOTIFY": "off", "LOOPTOP_MODEL": MODEL,
        "LOOPTOP_BASE_URL": model.address(PROBLEM.name, seed), "LOOPTOP_API_KEY": "none", "LOOPTOP_DIALECT": "chat",
        "LOOPTOP_WEB": "false",
    }  # fmt: skip
    found = study.work(root, 1, runs, environ, study.Stop())
    commits = [step.commit for step in found.steps]
    levels = truth.levels(PROBLEM, root, commits, 1)
    came = levels[commits[0]] - levels[commits[-1]]
    how = "with bundles" if together else "without"
    print(
        f"  seed {seed}, {how}: true gain {came:.2f} noises, {len(commits) - 1} kept of {found.experiments} "
        f"experiments in {found.lengths:.0f} runs",
        flush=True,
    )
    return came


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--runs", type=int, default=PROBLEM.runs)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    print(f"ten gains of one noise each among 34 ideas: {asked.seeds} studies of {asked.runs} runs, each way")
    with tempfile.TemporaryDirectory() as folder, ScriptedModel({PROBLEM.name: PROBLEM.ideas()}) as model:
        out = (asked.out or Path(folder)).resolve()
        cells = [(together, seed) for seed in range(1, asked.seeds + 1) for together in (False, True)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            came = list(pool.map(lambda cell: gain(out, model, *cell, asked.runs), cells))
    means = {}
    for together in (False, True):
        some = [one for one, cell in zip(came, cells, strict=True) if cell[0] is together]
        mean, low, high = interval(some)
        means[together] = mean
        apart = "" if low is None or high is None else f" (95% {low:.2f} to {high:.2f})"
        print(f"  {'with bundles' if together else 'without'}: true gain {statistics.fmean(some):.2f} noises{apart}")
    met = means[True] >= LEAST * means[False] and means[True] > 0
    times = f"{means[True] / means[False]:.1f} times" if means[False] > 0 else "any number of times"
    print(f"  budget: at least {LEAST:g} times the true gain: {times}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
