"""A sample of what `make soak` does at length: a study killed at a few points, always the same ones."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(300)  # two studies, started ten times
def test_a_supervisor_killed_at_any_step_loses_doubles_and_leaves_nothing() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.crash",
        "--study",
        "flagged",
        "--points",
        "8",
        "--seed",
        "1",
        "--workers",
        "2",
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": experiments lost 0, doubled 0, inconsistent 0" in done.stdout
