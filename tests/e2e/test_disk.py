"""Disks that are full, read-only, or become so under a loop at work: real ones, small enough to fill."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import fill, small_disk
from tests.e2e.conftest import Bench
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
    small.program(limits={"experiments": 6}, keep={"baseline_runs": 2, "max_runs": 1})
    small.looptop(code=0)
    small.until(lambda: small.study().judged() >= 1)
    ballast = fill(small.root.parent)
    small.until(lambda: "disk" in small.study().troubles)
    (fault,) = [event.body for event in small.events("fault") if event.body.where == "disk"]  # type: ignore[union-attr]
    assert "nothing new starts until 8.0 MB are free" in fault.message  # type: ignore[union-attr]
    small.until(lambda: not small.study().running())
    judged = small.study().judged()
    assert "nothing new starts until 8.0 MB are free" in small.looptop("status").stdout
    assert "disk" in small.json("status")["troubles"]
    ballast.unlink()
    small.until_stopped()
    study = small.consistent()
    assert study.judged() == 6 > judged
    assert study.troubles == {} and not study.supervisor.failed  # type: ignore[union-attr]
    assert len([event for event in small.events("fault") if event.body.where == "disk"]) == 1  # type: ignore[union-attr]
    assert not any(x.verdict == "rejected" for x in study.experiments.values())
