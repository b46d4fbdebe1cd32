"""Whether honest experiments survive a machine that becomes busy after the baseline, and no cheat gets more time by it.

    python -m bench.fair_clock [--honest 30] [--neighbours 8]

Real studies side by side, some of honest changes, some of cheats that stretch their time. As soon as all have their
baselines, busy neighbours start, and half of them pause and go on every 15 seconds. The program computes for 1.2 s
before and after its budget of 1 s: with a sixth of a processor that is longer than the wall clock alone allows. No
honest change may be rejected, and no cheat may pass. How many the wall clock alone would have rejected is said beside
it. Takes four minutes, and two processors.
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from loop.config.overrides import Overrides
from loop.config.program import load
from loop.journal import Journal
from loop.lineage import Lineage, init_repository, matching
from loop.policy import run_checks
from loop.policy.run_checks import Course
from loop.researchers.protocol import Briefing, NothingLeft, Proposal, Sink
from loop.runs.local.waiting import Waiting
from loop.sandbox.backend import choose
from loop.study import queries
from loop.study.experiment import Run
from loop.study.folding import FOLDED, fold
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.supervisor.build import build
from loop.supervisor.startup import Prepared
from loop.supervisor.supervisor import Supervisor
from loop.workspace import Workspace, supervise
from tests.gauges import FakeGauges

LOOK_BUDGET_MS = 2.0
"""For a look at a run of 3 processes and 30 threads, every half second."""

HONEST, CHEATING = 3, 2
"""Studies of each kind. Side by side they are one another's neighbours, too."""

PROGRAM = """---
run: python train.py
verify: python measure.py
metric: val
budget: 1s
deadline: 300s
keep: {baseline_runs: 2, max_runs: 2, simpler_wins: false}
limits: {failures: 1000}
---
Make it better.
"""

MEASURE = """
import os
from pathlib import Path
print(f"val: {float((Path(os.environ['LOOPTOP_RUN_DIR']) / 'model.txt').read_text()):.6f}")
"""

TRAIN = """
import os
import random
import time
from pathlib import Path

RATE = 0.02
budget = float(os.environ["LOOPTOP_BUDGET_S"])
folder = Path(os.environ["LOOPTOP_RUN_DIR"])
loss = random.Random(int(os.environ["LOOPTOP_SEED"])).uniform(1.0, 1.2)


def compute(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


compute(1.0)  # as long as it takes to import and to compile
# before
start, step = time.monotonic(), 0
while time.monotonic() - start < budget:
    compute(0.02)
    step += 1
    loss *= 1 - RATE / 100
    print(f"step {step:05d} | loss: {loss:.4f}", flush=True)
trained = time.monotonic() - start
# after
compute(0.2)  # scoring
(folder / "model.txt").write_text(repr(loss))
print("---")
print(f"training_seconds: {trained:.2f}")
"""

_LONGER = "while time.monotonic() - start < budget:"
_NEIGHBOURS = (
    "busy = []\nfor _ in range(2):\n    if (pid := os.fork()) == 0:\n        while True:\n            pass\n"
    "    busy.append(pid)\nos.nice(19)\ntime.sleep(9)\nfor pid in busy:\n    os.kill(pid, 9)\n    os.waitpid(pid, 0)\n"
)
_SPINS = "end = time.monotonic() + 15\nwhile time.monotonic() < end:\n    pass"
_HIDDEN = (
    "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif os.fork() == 0:\n    while True:\n"
    "        if os.fork() == 0:\n            compute(0.05)\n            os._exit(0)\n        time.sleep(0.03)\n"
)
_CHILD = "if (child := os.fork()) == 0:\n    compute(6.5)\n    os._exit(0)\nos.waitpid(child, 0)\n"
_TWO = (
    "pids = []\nfor _ in range(2):\n    if (pid := os.fork()) == 0:\n        compute(6)\n        os._exit(0)\n"
    "    pids.append(pid)\nfor pid in pids:\n    os.waitpid(pid, 0)\n"
)

CHEATS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "trains for four times its budget and says it did not": (
        (_LONGER, "while time.monotonic() - start < 4 * budget:"),
        ("{trained:.2f}", "{budget:.2f}"),
    ),
    "lets its own clock go slowly": ((_LONGER, "while (time.monotonic() - start) / 4 < budget:"),),
    "trains for four times its budget without steps, and owns up": (
        (_LONGER, "while time.monotonic() - start < 4 * budget:"),
        ('    print(f"step', '    0 and print(f"step'),
    ),
    "computes before its clock starts": (("# before", "compute(6.5)"),),
    "computes after its clock": (("# after", "compute(6.5)"),),
    "computes in a child": (("# after", _CHILD),),
    "computes in two children": (("# after", _TWO),),
    "sleeps before its clock starts": (("# before", "time.sleep(9)"),),
    "is the last in every queue, beside neighbours of its own": (("# before", _NEIGHBOURS),),
    "hides its neighbours": (("# before", f"{_HIDDEN}{_SPINS}"),),
}


def cheat(edits: tuple[tuple[str, str], ...]) -> str:
    text = TRAIN
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.1)


class Scripted:
    """Proposes one text of train.py after another; the first waits until the neighbours are there."""

    name, about, ahead = "scripted", "proposes what it was given", 0

    def __init__(self, texts: Mapping[str, str], root: Path) -> None:
        self._left, self._root = dict(texts), root

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        (self._root / "has-a-baseline").touch()
        await asyncio.to_thread(wait_for, self._root.parent / "busy")
        if not self._left:
            raise NothingLeft("that was all")
        title = next(iter(self._left))
        return Proposal(title, "", {"train.py": self._left.pop(title)})


async def study(root: Path, texts: Mapping[str, str]) -> None:
    root.mkdir()
    for name, text in (("train.py", TRAIN), ("measure.py", MEASURE), ("program.md", PROGRAM)):
        (root / name).write_text(text)
    init_repository(root, [root / "train.py", root / "measure.py", root / "program.md"])
    lineage = Lineage(root, "bench")
    lineage.prepare()
    researchers = (Scripted(texts, root),)
    prepared = Prepared(Workspace(root), lineage, load(root, matching), Overrides(), researchers, choose("auto"))
    with supervise(root), Journal(prepared.workspace.journal, create=True) as journal:
        await Supervisor(build(prepared, journal, FakeGauges(0))).run()


@contextmanager
def neighbours(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Busy processes, each in a session of its own: a kernel that shares by sessions counts each of them."""
    command = [sys.executable, "-c", f"import os\nwhile os.getppid() == {os.getpid()}: pass"]
    busy = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield busy
    finally:
        for one in busy:
            one.kill()
            one.wait()


def under_load(folder: Path, names: Sequence[str], options: Sequence[str], count: int) -> None:
    """All studies, from their baselines, one after the other and before the load, to their ends."""
    studies: list[subprocess.Popen[bytes]] = []
    try:
        for name in names:
            command = [sys.executable, "-m", "bench.fair_clock", "--study", name, str(folder), *options]
            studies.append(subprocess.Popen(command))
            while not (folder / name / "has-a-baseline").exists():
                assert studies[-1].poll() is None, f"{name} has failed"
                time.sleep(0.2)
        with neighbours(count) as busy:
            (folder / "busy").touch()
            turn = 0
            while any(one.poll() is None for one in studies):
                time.sleep(0.5)
                turn += 1
                if turn % 30 == 0:
                    for one in busy[::2]:
                        one.send_signal(signal.SIGSTOP if turn % 60 else signal.SIGCONT)
    finally:
        for study in studies:
            study.terminate()
            study.wait()


def folded(root: Path) -> Study:
    with Journal(Workspace(root).journal) as journal:
        return fold(journal.read(kinds=FOLDED))


def by_the_clock_alone(found: Study, run: Run) -> bool:
    """Whether the run would have been rejected had nothing been allowed for."""
    usual = [Course(one.seconds, one.metrics.get(run_checks.CLAIM), one.stepping) for one in queries.usual_runs(found)]
    mine = Course(run.seconds, run.metrics.get(run_checks.CLAIM), run.stepping)
    late = run_checks.inspect(mine, usual, found.contract.budget)
    verified = [one.verify_seconds for one in queries.usual_runs(found)]
    return bool(late or run_checks.too_long_to_verify(run.verify_seconds, 0.0, verified, found.contract.budget))


def tell(studies: Mapping[str, Study]) -> bool:
    """Print what has come of all of them; True where it is as it should be."""
    honest = [found for name, found in studies.items() if name.startswith("honest")]
    changes = [(found, one) for found in honest for one in found.experiments.values() if one.id]
    runs = [run for _, one in changes for run in one.counted()]
    rejected = [one for _, one in changes if one.verdict == Outcome.REJECTED]
    alone = sum(any(by_the_clock_alone(found, run) for run in one.counted()) for found, one in changes)
    usual = statistics.median(run.seconds for found in honest for run in queries.usual_runs(found))
    took, had = statistics.median(run.seconds for run in runs), statistics.median(run.had for run in runs)
    print(
        f"a run of the baseline took {usual:.1f} s; under load one took {took:.1f} s and had {had:.0%} of the machine"
    )
    print(f"honest changes: {len(changes)}; rejected: {len(rejected)} (0); by the wall clock alone: {alone}")
    for one in rejected:
        print(f"  {one.title}: {one.reason}")
    cheats = [x for name, found in studies.items() if name.startswith("cheats") for x in found.experiments.values()]
    cheats = [one for one in cheats if one.title in CHEATS]
    passed = [one for one in cheats if one.verdict != Outcome.REJECTED]
    print(f"cheats: {len(cheats)}; passed: {len(passed)} (0)")
    for one in cheats:
        print(f"  {one.title}: {one.verdict}: {one.reason}")
    return not rejected and not passed and len(cheats) == len(CHEATS)


def look_ms() -> float:
    """Median milliseconds of a look at 3 processes of 10 threads each."""
    code = "import threading as t, time\nfor _ in range(9): t.Thread(target=time.sleep, args=[60]).start()\n"
    code += "time.sleep(60)"
    tree = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    try:
        pids = [one.pid for one in tree]
        while any(len(list(Path(f"/proc/{pid}/task").iterdir())) < 10 for pid in pids):
            time.sleep(0.05)
        waiting, times = Waiting(), []
        for _ in range(200):
            began = time.perf_counter()
            waiting.look(pids, 0.0, 0)
            times.append(1000 * (time.perf_counter() - began))
        return statistics.median(times)
    finally:
        for one in tree:
            one.kill()
            one.wait()


def texts_of(name: str, honest: int) -> dict[str, str]:
    """What is proposed in the study of that name: a part of the honest changes, or of the cheats."""
    kind, _, part = name.partition("-")
    if kind == "cheats":
        return {title: cheat(CHEATS[title]) for title in list(CHEATS)[int(part) :: CHEATING]}
    numbers = range(1, honest + 1)[int(part) :: HONEST]
    return {f"rate {n}": TRAIN.replace("RATE = 0.02", f"RATE = {0.02 - n / 10000:.4f}") for n in numbers}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--honest", type=int, default=30)
    parser.add_argument("--neighbours", type=int, default=6)
    parser.add_argument("--study", nargs=2, metavar=("NAME", "FOLDER"), help="run one of the studies, as this does")
    options = parser.parse_args()
    if options.study:
        name, folder = options.study
        asyncio.run(study(Path(folder) / name, texts_of(name, options.honest)))
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    if not Waiting().known:
        print("this system does not tell how long a run has waited: nothing to measure")
        return 0
    look = look_ms()
    print(f"a look at 3 processes of 10 threads: {look:.2f} ms ({LOOK_BUDGET_MS:g})", flush=True)
    names = [*(f"honest-{n}" for n in range(HONEST)), *(f"cheats-{n}" for n in range(CHEATING))]
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        under_load(Path(folder), names, ["--honest", str(options.honest)], options.neighbours)
        good = tell({name: folded(Path(folder) / name) for name in names})
        print(f"in {time.monotonic() - began:.0f} s")
    return 0 if good and look <= LOOK_BUDGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
