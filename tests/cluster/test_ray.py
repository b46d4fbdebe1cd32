"""The same on real Ray: two nodes on the loopback, each with processes and folders of its own, and the command line.

Where Ray is not installed they are left out; `make cluster` installs it and runs them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray")

from loop.journal import Journal
from loop.lineage import init_repository
from loop.runs.log import read_log
from loop.study import events as e
from loop.study.experiment import CLASH, Experiment
from loop.study.folding import FOLDED, fold
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.workspace import Workspace
from tests.cluster.raylets import Raylets

pytestmark = pytest.mark.timeout(600)

LOOPTOP = Path(sys.executable).parent / "looptop"

TRAIN = """
import os, socket, subprocess, sys, time
rate = 0.5
decay = 0.3
out = os.environ["LOOPTOP_RUN_DIR"]
subprocess.Popen([sys.executable, "-c",
    "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.setsid(); time.sleep(600)  # a daemon"])
open(out + "/env.txt", "w").write(repr(dict(os.environ)))
for number in range(int(float(os.environ["LOOPTOP_BUDGET_S"]) * 10)):
    print(f"step {number} loss {1 / (number + 1):.3f} age={time.time():.3f}", flush=True)
    time.sleep(0.1)
loss = 1 + (rate - 0.2) ** 2 + (decay - 0.1) ** 2 + int(os.environ["LOOPTOP_SEED"]) % 7 * 1e-4
open(out + "/loss.txt", "w").write(f"{loss:.5f}")
print(f"loss: {loss:.5f}")
"""

CHECK = """
import os
print("loss:", open(os.environ["LOOPTOP_RUN_DIR"] + "/loss.txt").read())
"""

PROGRAM = """---
edit: train.py
run: python train.py
verify: python check.py
metric: loss
budget: {budget}
deadline: 5m
review: auto
keep: {{baseline_runs: 2, max_runs: 3}}
limits: {{failures: null}}
---
Go down.
"""


@pytest.fixture
def raylets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Raylets]:
    monkeypatch.setenv("NODE_SECRET_KEY", "of the shell that started Ray")
    with Raylets(tmp_path / "nodes") as raylets:
        raylets.start("alpha", cpus=2)
        raylets.start("beta", cpus=2)
        yield raylets


class Project:
    """A checkout, and the loop there as a process of its own."""

    def __init__(self, root: Path, raylets: Raylets, budget: str = "0.3s", check: str = CHECK, **environ: str) -> None:
        root.mkdir()
        self.root, self.raylets, self.cluster = root, raylets, raylets.address
        (root / "train.py").write_text(TRAIN)
        (root / "check.py").write_text(check)
        (root / "program.md").write_text(PROGRAM.format(budget=budget))
        init_repository(root, [root / name for name in ("train.py", "check.py", "program.md")])
        self.environ = {**os.environ, **raylets.environment, "HEAD_SECRET_KEY": "of the supervisor", **environ}

    def start(self, *flags: str) -> "subprocess.Popen[str]":
        sandbox = [] if shutil.which("bwrap") else ["--sandbox", "off"]
        command = [*self.raylets.entering(next(iter(self.raylets.nodes), "")), str(LOOPTOP), "run", "--headless"]
        command += ["--cluster", self.cluster, "--researcher", "automl"]
        return subprocess.Popen(
            [*command, *sandbox, *flags],
            cwd=self.root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def events(self, *kinds: str) -> list[e.Event]:
        if not Workspace(self.root).journal.exists():
            return []
        with Journal(Workspace(self.root).journal) as journal:
            return journal.read(kinds=kinds)

    def study(self) -> Study:
        return fold(self.events(*FOLDED))

    def until(self, there: Callable[[], bool], loop: "subprocess.Popen[str]") -> None:
        while not there():
            assert loop.poll() is None, loop.communicate()[0]
            time.sleep(0.05)

    def running_on(self, node: str) -> bool:
        return any(run.slot_name.startswith(node) for _, run in self.study().running())


def true_loss(project: Project, experiment: Experiment) -> float:
    """What an experiment's file comes to without its noise."""
    show = ["git", "show", f"{experiment.commit}:train.py"]
    text = subprocess.run(show, cwd=project.root, capture_output=True, text=True, check=True).stdout
    rate, decay = (float(re.findall(rf"^{name} = (.+)$", text, re.M)[0]) for name in ("rate", "decay"))
    return 1 + (rate - 0.2) ** 2 + (decay - 0.1) ** 2


def daemons(raylets: Raylets | None = None) -> list[int]:
    """Processes that runs have left behind: on these nodes, or anywhere."""
    found = []
    for process in psutil.process_iter():
        try:
            there = raylets is None or process.environ().get("LOOPTOP_RUN_DIR", "").startswith(f"{raylets.folder}/")
            if there and "# a daemon" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            pass
    return found


def test_forty_experiments_on_eight_slots_of_two_nodes(tmp_path: Path, raylets: Raylets) -> None:
    project = Project(tmp_path / "project", raylets)
    loop = project.start("--slots", "4", "--experiments", "40")
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    study = project.study()
    assert sum(x.verdict is not None for x in study.experiments.values()) >= 41
    runs = [run for x in study.experiments.values() for run in x.runs.values()]
    assert {run.slot_name.partition("/")[0] for run in runs} == {"alpha", "beta"}
    assert Counter(run.outcome for run in runs).keys() <= {Outcome.FINISHED, Outcome.LOST}
    assert all(run.verified is not None for run in runs if run.outcome == Outcome.FINISHED and run.number <= 1)
    champion = study.best
    assert champion is not None
    folder = Workspace(project.root).run_folder(champion.id, 1)
    assert "step 0 loss 1.000" in read_log(folder).text
    assert (folder / "out" / "loss.txt").exists()  # the checkpoint of what was kept is at home
    assert "SECRET" not in (folder / "out" / "env.txt").read_text()
    assert daemons(raylets) == []
    for experiment in (one for one in study.experiments.values() if one.runs):
        comes_to = true_loss(project, experiment)
        finished = [run for run in experiment.counted() if run.outcome == Outcome.FINISHED]
        assert all(run.metric is not None and abs(run.metric - comes_to) < 7e-4 for run in finished), experiment
        if experiment.parent is None or experiment.judged_by == CLASH:
            continue
        before = true_loss(project, study.experiments[experiment.parent])
        if experiment.verdict == Outcome.KEPT:
            assert comes_to < before, experiment
        elif experiment.verdict == Outcome.DISCARDED:
            assert comes_to > before - 7e-4, experiment
    lines = project.events("step_sampled")
    ages = sorted(one.at - one.body.values["age"] for one in lines if "age" in one.body.values)  # type: ignore[union-attr]
    print(f"{len(ages)} lines, {ages[len(ages) // 2]:.3f} s old, 99% under {ages[len(ages) * 99 // 100]:.3f} s")
    secret = raylets.token.encode()
    on_nodes = (path for node in raylets.nodes.values() for path in node.folder.rglob("*") if path.is_file())
    assert not any(secret in path.read_bytes() for path in on_nodes)


def test_a_node_that_dies_in_the_middle_costs_its_runs_and_no_experiment(tmp_path: Path, raylets: Raylets) -> None:
    project = Project(tmp_path / "project", raylets, budget="2s")
    loop = project.start("--experiments", "4")
    project.until(lambda: project.running_on("beta"), loop)
    raylets.nodes["beta"].kill()
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    study = project.study()
    lost = [run for x in study.experiments.values() for run in x.runs.values() if run.outcome == Outcome.LOST]
    assert lost and all("beta has gone; it is run again" in run.reason for run in lost), said
    assert all(x.verdict is not None for x in study.experiments.values() if x.runs), said
    assert "beta has gone" in said and daemons(raylets) == []


def test_a_node_that_comes_back_is_used_again(tmp_path: Path, raylets: Raylets) -> None:
    project = Project(tmp_path / "project", raylets, budget="2s")
    loop = project.start("--experiments", "400")
    project.until(lambda: project.running_on("beta"), loop)
    raylets.nodes["beta"].kill()
    project.until(lambda: "beta" in project.study().troubles, loop)
    since = project.events(*FOLDED)[-1].seq
    raylets.start("beta", cpus=2)
    project.until(
        lambda: any(one.seq > since and one.body.slot_name.startswith("beta")  # type: ignore[union-attr]
                    for one in project.events("run_started")), loop
    )  # fmt: skip
    loop.send_signal(signal.SIGTERM)
    assert loop.wait() == 0
    assert "beta" not in project.study().troubles and daemons(raylets) == []


def test_the_runs_of_a_supervisor_that_was_killed_are_taken_over_by_the_next(tmp_path: Path, raylets: Raylets) -> None:
    project = Project(tmp_path / "project", raylets, budget="6s")
    loop = project.start("--experiments", "1")
    project.until(
        lambda: project.running_on("alpha") and project.running_on("beta") and len(daemons(raylets)) > 1, loop
    )
    going = {(x.id, run.number): run.ref for x, run in project.study().running()}
    loop.kill()
    loop.wait()
    loop = project.start("--experiments", "1")
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    study = project.study()
    adopted = [(one.experiment, one.run) for one in project.events("run_adopted")]
    assert sorted(adopted) == sorted(going) and len(adopted) > 1, said
    runs = [run for x in study.experiments.values() for run in x.runs.values()]
    assert all(run.outcome == Outcome.FINISHED and run.verified for run in runs), said  # none is lost, none runs twice
    assert all(x.verdict is not None for x in study.experiments.values() if x.runs)
    for experiment, number in going:
        log = read_log(Workspace(project.root).run_folder(experiment, number), max_bytes=1 << 20).text.splitlines()
        assert [line.split()[1] for line in log if line.startswith("step")] == [str(step) for step in range(60)]
    assert daemons(raylets) == []


def test_the_runs_of_a_supervisor_that_does_not_come_back_are_ended_by_their_nodes(
    tmp_path: Path, raylets: Raylets
) -> None:
    project = Project(tmp_path / "project", raylets, budget="30s", LOOPTOP_CLUSTER_LEASE="3")
    loop = project.start()
    project.until(lambda: bool(daemons(raylets)), loop)
    loop.kill()
    loop.wait()
    while daemons(raylets):
        time.sleep(0.1)


def test_a_ray_that_loses_its_driver_takes_no_supervisor_with_it(tmp_path: Path, raylets: Raylets) -> None:
    project = Project(tmp_path / "project", raylets, budget="3s")
    loop = project.start("--experiments", "1")
    project.until(lambda: project.running_on("beta"), loop)
    bridges = [one for one in psutil.Process(loop.pid).children() if "loop.runs.cluster.bridge" in one.cmdline()]
    assert len(bridges) == 1
    bridges[0].kill()
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    runs = [run for x in project.study().experiments.values() for run in x.runs.values()]
    assert {run.outcome for run in runs} == {Outcome.FINISHED}, said
    lines = [line for line in read_log(Workspace(project.root).run_folder(0, 1)).text.splitlines() if "step" in line]
    assert [line.split()[1] for line in lines] == [str(number) for number in range(30)]


def test_a_node_with_another_looptop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other" / "loop").mkdir(parents=True)
    (tmp_path / "other" / "loop" / "__init__.py").write_text('VERSION = "0.0.9"\n')
    with Raylets(tmp_path / "nodes") as raylets:
        raylets.start("alpha", cpus=2)
        raylets.start("beta", cpus=2, environ={"PYTHONPATH": str(tmp_path / "other")})
        project = Project(tmp_path / "project", raylets)
        said = project.start("--experiments", "1").communicate()[0]
        assert "beta: its looptop is 0.0.9 (" in said and "it gets no runs" in said
        started = project.events("run_started")
        assert all(one.body.slot_name.startswith("alpha") for one in started)  # type: ignore[union-attr]


def test_a_cluster_that_is_not_there_is_said_so_in_a_sentence(tmp_path: Path) -> None:
    raylets = Raylets(tmp_path / "nodes")
    said = Project(tmp_path / "project", raylets).start().communicate()[0]
    assert f"looptop: Ray at {raylets.address}" in said and "Traceback" not in said


def test_a_cluster_that_is_started_anew_is_used_again(tmp_path: Path, raylets: Raylets) -> None:
    project = Project(tmp_path / "project", raylets, budget="2s", LOOPTOP_CLUSTER_LEASE="12")
    loop = project.start("--experiments", "400")
    project.until(lambda: project.running_on("beta"), loop)
    for node in ("beta", "alpha"):
        raylets.nodes[node].kill()
    project.until(lambda: {"alpha", "beta"} <= project.study().troubles.keys(), loop)
    since = project.events(*FOLDED)[-1].seq
    for node in ("alpha", "beta"):
        raylets.start(node, cpus=2)
    project.until(lambda: any(one.seq > since for one in project.events("run_started")), loop)
    loop.send_signal(signal.SIGTERM)
    assert loop.wait() == 0
    assert daemons(raylets) == []
