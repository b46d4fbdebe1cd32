"""A workspace with a small real training script, and the real command line on it, as a person would use it."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest

from loop.journal import Journal
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.study.state import Study
from loop.workspace import Workspace, supervisor_alive
from tests import consistency
from tui.cli.main import main

LOOPTOP = [str(Path(sys.executable).with_name("looptop"))]

TRAIN = '''\
"""Trains nothing, but behaves like a script that does."""
import math
import os
import random
import time

LEARNING_RATE = 0.02  # far from the best, 0.005
DEPTH = 4  # the best is 8
WARMUP = 0.1

budget = float(os.environ["LOOPTOP_BUDGET_S"])
chance = random.Random(int(os.environ["LOOPTOP_SEED"]))
began = time.monotonic()
step = 0
while (spent := time.monotonic() - began) < budget:
    step += 1
    share = spent / budget
    print(f"step {step:05d} ({100 * share:.1f}%) | loss: {3 - 2 * share:.3f} | tok/sec: 1,000", flush=True)
    time.sleep(0.05)
value = 1.0 + 0.05 * math.log10(LEARNING_RATE / 0.005) ** 2 + 0.004 * abs(DEPTH - 8) + chance.gauss(0, 0.001)
print("---")
print(f"val_bpb: {value:.6f}")
'''


class Bench:
    """One workspace under test. Durations are seconds."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def program(self, **front: Any) -> None:
        """Write `program.md` with a quick study's front matter, `front` on top.

        Models and agents here play their parts in order, so none of them is to think before the result is there.
        """
        values = {"budget": "0.2s", "deadline": "30s", "limits": {"experiments": 3}, "ahead": False} | front
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())
        self.write("program.md", f"---\n{lines}---\nMake it better.\n")

    def plain_python(self) -> None:
        """Give the workspace an interpreter without torch, which takes seconds to look at."""
        python = self.root / ".venv" / "bin" / "python"
        if not python.is_symlink():
            python.parent.mkdir(parents=True)
            python.symlink_to(getattr(sys, "_base_executable", sys.executable))

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def looptop(self, *arguments: str, code: int | None = 0, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the command and check its exit code; whatever happens, a person sees no traceback."""
        done = subprocess.run(
            [*LOOPTOP, *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, f"{done.args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def refused(self, *arguments: str, code: int = 1) -> str:
        """What a command that refuses says; it starts nothing, so that it needs no process of its own."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.root),
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["looptop", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        assert ended.value.code == code, f"{arguments}: {ended.value.code}\n{out.getvalue()}\n{err.getvalue()}"
        return err.getvalue()

    def json(self, *arguments: str) -> Any:
        return json.loads(self.looptop(*arguments, "--json").stdout)

    def json_of(self, *arguments: str, code: int | None = 0) -> Any:
        """The same of a command that may end with another exit code."""
        return json.loads(self.looptop(*arguments, "--json", code=code).stdout)

    def events(self, *kinds: str) -> list[e.Event]:
        with Journal(Workspace(self.root).journal) as journal:
            return journal.read(kinds=kinds or None)

    def study(self) -> Study:
        return fold(self.events(*FOLDED))

    def request(self, body: e.Body, experiment: int | None = None) -> int:
        with Journal(Workspace(self.root).journal) as journal:
            return journal.append(body, experiment)

    def until(self, condition: Callable[[], object], timeout: float = 45) -> None:
        """Wait until `condition` holds; a journal that is not there yet counts as not."""
        last = time.monotonic() + timeout
        while not (Workspace(self.root).journal.exists() and condition()):
            assert time.monotonic() < last, f"not within {timeout} s; the newest events: {self.events()[-8:]}"
            time.sleep(0.04)  # a look opens the journal and folds it, which takes a few milliseconds

    def until_stopped(self, timeout: float = 60) -> None:
        self.until(lambda: self.pid is None, timeout)

    @property
    def pid(self) -> int | None:
        return supervisor_alive(self.root)

    def processes(self) -> list[psutil.Process]:
        """Everything that was started in or for this workspace and still lives."""
        return consistency.processes(self.root)

    def consistent(self) -> Study:
        """Check what must hold of a workspace at rest, and return its study."""
        self.until(lambda: not self.processes(), timeout=10)
        rows = consistency.rows_of(Workspace(self.root).journal)
        assert consistency.faults(self.root, rows) == []
        return consistency.folded(rows)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    root = tmp_path / "a project"
    root.mkdir()
    theirs = ("LOOPTOP", "OPENAI", "GIT_", "TERM")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(theirs)}
    made = Bench(root, environment | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")})
    made.write("train.py", TRAIN)
    made.program()
    made.git("init", "-q", "-b", "main")
    made.git("add", "train.py", "program.md")
    made.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "start")
    yield made
    for process in made.processes():
        try:
            process.kill()
        except psutil.Error:
            pass
