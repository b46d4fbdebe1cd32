"""A run on this machine, from its start to the removal of its worktree.

What this machine did to it is found out here: who else was on its GPUs, whether the disk was full or the clock was set
(`machine_faults`). What that means for its experiment is not.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from loop.errors import UserError
from loop.machine.gauges import cores
from loop.runs.executor import Job, MachineFault
from loop.runs.local.gpus import Look, taken
from loop.runs.local.machine_faults import Around, lost, others_held
from loop.runs.local.opened import OpenedFiles
from loop.runs.local.process import LocalProcess
from loop.runs.local.readiness import Readiness
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.sandbox.folders import RunFolders
from loop.study.outcomes import Outcome
from loop.study.readings import GpuUse, RunGauge


class Trees(Protocol):
    """The worktrees of runs, by whoever knows git. All of it blocks, and raises a `UserError` where git fails."""

    def path(self, name: str) -> Path:
        """Where the worktree of that name is."""
        ...

    def add(self, name: str, commit: str) -> Path:
        """Make it, with the files of `commit`."""
        ...

    def remove(self, name: str) -> None:
        """Remove it, whatever a run has done to it; one that is not there is no error."""

    def touched(self, name: str, commit: str, editable: Sequence[str]) -> tuple[str, ...]:
        """Files of `commit` that differ in it, but for those that a proposal may change."""
        ...


class LocalRun:
    """See `RunHandle`.

    Args:
        before: its GPUs just before it started.
        opened: who has opened its editable files, where somebody wants to know.
        ended: called once no process of it is left.
    """

    def __init__(
        self,
        job: Job,
        slot: Slot,
        process: LocalProcess,
        folders: RunFolders,
        trees: Trees,
        readiness: Readiness,
        before: Look,
        opened: OpenedFiles | None,
        ended: Callable[["LocalRun"], None],
    ) -> None:
        self.job, self.slot, self.process = job, slot, process
        self.pid, self.pid_started = process.pid, process.created
        self.ref = f"local:{process.pid}@{process.created:.2f}"
        self._folders, self._trees = folders, trees
        self._readiness, self._before, self._opened, self._ended = readiness, before, opened, ended
        self._others: int | None = None
        """Bytes that others held on its GPUs, at most."""
        self._gpu_memory: int | None = None

    async def wait(self) -> RunResult:
        try:
            result = await self.process.wait()
        finally:
            self._ended(self)
            opened = self._opened.close() if self._opened is not None else None
            self._gpu_memory = None  # nobody looks at the GPUs for it any more
        try:
            after = await asyncio.to_thread(self._readiness.look, self.slot)
            result = replace(result, joules=taken(self._before, after, self.slot.on_gpu))
            if self.job.kind == "run":
                result = await asyncio.to_thread(self._looked_at, result, after)
            await asyncio.to_thread(self._folders.clear)
        except (UserError, OSError) as error:
            raise MachineFault(error) from error
        return replace(result, opened=opened)

    def stop(self, by: str) -> None:
        self.process.kill(by)

    def gauge(self) -> RunGauge:
        of, number = self.job.experiment, self.job.run
        return RunGauge(experiment=of, run=number, memory=self.process.memory, gpu_memory=self._gpu_memory)

    async def close(self) -> None:
        try:
            await asyncio.to_thread(self._trees.remove, self.job.name)
        except (UserError, OSError) as error:
            raise MachineFault(error) from error

    def see(self, use: Sequence[GpuUse]) -> None:
        """Take note of who is on the GPUs now, with the runs named; nobody where nobody can tell."""
        here = [one for gpu in use if gpu.index in self.slot.gpus for one in gpu.processes or ()]
        if here:
            self._others = max(self._others or 0, sum(one.memory or 0 for one in here if not one.run))
        own = [one.memory for gpu in use for one in gpu.processes or () if one.run == self.job.run_name]
        known = [memory for memory in own if memory is not None]
        self._gpu_memory = sum(known) if known else None

    def _looked_at(self, result: RunResult, after: Look) -> RunResult:
        """The result, with what only this machine knows of it. Blocks."""
        job, slot, folders = self.job, self.slot, self._folders
        around = Around(
            slot=slot.name,
            budget=job.contract.budget,
            before=self._before,
            after=after,
            others=self._others,
            usual_others=job.usual_others,
            disk_free=_free(folders.folder, folders.shared.parent),
            # Git's own file in it: where a tree is deleted just then, a sandbox that starts makes folders in its place.
            tree_there=(self._trees.path(job.name) / ".git").exists(),
            folder_there=folders.out.is_dir(),
        )
        found = lost(result, around)
        others = max(self._others or 0, self._before.others) if slot.gpus else None
        if found is not None and found.believed and result.outcome == Outcome.OUT_OF_MEMORY and slot.gpus:
            others = others_held(result, around)
            self._readiness.keep_off(slot, max(job.usual_others, others // 2))
        touched: tuple[str, ...] = ()
        if result.outcome == Outcome.FINISHED:
            touched = self._trees.touched(job.name, job.commit, job.contract.edit)
        available = slot.cpus or len(cores())
        return replace(result, lost=found, gpu_others=others, touched=touched, cores=available)


def _free(*folders: Path) -> int:
    """Bytes free on the disk of the first folder that is there; none where none is."""
    for folder in folders:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return 0
