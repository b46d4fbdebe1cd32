"""One real corpus for all tests of the session, and a way to start real programs on it."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TORCH = [
    pytest.mark.torch,
    pytest.mark.skipif(find_spec("torch") is None, reason="needs torch, which the `train` extra installs"),
]
Started = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the session's processes share, pytest's own workers too."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return shared / "looptop-cache"


@pytest.fixture
def python(tmp_path: Path, cache: Path) -> Callable[..., Started]:
    """Run the interpreter in `tmp_path`, with a run folder beside it and none of the caller's LOOPTOP_ variables."""

    def start(*arguments: str, **variables: str) -> Started:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOOPTOP_")}
        environment |= {"PYTHONPATH": str(ROOT), "LOOPTOP_CACHE": str(cache), "LOOPTOP_RUN_DIR": str(tmp_path / "run")}
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            cwd=tmp_path,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
        )

    return start
