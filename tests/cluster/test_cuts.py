"""The network between the loop and a node is cut: real Ray on two machines of a network of their own.

Nothing else is wrong, so a node goes on with what it has until its lease is over. Left out where Ray is not installed,
or where no such network can be made.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

from loop.runs.log import read_log
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.cluster.test_ray import Project
from tests.cluster.wires import Wired, lacking

pytestmark = [pytest.mark.timeout(600), pytest.mark.skipif(bool(lacking()), reason=lacking())]

QUICK_TO_GIVE_UP = {
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "5",
}
"""Has Ray give up a node that is silent for some 7 s; by itself it takes 65 s for that."""


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    with Wired(tmp_path / "nodes") as wired:
        wired.start("alpha", cpus=1)
        wired.start("beta", cpus=1)
        yield wired


def on_beta(project: Project) -> tuple[int, int]:
    """The run that is on beta now, as experiment and number."""
    (found,) = [(x.id, run.number) for x, run in project.study().running() if run.slot_name.startswith("beta")]
    return found


def outcome(project: Project, run: tuple[int, int]) -> Outcome | None:
    return project.study().experiments[run[0]].runs[run[1]].outcome


def counted(project: Project) -> Counter[tuple[int, int]]:
    """How often each experiment has a number of each seed."""
    of_study = project.study().experiments.values()
    return Counter((x.id, run.seed) for x in of_study for run in x.runs.values() if run.outcome == Outcome.FINISHED)


def said_of_beta(project: Project) -> list[str]:
    return [one.body.message for one in project.events("fault") if one.body.where == "beta"]  # type: ignore[union-attr]


def test_a_short_cut_loses_nothing(tmp_path: Path, wired: Wired) -> None:
    project, beta = Project(tmp_path / "project", wired, budget="6s"), wired.nodes["beta"]
    loop = project.start("--experiments", "1")
    project.until(lambda: project.running_on("beta") and bool(beta.of_runs()), loop)
    experiment, number = on_beta(project)
    wired.cut("beta")
    time.sleep(8)  # the run ends meanwhile, and nobody hears of it
    wired.mend("beta")
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    runs = [run for x in project.study().experiments.values() for run in x.runs.values()]
    assert {run.outcome for run in runs} == {Outcome.FINISHED} and all(run.verified for run in runs), said
    lines = read_log(Workspace(project.root).run_folder(experiment, number)).text.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("step")] == [str(step) for step in range(60)]
    assert not beta.of_runs()


def test_a_node_that_is_cut_off_ends_its_runs_and_they_are_run_again(tmp_path: Path, wired: Wired) -> None:
    project = Project(tmp_path / "project", wired, budget="20s", LOOPTOP_CLUSTER_LEASE="15")
    alpha, beta = wired.nodes["alpha"], wired.nodes["beta"]
    loop = project.start("--experiments", "1")
    project.until(lambda: project.running_on("alpha") and project.running_on("beta") and bool(beta.of_runs()), loop)
    cut_off = on_beta(project)
    wired.cut("beta")
    project.until(lambda: outcome(project, cut_off) == Outcome.LOST, loop)
    while beta.of_runs():  # it is cut off still
        time.sleep(0.1)
    wired.mend("beta")
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    lost = project.study().experiments[cut_off[0]].runs[cut_off[1]]
    assert lost.reason == "beta has not answered for 15 s; it is run again"
    assert counted(project)[cut_off[0], lost.seed] == 1 and set(counted(project).values()) == {1}
    told = said_of_beta(project)
    assert "beta has been silent for 2.5 s; after 15 s its runs are run again" in told
    assert any(one.startswith("beta has not answered for 15 s; its runs are run again") for one in told)
    assert "beta" not in project.study().troubles and not alpha.of_runs() and not beta.of_runs()


def test_what_ends_while_nobody_hears_it_does_not_count_once_it_is_given_up(tmp_path: Path, wired: Wired) -> None:
    project, beta = Project(tmp_path / "project", wired, budget="6s", LOOPTOP_CLUSTER_LEASE="15"), wired.nodes["beta"]
    loop = project.start("--experiments", "1")
    project.until(lambda: project.running_on("beta") and bool(beta.of_runs()), loop)
    cut_off = on_beta(project)
    wired.cut("beta")
    while beta.of_runs():  # long before the lease is over
        time.sleep(0.1)
    project.until(lambda: outcome(project, cut_off) == Outcome.LOST, loop)
    wired.mend("beta")
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    assert set(counted(project).values()) == {1} and outcome(project, cut_off) == Outcome.LOST, said
    assert all(x.verdict is not None for x in project.study().experiments.values() if x.runs), said


@pytest.mark.soak
def test_a_minute_without_a_network_with_the_times_that_users_have(tmp_path: Path, wired: Wired) -> None:
    project, beta = Project(tmp_path / "project", wired, budget="120s"), wired.nodes["beta"]
    loop = project.start()
    project.until(lambda: project.running_on("beta") and bool(beta.of_runs()), loop)
    cut_off = on_beta(project)
    wired.cut("beta")
    project.until(lambda: outcome(project, cut_off) == Outcome.LOST, loop)
    while beta.of_runs():
        time.sleep(0.1)
    loop.send_signal(signal.SIGTERM)
    said = loop.communicate()[0]
    told = said_of_beta(project)
    assert "beta has been silent for 10 s; after 60 s its runs are run again" in told, said
    assert any(one.startswith("beta has not answered for 60 s; its runs are run again") for one in told), said
    assert set(counted(project).values()) <= {1} and not beta.of_runs()


@pytest.mark.soak
def test_a_node_that_ray_has_given_up_first_is_used_again_once_its_ray_is_started(tmp_path: Path) -> None:
    with Wired(tmp_path / "nodes") as wired:
        wired.start("alpha", cpus=1, environ=QUICK_TO_GIVE_UP)
        beta = wired.start("beta", cpus=1)
        project = Project(tmp_path / "project", wired, budget="20s", LOOPTOP_CLUSTER_LEASE="10m")
        loop = project.start()
        project.until(lambda: project.running_on("beta") and bool(beta.of_runs()), loop)
        cut_off = on_beta(project)
        wired.cut("beta")
        project.until(lambda: outcome(project, cut_off) == Outcome.LOST, loop)
        wired.mend("beta")
        beta.process.wait()  # its Ray hears that it has been given up, and ends
        while beta.of_runs():
            time.sleep(0.1)
        since = project.events("run_started")[-1].seq
        wired.start("beta", cpus=1)
        project.until(
            lambda: any(one.seq > since and one.body.slot_name.startswith("beta")  # type: ignore[union-attr]
                        for one in project.events("run_started")), loop
        )  # fmt: skip
        loop.send_signal(signal.SIGTERM)
        said = loop.communicate()[0]
        assert "beta has gone; its runs are run again" in said and "beta" not in project.study().troubles
        assert set(counted(project).values()) <= {1}
