"""How busy the slots are, and how many experiments an hour come of them.

    python -m bench.throughput [--seconds 10] [--runs 12]

One researcher that sleeps proposes, in as many conversations at once as the loop finds that it takes, and runs that
sleep are started in their slots: real processes in their sandboxes, a real journal, a real repository. Every 24th
change is kept, and others have to move onto it. Nothing is known beforehand of how long a thought lasts.

The busy share is that of the time from the first run of a candidate to the start of the last one; the supervisor's own
share is the time that a slot takes from the end of a run to the start of the next. Claimed: at least 97% with one slot
where thinking takes as long as running, 95% with four slots where it takes four times as long; with four slots 95% of
four times the experiments an hour of one; and with eight slots at most 1.2 times the runs of one for an experiment.
"""

import argparse
import asyncio
import math
import statistics
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.sandbox.backend import choose
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.readings import GpuGauge
from loop.study.team import MOST_AT_ONCE, Member
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.gauges import FakeGauges

LINES = 400
KEPT_EVERY = 24


class SilentGpus(FakeGauges):
    """So many GPUs that do not say what is on them: their slots divide no cores."""

    def _gpu(self, index: int, now: int, chance: object) -> GpuGauge:
        return GpuGauge(index=index, name=self.NAME)


class Sleeper:
    """Thinks for so many seconds, and changes a line that nobody else does."""

    about = "sleeps"

    ahead = True

    name = "sleeper"

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds, self._most = seconds, most

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        number = briefing.next_id
        if number > self._most:
            raise NothingLeft("that was all")
        await asyncio.sleep(self._seconds)
        worth = 1 if number % KEPT_EVERY == 0 else -1
        script = briefing.files["run.sh"].replace(f"E{number}=0\n", f"E{number}={worth}\n")
        return Proposal(f"change {number}", "none", {"run.sh": script})


def script(seconds: float) -> str:
    """Loses ten for each change that is worth something, and gains ten for each that is not."""
    # Lines between keep git from seeing two changes in one place.
    lines = "".join(f"# {n}\n:\n:\n:\nE{n}=0\n" for n in range(1, LINES))
    total = " + ".join(f"E{n}" for n in range(1, LINES))
    return f"{lines}sleep {seconds:g}\necho loss: $((100000 - 10 * ({total}))).$((LOOPTOP_SEED % 2))\n"


@dataclass(frozen=True)
class Found:
    """What came of one study."""

    busy: float
    an_hour: float
    runs_each: float
    """Runs of candidates for an experiment with a verdict."""
    between: float
    """Seconds between two runs in a slot, the median."""


def study(slots: int, seconds: float, thinking: float, runs: int) -> Found:
    """Run one to its end."""
    count = slots * runs
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "run.sh").write_text(script(seconds))
        front = f"edit: run.sh\nrun: sh run.sh\nmetric: loss\nbudget: {seconds:g}s\nkeep: {{baseline_runs: 2}}\n"
        (root / "program.md").write_text(f"---\n{front}limits: {{experiments: {count}}}\n---\n")
        init_repository(root, [root / "run.sh", root / "program.md"])
        lineage = Lineage(root, "bench")
        lineage.prepare()
        team = (Member(kind="sleep", name=Sleeper.name, at_once=MOST_AT_ONCE),)
        prepared = Prepared(
            Workspace(root),
            lineage,
            load(root, matching),
            Overrides(),
            (Sleeper(thinking, count),),
            choose("auto"),
            team=team,
        )
        (root / ".looptop").mkdir(exist_ok=True)
        path = Workspace(root).journal
        with supervise(root), Journal(path, create=True) as journal:
            end = asyncio.run(Supervisor(build(prepared, journal, SilentGpus(slots))).run())
            if end.failed:
                raise SystemExit(end.reason)
            return measured(journal.read(kinds=FOLDED), slots)


def measured(events: list[e.Event], slots: int) -> Found:
    """What a study's journal says."""
    found = fold(events)
    started = {(x.experiment, x.run): x for x in events if x.kind == "run_started"}
    ended = {(x.experiment, x.run): x.at for x in events if x.kind == "run_finished"}
    spans = sorted((x.at, ended[key], x.body.slot, key[0]) for key, x in started.items())  # type: ignore[union-attr]
    began = min(span[0] for span in spans if span[3])
    last = max(span[0] for span in spans)
    busy = sum(max(0.0, min(end, last) - max(start, began)) for start, end, _, _ in spans)
    judged = [x for x in events if x.kind == "experiment_judged" and x.experiment and x.at <= last]
    gaps: list[float] = []
    for slot in range(slots):
        mine = [(start, end) for start, end, at, number in spans if at == slot and number]
        gaps += [after[0] - before[1] for before, after in pairwise(mine)]
    runs = sum(1 for span in spans if span[3])
    return Found(
        busy / (slots * (last - began)),
        3600 * len(judged) / (last - began),
        runs / max(1, found.judged()),
        statistics.median(gaps) if gaps else 0.0,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of one run")
    parser.add_argument("--runs", type=int, default=12, help="in each slot")
    asked = parser.parse_args()
    found: dict[tuple[int, int], Found] = {}
    for slots, times in ((1, 1), (2, 1), (4, 1), (8, 1), (4, 4)):
        one = found[slots, times] = study(slots, asked.seconds, times * asked.seconds, asked.runs)
        print(
            f"{slots} slot{'s' * (slots > 1)}, thinking {times} x running: busy {one.busy:.1%}, {one.an_hour:.0f} "
            f"experiments an hour, {one.runs_each:.2f} runs for one, {1000 * one.between:.0f} ms between two runs",
            flush=True,
        )
    alone = found[1, 1]
    met = [
        claim("busy, one slot, thinking as long as running", alone.busy, least=0.97),
        claim("busy, four slots, thinking four times as long", found[4, 4].busy, least=0.95),
        claim("experiments an hour of four slots, of four times those of one",
              found[4, 1].an_hour / 4 / alone.an_hour, least=0.95),
        claim("runs for an experiment with eight slots, of those with one",
              found[8, 1].runs_each / alone.runs_each, most=1.2),
    ]  # fmt: skip
    return 0 if all(met) else 1


def claim(what: str, value: float, least: float = 0.0, most: float = math.inf) -> bool:
    """Print a figure beside its budget, and return whether it is met."""
    met = least <= value <= most
    budget = f"at least {least:g}" if least else f"at most {most:g}"
    print(f"{what}: {value:.3f}, budget {budget}: {'met' if met else 'MISSED'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
