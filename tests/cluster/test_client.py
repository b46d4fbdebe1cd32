"""A loop on a machine that is in no cluster: through Ray's client, on real Ray.

Left out where Ray is not installed, or without its client.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray")
pytest.importorskip("grpc")

from loop.runs.log import read_log
from loop.study.outcomes import Outcome
from loop.workspace import Workspace
from tests.cluster.raylets import Raylets, end
from tests.cluster.test_ray import LOOPTOP, Project, daemons

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def raylets(tmp_path: Path) -> Iterator[Raylets]:
    with Raylets(tmp_path / "nodes") as raylets:
        raylets.start("alpha", cpus=2)
        yield raylets


def outside(folder: Path, raylets: Raylets, budget: str = "0.3s") -> Project:
    project = Project(folder / "project", raylets, budget)
    project.cluster = raylets.outside
    return project


def test_a_study_from_a_machine_outside(tmp_path: Path, raylets: Raylets) -> None:
    project = outside(tmp_path, raylets)
    checked = [str(LOOPTOP), "cluster", "check", project.cluster]
    told = subprocess.run(checked, cwd=project.root, env=project.environ, capture_output=True, text=True)
    assert "alpha" in told.stdout and "looptop" in told.stdout, told.stderr
    said = project.start("--experiments", "2").communicate()[0]
    assert project.study().judged() >= 2, said
    runs = [run for x in project.study().experiments.values() for run in x.runs.values()]
    assert {run.outcome for run in runs} == {Outcome.FINISHED} and all(run.verified for run in runs), said
    assert {run.slot_name for run in runs} == {"alpha/CPU"} and daemons(raylets) == []


@pytest.mark.soak
def test_rays_half_of_the_way_dies_in_the_middle_of_a_run(tmp_path: Path, raylets: Raylets) -> None:
    project = outside(tmp_path, raylets, budget="4s")
    loop = project.start("--experiments", "1")
    project.until(lambda: project.running_on("alpha") and len(daemons(raylets)) > 0, loop)
    of_alpha = psutil.Process(raylets.nodes["alpha"].process.pid).children(recursive=True)
    servers = [one for one in of_alpha if "--mode=specific-server" in one.cmdline()]
    assert servers
    for one in servers:
        end(one.pid)
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    runs = [run for x in project.study().experiments.values() for run in x.runs.values()]
    assert {run.outcome for run in runs} == {Outcome.FINISHED} and all(run.verified for run in runs), said
    lines = [line for line in read_log(Workspace(project.root).run_folder(0, 1)).text.splitlines() if "step" in line]
    assert [line.split()[1] for line in lines] == [str(number) for number in range(40)]
    assert daemons(raylets) == []


def test_a_client_that_is_not_let_in_is_told_so_in_a_sentence(tmp_path: Path, raylets: Raylets) -> None:
    project = outside(tmp_path, raylets)
    project.environ["RAY_AUTH_TOKEN"] = "0" * 32
    said = project.start().communicate()[0]
    assert f"looptop: Ray at {project.cluster}: " in said and "Traceback" not in said, said
