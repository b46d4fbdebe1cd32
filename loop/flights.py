"""Runs and verifications in flight: started in a slot, recorded as they end, ended when somebody asks.

One choke point: nothing of a proposal is executed anywhere else. Whether and when it is, `schedule` and the supervisor
say; what the number means, the judge.
"""

import asyncio
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loop import events as e
from loop import inspection, schedule
from loop.gauges import Reading
from loop.lineage import Lineage
from loop.recorder import Recorder
from loop.runs import verification
from loop.runs.environment import child_environment, resolve_command
from loop.runs.local import LocalRun, RunResult, RunSpec
from loop.runs.output import Sample
from loop.study import Experiment
from loop.workspace import Workspace

LONGEST_TAIL = 4000
"""Characters of a failed run's last output that its event carries; the log has the rest."""

SHORTEST_VERIFICATION = 60.0
"""Seconds a verification gets at least, however much of the deadline the run has used up."""


@dataclass(frozen=True)
class Slot:
    """A place where one run can happen."""

    index: int
    name: str
    devices: str | None = None
    """What the run gets as CUDA_VISIBLE_DEVICES; None leaves it as it is."""
    gpus: tuple[int, ...] = ()
    """NVML indices of its GPUs."""


@dataclass
class _Flight:
    run: LocalRun
    slot: Slot
    lost: bool = False
    """It is being ended and does not count."""


class Flights:
    """Everything of one supervisor that is running now."""

    def __init__(self, workspace: Workspace, lineage: Lineage, recorder: Recorder) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._flights: dict[int, _Flight] = {}

    async def run(self, experiment: Experiment, slot: Slot) -> None:
        """Run an experiment once in `slot` and record how it ended."""
        number, seed = schedule.next_run(experiment)
        contract = self._recorder.study.contract
        assert experiment.commit
        self._fresh_folder(experiment.id, number)
        name = f"{experiment.id}.{number}"
        spec = self._spec(contract.run, name, experiment.id, number, seed, slot, contract.deadline)
        tree = asyncio.to_thread(self._lineage.add_tree, name, experiment.commit)

        steps: list[float] = []

        def sampled(samples: list[Sample]) -> None:
            for sample in samples:
                if sample.step is not None:
                    steps.append(sample.at)
                body = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
                self._recorder.stream(body, experiment.id, number)

        run = await LocalRun.start(spec, on_samples=sampled, after=tree)
        started = e.RunStarted(
            seed=seed,
            slot=slot.index,
            budget=contract.budget,
            deadline=contract.deadline,
            measure=contract.measure,
            pid=run.pid,
            pid_started=run.created,
        )
        with self._in_flight(experiment, run, slot) as flight:
            self._recorder.record(started, experiment.id, number)
            result = await run.wait()
            touched: tuple[str, ...] = ()
            if result.outcome == "finished" and not flight.lost:
                touched = await asyncio.to_thread(self._lineage.touched, name, experiment.commit, contract.edit)
            stepping = (steps[-1] - steps[0]) if steps else 0.0
            finished = self._finished(flight, result, experiment, stepping, touched)
            self._recorder.record(finished, experiment.id, number)
            await asyncio.to_thread(self._lineage.remove_tree, name)  # in flight until then: an end of the loop waits

    async def verify(self, experiment: Experiment, number: int, slot: Slot) -> None:
        """Measure the metric of a finished run anew, in a fresh worktree that the run cannot have touched."""
        contract = self._recorder.study.contract
        run = experiment.runs[number]
        assert contract.verify and experiment.commit
        name = f"{experiment.id}.{number}.verify"
        left = max(SHORTEST_VERIFICATION, contract.deadline - run.seconds)
        spec = self._spec(contract.verify, name, experiment.id, number, run.seed, slot, left, log="verify")
        tree = asyncio.to_thread(self._lineage.add_tree, name, experiment.commit)
        checking = await LocalRun.start(spec, after=tree)
        with self._in_flight(experiment, checking, slot) as flight:
            result = await checking.wait()
            if not flight.lost:  # else it is verified after the next start
                self._recorder.record(self._verified(experiment, result), experiment.id, number)
            await asyncio.to_thread(self._lineage.remove_tree, name)

    def kill(self, experiment: int, who: str, *, lost: bool = False) -> bool:
        """End the run or verification in flight of `experiment`.

        Args:
            lost: it does not count and is done again.

        Returns:
            False where none is in flight.
        """
        flight = self._flights.get(experiment)
        if flight is None:
            return False
        flight.lost = flight.lost or lost
        flight.run.kill(by=who)
        return True

    def kill_all(self) -> None:
        """End everything in flight; none of it counts and all of it is done again."""
        for number in self._flights:
            self.kill(number, "the supervisor", lost=True)

    @property
    def busy(self) -> bool:
        """Whether a run or a verification is in flight."""
        return bool(self._flights)

    def memory(self) -> int | None:
        """Main memory that everything in flight holds, in bytes; None where nothing is."""
        return sum(flight.run.memory for flight in self._flights.values()) if self._flights else None

    def saw(self, reading: Reading) -> None:
        """Take the GPU memory of a reading into the peaks of the runs in flight."""
        for flight in self._flights.values():
            flight.run.note_gpu_memory(reading.gpu_memory(flight.slot.gpus))

    @contextmanager
    def _in_flight(self, experiment: Experiment, run: LocalRun, slot: Slot) -> Iterator[_Flight]:
        flight = self._flights[experiment.id] = _Flight(run, slot)
        try:
            yield flight
        finally:
            del self._flights[experiment.id]

    def _fresh_folder(self, experiment: int, number: int) -> None:
        folder = self._workspace.run_folder(experiment, number)
        if folder.exists():  # left by a supervisor that ended between making it and recording the run
            shutil.rmtree(folder)
        for part in ("out", "tmp"):
            (folder / part).mkdir(parents=True)

    def _spec(
        self,
        command: str,
        tree: str,
        experiment: int,
        number: int,
        seed: int,
        slot: Slot,
        deadline: float,
        log: str = "",
    ) -> RunSpec:
        folder = self._workspace.run_folder(experiment, number)
        contract = self._recorder.study.contract
        environment = child_environment(
            os.environ,
            budget_s=contract.budget,
            seed=seed,
            run_dir=folder / "out",
            tmp_dir=folder / "tmp",
            cache_dir=self._workspace.folder / "cache",
            devices=slot.devices,
            workspace=self._workspace.root,
        )
        return RunSpec(
            argv=resolve_command(command, self._workspace.root),
            cwd=self._lineage.tree_path(tree),
            env=environment,
            log_dir=folder / log,
            deadline_s=deadline,
            memory_cap=int(contract.limits.memory or 0),
        )

    def _verified(self, experiment: Experiment, result: RunResult) -> e.Verified:
        """What a verification has found; a number that was too long in coming is none."""
        study = self._recorder.study
        found = verification.read(result, study.contract.metric)
        if found.check is None and experiment.verdict is None and experiment.id != 0:
            usual = [run.verify_seconds for run in study.usual()]
            if failed := inspection.too_long_to_verify(result.seconds, usual, study.contract.budget):
                found = verification.Verification(None, failed.check, failed.reason)
        return e.Verified(metric=found.metric, check=found.check, reason=found.reason, seconds=result.seconds)

    def _finished(
        self, flight: _Flight, result: RunResult, experiment: Experiment, stepping: float, touched: tuple[str, ...]
    ) -> e.RunFinished:
        """The run's end as a fact; a run without the metric it owes is a crash, whatever its exit code says."""
        study = self._recorder.study
        contract = study.contract
        outcome: e.Outcome = result.outcome
        reason = result.reason
        failed: inspection.Failed | None = None
        if flight.lost:
            outcome, reason = "lost", "ended with the supervisor; it is run again"
        elif outcome == "finished" and contract.verify is None:
            value = result.metrics.get(contract.metric)
            if value is None:
                others = ", ".join(sorted(result.metrics)) or "no numbers at all"
                outcome, reason = "crashed", f"its output has no {contract.metric} (it has {others:.200})"
            elif not math.isfinite(value):
                outcome, reason = "crashed", f"{contract.metric} is {value}"
        if outcome == "finished" and experiment.verdict is None and experiment.id != 0:
            course = inspection.Course(result.seconds, result.metrics.get(inspection.CLAIM), stepping, touched)
            usual = [
                inspection.Course(run.seconds, run.metrics.get(inspection.CLAIM), run.stepping, run.touched)
                for run in study.usual()
            ]
            failed = inspection.inspect(course, usual, contract.budget)
        return e.RunFinished(
            outcome=outcome,
            reason=reason if failed is None else failed.reason,
            exit_code=result.exit_code,
            seconds=result.seconds,
            cpu_seconds=result.cpu_seconds,
            peak_memory=result.peak_memory,
            peak_gpu_memory=result.peak_gpu_memory,
            leftovers=result.leftovers,
            metrics=result.metrics,
            tail="" if outcome == "finished" else result.tail[-LONGEST_TAIL:],
            stepping=stepping,
            touched=touched,
            check=None if failed is None else failed.check,
        )
