"""A study of days in fast-forward: what grows, and what does not.

    python -m bench.endurance [--experiments 700]
    python -m bench.endurance --eight [--experiments 700]

Real studies on real repositories, with runs that print their number at once. The supervisor is a process of its own,
measured from outside. First the loop alone, with a researcher that proposes at once and keeps nothing; then with eight
slots, whose runs last two seconds, so that eight are in flight, and a cockpit attached in the middle; then with
AutoML, whose Optuna computes in a process of its own that is not counted. Prints, never asserts. --eight leaves out all
but the eight.

The costs of late and early experiments are measured alternately, since the speed of a disk drifts: the long study
pauses, a new one makes its first few, the long one goes on with as many, and so on.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.cockpit import Terminal, say
from bench.supervisor import Instant, prepare
from loop.journal import Journal
from loop.lineage import init_repository
from loop.machine.gauges import MachineGauges
from loop.researchers.protocol import Briefing, Proposal, Sink
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.slot_plan import SlotPlan
from loop.study.state import Study
from loop.supervisor.build import build
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise

EIGHT = 8
"""Slots of the study with many in flight; their runs last two seconds."""

WARM = 25
"""Experiments after which everything that is loaded once has been loaded."""

TURNS, EARLY, TURN = 6, 5, 10
"""How often a late and an early part are compared: `TURN` experiments of the long study, and those of a new one after
its first `EARLY`."""

TRAIN = """\
import math, os, random

RATE = 0.02
DEPTH = 4
WIDTH = 64
WARMUP = 0.1
DECAY = 0.3
chance = random.Random(int(os.environ["LOOPTOP_SEED"]))
value = 1 + 0.05 * math.log10(RATE / 0.005) ** 2 + 0.004 * abs(DEPTH - 8) + abs(WARMUP - 0.2) / 9
value += chance.gauss(0, 0.01)
for step in range(2000):
    print(f"step {step:05d} ({step / 20:.1f}%) | loss: {3 - step / 1000:.3f} | tok/sec: 1,000 | of the width {WIDTH}")
print("---")
print(f"val_bpb: {value:.6f}")
"""


class Lasting(Instant):
    """Proposes runs that last two seconds and say something all the while."""

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        said = await super().propose(briefing, sink)
        steps = "for i in 1 2 3 4 5 6 7 8; do echo step $i; sleep 0.25; done\n"
        return Proposal(said.title, said.hypothesis, {"run.sh": steps + said.edits["run.sh"]})


@dataclass(frozen=True)
class Look:
    """The supervisor's process, seen from outside, after so many verdicts."""

    experiment: int
    memory: int
    handles: int
    threads: int


def study(
    root: Path, count: int, alone: bool, then: tuple[int, Callable[[Journal], None]] | None = None, slots: int = 1
) -> list[Look]:
    """Run a study of `count` experiments at `root`, and measure its supervisor after each verdict.

    Args:
        then: something to do once while it goes on, after so many verdicts.
    """
    if alone:
        command = [sys.executable, "-m", "bench.endurance", "--alone", str(root), "--experiments", str(count)]
        command += ["--slots", str(slots)]
        folder = None
    else:
        (root / "train.py").write_text(TRAIN)
        (root / "program.md").write_text(
            f"---\nrun: {sys.executable} -I -S train.py\nlimits: {{experiments: {count}, failures: 1000}}\n---\nAny.\n"
        )
        init_repository(root, [root / "train.py", root / "program.md"])
        command = [str(Path(sys.executable).with_name("looptop")), "run", "--headless", "--researcher", "automl"]
        folder = root
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LOOPTOP_", "OPENAI_"))}
    looks: list[Look] = []
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as started:
        process = psutil.Process(started.pid)
        while not Workspace(root).journal.exists():
            time.sleep(0.05)
        with Journal(Workspace(root).journal) as journal:
            seen = 0
            while started.poll() is None:
                for event in journal.read(seen, kinds={"experiment_judged"}):
                    seen = event.seq
                    try:
                        memory, handles, threads = process.memory_info().rss, process.num_fds(), process.num_threads()
                    except psutil.Error:
                        break
                    looks.append(Look(event.experiment or 0, memory, handles, threads))
                    if len(looks) % 100 == 0:
                        print(f"  {len(looks)} of {count} ...", file=sys.stderr, flush=True)
                    if then is not None and len(looks) == then[0]:
                        then[1](journal)
                time.sleep(0.02)
    return looks


def work(root: Path, count: int, slots: int) -> None:
    """Be the supervisor of a study whose researcher proposes at once."""
    prepared = prepare(root, count)
    if slots > 1:
        prepared = replace(prepared, researchers=(Lasting(),), slots=SlotPlan(count=slots))
    with supervise(root), Journal(prepared.workspace.journal, create=True) as journal:
        gauges = MachineGauges(root)
        asyncio.run(Supervisor(build(prepared, journal, gauges)).run())


def costs(root: Path) -> tuple[dict[int, float], dict[int, float]]:
    """Milliseconds by experiment: what the loop takes for each of its runs besides the run itself, from proposal to
    verdict; and how long the researcher thinks, from the previous verdict to the proposal."""
    with Journal(Workspace(root).journal) as journal:
        events = journal.read(kinds=FOLDED)
    proposed = {event.experiment: event.at for event in events if event.kind == "experiment_proposed"}
    judged = {event.experiment: event.at for event in events if event.kind == "experiment_judged"}
    runs: dict[int | None, list[float]] = {number: [] for number in proposed}
    for event in events:
        if event.body.kind == "run_finished":
            runs[event.experiment].append(event.body.seconds)
    work, thought = {}, {}
    for number, at in proposed.items():
        if number and number in judged and number - 1 in judged and runs[number]:
            work[number] = 1000 * (judged[number] - at - sum(runs[number])) / len(runs[number])
            thought[number] = 1000 * (at - judged[number - 1])
    return work, thought


def around(spans: dict[int, float], number: int) -> float:
    """The median of the fifty around an experiment."""
    return statistics.median([spans[n] for n in range(number - 25, number + 26) if n in spans])


def by_turns(late: Path, journal: Journal) -> tuple[float, float]:
    """The median cost of a run in a new study, and in the long one at `late`, which goes on in between."""
    early: list[float] = []
    began = journal.last_seq()
    for turn in range(1, TURNS + 1):
        journal.append(e.Paused(who="bench"))
        with tempfile.TemporaryDirectory() as folder:
            study(Path(folder), EARLY + TURN, alone=True)
            early += [cost for number, cost in costs(Path(folder))[0].items() if number > EARLY]
        journal.append(e.Resumed(who="bench"))
        while len(judged := journal.read(began, kinds={"experiment_judged"})) < turn * TURN:
            time.sleep(0.02)
    spans, _ = costs(late)
    return statistics.median(early), statistics.median(spans[n] for event in judged if (n := event.experiment) in spans)


def start_up(root: Path, times: int = 5) -> float:
    """Median seconds of a supervisor whose limit is already reached: to open the study, and to end."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-P", "-m", "loop", str(root), json.dumps({})], capture_output=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def attach(root: Path, times: int = 5) -> tuple[list[float], list[float]]:
    """Seconds of cockpits on the study: to the first paint, and until the champion is on screen."""
    tag, paints, wholes = study_of(root).tag, [], []
    for _ in range(times):
        terminal = Terminal(root)
        paints.append(terminal.wait_for(f"{tag}|reading the journal"))
        wholes.append(terminal.wait_for("champion"))
        terminal.close()
    return paints, wholes


def median_and_best(seconds: list[float]) -> str:
    """Several measurements in a few words."""
    return f"{statistics.median(seconds):.2f} s (median of {len(seconds)}, best {min(seconds):.2f})"


def study_of(root: Path) -> Study:
    """The study at `root`."""
    with Journal(Workspace(root).journal) as journal:
        return fold(journal.read(kinds=FOLDED))


def sizes(root: Path) -> None:
    """Disk usage per experiment."""
    folder = Workspace(root)
    with Journal(folder.journal) as journal:
        events = journal.last_seq()
    folded = study_of(root)
    count = folded.judged()
    parts = {
        "journal": folder.folder.glob("journal.db*"),
        "run folders": folder.runs.rglob("*"),
        "git": (root / ".git").rglob("*"),
    }
    for name, paths in parts.items():
        used = sum(path.lstat().st_blocks * 512 for path in paths)
        say(f"{name} on disk, an experiment", "", f"{used / count / 1000:.1f} kB")
    counts = ", ".join(f"{count} {word}" for word, count in folded.verdicts().items() if count)
    print(f"({events:,} events; {len(folded.experiments):,} experiments, {counts})")


def eight(count: int) -> None:
    """The study with eight runs in flight."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        seen: list[tuple[list[float], list[float]]] = []
        then = (count // 2, lambda journal: seen.append(attach(root)))
        looks = study(root, count, True, then, EIGHT)
        what = f"{EIGHT} in flight"
        memory(looks, count, what, "10 MB")
        half = looks[len(looks) // 2 :]
        first = looks[WARM : len(looks) // 2]
        handles = [max(look.handles for look in part) for part in (first, half)]
        threads = [max(look.threads for look in part) for part in (first, half)]
        say("... open files, most in the first half and the second", "flat", f"{handles[0]} → {handles[1]}")
        say("... threads, likewise", "flat", f"{threads[0]} → {threads[1]}")
        say("... runs at once, the most", str(EIGHT), str(at_once(root)))
        for paints, wholes in seen:
            say("... a cockpit attached meanwhile: first paint", "0.5 s", median_and_best(paints))
            say("... until everything is on screen", "1 s", median_and_best(wholes))


def at_once(root: Path) -> int:
    """The most runs that were under way at once."""
    with Journal(Workspace(root).journal) as journal:
        events = journal.read(kinds={"run_started", "run_finished"})
    running = most = 0
    for event in events:
        running += 1 if event.kind == "run_started" else -1
        most = max(most, running)
    return most


def memory(looks: list[Look], count: int, what: str, budget: str) -> None:
    """Growth of the process up to verdict `count`, from where everything is loaded that is loaded once."""
    first, last = looks[WARM], looks[min(count, len(looks)) - 1]
    grown = f"{(last.memory - first.memory) / 1e6:+.1f} MB, to {last.memory / 1e6:.0f}"
    say(f"{what}: memory, experiments {first.experiment} to {last.experiment}", budget, grown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=700, help="how many (default 700)")
    parser.add_argument("--eight", action="store_true", help="only the study with eight runs in flight")
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--slots", type=int, default=1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    count = asked.experiments
    if asked.alone is not None:
        work(asked.alone, count, asked.slots)
        return
    if count <= WARM:
        parser.error(f"--experiments must be more than {WARM}, the number after which growth is counted")
    if asked.eight:
        say("what", "budget", "measured")
        eight(count)
        return
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        study(Path(one), WARM, alone=True)
        early = start_up(Path(one))
        root = Path(many)
        compared: list[tuple[float, float]] = []
        then = (count, lambda journal: compared.append(by_turns(root, journal)))
        looks = study(root, count + TURNS * TURN, True, then)
        say("what", "budget", "measured")
        memory(looks, count, "the loop alone", "10 MB")
        first, last = looks[WARM], looks[-1]
        say("... open files", "flat", f"{first.handles} → {last.handles} (most {max(look.handles for look in looks)})")
        say("... threads", "flat", f"{first.threads} → {last.threads} (most {max(look.threads for look in looks)})")
        ((begin, end),) = compared
        say(
            f"... cost of a run, after {count} against after {EARLY}",
            "ratio 1.20",
            f"{end / begin:.2f} ({begin:.0f} → {end:.0f} ms)",
        )
        late = start_up(root)
        say("start-up of a supervisor, then against at the 25th", "", f"{late:.2f} s against {early:.2f} s")
        paints, wholes = attach(root)
        say("attach at the end: first paint", "0.5 s", median_and_best(paints))
        say("... until everything is on screen", "1 s", median_and_best(wholes))
        sizes(root)
    eight(count)
    with tempfile.TemporaryDirectory() as folder:
        looks = study(Path(folder), count, alone=False)
        memory(looks, count, "with AutoML in it", "10 MB")
        _, thought = costs(Path(folder))
        begin, end = around(thought, 10), around(thought, count)
        say(f"... its thought, around {count} against 10", "", f"{begin:.0f} → {end:.0f} ms")


if __name__ == "__main__":
    main()
