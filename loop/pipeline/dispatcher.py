"""Runs and verifications in running: started in a slot, recorded as they end, ended when somebody asks.

One choke point: nothing of a proposal is executed anywhere else. Whether and when it is, `scheduler` and the supervisor
say; what the number means, the judge.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.machine.disk import kept_free
from loop.machine.gauges import Reading
from loop.policy import scheduler
from loop.runs import outcome as ends
from loop.runs.local.gpus import Look, usual_others
from loop.runs.local.machine_faults import BELIEVED, Around, Lost, lost, others_held
from loop.runs.local.process import LocalProcess
from loop.runs.local.readiness import Readiness
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import RunResult, RunSpec
from loop.sandbox.backend import Sandbox
from loop.sandbox.confinement import Confinement
from loop.sandbox.environment import child_environment, resolve_command
from loop.sandbox.folders import RunFolders
from loop.sandbox.policy import SandboxPolicy
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.workspace import Workspace

SHORTEST_VERIFICATION = 60.0
"""Seconds a verification gets at least, however much of the deadline the run has used up."""


@dataclass
class RunInFlight:
    run: LocalProcess
    number: int
    slot: Slot
    lost: bool = False
    """It is being ended and does not count."""
    request: int | None = None
    """The request of a person's that it is being ended for."""
    others: int | None = None
    """Bytes that others held on its GPUs, at most."""

    def see(self, use: tuple[e.GpuUse, ...] | None) -> None:
        """Take note of who is on the GPUs now."""
        here = [one for gpu in use or () if gpu.index in self.slot.gpus for one in gpu.processes or ()]
        if here:
            self.others = max(self.others or 0, sum(one.memory or 0 for one in here if not one.run))


class Dispatcher:
    """Everything of one supervisor that is running now."""

    def __init__(
        self, workspace: Workspace, lineage: Lineage, recorder: Recorder, sandbox: Sandbox, readiness: Readiness
    ) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._readiness = readiness
        self._short: set[tuple[int, int]] = set()
        """Runs whose verification has run out of memory once."""
        self._policy = SandboxPolicy(workspace, sandbox)
        self._running: dict[int, RunInFlight] = {}
        self._use: tuple[e.GpuUse, ...] | None = None
        """Who was on the GPUs when somebody last asked; None where nobody can tell."""

    async def run(self, experiment: Experiment, slot: Slot) -> str | None:
        """Run an experiment once in `slot` and record how it ended.

        Returns:
            What of this machine kept it from running, where that is so; the run is lost then, and is run again.
        """
        number, seed = scheduler.next_run(experiment)
        contract = self._recorder.study.contract
        assert experiment.commit
        places = self._places(experiment, number)
        await asyncio.to_thread(places.prepare)
        name = f"{experiment.id}.{number}"
        argv = resolve_command(contract.run, self._workspace.root)
        tree = self._lineage.tree_path(name)
        confined = await asyncio.to_thread(self._policy.confinement, contract, argv, tree, places)
        spec = self._spec(argv, tree, seed, slot, contract.deadline, places, confined)
        making = partial(self._lineage.add_tree, name, experiment.commit)

        steps: list[float] = []

        def sampled(samples: list[Sample]) -> None:
            for sample in samples:
                if sample.step is not None:
                    steps.append(sample.at)
                body = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
                self._recorder.stream(body, experiment.id, number)

        before = await asyncio.to_thread(self._readiness.look, slot)
        run = await self._start(spec, making, sampled)
        started = e.RunStarted(
            seed=seed,
            slot=slot.index,
            budget=contract.budget,
            deadline=contract.deadline,
            protocol_id=contract.protocol_id,
            pid=run.pid,
            pid_started=run.created,
        )
        with self._in_flight(experiment, run, number, slot) as running:
            self._recorder.record(started, experiment.id, number)
            result = await run.wait()
            gone = None if running.lost else await self._lost(running, result, experiment, before, places, tree)
            touched: tuple[str, ...] = ()
            if result.outcome == "finished" and not running.lost:
                touched = await asyncio.to_thread(self._lineage.touched, name, experiment.commit, contract.edit)
            stepping = (steps[-1] - steps[0]) if steps else 0.0
            lost_by = self._lost_by(running, result, gone)
            finished = ends.finished(
                self._recorder.study, experiment, result, running.others, stepping, touched, lost_by
            )
            # Before its end is told: who dies in between runs it again, and nobody would come back to clear up.
            await asyncio.to_thread(places.clear)
            if finished.outcome == "lost":
                await asyncio.to_thread(self._workspace.drop_written, experiment.id, number)
            self._tell(running, finished, experiment.id)
            await asyncio.to_thread(self._lineage.remove_tree, name)  # in running until then: an end of the loop waits
        if gone is not None and not gone.passes:
            return gone.reason
        return result.reason if result.machine else None

    async def _lost(
        self,
        running: RunInFlight,
        result: RunResult,
        experiment: Experiment,
        before: Look,
        places: RunFolders,
        tree: Path,
    ) -> Lost | None:
        """Why a run says nothing of its experiment, where that is so, and what its slot waits for then."""
        study, slot = self._recorder.study, running.slot
        usual = usual_others(study)
        budget = study.contract.budget

        def look() -> Around:
            after = self._readiness.look(slot)
            return Around(
                slot=slot.name,
                budget=budget,
                before=before,
                after=after,
                others=running.others,
                usual_others=usual,
                disk_free=_free(self._workspace.folder if not places.folder.exists() else places.folder),
                tree_there=tree.is_dir(),
                folder_there=places.out.is_dir(),
            )

        around = await asyncio.to_thread(look)
        running.others = max(running.others or 0, around.before.others) if slot.gpus else None
        found = lost(result, around)
        if found is None or (not found.believed and ends.told_before(experiment, found.reason) >= BELIEVED):
            return None
        if result.outcome == "out_of_memory" and slot.gpus:
            running.others = others_held(result, around)
            self._readiness.keep_off(slot, max(usual, running.others // 2))
        return found

    async def verify(self, experiment: Experiment, number: int, slot: Slot) -> None:
        """Measure the metric of a finished run anew, in a fresh worktree that the run cannot have touched."""
        contract = self._recorder.study.contract
        run = experiment.runs[number]
        assert contract.verify and experiment.commit
        name = f"{experiment.id}.{number}.verify"
        places = self._places(experiment, number).of_verification()
        await asyncio.to_thread(places.prepare)
        argv = resolve_command(contract.verify, self._workspace.root)
        tree = self._lineage.tree_path(name)
        confined = await asyncio.to_thread(self._policy.confinement, contract, argv, tree, places)
        left = max(SHORTEST_VERIFICATION, contract.deadline - run.seconds)
        text = await asyncio.to_thread(self._policy.given, contract, argv)
        spec = replace(self._spec(argv, tree, run.seed, slot, left, places, confined), given=text)
        checking = await self._start(spec, partial(self._examined_tree, name, experiment.commit))
        with self._in_flight(experiment, checking, number, slot) as running:
            result = await checking.wait()
            await asyncio.to_thread(places.clear)
            if not (running.lost or self._short_of_memory(experiment, number, result)):  # else it is verified again
                self._tell(running, ends.verified(self._recorder.study, experiment, result), experiment.id)
            await asyncio.to_thread(self._lineage.remove_tree, name)

    def _short_of_memory(self, experiment: Experiment, number: int, result: RunResult) -> bool:
        """Whether a verification ran out of memory for the first time. It is done again then: what it measures is on
        the disk, and who took the memory may be gone. What runs out twice is too large to be measured here."""
        name = (experiment.id, number)
        if result.outcome != "out_of_memory" or name in self._short:
            self._short.discard(name)
            return False
        self._short.add(name)
        message = (
            f"the verification of run {experiment.id}.{number} {result.reason}; the run's number is not lost, it is "
            "verified once more"
        )
        self._recorder.record(e.Fault(where="verification", message=message))
        return True

    def _examined_tree(self, name: str, commit: str) -> None:
        """The study's first commit, with nothing of the experiment in it but the editable files.

        So whatever an experiment's commit may hold besides, the harness that measures it is the one of the beginning.
        """
        study = self._recorder.study
        tree = self._lineage.add_tree(name, study.base)
        for path in study.contract.edit:
            content = self._lineage.read(commit, path)
            if content is None:
                (tree / path).unlink(missing_ok=True)
            else:
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_bytes(content)

    async def _start(
        self,
        spec: RunSpec,
        make_tree: Callable[[], object],
        on_samples: Callable[[list[Sample]], None] = lambda _: None,
    ) -> LocalProcess:
        """Start a run in a worktree of its own; who is cancelled meanwhile leaves neither of them behind."""
        made = asyncio.create_task(asyncio.to_thread(make_tree))
        try:
            return await LocalProcess.start(spec, on_samples=on_samples, after=asyncio.shield(made))
        except BaseException:
            await asyncio.wait([made])  # git cannot be interrupted
            await asyncio.to_thread(self._lineage.remove_tree, spec.cwd.name)
            raise

    def _tell(self, running: RunInFlight, end: e.RunFinished | e.Verified, experiment: int) -> None:
        """Record the end of a running, and with it the request that it ended for: who dies before it is asked again."""
        facts: list[tuple[e.Body, int | None, int | None]] = [(end, experiment, running.number)]
        if running.request is not None and not (isinstance(end, e.RunFinished) and end.outcome == "lost"):
            fulfilled = e.RequestFulfilled(
                request=running.request, outcome=f"the run of experiment {experiment} is ended"
            )
            facts.append((fulfilled, None, None))
        self._recorder.record_all(facts)

    def ends_for(self, request: int) -> bool:
        """Whether something in running is being ended for that request, and will fulfil it with its end."""
        return any(running.request == request for running in self._running.values())

    def kill(self, experiment: int, who: str, *, request: int | None = None, lost: bool = False) -> bool:
        """End the run or verification in running of `experiment`.

        Args:
            request: fulfilled with the end.
            lost: it does not count and is done again.

        Returns:
            False where none is in running.
        """
        running = self._running.get(experiment)
        if running is None:
            return False
        running.lost = running.lost or lost
        running.request = running.request or request
        running.run.kill(by=who)
        return True

    def kill_all(self) -> None:
        """End everything in running; none of it counts and all of it is done again."""
        for number in self._running:
            self.kill(number, "the supervisor", lost=True)

    @property
    def busy(self) -> bool:
        """Whether a run or a verification is in running."""
        return bool(self._running)

    def observe(self, reading: Reading) -> e.GaugeRead:
        """The reading as a fact, with what each run in running holds; GPU memory goes into the runs' peaks too."""
        for running in self._running.values():
            running.run.note_gpu_memory(reading.gpu_memory(running.slot.gpus))
        if reading.gpu_use is not None:
            self._use = None if reading.foreign_pids else tuple(map(self._claimed, reading.gpu_use))
            for running in self._running.values():
                running.see(self._use)
            reading = replace(reading, gpu_use=self._use or reading.gpu_use)
        return reading.event([self._holds(experiment, running) for experiment, running in self._running.items()])

    def _claimed(self, use: e.GpuUse) -> e.GpuUse:
        """Who is on a GPU, with the names of the runs in running on their processes."""
        if use.processes is None:
            return use
        runs = {running.run.pid: f"{number}.{running.number}" for number, running in self._running.items()}
        processes = tuple(one.model_copy(update={"run": _run_of(one.pid, runs)}) for one in use.processes)
        return use.model_copy(update={"processes": processes})

    def _holds(self, experiment: int, running: RunInFlight) -> e.RunGauge:
        name = f"{experiment}.{running.number}"
        own = [one.memory for use in self._use or () for one in use.processes or () if one.run == name]
        known = [memory for memory in own if memory is not None]
        return e.RunGauge(
            experiment=experiment,
            run=running.number,
            memory=running.run.memory,
            gpu_memory=sum(known) if known else None,
        )

    @contextmanager
    def _in_flight(self, experiment: Experiment, run: LocalProcess, number: int, slot: Slot) -> Iterator[RunInFlight]:
        running = self._running[experiment.id] = RunInFlight(run, number, slot)
        try:
            yield running
        finally:
            del self._running[experiment.id]

    def _places(self, experiment: Experiment, number: int) -> RunFolders:
        """The baseline is the person's own file: what it compiles may serve all later runs."""
        shared = self._workspace.folder / "cache"
        folder = self._workspace.run_folder(experiment.id, number)
        return RunFolders(folder, shared, None if experiment.id == 0 else folder / "cache")

    def _spec(
        self,
        argv: list[str],
        tree: Path,
        seed: int,
        slot: Slot,
        deadline: float,
        places: RunFolders,
        confined: Confinement | None,
    ) -> RunSpec:
        contract = self._recorder.study.contract
        limits = contract.limits
        tmp = self._policy.tmp_inside(places.tmp)
        environment = child_environment(
            os.environ,
            budget_s=contract.budget,
            seed=seed,
            run_dir=places.out,
            tmp_dir=tmp,
            cache_dir=places.cache,
            devices=slot.devices,
            workspace=self._workspace.root,
            home=tmp / "home" if confined is not None else None,
            texts=self._policy.texts,
        )
        free = shutil.disk_usage(places.folder).free - kept_free(places.folder)
        return RunSpec(
            argv=argv,
            cwd=tree,
            env=environment,
            log_dir=places.log,
            deadline_s=deadline,
            memory_cap=int(limits.memory or 0),
            process_cap=limits.processes or 0,
            file_cap=int(limits.file or 0),
            disk_cap=max(1, min(free, int(limits.run_disk or free))),
            folders=places.written,
            confinement=confined,
        )

    def _lost_by(self, running: RunInFlight, result: RunResult, gone: Lost | None) -> str:
        """Why a run does not count, in a sentence; "" where it does."""
        if running.lost:
            return "ended with the supervisor"
        if gone is not None:
            return gone.reason
        if result.machine:
            return result.reason
        return (self._recorder.too_little_room() or "") if result.outcome == "crashed" else ""


def _free(folder: Path) -> int:
    """Bytes free on a folder's disk; none where it is gone."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _run_of(pid: int, runs: Mapping[int, str]) -> str:
    """Name of the run that the process is of: the one whose keeper is among those that it came from."""
    try:
        return next((runs[parent.pid] for parent in psutil.Process(pid).parents() if parent.pid in runs), "")
    except psutil.Error:
        return ""
