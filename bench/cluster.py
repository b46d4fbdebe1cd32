"""What a run on a node costs over one at home, how old its lines are, and whether 64 slots of 8 nodes are kept busy.

    python -m bench.cluster [--nodes 2] [--slots 2] [--seconds 3] [--rounds 3]

Real Ray, on the loopback of this machine: each node is a raylet of its own, which takes some 400 MB and as much of a
core to start as all its runs. Runs print the time and sleep. So that the nodes do not fight for the cores, the figures
of 8 nodes want a quiet machine of eight cores or more: `--nodes 8 --slots 8 --seconds 30`.

Claimed: a run costs at most 0.25 s more than at home; its lines are under a second old; the slots are busy 95% of the
time with runs of 30 s.
"""

import argparse
import asyncio
import importlib.util
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from loop.config.program import load
from loop.lineage import Lineage, init_repository, matching
from loop.lineage.packs import pack
from loop.machine.gauges import MachineGauges
from loop.runs.cluster import probe
from loop.runs.cluster.executor import ClusterExecutor, Home
from loop.runs.cluster.ray_link import RayLink
from loop.runs.cluster.wire import Opening
from loop.runs.executor import Executor, Job
from loop.runs.local.executor import LocalExecutor
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.sandbox.backend import choose
from loop.study.slot_plan import SlotPlan
from loop.supervisor.cluster import AGENT
from loop.workspace import Workspace
from tests.cluster.raylets import Raylets

RUN = 'for i in $(seq {steps}); do echo "step $i age=$(date +%s.%N)"; sleep {pause}; done; echo "loss: 1"\n'
PROGRAM = "---\nedit: run.sh\nrun: bash run.sh\nmetric: loss\nbudget: {seconds}s\ndeadline: 600s\n---\nGo down.\n"


class Ages:
    """How old each line was when it arrived, in seconds; both clocks are this machine's."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def sampled(self, samples: Sequence[Sample]) -> None:
        now = time.time()
        self.found += [now - sample.values["age"] for sample in samples if "age" in sample.values]


class Bench:
    def __init__(self, root: Path, seconds: float) -> None:
        root.mkdir()
        self.root = root
        (root / "run.sh").write_text(RUN.format(steps=max(1, round(2 * seconds)), pause=0.5 if seconds else 0))
        (root / "program.md").write_text(PROGRAM.format(seconds=max(1, seconds)))
        init_repository(root, [root / "run.sh", root / "program.md"])
        self.lineage = Lineage(root, "bench")
        self.lineage.prepare()
        self.base = self.lineage.checkout.head()
        self.contract = load(root, matching).contract
        self.numbers = iter(range(1, 1_000_000))

    def job(self) -> Job:
        return Job(1, next(self.numbers), "run", self.base, self.base, self.contract, 1337, 600)

    async def run(self, executor: Executor, slot: Slot, ages: Ages) -> float:
        """Seconds of one run, from when it is asked for until all of it is done."""
        began = time.monotonic()
        handle = await executor.start(self.job(), slot, ages)
        result = await handle.wait()
        await handle.close()
        assert result.metrics == {"loss": 1.0}, result
        return time.monotonic() - began

    def local(self, plan: SlotPlan) -> LocalExecutor:
        trees, read = self.lineage.trees, self.lineage.commits.read
        return LocalExecutor(Workspace(self.root), trees, read, MachineGauges(self.root), choose("off"), plan=plan)

    def cluster(self, raylets: Raylets, plan: SlotPlan) -> ClusterExecutor:
        def packed(commit: str, known: Collection[str]) -> bytes:
            return pack(self.lineage.git, commit, self.base, known)

        link = RayLink(raylets.address, AGENT, "bench")
        opening = Opening("bench", self.base, "", self.root, sandbox="off", plan=plan)
        return ClusterExecutor(Home(Workspace(self.root), packed, os.environ, probe.code()), link, opening)


async def measure(folder: Path, raylets: Raylets, slots: int, seconds: float, rounds: int) -> list[tuple[str, bool]]:
    plan = SlotPlan(cpu_slots=slots)
    quick, long = Bench(folder / "quick", 0), Bench(folder / "long", seconds)
    here, there = quick.local(plan), quick.cluster(raylets, plan)
    await there.connect()
    costs = {}
    for name, executor in (("home", here), ("node", there)):
        slot, times = executor.slots()[-1], []
        for _ in range(3 + 3 * rounds):
            times += [await quick.run(executor, slot, Ages())]
        costs[name] = statistics.median(times[1:])  # the first is a warm-up
    await there.close()
    more = costs["node"] - costs["home"]
    found = [
        (
            f"a run at home {costs['home']:.3f} s, on a node {costs['node']:.3f} s: {more:.3f} s more (0.25)",
            more <= 0.25,
        )
    ]
    executor, ages = long.cluster(raylets, plan), Ages()
    await executor.connect()
    all_slots = executor.slots()

    async def serve(slot: Slot) -> None:
        for _ in range(rounds):
            await long.run(executor, slot, ages)

    began = time.monotonic()
    await asyncio.gather(*(serve(slot) for slot in all_slots))
    busy = rounds * seconds / (time.monotonic() - began)
    await executor.close()
    oldest = statistics.quantiles(ages.found, n=100)[98]
    told = f"{len(all_slots)} slots, {rounds} runs of {seconds:g} s each: busy {busy:.1%}"
    found.append((f"{told} (95% at 30 s)", busy >= 0.95 or seconds < 30))
    found.append((f"lines: {statistics.median(ages.found):.3f} s old, 99% under {oldest:.3f} s (1 s)", oldest < 1))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2, help="of each node")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if importlib.util.find_spec("ray") is None:
        print("Ray is not installed, so nothing is measured; `make cluster` installs it")
        return
    folder = Path(tempfile.mkdtemp(prefix="looptop-bench-"))
    try:
        with Raylets(folder / "nodes") as raylets:
            os.environ.update(raylets.environment)
            for number in range(given.nodes):
                raylets.start(f"node{number}", cpus=given.slots)
            found = asyncio.run(measure(folder, raylets, given.slots, given.seconds, given.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for said, good in found:
        print(f"{'ok ' if good else 'BAD'} {said}")
    sys.exit(not all(good for _, good in found))


if __name__ == "__main__":
    main()
