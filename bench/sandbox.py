"""What the sandbox costs: how much later a run starts in it, and whether it trains as fast.

    python -m bench.sandbox [--rounds 20]

Start-up is the time from a ready worktree to the first line of the run's Python, minus that of the same Python started
directly; everything that `train.py` needs is granted, and everything held out is hidden. Training is a fixed piece of
work (small matrix products, a read of the training text, a printed line: what a step of `train.py` does), alternately
unconfined and in each sandbox. The shortest times are compared, since on a shared machine the rest is other load.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loop.runs.local.process import LocalProcess
from loop.runs.spec import RunSpec
from loop.sandbox.backend import NoSandbox, Sandbox, choose
from loop.sandbox.confinement import Confinement
from loop.sandbox.environment import child_environment
from loop.sandbox.folders import RunFolders
from loop.sandbox.policy import SandboxPolicy
from loop.study.contract import Contract
from loop.workspace import Workspace

START_MS, SPEED = 30.0, 0.02
"""Budgets: milliseconds later than the bare process, and share of the training time."""

BEGINS = "import time; print('METRIC at=%d' % time.monotonic_ns())"
TRAINS = """
import time
import numpy as np
from loop.harness import corpus
text = corpus.load("train")
matrix = np.random.default_rng(0).standard_normal((160, 160))
wall, cpu = time.perf_counter(), time.process_time()
for step in range(1200):
    at = step * 4096
    matrix = np.tanh(matrix @ matrix.T / 160) + text[at : at + 160] / 256
    if step % 10 == 0:
        print(f"step {step:05d} | loss: {matrix.mean():.4f} | lr: 0.1", flush=True)
print(f"METRIC wall={time.perf_counter() - wall:.6f}")
print(f"METRIC cpu={time.process_time() - cpu:.6f}")
"""


class Bench:
    """One workspace, and runs in it under one sandbox."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self.root, self.kind = root, sandbox.kind
        self.policy = SandboxPolicy(Workspace(root), sandbox)
        state = root / ".looptop"
        self.tree = state / "trees" / "0.1"
        self.tree.mkdir(parents=True, exist_ok=True)
        self.folders = RunFolders(state / "runs" / f"{self.kind}.1", state / "cache", None)

    async def run(self, code: str) -> tuple[float, dict[str, float]]:
        """When the worktree was ready (monotonic seconds), and what the run measured."""
        argv = [sys.executable, "-c", code]
        ready = 0.0

        async def made() -> Confinement | None:
            nonlocal ready
            await asyncio.sleep(0.05)  # a worktree takes about as long as the warden, which has started by then
            ready = time.monotonic()
            return await asyncio.to_thread(self.policy.furnish, Contract(), argv, self.tree, self.folders)

        await asyncio.to_thread(self.folders.prepare)
        access = self.policy.access
        tmp = access.tmp_of(self.folders.tmp)
        environment = child_environment(
            os.environ, budget_s=1, seed=0, run_dir=self.folders.out, tmp_dir=tmp, cache_dir=self.folders.cache,
            home=access.home_of(tmp) if self.kind != "off" else None, texts=self.policy.texts,
        )  # fmt: skip
        environment = self.policy.environment(Contract(), tmp, environment)
        environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
        spec = RunSpec(argv, self.tree, environment, self.folders.log, 60)
        result = await (await LocalProcess.start(spec, after=made())).wait()
        if result.outcome != "finished":
            raise SystemExit(f"{self.kind}: {result.reason}")
        return ready, result.metrics


def bare_ms() -> float:
    """Milliseconds to the first line of a Python that is started directly."""
    began = time.monotonic()
    said = subprocess.run([sys.executable, "-c", BEGINS], capture_output=True, text=True, check=True)
    return int(said.stdout.partition("=")[2]) / 1e6 - 1000 * began


async def measure(benches: list[Bench], rounds: int) -> bool:
    """Print every figure beside its budget; returns False if one exceeds it."""
    bare: list[float] = []
    starts: dict[str, list[float]] = {bench.kind: [] for bench in benches}
    for _ in range(rounds):
        await asyncio.sleep(0.05)  # as the others do
        bare.append(bare_ms())
        for bench in benches:
            ready, said = await bench.run(BEGINS)
            starts[bench.kind].append(said["at"] / 1e6 - 1000 * ready)
    good = True
    print(f"bare process: its first line after {statistics.median(bare):.1f} ms (median of {rounds})")
    for kind, times in starts.items():
        later = statistics.median(times) - statistics.median(bare)
        good &= kind == "off" or later <= START_MS
        print(f"start-up, {kind}: {later:+.1f} ms (least {min(times) - min(bare):+.1f}), budget {START_MS:g} ms")
    trained: dict[str, list[dict[str, float]]] = {bench.kind: [] for bench in benches}
    for _ in range(max(5, rounds // 2)):
        for bench in benches:
            trained[bench.kind].append((await bench.run(TRAINS))[1])
    for kind in starts:
        if kind != "off":
            ratios = [_least(trained[kind], what) / _least(trained["off"], what) for what in ("wall", "cpu")]
            good &= min(ratios) <= 1 + SPEED
            print(
                f"training, {kind}: {ratios[0]:.3f} of the time, {ratios[1]:.3f} of the CPU time, budget {1 + SPEED:g}"
            )
    return good


def _least(runs: list[dict[str, float]], what: str) -> float:
    return min(run[what] for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder)
        (root / "train.py").write_text("from loop.harness import corpus\n")
        benches = [Bench(root, Sandbox("off"))]
        for kind in ("bubblewrap", "landlock"):
            try:
                benches.append(Bench(root, choose(kind)))  # type: ignore[arg-type]
            except NoSandbox as error:
                print(f"{kind}: {error}")
        sys.exit(0 if asyncio.run(measure(benches, rounds)) else 1)


if __name__ == "__main__":
    main()
