"""Runs on this machine: each in a worktree, folders, an environment and a sandbox of its own, kept by a warden."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping, Sequence

import psutil

from loop.errors import UserError
from loop.machine.disk import kept_free
from loop.machine.gauges import Gauges
from loop.runs.executor import Job, MachineFault, Report, RunListener
from loop.runs.local.gpus import Look
from loop.runs.local.orphans import sweep_leftovers
from loop.runs.local.process import LocalProcess
from loop.runs.local.readiness import Readiness
from loop.runs.local.run import LocalRun, Trees
from loop.runs.slot import Slot
from loop.runs.spec import RunSpec
from loop.sandbox.backend import Sandbox
from loop.sandbox.environment import child_environment, resolve_command
from loop.sandbox.folders import RunFolders
from loop.sandbox.policy import SandboxPolicy
from loop.study.readings import GaugeRead, GpuUse
from loop.workspace import Workspace


class LocalExecutor:
    """This machine's runs, for one supervisor.

    Args:
        trees: makes the worktrees.
        read: a file of a commit, None where it has none of that name; raises a `UserError` where git fails.
        gauges: what the machine is read with.
        sandbox: what confines the runs.
        environ: the supervisor's own environment; its CUDA_VISIBLE_DEVICES is obeyed.
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
    ) -> None:
        self._workspace, self._trees, self._read, self._environ = workspace, trees, read, environ
        self._readiness = Readiness(gauges)
        self._policy = SandboxPolicy(workspace, sandbox)
        self._slots = find_slots(gauges.read(), environ)
        self._running: set[LocalRun] = set()

    def slots(self) -> Sequence[Slot]:
        return self._slots

    async def ready(self, slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        await self._readiness.wait(slot, need, report)

    async def start(self, job: Job, slot: Slot, listener: RunListener) -> LocalRun:
        folders = self._folders(job)
        try:
            spec, before = await asyncio.to_thread(self._prepare, job, slot, folders)
            process = await self._start(job, spec, listener)
        except (UserError, OSError) as error:
            raise MachineFault(error) from error
        run = LocalRun(job, slot, process, folders, self._trees, self._readiness, before, self._running.discard)
        self._running.add(run)
        return run

    async def adopt(self, ref: str, listener: RunListener) -> None:
        """A run ends with the supervisor that started it: its warden sees to that."""

    async def sweep(self) -> Sequence[str]:
        found = await asyncio.to_thread(sweep_leftovers, self._workspace.folder)
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
        """There is nothing to let go of."""

    # --- starting ----------------------------------------------------------------------------------------------

    def _folders(self, job: Job) -> RunFolders:
        """The baseline is the person's own file: what it compiles may serve all later runs."""
        shared = self._workspace.folder / "cache"
        folder = self._workspace.run_folder(job.experiment, job.run)
        folders = RunFolders(folder, shared, None if job.experiment == 0 else folder / "cache")
        return folders if job.kind == "run" else folders.of_verification()

    def _prepare(self, job: Job, slot: Slot, folders: RunFolders) -> tuple[RunSpec, Look]:
        """All that a run needs but its worktree, and what its GPUs look like before it. Blocks."""
        folders.prepare()
        contract, verifies = job.contract, job.kind == "verify"
        command = (contract.verify or "") if verifies else contract.run
        argv = resolve_command(command, self._workspace.root)
        tree = self._trees.path(job.name)
        confinement = self._policy.confinement(contract, argv, tree, folders)
        tmp = self._policy.access.tmp_inside(folders.tmp)
        environment = child_environment(
            self._environ,
            budget_s=contract.budget,
            seed=job.seed,
            run_dir=folders.out,
            tmp_dir=tmp,
            cache_dir=folders.cache,
            devices=slot.devices,
            workspace=self._workspace.root,
            home=tmp / "home" if confinement is not None else None,
            texts=self._policy.texts,
        )
        limits = contract.limits
        free = shutil.disk_usage(folders.folder).free - kept_free(folders.folder)
        spec = RunSpec(
            argv=argv,
            cwd=tree,
            env=environment,
            log_dir=folders.log,
            deadline_s=job.deadline,
            memory_cap=int(limits.memory or 0),
            process_cap=limits.processes or 0,
            file_cap=int(limits.file or 0),
            disk_cap=max(1, min(free, int(limits.run_disk or free))),
            folders=folders.written,
            given=self._policy.given(contract, argv) if verifies else ("", ""),
            confinement=confinement,
        )
        return spec, self._readiness.look(slot)

    async def _start(self, job: Job, spec: RunSpec, listener: RunListener) -> LocalProcess:
        """Start a run in a worktree of its own; who is cancelled meanwhile leaves neither of them behind."""
        made = asyncio.create_task(asyncio.to_thread(self._make_tree, job))
        try:
            return await LocalProcess.start(spec, on_samples=listener.sampled, after=asyncio.shield(made))
        except BaseException:
            await asyncio.wait([made])  # git cannot be interrupted
            await asyncio.to_thread(self._trees.remove, job.name)
            raise

    def _make_tree(self, job: Job) -> None:
        """Make a job's worktree. A verification's is the study's first commit with the experiment's editable files.

        So whatever an experiment's commit may hold besides, the harness that measures it is the one of the beginning.
        """
        if job.kind == "run":
            self._trees.add(job.name, job.commit)
            return
        tree = self._trees.add(job.name, job.base)
        for path in job.contract.edit:
            content = self._read(job.commit, path)
            if content is None:
                (tree / path).unlink(missing_ok=True)
            else:
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_bytes(content)

    def _named(self, use: GpuUse) -> GpuUse:
        """Who is on a GPU, with the names of the runs that go on here on their processes."""
        if use.processes is None:
            return use
        runs = {run.pid: run.job.run_name for run in self._running}
        processes = tuple(one.model_copy(update={"run": _run_of(one.pid, runs)}) for one in use.processes)
        return use.model_copy(update={"processes": processes})


def find_slots(reading: GaugeRead, environ: Mapping[str, str] = os.environ) -> list[Slot]:
    """Where runs can happen: on the first GPU, or on the processors of a machine without one.

    A `CUDA_VISIBLE_DEVICES` of the person's is obeyed: its first device is the slot's.
    """
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if not reading.gpus or visible == "":
        return [Slot(0, "CPU")]
    device = (visible or "0").split(",")[0].strip()
    index = int(device) if device.isdigit() else reading.gpus[0].index
    return [Slot(0, f"GPU {device}", devices=device, gpus=(index,))]


def _run_of(pid: int, runs: Mapping[int, str]) -> str:
    """Name of the run that the process is of: the one whose keeper is among those that it came from."""
    try:
        return next((runs[parent.pid] for parent in psutil.Process(pid).parents() if parent.pid in runs), "")
    except psutil.Error:
        return ""
