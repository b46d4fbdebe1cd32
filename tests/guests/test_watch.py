"""A loop that somebody else's agent runs is followed by its results, its git and its output, and left as it is."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loop.guests.watch import Watch
from loop.journal import Journal
from loop.study.experiment import Experiment
from loop.study.folding import FOLDED, fold
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.workspace import Workspace
from tests.projects.agents import Agent
from tests.terminals import Tmux, needs_tmux

TRAIN = """\
import os, time
LEARNING_RATE = 0.04
DEPTH = 8
for step in range(10_000):
    print(f"step {step:05d} ({step / 100:.1f}%) | loss: {3 - step / 1e4 + DEPTH * 0:.4f} | tok/sec: 1,000")
    if os.path.exists("../enough"):
        break
    time.sleep(0.02)
print("---")
print(f"val_bpb: {0.99 + LEARNING_RATE:.6f}")
"""


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    root = tmp_path / "their checkout"
    root.mkdir()
    (root / "train.py").write_text(TRAIN)
    (root / "program.md").write_text("# autoresearch\nOnly prose, as in the original.\n")
    (root / ".gitignore").write_text("results.tsv\nrun.log\n")
    agent = Agent(root)
    agent.git("init", "-q", "-b", "main")
    agent.git("add", "-A")
    agent.git("commit", "-qm", "the original's shape")
    return agent


def _ours(agent: Agent) -> list[str]:
    """What is in their checkout and git folder, but for what their own agent writes."""
    theirs = ("results.tsv", "run.log", "objects", "logs", "index", "refs", "HEAD", "COMMIT_EDITMSG")
    return sorted(
        str(path.relative_to(agent.root))
        for path in agent.root.rglob("*")
        if not any(part in theirs or part.startswith("ORIG_") for part in path.parts)
    )


class Followed:
    """What a watch has told so far."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.study = Study()

    def until(self, holds: Callable[[Study], object]) -> Study:
        last = time.monotonic() + 30
        with Journal(Workspace(self.place).journal) as journal:
            while not holds(fold(journal.read(self.study.seq, kinds=FOLDED), self.study)):
                assert time.monotonic() < last, self.study.experiments
                time.sleep(0.05)
        return self.study

    def experiment(self, number: int, verdict: Outcome | None, runs: int) -> Experiment:
        def there(study: Study) -> bool:
            found = study.experiments.get(number)
            return found is not None and found.verdict == verdict and len(found.runs) == runs

        return self.until(there).experiments[number]


@pytest.fixture
def followed(agent: Agent, tmp_path: Path) -> Iterator[Callable[[], Followed]]:
    stop = threading.Event()
    threads = []

    def follow() -> Followed:
        place = tmp_path / "ours"
        place.mkdir()
        teller = Watch(agent.root, agent.branch, place)
        teller.begin()
        threads.append(threading.Thread(target=teller.run, args=(stop,)))
        threads[-1].start()
        return Followed(place)

    yield follow
    stop.set()
    for thread in threads:
        thread.join()


def test_each_step_of_the_agent_is_told(agent: Agent, followed: Callable[[], Followed]) -> None:
    before = _ours(agent)
    agent.begin()
    seen = followed()
    assert seen.experiment(0, None, 0).title == "baseline"
    enough = agent.root.parent / "enough"

    run = agent.start_run()
    seen.experiment(0, None, 1)
    with Journal(Workspace(seen.place).journal) as journal:
        seen.until(lambda study: len(journal.read(kinds={"step_sampled"}, experiment=0)) > 1)
    enough.touch()
    run.wait()
    agent.report(agent.git("rev-parse", "--short", "HEAD"), 1.03, "keep", "baseline")
    baseline = seen.experiment(0, Outcome.KEPT, 1)
    assert baseline.metric == 1.03 and baseline.runs[1].peak_gpu_memory == 44 * 1024**3
    assert "step 00000" in (seen.place / ".looptop" / "runs" / "0.1" / "log.txt").read_text()

    commit = agent.edit("= 0.04", "= 0.02", "halve LR")
    assert seen.experiment(1, None, 0).title == "halve LR"
    agent.start_run().wait()
    agent.report(commit, 1.01, "keep", "halve LR")
    kept = seen.experiment(1, Outcome.KEPT, 1)
    assert (kept.parent, kept.lines_added, kept.effect) == (0, 1, pytest.approx(0.02))
    assert seen.until(lambda study: study.champion == 1).best == kept

    commit = agent.edit("= 8", "= 'x'", "depth x")
    agent.start_run().wait()
    agent.report(commit, 0.0, "crash", "depth x", 0.0)
    agent.take_back()
    crashed = seen.experiment(2, Outcome.CRASHED, 1)
    assert crashed.metric is None and crashed.parent == 1 and crashed.between() is not None

    with agent.results.open("a") as file:
        file.write(agent.edit("= 8", "= 9", "depth 9") + "\t1.02\t44.0\tdis")  # a row that is being written
        file.flush()
        seen.experiment(3, None, 0)
        file.write("card\tdepth 9\n")
    seen.experiment(3, Outcome.DISCARDED, 1)
    assert seen.study.champion == 1 and sorted(seen.study.experiments) == [0, 1, 2, 3]
    assert _ours(agent) == before


def test_a_past_is_told_and_what_cannot_be_read_is_said(agent: Agent, followed: Callable[[], Followed]) -> None:
    agent.work()
    agent.forget()
    with agent.results.open("a") as file:
        file.write("torn\n")
    seen = followed()
    study = seen.until(lambda study: study.champion == 4)
    assert [one.verdict for one in study.experiments.values()] == ["kept", "kept", "discarded", "crashed", "kept"]
    assert [fault.message for _, fault in study.faults] == ["line 7 is torn (1 of 5 columns): left out"]
    agent.git("checkout", "-q", "main")
    agent.git("branch", "-qm", agent.branch, "elsewhere")
    seen.until(lambda study: "watching" in study.troubles)
    agent.git("branch", "-qm", "elsewhere", agent.branch)
    seen.until(lambda study: "watching" not in study.troubles)


@needs_tmux
def test_the_cockpit_follows_in_a_small_terminal(agent: Agent, tmp_path: Path) -> None:
    before = _ours(agent)
    agent.begin()
    tmux = Tmux(tmp_path, HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path), TMPDIR=str(tmp_path))
    try:
        tmux.start(80, 24)
        tmux.line(f'{sys.executable} -P -m tui.cli watch "{agent.root}"; echo rc=$?')
        tmux.wait("mar5")
        run = agent.start_run()
        tmux.wait("run 0.1")
        tmux.type("9")
        tmux.wait("| loss: 2.9")
        (tmp_path / "enough").touch()
        run.wait()
        agent.report(agent.git("rev-parse", "--short", "HEAD"), 1.03, "keep", "baseline")
        agent.report(agent.edit("= 0.04", "= 0.02", "halve LR"), 1.01, "keep", "halve LR")
        tmux.type("3")
        tmux.wait(lambda text: "halve LR" in text and "champion" in text)
        tmux.type("g", "p")
        tmux.wait("only watched; `looptop adopt`")
        tmux.type("Enter")
        tmux.wait("+LEARNING_RATE = 0.02")
        tmux.type("q")
        tmux.wait("no longer watching autoresearch/mar5")
        tmux.wait("rc=0")
    finally:
        tmux.close()
    assert _ours(agent) == before
    assert not list(tmp_path.glob("looptop-watch-*"))
