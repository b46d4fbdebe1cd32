"""A place for runs, and a way to see every process that a run has started."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loop.runs.local.process import LocalProcess
from loop.runs.output import Sample
from loop.runs.spec import RunResult, RunSpec
from loop.sandbox.environment import child_environment

PROGRAMS = Path(__file__).parents[1] / "programs"


class Place:
    """A run's folders, and the processes of what ran there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        for path in (self.out, folder / "tmp", folder / "tree"):
            path.mkdir(parents=True, exist_ok=True)

    def spec(self, program: str, *arguments: str, deadline_s: float = 60, memory_cap: int = 0) -> RunSpec:
        env = child_environment(
            os.environ,
            budget_s=0.2,
            seed=7,
            run_dir=self.out,
            tmp_dir=self.folder / "tmp",
            cache_dir=self.folder / "cache",
        )
        argv = [sys.executable, str(PROGRAMS / program), *arguments]
        return RunSpec(argv, self.folder / "tree", env, self.folder / "log", deadline_s, memory_cap)

    async def start(
        self,
        program: str,
        *arguments: str,
        on_samples: Callable[[list[Sample]], None] = lambda _: None,
        **limits: float,
    ) -> LocalProcess:
        return await LocalProcess.start(replace(self.spec(program, *arguments), **limits), on_samples)

    async def run(self, program: str, *arguments: str, **limits: float) -> RunResult:
        return await (await self.start(program, *arguments, **limits)).wait()

    def marked(self) -> set[int]:
        """Every process that has marked itself there, dead or alive."""
        return {int(path.name) for path in (self.out / "pids").glob("*")}

    def alive(self) -> set[int]:
        """Processes of the runs there that still run, also those that hide."""
        return {pid for pid in self.marked() if _is_program(pid)}

    async def until(self, true: Callable[[], object], seconds: float = 20) -> None:
        """Wait for something to become true; fail when it does not."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "waited in vain"
            await asyncio.sleep(0.02)


def _is_program(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any("tests/programs/" in part for part in process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
