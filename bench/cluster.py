"""What a run on a node costs over one at home, how old its lines are, and whether 64 slots of 8 nodes are kept busy.

    python -m bench.cluster [--nodes 2] [--slots 2] [--seconds 3] [--rounds 3] [--only runs|study]

Real Ray, on the loopback of this machine: each node is a raylet of its own, which takes some 400 MB and as much of a
core to start as all its runs. Runs print the time twice a second and sleep, without a process for either. The figures
to take are those of `--nodes 8 --slots 8 --seconds 30 --rounds 2`.

First the executor alone: runs one after another at home and on a node, then all slots, each with its rounds. Their
first runs begin one after another over the length of a run, as they do in a study that has gone on for a while; with
`--burst` at the same moment, and then this machine has to start all of them on its own cores, where 8 nodes would
start 8 each. The overhead of a run is what its slot was held for beyond its seconds; from that comes the share at runs
of 30 s.
Then a whole study: a supervisor in a process of its own, with a researcher whose thoughts last a fifth of a run, seen
by its journal as in `bench.throughput`, from when every slot has begun a candidate until the last one begins; and a
cockpit that is attached meanwhile.

Claimed: a run costs at most 0.25 s more than at home; its lines are under a second old; the slots are busy 95% of the
time with runs of 30 s, under the supervisor too; the cockpit answers a key in 0.1 s.
"""

import argparse
import asyncio
import importlib.util
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.cluster_study import LONG_S, PROGRAM, Found, run_of, whole_study
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

HEAVY_MB = 200
HEAVY = f'head -c {HEAVY_MB}000000 /dev/zero > "$LOOPTOP_RUN_DIR/model.bin"\necho "loss: 1"\n'
"""A run that writes a checkpoint."""


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
        (root / "run.sh").write_text(run_of(seconds) + 'echo "loss: 1"\n')
        (root / "program.md").write_text(PROGRAM.format(seconds=max(1, seconds), more=""))
        (root / "heavy.sh").write_text(HEAVY)
        init_repository(root, [root / name for name in ("run.sh", "heavy.sh", "program.md")])
        self.lineage = Lineage(root, "bench")
        self.lineage.prepare()
        self.base = self.lineage.checkout.head()
        self.contract = load(root, matching).contract
        self.numbers = iter(range(1, 1_000_000))

    def job(self, run: str = "") -> Job:
        of = self.contract.model_copy(update={"run": run}) if run else self.contract
        return Job(1, next(self.numbers), "run", self.base, self.base, of, 1337, 600)

    async def run(self, executor: Executor, slot: Slot, ages: Ages, run: str = "") -> float:
        """Seconds of one run, from when it is asked for until all of it is done.

        Args:
            run: another command than the program's.
        """
        began = time.monotonic()
        handle = await executor.start(self.job(run), slot, ages)
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


async def overhead(folder: Path, raylets: Raylets, slots: int, rounds: int) -> list[Found]:
    """Of one run after another, at home and on a node."""
    plan, quick = SlotPlan(cpu_slots=slots), Bench(folder / "quick", 0)
    here, there = quick.local(plan), quick.cluster(raylets, plan)
    await there.connect()
    costs = {}
    for name, executor in (("home", here), ("node", there)):
        slot, times = executor.slots()[-1], []
        for _ in range(3 + 3 * rounds):
            times += [await quick.run(executor, slot, Ages())]
        costs[name] = statistics.median(times[1:])  # the first is a warm-up
    slot = there.slots()[-1]
    heavy = [await quick.run(there, slot, Ages(), "bash heavy.sh") for _ in range(3)]
    await there.close()
    more, whole = costs["node"] - costs["home"], statistics.median(heavy) - costs["node"]
    said = f"a run at home {costs['home']:.3f} s, on a node {costs['node']:.3f} s: {more:.3f} s more (0.25)"
    brought = f"{HEAVY_MB} MB that a run has written come home in {whole:.2f} s, {HEAVY_MB / whole:.0f} MB a second"
    return [Found(said, more <= 0.25), Found(brought)]


async def all_slots(
    folder: Path, raylets: Raylets, slots: int, seconds: float, rounds: int, burst: bool
) -> list[Found]:
    """Of all slots, each with run after run."""
    long, ages = Bench(folder / "long", seconds), Ages()
    executor = long.cluster(raylets, SlotPlan(cpu_slots=slots))
    began = time.monotonic()
    await executor.connect()
    opened = time.monotonic() - began
    held: list[float] = []
    every = executor.slots()
    used, began = processor_time(), time.monotonic()

    async def serve(number: int, slot: Slot) -> None:
        if not burst:
            await asyncio.sleep(seconds * number / len(every))
        for _ in range(rounds):
            held.append(await long.run(executor, slot, ages))  # noqa: PERF401 - as each one ends

    await asyncio.gather(*(serve(number, slot) for number, slot in enumerate(every)))
    took, used = time.monotonic() - began, processor_time() - used
    await executor.close()
    over = [one - seconds for one in held]
    mean, median, most = statistics.mean(over), statistics.median(over), statistics.quantiles(over, n=20)[18]
    oldest = statistics.quantiles(ages.found, n=100)[98]
    busy = seconds / statistics.mean(held)
    how = "all started at once" if burst else "begun one after another"
    return [
        Found(
            f"{len(every)} slots, {rounds} runs of {seconds:g} s each, {how}: busy {busy:.1%} (95% at 30 s)",
            busy >= 0.95 or seconds < LONG_S,
        ),
        Found(
            f"a slot is held {1000 * mean:.0f} ms beyond its run, median {1000 * median:.0f}, 95% under "
            f"{1000 * most:.0f}; with runs of 30 s that is {LONG_S / (LONG_S + mean):.1%}"
        ),
        Found(f"lines: {statistics.median(ages.found):.3f} s old, 99% under {oldest:.3f} s (1 s)", oldest < 1),
        Found(
            f"nodes opened in {opened:.1f} s; the executor takes {1000 * used / len(held):.0f} ms of a processor for a "
            f"run, {len(ages.found) / took:.0f} lines a second; load {os.getloadavg()[0]:.0f}, {os.cpu_count()} cores"
        ),
    ]


def processor_time() -> float:
    """Seconds that this process and its gits have used; the bridge is counted when it has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def start(raylets: Raylets, name: str, slots: int) -> None:
    """Start a node; again where a machine that is busy with the others was too slow for Ray."""
    for left in (2, 1, 0):
        try:
            raylets.start(name, cpus=slots)
            return
        except RuntimeError:
            if not left:
                raise
            raylets.nodes[name].kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2, help="of each node")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--burst", action="store_true", help="start the first run of all slots at the same moment")
    parser.add_argument("--only", choices=("runs", "study"), help="the executor alone, or the whole study alone")
    given = parser.parse_args()
    if importlib.util.find_spec("ray") is None:
        print("Ray is not installed, so nothing is measured; `make cluster` installs it")
        return
    folder = Path(tempfile.mkdtemp(prefix="looptop-bench-"))
    found: list[Found] = []

    def tell(news: list[Found]) -> None:
        for one in news:
            print(f"{'ok ' if one.good else 'BAD'} {one.said}", flush=True)
        found.extend(news)

    try:
        with Raylets(folder / "nodes") as raylets:
            os.environ.update(raylets.environment)
            for number in range(given.nodes):
                start(raylets, f"node{number}", given.slots)
            if given.only != "study":
                tell(asyncio.run(overhead(folder, raylets, given.slots, given.rounds)))
                tell(asyncio.run(all_slots(folder, raylets, given.slots, given.seconds, given.rounds, given.burst)))
            if given.only != "runs":
                count = given.nodes * given.slots * given.rounds
                tell(whole_study(folder / "study", raylets.address, given.slots, given.seconds, count))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not all(one.good for one in found))


if __name__ == "__main__":
    main()
