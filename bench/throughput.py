"""How busy the slots are, and how many experiments an hour come of them.

    python -m bench.throughput [--seconds 5] [--runs 12]

One researcher that sleeps proposes, in as many conversations at once as the loop finds that it takes, and runs that
sleep are started in their slots: real processes in their sandboxes, a real journal, a real repository. Every 24th
change is kept, and others have to move onto it. Nothing is known beforehand of how long a thought lasts.

The whole is from the baseline's verdict to the last one, with the first thoughts, for which every slot waits, and the
last runs, beside which there is nothing new. The middle is from when each slot has begun a candidate until the last
candidate begins: what a study of days is made of. A line says in which share of the middle slots had a run, in which
they had none for want of a proposal, and in which share of the whole they had one; and how many experiments an hour
are run in the middle, those at its rims in part. A gap is the supervisor's own: from the end of a run on record to the
start of the next in that slot, where one was ready. Processor time is that of the supervisor and of all that it
starts, for an experiment.

The ideal is slots that are never idle, with runs for each experiment as the judge asks for them: one, and what a
keep costs (its repeats, and the champion's where a proposal stood ready and the champion's run came first). Runs on a
champion of before that are made again are no part of it.

Claimed, of the middle: at least 97% busy with one slot where thinking takes as long as running, 95% with four slots
where it takes four times as long; with four slots 95% of the ideal experiments an hour; and with eight slots at most
1.2 times the runs, and 1.2 times the supervisor's processor time, of one for an experiment. Seven minutes.
"""

import argparse
import asyncio
import math
import resource
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.sandbox.backend import choose
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.readings import GpuGauge
from loop.study.state import Study
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
    """What came of one study; of its middle, unless noted otherwise."""

    whole: float
    """Busy share of the whole."""
    busy: float
    waiting: float
    """Share of the slots' time in which nothing was ready for them."""
    an_hour: float
    """First runs of experiments."""
    repeats: float
    """Runs beyond the first that the judge asked for, for an experiment."""
    again: float
    """Runs on a champion of before, made again, for an experiment of the whole."""
    between: float
    between_95: float
    """Seconds between two runs in a slot for which one is ready: the median, and what 95% stay under."""
    processor: float
    """Seconds of processor time of the supervisor and its gits for an experiment of the whole."""

    @property
    def runs_each(self) -> float:
        return 1 + self.repeats + self.again


def study(slots: int, seconds: float, thinking: float, runs: int) -> Found:
    """Run one to its end."""
    count = slots * runs
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "run.sh").write_text(script(seconds))
        front = f"edit: run.sh\nrun: sh run.sh\nmetric: loss\nbudget: {seconds:g}s\nkeep: {{baseline_runs: 2}}\n"
        (root / "program.md").write_text(f"---\n{front}validation: 0\nlimits: {{experiments: {count}}}\n---\n")
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
            before = processor_time()
            end = asyncio.run(Supervisor(build(prepared, journal, SilentGpus(slots))).run())
            if end.failed:
                raise SystemExit(end.reason)
            return measured(journal.read(kinds=FOLDED), slots, processor_time() - before)


class Span(NamedTuple):
    """When a slot had a run."""

    start: float
    end: float
    experiment: int
    run: int


def processor_time() -> float:
    """Seconds that this process and all that it has waited for have used: gits, sandboxes, runs that sleep."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(events: list[e.Event], slots: int, processor: float) -> Found:
    """What a study's journal says.

    Args:
        processor: seconds that all of it took.
    """
    study = fold(events)
    ended = {(x.experiment, x.run): x.at for x in events if x.kind == "run_finished"}
    ready: dict[int | None, float] = {}
    for event in events:
        if event.kind == "experiment_queued":
            ready.setdefault(event.experiment, event.at)
    experiments = [x for x in study.experiments.values() if x.id]
    first = study.experiments[0]
    assert first.judged_at is not None
    spans: dict[int, list[Span]] = {slot: [] for slot in range(slots)}
    for x in study.experiments.values():
        for run in x.runs.values():
            spans[run.slot].append(Span(run.started_at, ended[x.id, run.number], x.id, run.number))
    begun = sorted(x.runs[min(x.runs)].started_at for x in experiments if x.runs)
    last = max(event.at for event in events if event.kind == "experiment_judged")
    middle = max(min(one.start for one in mine if one.experiment) for mine in spans.values()), begun[-1]
    long = slots * (middle[1] - middle[0])
    waiting, own = 0.0, []
    for mine in spans.values():
        mine.sort()
        for one, then in pairwise(mine):
            if not middle[0] <= one.end < middle[1]:
                continue
            # A repeat was asked for by what had run before; what is new was there once it was queued.
            came = ready[then.experiment] if then.run == 1 else one.end
            waiting += max(0.0, min(came, then.start, middle[1]) - one.end)
            if came <= one.end:
                own.append(then.start - one.end)
    again = sum(run.number <= x.since_run for x in experiments for run in x.runs.values())
    own.sort()
    ran, repeated = made(study, spans, ready, *middle)
    return Found(
        whole=share(spans, first.judged_at, last),
        busy=share(spans, *middle),
        waiting=waiting / long,
        an_hour=3600 * ran / (middle[1] - middle[0]),
        repeats=repeated / ran,
        again=again / len(experiments),
        between=statistics.median(own) if own else 0.0,
        between_95=own[int(0.95 * (len(own) - 1))] if own else 0.0,
        processor=processor / len(experiments),
    )


def made(
    study: Study, spans: Mapping[int, Sequence[Span]], ready: Mapping[int | None, float], began: float, ended: float
) -> tuple[float, float]:
    """First runs in that time, and others that the judge asked for: repeats of candidates, and runs of what is settled
    where a proposal stood ready and had to wait for them. What a champion ran because nothing else was there is none of
    them. A run of which a part lies in that time counts for that part: slots that begin and end together would else
    lose or gain a whole round."""
    first = {x.id: min(run.started_at for run in x.runs.values()) for x in study.experiments.values() if x.runs}
    found = asked = 0.0
    for span in (one for mine in spans.values() for one in mine):
        x, at = study.experiments[span.experiment], span.start
        part = max(0.0, min(span.end, ended) - max(at, began)) / (span.end - at)
        if span.run <= x.since_run:
            continue
        if at == first[x.id]:
            found += part
        else:
            waits = any(since <= at < first.get(number or 0, math.inf) for number, since in ready.items())
            asked += part * (waits or x.judged_at is None or at < x.judged_at)
    return found, asked


def share(spans: Mapping[int, Sequence[Span]], began: float, ended: float) -> float:
    """Which share of that time the slots had a run."""
    had = sum(max(0.0, min(x.end, ended) - max(x.start, began)) for mine in spans.values() for x in mine)
    return had / (len(spans) * (ended - began))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one run")
    parser.add_argument("--runs", type=int, default=12, help="in each slot")
    asked = parser.parse_args()
    found: dict[tuple[int, int], Found] = {}
    print("slots  think    busy  no proposal  whole  an hour of ideal  repeats made again  gap ms    95%  processor ms")
    for slots, times in ((1, 1), (2, 1), (4, 1), (8, 1), (4, 4)):
        one = found[slots, times] = study(slots, asked.seconds, times * asked.seconds, asked.runs)
        print(
            f"{slots:5} {times:4} x  {one.busy:6.1%} {one.waiting:10.1%} {one.whole:6.1%}  {one.an_hour:7.0f} "
            f"{ideally(one, slots, asked.seconds):8.1%}  {one.repeats:7.2f} {one.again:10.2f}  "
            f"{1000 * one.between:6.0f} {1000 * one.between_95:6.0f}  {1000 * one.processor:9.0f}",
            flush=True,
        )
    alone = found[1, 1]
    met = [
        claim("busy, one slot, thinking as long as running", alone.busy, least=0.97),
        claim("busy, four slots, thinking four times as long", found[4, 4].busy, least=0.95),
        claim("experiments an hour of four slots, of the ideal", ideally(found[4, 1], 4, asked.seconds), least=0.95),
        claim("runs for an experiment with eight slots, of those with one",
              found[8, 1].runs_each / alone.runs_each, most=1.2),
        claim("processor time for an experiment with eight slots, of that with one",
              found[8, 1].processor / alone.processor, most=1.2),
    ]  # fmt: skip
    return 0 if all(met) else 1


def ideally(found: Found, slots: int, seconds: float) -> float:
    """Experiments an hour as a share of what slots that are never idle would make, with the judge's repeats."""
    return found.an_hour / (slots * 3600 / (seconds * (1 + found.repeats)))


def claim(what: str, value: float, least: float = 0.0, most: float = math.inf) -> bool:
    """Print a figure beside its budget, and return whether it is met."""
    met = least <= value <= most
    budget = f"at least {least:g}" if least else f"at most {most:g}"
    print(f"{what}: {value:.3f}, budget {budget}: {'met' if met else 'MISSED'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
