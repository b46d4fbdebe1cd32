"""A whole study on a cluster, for `bench.cluster`: the supervisor in a process of its own, and a cockpit beside it.

python -m bench.cluster_study FOLDER ADDRESS SLOTS SECONDS EXPERIMENTS     (what that process is started with)
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.cockpit import Terminal
from bench.throughput import Sleeper, measured, script
from loop.config.overrides import Overrides
from loop.config.program import load
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.machine.gauges import MachineGauges
from loop.sandbox.backend import choose
from loop.study.folding import FOLDED, fold
from loop.study.slot_plan import SlotPlan
from loop.study.team import MOST_AT_ONCE, Member
from loop.supervisor import cluster
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise

RUN = 'exec 9<> <(:); for ((i = 1; i <= {steps}; i++)); do echo "step $i age=$EPOCHREALTIME"; {pause}; done\n'
"""Bash waits and tells the time by itself: a `sleep` and a `date` for each line would be the load that is measured."""

PROGRAM = "---\nedit: run.sh\nrun: bash run.sh\nmetric: loss\nbudget: {seconds}s\ndeadline: 600s\n{more}---\nGo down.\n"

LONG_S = 30.0
"""Seconds of the runs that the busy share is claimed for."""

THOUGHT = 0.2
"""A thought, of a run: the minute that a language model takes where a run lasts five."""

KEYS = "3j15k3491"


class Found(NamedTuple):
    """A figure in words, and whether it is within its budget."""

    said: str
    good: bool = True


def run_of(seconds: float) -> str:
    """Bash that says something twice a second for so long."""
    return RUN.format(steps=max(1, round(2 * seconds)), pause="read -rt 0.5 -u 9" if seconds else ":")


def supervise_at(root: Path, address: str, slots: int, seconds: float, count: int) -> None:
    """Be the supervisor of a study whose researcher sleeps and proposes."""
    (root / "run.sh").write_text(script(0).replace("sleep 0\n", run_of(seconds)))
    more = f"keep: {{baseline_runs: 2}}\nvalidation: 0\nlimits: {{experiments: {count}, failures: null}}\n"
    (root / "program.md").write_text(PROGRAM.format(seconds=max(1, seconds), more=more))
    init_repository(root, [root / "run.sh", root / "program.md"])
    lineage = Lineage(root, "bench")
    lineage.prepare()
    prepared = Prepared(
        Workspace(root),
        lineage,
        load(root, matching),
        Overrides(),
        (Sleeper(THOUGHT * seconds, count),),
        choose("off"),
        team=(Member(kind="sleep", name=Sleeper.name, at_once=MOST_AT_ONCE),),
        slots=SlotPlan(cpu_slots=slots),
        cluster=address,
    )
    (root / ".looptop").mkdir(exist_ok=True)

    async def work(journal: Journal) -> None:
        executor = await cluster.connect(prepared, lineage.checkout.head())
        end = await Supervisor(build(prepared, journal, MachineGauges(root), executor)).run()
        if end.failed:
            raise SystemExit(end.reason)

    with supervise(root), Journal(Workspace(root).journal, create=True) as journal:
        asyncio.run(work(journal))


def whole_study(root: Path, address: str, slots: int, seconds: float, count: int) -> list[Found]:
    """What a study of so many experiments comes to, and a cockpit that is attached once all slots are at work.

    Args:
        slots: of each node.
    """
    root.mkdir()
    command = [sys.executable, "-m", "bench.cluster_study", str(root), address, str(slots), str(seconds), str(count)]
    found: list[Found] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as started:
        path = Workspace(root).journal
        while not path.exists() and started.poll() is None:
            time.sleep(0.1)
        with Journal(path) as journal:
            while started.poll() is None and not _all_at_work(journal):
                time.sleep(0.2)
            if started.poll() is None:
                found += cockpit(root, journal, psutil.Process(started.pid))
            started.wait()
    if started.returncode:
        return [Found(f"the study ended with exit code {started.returncode}", False)]
    with Journal(path) as journal:
        events = journal.read(kinds=FOLDED)
        last = journal.last_seq()
    study = fold(events)
    names = study.supervisor.slots if study.supervisor else ()
    one = measured(events, len(names), 0.0)
    who = f"a study of {count} experiments on {len(names)} slots, runs of {seconds:g} s"
    return [
        Found(
            f"{who}: busy {one.busy:.1%} of its middle (95% at 30 s), {one.waiting:.1%} for want of a proposal",
            one.busy >= 0.95 or seconds < LONG_S,
        ),
        Found(
            f"between two runs of a slot {1000 * one.between:.0f} ms, 95% under {1000 * one.between_95:.0f}; with "
            f"runs of 30 s that is {LONG_S / (LONG_S + one.between):.1%}"
        ),
        Found(f"the journal has {last} events; to fold {len(events)} of them takes {1000 * fold_time(events):.0f} ms"),
        *found,
    ]


def _all_at_work(journal: Journal) -> bool:
    study = fold(journal.read(kinds=FOLDED))
    slots = study.supervisor.slots if study.supervisor else ()
    running = [x.id for x, _ in study.running()]
    return bool(slots) and len(running) >= 0.9 * len(slots) and all(running)


def cockpit(root: Path, journal: Journal, supervisor: psutil.Process) -> list[Found]:
    """A cockpit while everything is at work: what it takes to appear, and to answer keys."""
    terminal = Terminal(root)
    paint = terminal.wait_for("bench|reading the journal", 60)
    times: list[float] = []
    first, began, used = journal.last_seq(), time.monotonic(), sum(supervisor.cpu_times()[:2])
    for key in KEYS:
        times.append(terminal.press(key))
        time.sleep(0.3)
    cpu, _ = terminal.measure(3)
    took = time.monotonic() - began
    used = sum(supervisor.cpu_times()[:2]) - used
    rate = (journal.last_seq() - first) / took
    terminal.close()
    key, worst = 1000 * statistics.median(times), 1000 * max(times)
    return [
        Found(
            f"a cockpit meanwhile: first paint {paint:.2f} s, a key {key:.0f} ms (100), worst of {len(times)} "
            f"{worst:.0f} ms, {cpu:.0f}% of a core",
            key < 100,
        ),
        Found(f"the supervisor takes {100 * used / took:.0f}% of a core, and writes {rate:.0f} events a second"),
    ]


def fold_time(events: Collection[object]) -> float:
    began = time.perf_counter()
    fold(events)  # type: ignore[arg-type]
    return time.perf_counter() - began


if __name__ == "__main__":
    supervise_at(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
