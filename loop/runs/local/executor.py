"""Runs on this machine: each in a worktree, folders, an environment and a sandbox of its own, kept by a warden."""

import asyncio
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from loop.errors import UserError
from loop.machine.disk import kept_free
from loop.machine.gauges import Gauges, cores
from loop.runs.executor import Job, Listen, MachineFault, Report, RunListener
from loop.runs.local.gpus import Look
from loop.runs.local.opened import OpenedFiles
from loop.runs.local.orphans import sweep_leftovers
from loop.runs.local.process import LocalProcess
from loop.runs.local.readiness import Readiness
from loop.runs.local.redirected import redirected
from loop.runs.local.run import LocalRun, Trees
from loop.runs.local.slots import divide
from loop.runs.reading.wanted import wanted_by
from loop.runs.slot import Slot
from loop.runs.spec import RunSpec
from loop.sandbox import scratch
from loop.sandbox.backend import Sandbox
from loop.sandbox.confinement import Confinement
from loop.sandbox.environment import child_environment, resolve_command
from loop.sandbox.folders import RunFolders
from loop.sandbox.policy import SandboxPolicy
from loop.study.command_line import fill
from loop.study.readings import GaugeRead, GpuUse
from loop.study.slot_plan import DEFAULT, SlotPlan
from loop.workspace import Workspace

NICE = 10
"""How far a scratch run steps back behind the runs beside it; see nice(1)."""


class LocalExecutor:
    """This machine's runs, for one supervisor.

    Args:
        trees: makes the worktrees.
        read: a file of a commit, None where it has none of that name; raises a `UserError` where git fails.
        gauges: what the machine is read with.
        sandbox: what confines the runs.
        environ: the supervisor's own environment; its CUDA_VISIBLE_DEVICES is obeyed.
        plan: how the machine is divided.
        heard: gets each piece of a run's output as it is read, where somebody else wants it too.

    Raises:
        CannotDivide: it has not what the plan asks of it.
    """

    name = "local"

    def __init__(
        self,
        workspace: Workspace,
        trees: Trees,
        read: Callable[[str, str], bytes | None],
        gauges: Gauges,
        sandbox: Sandbox,
        environ: Mapping[str, str] = os.environ,
        plan: SlotPlan = DEFAULT,
        heard: Callable[[Job, bytes], None] = lambda job, data: None,
    ) -> None:
        self._workspace, self._trees, self._read, self._environ = workspace, trees, read, environ
        self._heard = heard
        self._readiness = Readiness(gauges)
        self._policy = SandboxPolicy(workspace, sandbox, environ)
        self._division = divide(gauges.devices(), cores(), plan, environ)
        self._slots = [_measured(slot, gauges) for slot in self._division.slots]
        self._running: set[LocalRun] = set()
        self._ahead: dict[str, str] = {}
        """Commits that are checked out for runs which have not started, by the name of the run."""
        self._making: asyncio.Task[object] | None = None

    def slots(self) -> Sequence[Slot]:
        return self._slots

    @property
    def notes(self) -> Sequence[str]:
        return self._division.notes

    async def ready(self, slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        await self._readiness.wait(slot, need, report)

    async def prepare(self, run: str, commit: str) -> None:
        """See `Checkouts` of `pipeline/ahead`; one at a time."""
        self._ahead[run] = commit
        self._making = asyncio.create_task(asyncio.to_thread(self._trees.add, run, commit))
        try:
            await asyncio.shield(self._making)
        except (UserError, OSError) as error:
            self._ahead.pop(run, None)
            raise MachineFault(error) from error

    async def forget(self, run: str) -> None:
        if self._ahead.pop(run, None) is not None:
            try:
                await asyncio.to_thread(self._trees.remove, run)
            except (UserError, OSError) as error:
                raise MachineFault(error) from error

    async def start(self, job: Job, slot: Slot, listener: RunListener) -> LocalRun:
        folders = self._folders(job)
        try:
            spec, before = await asyncio.to_thread(self._prepare, job, slot, folders)
            process, opened = await self._start(job, spec, folders, listener)
        except (UserError, OSError) as error:
            raise MachineFault(error) from error
        ended = self._running.discard
        run = LocalRun(job, slot, process, folders, self._trees, self._readiness, before, opened, ended)
        self._running.add(run)
        return run

    async def adopt(self, refs: Collection[str], listen: Listen) -> Sequence[LocalRun]:
        """None: a run ends with the supervisor that started it, its warden sees to that."""
        return ()

    async def sweep(self) -> Sequence[str]:
        found = await asyncio.to_thread(sweep_leftovers, self._workspace.folder)
        await asyncio.to_thread(scratch.forget, self._workspace.folder)
        return [leftover.command for leftover in found]

    def observe(self, reading: GaugeRead) -> GaugeRead:
        for run in self._running:
            run.process.note_gpu_memory(reading.gpu_memory(run.slot.gpus))
        if reading.gpu_use is None:
            return reading
        use = () if reading.foreign_pids else tuple(map(self._named, reading.gpu_use))
        for run in self._running:
            run.see(use)
        return reading.model_copy(update={"gpu_use": use or reading.gpu_use})

    async def close(self) -> None:
        """Let go of what was made ready for runs, and of the names that were made outside of the workspace, where a run
        was not waited for."""
        if self._making is not None:
            await asyncio.wait([self._making])  # git cannot be interrupted
        for run in list(self._ahead):
            with suppress(MachineFault):  # the next start removes it
                await self.forget(run)
        await asyncio.to_thread(scratch.forget, self._workspace.folder)

    # --- starting ----------------------------------------------------------------------------------------------

    def _folders(self, job: Job) -> RunFolders:
        """The baseline is the person's own file: what it compiles may serve all later runs."""
        shared = self._workspace.folder / "cache"
        if job.kind == "try":
            return RunFolders(self._workspace.rehearsal, shared, self._workspace.rehearsal / "cache")
        if job.kind == "scratch":
            place = self._workspace.scratch_folder(job.run)
            return RunFolders(place, shared, place / "cache")
        folder = self._workspace.run_folder(job.experiment, job.run)
        folders = RunFolders(folder, shared, None if job.experiment == 0 else folder / "cache")
        return folders if job.kind == "run" else folders.of_verification(job.sealed)

    def _prepare(self, job: Job, slot: Slot, folders: RunFolders) -> tuple[RunSpec, Look]:
        """All that a run needs but its worktree and its sandbox, and what its GPUs look like before it. Blocks."""
        folders.prepare()
        contract, verifies = job.contract, job.kind == "verify"
        line = fill((contract.verify or "") if verifies else contract.run, seed=job.seed, budget_s=contract.budget)
        python = self._policy.python(contract)
        argv = resolve_command(line, self._workspace.root, python, self._environ)
        tree = self._trees.path(job.name)
        cwd = tree / self._workspace.prefix
        tmp = self._policy.access.tmp_of(folders.tmp)
        environment = child_environment(
            self._environ,
            budget_s=contract.budget,
            budget_clock=slot.clock(contract),
            seed=job.seed,
            run_dir=folders.out,
            tmp_dir=tmp,
            cache_dir=folders.cache,
            devices=slot.devices,
            gpus=len(slot.gpus),
            threads=slot.threads,
            workspace=self._workspace.root,
            home=self._policy.access.home_of(tmp) if self._policy.access.sandbox.kind != "off" else None,
            texts=self._policy.texts,
            python=python,
            path=self._policy.path(contract),
            named=contract.variables(self._environ),
        )
        environment = self._policy.environment(contract, tmp, environment)
        places = {self._workspace.top: tree, tree: tree, folders.out: folders.out, tmp: folders.tmp}
        limits = contract.limits
        free = shutil.disk_usage(folders.folder).free - kept_free(folders.folder)
        spec = RunSpec(
            argv=argv,
            cwd=cwd,
            env=environment,
            log_dir=folders.log,
            nice=NICE if job.kind == "scratch" else 0,
            deadline_s=job.deadline,
            end_s=contract.budget if contract.ends == "at-budget" and not verifies else 0.0,
            end_clock=slot.clock(contract),
            memory_cap=int(limits.memory or (slot.memory if slot.beside > 1 else 0)),
            process_cap=limits.processes or 0,
            file_cap=int(limits.file or 0),
            disk_cap=max(1, min(free // slot.beside, int(limits.run_disk or free))),
            cores=slot.cores,
            folders=(*folders.written, tree),
            given=self._policy.given(contract, argv) if verifies else ("", ""),
            wanted=wanted_by(contract, job.kind),
            results=(folders.out, cwd),
            redirected=redirected(argv, environment, cwd, places),
        )
        return spec, self._readiness.look(slot)

    async def _start(
        self, job: Job, spec: RunSpec, folders: RunFolders, listener: RunListener
    ) -> tuple[LocalProcess, OpenedFiles | None]:
        """Start a run in a worktree of its own; who is cancelled meanwhile leaves neither of them behind."""
        made = asyncio.create_task(asyncio.to_thread(self._furnish, job, spec, folders))

        async def reach() -> Confinement | None:
            return (await asyncio.shield(made))[0]

        try:
            process = await LocalProcess.start(
                spec, on_samples=listener.sampled, after=reach(), on_output=partial(self._heard, job)
            )
            return process, made.result()[1]
        except BaseException:
            await asyncio.wait([made])  # git cannot be interrupted
            if made.exception() is None and (opened := made.result()[1]) is not None:
                opened.close()
            await asyncio.to_thread(self._trees.remove, job.name)
            raise

    def _furnish(self, job: Job, spec: RunSpec, folders: RunFolders) -> tuple[Confinement | None, OpenedFiles | None]:
        """Make the worktree, with all that the run looks for in it; what it may then reach, and `_make_tree`'s."""
        opened = self._make_tree(job)
        return self._policy.furnish(job.contract, spec.argv, self._trees.path(job.name), folders), opened

    def _make_tree(self, job: Job) -> OpenedFiles | None:
        """Make a job's worktree. A verification's is the study's first commit with the experiment's editable files.

        So whatever an experiment's commit may hold besides, the harness that measures it is the one of the beginning.

        Returns:
            Who opens the editable files from now on, where somebody wants to know.
        """
        if job.kind != "verify":
            project = self._tree(job.name, job.commit) / self._workspace.prefix
            for path, held in job.instead.items():
                _put(project / path, held)
            if job.kind == "try" or job.experiment == 0:
                return OpenedFiles({path: project / path for path in job.contract.edit})
            return None
        project = self._trees.add(job.name, job.base) / self._workspace.prefix
        for path in job.contract.edit:
            content = self._read(job.commit, path)
            if content is None:
                (project / path).unlink(missing_ok=True)
            else:
                (project / path).parent.mkdir(parents=True, exist_ok=True)
                (project / path).write_bytes(content)
        for path, held in job.instead.items():
            _put(project / path, held)
        return None

    def _tree(self, name: str, commit: str) -> Path:
        """The worktree of a run, made ready before or now."""
        ready = self._ahead.pop(name, None)
        if ready == commit:
            return self._trees.path(name)
        if ready is not None:
            self._trees.remove(name)
        return self._trees.add(name, commit)

    def _named(self, use: GpuUse) -> GpuUse:
        """Who is on a GPU, with the names of the runs that go on here on their processes."""
        if use.processes is None:
            return use
        runs = {run.pid: run.job.run_name for run in self._running}
        processes = tuple(one.model_copy(update={"run": _run_of(one.pid, runs)}) for one in use.processes)
        return use.model_copy(update={"processes": processes})


def _measured(slot: Slot, gauges: Gauges) -> Slot:
    """The slot with its memory: an equal share of the main one, so that a run which takes too much does not end its
    neighbours."""
    gpus = [gpu.memory_total or 0 for gpu, _ in gauges.look(slot.gpus)] if slot.gpus else []
    return replace(slot, memory=int(psutil.virtual_memory().total // slot.beside), gpu_memory=sum(gpus))


def _put(path: Path, content: bytes) -> None:
    """Give a file other contents and leave its date: what goes by dates, as `make` does, is to do as with a commit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = path.stat() if path.exists() else None
    # Through no link: it could lead out of the worktree.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "wb") as file:
        file.write(content)
    if times is not None:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _run_of(pid: int, runs: Mapping[int, str]) -> str:
    """Name of the run that the process is of: the one whose keeper is among those that it came from."""
    try:
        return next((runs[parent.pid] for parent in psutil.Process(pid).parents() if parent.pid in runs), "")
    except psutil.Error:
        return ""
