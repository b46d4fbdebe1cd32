"""Disks that are full, read-only, or become so under a loop at work: real ones, small enough to fill."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.study.contract import Contract
from loop.workspace import Workspace
from tests.disks import Ext4, fill, read_only, small_disk
from tests.e2e.conftest import LOOPTOP, Bench
from tests.e2e.test_bad_input import sentence

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk can only be mounted by root")


@pytest.fixture
def small(bench: Bench, tmp_path: Path) -> Iterator[Bench]:
    """The workspace on a disk of 32 MB: 8 must be free to start, and under 2 nothing new starts."""
    with small_disk(tmp_path / "small", "32m") as disk:
        shutil.copytree(bench.root, disk / "project")
        bench.root = disk / "project"
        yield bench


def test_a_disk_without_room_says_so_before_it_starts(small: Bench) -> None:
    fill(small.root.parent, leave=3 << 20)
    said = sentence(small, "run", "--headless")
    assert "has 3.0 MB left, and a study needs 8.0 MB to start; free some space first" in said
    assert not (small.root / ".looptop").exists()


def test_a_loop_whose_disk_fills_pauses_says_why_and_goes_on_by_itself(small: Bench) -> None:
    small.program(limits={"experiments": 400}, keep={"baseline_runs": 2, "max_runs": 1})
    small.looptop(code=0)
    small.until(lambda: small.study().judged() >= 1)
    pid = small.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # else the reserve that it gives up goes into the ballast as well
    ballast = fill(small.root.parent)
    os.kill(pid, signal.SIGCONT)
    small.until(lambda: "disk" in small.study().troubles)
    (fault,) = [event.body for event in small.events("fault") if event.body.where == "disk"]  # type: ignore[union-attr]
    assert "nothing new starts until 8.0 MB are free" in fault.message  # type: ignore[union-attr]
    small.until(lambda: not small.study().running())
    judged = small.study().judged()
    assert "nothing new starts until 8.0 MB are free" in small.looptop("status").stdout
    assert "disk" in small.json("status")["troubles"]
    small.program(limits={"experiments": judged + 2}, keep={"baseline_runs": 2, "max_runs": 1})
    ballast.unlink()
    small.until_stopped()
    study = small.consistent()
    assert study.judged() == judged + 2
    assert study.troubles == {} and not study.supervisor.failed  # type: ignore[union-attr]
    assert len([event for event in small.events("fault") if event.body.where == "disk"]) == 1  # type: ignore[union-attr]
    assert not any(x.verdict == "rejected" for x in study.experiments.values())


@pytest.mark.soak
def test_a_loop_that_must_end_on_a_full_disk_says_so_and_the_next_goes_on(small: Bench) -> None:
    small.program(limits={"experiments": 400}, keep={"baseline_runs": 2, "max_runs": 1})
    command = [*LOOPTOP, "run", "--headless"]
    with subprocess.Popen(
        command, cwd=small.root, env=small.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        small.until(lambda: small.study().judged() >= 1)
        ballast = fill(small.root.parent)
        small.until(lambda: "disk" in small.study().troubles)
        more = fill(small.root.parent, name="more")  # what the reserve had left, too
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert "Traceback" not in said
    ended = small.events("supervisor_stopped")
    if not ended:  # there was no room even in what its log had taken before
        assert process.returncode == 1
        assert said.strip().splitlines()[-1].endswith("`looptop` goes on from there")
    ballast.unlink()
    more.unlink()
    judged = small.study().judged()
    small.looptop("run", "--headless", "--experiments", str(judged + 1))
    assert small.consistent().judged() == judged + 1


@pytest.mark.soak
def test_a_loop_whose_disk_fails_ends_with_one_sentence_and_goes_on_when_it_is_mended(
    bench: Bench, tmp_path: Path
) -> None:
    bench.program(limits={"experiments": 400}, keep={"baseline_runs": 2, "max_runs": 1})
    disk = Ext4(tmp_path / "disk.img", tmp_path / "disk")
    disk.make()
    try:
        shutil.copytree(bench.root, disk.at / "project")
        bench.root = disk.at / "project"
        os.sync()  # the repository is older than the disk's failure
        with subprocess.Popen(
            [*LOOPTOP, "run", "--headless"],
            cwd=bench.root,
            env=bench.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            bench.until(lambda: bench.study().judged() >= 1)
            disk.fail()
            _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Traceback" not in said and "read-only" in said.lower(), said
        assert said.strip().splitlines()[-1].endswith("`looptop` goes on from there")
        judged = bench.study().judged()
        disk.mend()
        assert bench.study().judged() == judged >= 1
        bench.looptop("run", "--headless", "--experiments", str(judged + 1))
        assert bench.consistent().judged() == judged + 1
    finally:
        disk.remove()


def test_commands_that_look_work_on_a_read_only_file_system_and_others_say_why_not(bench: Bench) -> None:
    Workspace(bench.root).folder.mkdir()
    with Journal(Workspace(bench.root).journal, create=True) as journal:
        journal.append(e.StudyStarted(tag="nov25", branch="looptop/nov25", base="0" * 40, contract=Contract()))
    with read_only(bench.root):
        looked = bench.looptop("status")
        assert "nov25" in looked.stdout
        assert "is on a read-only file system, so nothing can be asked for here" in looked.stderr
        assert "so nothing can be asked for here" in sentence(bench, "pause")
        assert "read-only file system" in sentence(bench, "run", "--headless")


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_a_disk_that_fills_again_and_again_at_any_moment_costs_nothing(small: Bench, seed: int) -> None:
    chance = random.Random(seed)
    small.program(limits={"experiments": 8}, keep={"baseline_runs": 2, "max_runs": 2})
    small.looptop()
    while small.pid is not None:
        time.sleep(chance.uniform(0.1, 8))
        ballast = [fill(small.root.parent, leave=chance.choice([0, 0, 4096, 100_000]))]
        for n in range(chance.randrange(60)):  # whatever is given up is taken by somebody else
            ballast.append(fill(small.root.parent, name=f"more{n}"))
            time.sleep(0.05)
        for file in ballast:
            file.unlink()
    study = small.study()
    assert study.supervisor is not None and study.supervisor.reason.startswith("limit reached"), study.supervisor
    assert small.consistent().judged() == 8
    assert not any(x.verdict in ("rejected", "crashed") for x in study.experiments.values())
