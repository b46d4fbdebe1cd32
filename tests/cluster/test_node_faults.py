"""What else goes wrong with nodes, on real Ray: its head dies, a disk fills, a clock is wrong, versions differ.

Left out where Ray is not installed; those that mount a disk of their own want root besides, and the one of the clock
libfaketime.
"""

import errno
import importlib.util
import json
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray")

import loop
from loop.study.outcomes import Outcome
from loop.study.state import Study
from tests.cluster.raylets import Raylets
from tests.cluster.test_ray import LOOPTOP, Project

pytestmark = pytest.mark.timeout(600)


SLOW_CHECK = """
import os, time
time.sleep(5)
print("loss:", open(os.environ["LOOPTOP_RUN_DIR"] + "/loss.txt").read())
"""


@pytest.fixture
def raylets(tmp_path: Path) -> Iterator[Raylets]:
    with Raylets(tmp_path / "nodes") as raylets:
        yield raylets


def counted(study: Study) -> Counter[tuple[int, int]]:
    """How often each experiment has a number of each seed."""
    runs = ((x.id, run) for x in study.experiments.values() for run in x.runs.values())
    return Counter((of, run.seed) for of, run in runs if run.outcome == Outcome.FINISHED)


def on(project: Project, node: str) -> tuple[int, int]:
    """The run that is on a node now, as experiment and number."""
    (found,) = [(x.id, run.number) for x, run in project.study().running() if run.slot_name.startswith(node)]
    return found


# --- the head ----------------------------------------------------------------------------------------------------


def test_a_gcs_that_dies_costs_no_experiment(tmp_path: Path, raylets: Raylets) -> None:
    patience = {"RAY_gcs_rpc_server_reconnect_timeout_s": "20"}  # of Ray for its head; it is a minute by itself
    alpha, beta = raylets.start("alpha", cpus=1, environ=patience), raylets.start("beta", cpus=1, environ=patience)
    project = Project(tmp_path / "project", raylets, budget="6s", LOOPTOP_CLUSTER_LEASE="15", **patience)
    loop = project.start("--experiments", "4")
    project.until(lambda: project.running_on("beta") and bool(beta.of_runs()), loop)
    going = on(project, "beta")
    below = psutil.Process(alpha.process.pid).children()
    (gcs,) = [one for one in below if "gcs_server" in " ".join(one.cmdline())]
    gcs.kill()
    alpha.process.wait()  # `ray start --block` ends its node with it
    beta.process.wait()  # and Ray gives up there too, but not at once
    while beta.of_runs():
        time.sleep(0.1)
    project.until(lambda: {"alpha", "beta"} <= project.study().troubles.keys(), loop)
    assert project.study().experiments[going[0]].runs[going[1]].outcome == Outcome.FINISHED
    for node in (alpha, beta):
        node.kill()
    raylets.start("alpha", cpus=1)
    said = loop.communicate()[0]
    assert loop.returncode == 0 and "Traceback" not in said, said
    study = project.study()
    assert len(study.experiments) == 5 and all(x.verdict is not None for x in study.experiments.values()), said
    assert set(counted(study).values()) == {1} and "alpha" not in study.troubles, said
    assert not alpha.of_runs() and not beta.of_runs()


def test_what_has_run_on_a_node_that_dies_is_verified_on_another(tmp_path: Path, raylets: Raylets) -> None:
    raylets.start("alpha", cpus=0)
    beta, project = raylets.start("beta", cpus=1), Project(tmp_path / "project", raylets, check=SLOW_CHECK)
    loop = project.start("--experiments", "1")
    project.until(lambda: bool(project.study().verifying()) and bool(beta.of_runs()), loop)
    (experiment, run), *_ = project.study().verifying()
    beta.kill()
    raylets.start("gamma", cpus=1)  # which has never seen that run
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    found = project.study().experiments[experiment.id].runs[run.number]
    assert found.slot_name.startswith("beta/CPU") and found.outcome == Outcome.FINISHED and found.verified, said
    assert "gamma has joined the cluster: gamma/CPU" in said


# --- disks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1,200 MB at the place where beta keeps what looptop needs there."""
    place = tmp_path / "nodes" / "beta" / "looptop"
    place.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here ({mounted.stderr.decode(errors='replace').strip()})")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room there, whoever else writes there at the same time."""
    filler = disk / "somebody's"
    with filler.open("wb", buffering=0) as file:
        for piece in (bytes(1 << 24), bytes(1 << 12)):
            try:
                while True:
                    file.write(piece)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return filler


def test_a_node_whose_disk_fills_in_the_middle_of_a_run(tmp_path: Path, small: Path, raylets: Raylets) -> None:
    raylets.start("alpha", cpus=1)
    beta = raylets.start("beta", cpus=1)
    project = Project(tmp_path / "project", raylets, budget="4s")
    loop = project.start()
    project.until(lambda: project.running_on("beta") and bool(beta.of_runs()), loop)
    filler = fill(small)
    assert shutil.disk_usage(small).free < 1 << 20
    project.until(lambda: "runs on beta/CPU" in project.study().troubles, loop)
    since = project.events("run_started")[-1].seq
    project.until(lambda: project.events("run_started")[-1].seq > since, loop)
    assert all(one.body.slot_name == "alpha/CPU" for one in project.events("run_started") if one.seq > since)  # type: ignore[union-attr]
    filler.unlink()
    project.until(lambda: project.running_on("beta"), loop)
    loop.send_signal(signal.SIGTERM)
    said = loop.communicate()[0]
    assert "the disk under" in said and "to start; it is run again" in said, said
    runs = [run for x in project.study().experiments.values() for run in x.runs.values()]
    assert {run.outcome for run in runs} <= {Outcome.FINISHED, Outcome.LOST, None}, said
    assert set(counted(project.study()).values()) == {1} and not beta.of_runs()


# --- clocks ------------------------------------------------------------------------------------------------------

HOUR = 3600
AN_HOUR = r"its clock is (1 h|60 min).* ahead of this one"


def faketime() -> Path:
    """The library that has programs believe in another time."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        pytest.skip("libfaketime is not installed")
    return next(Path(found.origin).parent.rglob("libfaketime.so.1"))


def test_a_clock_that_is_an_hour_off_and_then_another(tmp_path: Path, raylets: Raylets) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+1h\n")
    wrong = {
        "LD_PRELOAD": str(faketime()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "RAY_LD_PRELOAD_ON_WORKERS": "1",
    }
    raylets.start("alpha", cpus=0)
    raylets.start("beta", cpus=2, environ=wrong)
    project = Project(tmp_path / "project", raylets, budget="3s")
    checked = [str(LOOPTOP), "cluster", "check", raylets.address, "--json", "--sandbox", "off"]
    told = subprocess.run(checked, cwd=project.root, env=project.environ, capture_output=True, text=True)
    (beta,) = [one for one in json.loads(told.stdout) if one["name"] == "beta"]
    assert any(re.search(AN_HOUR, one) for one in beta["remarks"]), beta
    began = time.time()
    loop = project.start("--experiments", "1", "--sandbox", "off")  # bubblewrap does not go together with libfaketime
    project.until(lambda: project.running_on("beta") and bool(raylets.nodes["beta"].of_runs()), loop)
    clock.write_text("-2h\n")  # and it is set in the middle of a run
    said = loop.communicate()[0]
    assert loop.returncode == 0, said
    study = project.study()
    runs = [run for x in study.experiments.values() for run in x.runs.values()]
    set_back = [run for run in runs if run.outcome == Outcome.LOST]
    assert [run.reason for run in set_back] == [
        "the machine's clock was set back by 3 h while it ran; it is run again"
    ], said
    assert all(run.outcome == Outcome.FINISHED and run.verified for run in runs if run not in set_back), said
    assert all(3 <= run.seconds < HOUR / 2 for run in runs)
    assert all(began - 1 <= one.at <= time.time() for one in project.events())
    assert re.search(AN_HOUR, said), said


# --- versions ----------------------------------------------------------------------------------------------------


def other_python() -> str:
    """A Python of the same minor version and another patch, which our packages are as good for."""
    for name in (f"/usr/bin/python3.{sys.version_info[1]}", f"/usr/local/bin/python3.{sys.version_info[1]}"):
        if Path(name).exists():
            said = subprocess.run([name, "-c", "import platform; print(platform.python_version())"],
                                  capture_output=True, text=True).stdout.strip()  # fmt: skip
            if said != platform.python_version():
                return name
    pytest.skip(f"there is no other Python 3.{sys.version_info[1]} here")


def test_nodes_with_another_looptop_or_python_are_refused(tmp_path: Path, raylets: Raylets) -> None:
    python = other_python()
    ours = Path(loop.__file__).parent
    shutil.copytree(ours, tmp_path / "other" / "loop", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other" / "loop" / "errors.py").open("a") as file:
        file.write("\n# what was mended since\n")
    raylets.start("alpha", cpus=1)
    raylets.start("beta", cpus=1, environ={"PYTHONPATH": str(tmp_path / "other")})
    packages = {"PYTHONPATH": f"{ours.parent}:{sysconfig.get_path('purelib')}"}
    with pytest.raises(RuntimeError, match="ersion mismatch"):  # Ray itself lets nobody join
        raylets.start("gamma", cpus=1, environ=packages, ray=[python, "-m", "ray.scripts.scripts"])
    lenient = {**packages, "RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL": "minor"}
    raylets.start("gamma", cpus=1, environ=lenient, ray=[python, "-m", "ray.scripts.scripts"])
    project = Project(tmp_path / "project", raylets)
    said = project.start("--experiments", "1").communicate()[0]
    assert "beta: its looptop is" in said and "install the same on both; it gets no runs" in said, said
    assert f"and {platform.python_version()} here" in said and "gamma: its Python is 3." in said, said
    started = project.events("run_started")
    assert started and all(one.body.slot_name == "alpha/CPU" for one in started)  # type: ignore[union-attr]
    entry = [python, "-c", "import sys; from tui.cli.main import main; sys.exit(main())"]
    from_there = subprocess.run([*entry, "cluster", "check", raylets.address], cwd=project.root,
                                env={**project.environ, **packages}, capture_output=True, text=True)  # fmt: skip
    assert from_there.returncode and "ersion mismatch" in from_there.stderr + from_there.stdout
    assert "Traceback" not in from_there.stderr + from_there.stdout
