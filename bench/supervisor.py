"""What the supervisor costs: its own time per experiment, and the rates of the journal.

    python bench/supervisor.py [--experiments 1000]

An instant researcher proposes; a run that only prints its metric is started and judged. The overhead is the time per
experiment minus that of the bare process, both measured here in one go. The budget is 60 ms,
at 1,000 experiments as at 10.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.sandbox.backend import choose
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.gauges import FakeGauges

BUDGET_MS = 60
RUN = "#!/bin/sh\n# experiment %d\necho loss: 1.$$\n"


class Instant:
    """Proposes at once, and never the same."""

    name, about, ahead = "instant", "proposes at once", 0

    async def prepare(self, sink: Sink) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        sink.think(f"experiment {briefing.next_id}\n")
        return Proposal(f"comment {briefing.next_id}", "none", {"run.sh": RUN % briefing.next_id})


def prepare(root: Path, count: int) -> Prepared:
    (root / "run.sh").write_text(RUN % 0)
    (root / "program.md").write_text(
        f"---\nedit: run.sh\nrun: sh run.sh\nmetric: loss\nlimits: {{experiments: {count}}}\n---\n"
    )
    init_repository(root, [root / "run.sh", root / "program.md"])
    lineage = Lineage(root, "bench")
    lineage.prepare()
    return Prepared(Workspace(root), lineage, load(root, matching), Overrides(), (Instant(),), choose("auto"))


def bare_ms(root: Path, count: int = 50) -> float:
    """Median milliseconds of the run's process alone."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        subprocess.run(["sh", "run.sh"], cwd=root, capture_output=True, check=True)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def overhead(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepared = prepare(root, count)
        with supervise(root), Journal(prepared.workspace.journal, create=True) as journal:
            gauges = FakeGauges(0)
            bare = [bare_ms(root)]
            asyncio.run(Supervisor(build(prepared, journal, gauges)).run())
            bare.append(bare_ms(root))
            events = journal.read(kinds={"experiment_proposed", "experiment_judged", "run_started"})
        alone = statistics.median(bare)
        runs = {event.experiment: 0 for event in events}
        for event in events:
            runs[event.experiment] += event.kind == "run_started"
        proposed = {event.experiment: event.at for event in events if event.kind == "experiment_proposed"}
        # From one proposal to the next, per run: an experiment close to the noise ran more than once.
        spans = {
            number: 1000 * (proposed[number + 1] - proposed[number]) / runs[number] - alone
            for number in proposed
            if number and number + 1 in proposed and runs[number]
        }
        print(f"bare process: median {alone:.1f} ms; {count} experiments, {sum(runs.values())} runs")
        for first, last in ((1, 10), (count // 2 - 25, count // 2 + 25), (count - 50, count - 1)):
            some = [spans[n] for n in range(max(1, first), last + 1) if n in spans]
            if some:
                print(
                    f"overhead of experiments {max(1, first)}-{last}: median {statistics.median(some):.1f} ms "
                    f"(worst {max(some):.1f}), budget {BUDGET_MS} ms"
                )
        late = [spans[n] for n in range(max(1, count - 50), count) if n in spans]
        early = [spans[n] for n in range(1, 51) if n in spans]
        print(f"last 50 against first 50: ratio {statistics.median(late) / statistics.median(early):.2f}")


def journal_rates(count: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db", create=True) as journal:
        facts = _facts(count)
        began = time.perf_counter()
        for start in range(0, count, 100):
            journal.append_all(facts[start : start + 100])
        print(f"append: {count / (time.perf_counter() - began):,.0f} events/s in batches of 100")
        singles = []
        for _ in range(200):
            began = time.perf_counter()
            journal.append(e.Fault(where="bench", message="one durable fact"))
            singles.append(1000 * (time.perf_counter() - began))
        print(f"append of one event, synced to disk: median {statistics.median(singles):.2f} ms")
        began = time.perf_counter()
        events = journal.read(kinds=FOLDED)
        read = time.perf_counter() - began
        print(f"read: {len(events) / read:,.0f} events/s of the kinds that are folded")
        everything = journal.read()
        began = time.perf_counter()
        study = fold(everything)
        took = time.perf_counter() - began
        print(f"fold: {len(everything):,} events in {took:.2f} s, budget 1 s ({len(study.experiments):,} experiments)")
        asyncio.run(_follow(Path(folder) / "journal.db"))


async def _follow(path: Path) -> None:
    """Latency of another process's event, and the cost of following while nothing happens."""
    writer = (
        "import sys, time\nfrom pathlib import Path\nfrom loop.study import events as e\n"
        "from loop.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for _ in range(40):\n    time.sleep(0.07)\n    journal.append(e.Paused())\n"
    )
    with Journal(path) as journal:
        last = journal.last_seq()
        process = subprocess.Popen([sys.executable, "-c", writer, str(path)])  # noqa: ASYNC220 - before anything else runs
        delays: list[float] = []
        async for events in journal.follow(last):
            delays += [1000 * (time.time() - event.at) for event in events]
            if len(delays) >= 40:
                break
        process.wait()
        print(f"follow: median {statistics.median(delays):.0f} ms, worst {max(delays):.0f} ms, budget 100 ms")
        last = journal.last_seq()
        began = time.process_time()
        try:
            await asyncio.wait_for(anext(journal.follow(last)), 5)
        except TimeoutError:
            pass
        print(f"follow while nothing happens: {100 * (time.process_time() - began) / 5:.2f}% of one processor")


def _facts(count: int) -> list[tuple[e.Body, int | None, int | None]]:
    """The mix of a study: a fifth facts, the rest stream."""
    from loop.study.contract import Contract

    facts: list[tuple[e.Body, int | None, int | None]] = [
        (e.StudyStarted(tag="t", branch="b", base="c", contract=Contract()), None, None)
    ]
    number = 0
    while len(facts) < count:
        facts.append((e.ExperimentProposed(researcher="r", title="LR 0.02 -> 0.03", parent=0), number, None))
        facts.append((e.ExperimentQueued(commit="a" * 40, parent=0, parent_commit="b" * 40), number, None))
        started = e.RunStarted(seed=1, slot=0, budget=20, deadline=80, protocol_id="m", pid=1, pid_started=1.0)
        facts.append((started, number, 1))
        facts += [(e.Thought(researcher="r", text="some words of reasoning "), number, None)] * 10
        facts += [(e.StepSampled(step=1, progress=0.1, values={"loss": 2.2, "tok/sec": 1e6}), number, 1)] * 10
        facts.append((e.RunFinished(outcome="finished", metrics={"val_bpb": 1.0}), number, 1))
        facts.append((e.ExperimentJudged(verdict="discarded", reason="within the noise", metric=1.0), number, None))
        number += 1
    return facts[:count]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000, help="how many (default 1000)")
    arguments = parser.parse_args()
    overhead(arguments.experiments)
    journal_rates()
