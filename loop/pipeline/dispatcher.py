"""The runs and verifications that go on: started in a slot, recorded as they end, ended when somebody asks.

One choke point: nothing of a proposal is executed anywhere else. Whether and when it is, `scheduler` and `life` say;
where and how, the executor; what the number means, the judge.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from loop.journal.recorder import Recorder
from loop.policy import scheduler
from loop.runs import outcome as ends
from loop.runs.executor import Executor, Job, RunHandle
from loop.runs.local.machine_faults import BELIEVED
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.queries import usual_gpu_others
from loop.workspace import Workspace

SHORTEST_VERIFICATION = 60.0
"""Seconds a verification gets at least, however much of the deadline the run has used up."""


class RunInFlight:
    """A run or a verification, from the moment that a slot takes it; listens to it while it goes on."""

    def __init__(self, job: Job, recorder: Recorder) -> None:
        self.job, self._recorder = job, recorder
        self.handle: RunHandle | None = None
        """None while it is being started."""
        self.lost = False
        """It is being ended and does not count."""
        self.request: int | None = None
        """The person's request that it is being ended for."""
        self._stopped_by = ""
        self._steps: tuple[float, float] | None = None

    def started(self, handle: RunHandle) -> None:
        """Take the handle; a run that somebody has ended meanwhile ends now."""
        self.handle = handle
        if self._stopped_by:
            handle.stop(self._stopped_by)

    def stop(self, by: str) -> None:
        self._stopped_by = self._stopped_by or by
        if self.handle is not None:
            self.handle.stop(by)

    @property
    def stepping(self) -> float:
        """Seconds from its first step to its last."""
        return 0.0 if self._steps is None else self._steps[1] - self._steps[0]

    def sampled(self, samples: Sequence[Sample]) -> None:
        """What a verification prints is no progress."""
        if self.job.kind == "verify":
            return
        for sample in samples:
            if sample.step is not None:
                self._steps = (sample.at if self._steps is None else self._steps[0], sample.at)
            body = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
            self._recorder.stream(body, self.job.experiment, self.job.run)


class Dispatcher:
    """Everything of one supervisor that runs now."""

    def __init__(self, workspace: Workspace, recorder: Recorder, executor: Executor) -> None:
        self._workspace, self._recorder, self._executor = workspace, recorder, executor
        self._running: dict[tuple[int, int], RunInFlight] = {}
        """By experiment and run."""
        self._short: set[tuple[int, int]] = set()
        """Runs whose verification has run out of memory once."""

    async def run(self, experiment: Experiment, slot: Slot) -> str | None:
        """Run an experiment once in `slot` and record how it ended.

        Returns:
            What of its machine lost the run and will lose the next one too, where that is so; None where it did not.

        Raises:
            MachineFault: its machine did not do its part, before or after the run.
        """
        study = self._recorder.study
        number, seed = scheduler.next_run(experiment, self._starting(experiment))
        job = self._job("run", experiment, number, seed, study.contract.deadline)
        with self._in_flight(job) as running:
            handle = await self._start(running, slot)
            contract = job.contract
            started = e.RunStarted(
                seed=seed,
                slot=slot.index,
                budget=contract.budget,
                deadline=contract.deadline,
                protocol_id=contract.protocol_id,
                pid=handle.pid,
                pid_started=handle.pid_started,
                ref=handle.ref,
            )
            self._recorder.record(started, experiment.id, number)
            result = await handle.wait()
            lost = None if running.lost else _believed(experiment, result.lost)
            reason = self._lost_by(running, result, lost)
            finished = ends.finished(study, experiment, result, running.stepping, reason)
            # Before its end is recorded: a supervisor that is killed in between runs it again, and clears it then.
            if finished.outcome == Outcome.LOST:
                self._workspace.drop_written(experiment.id, number)
            self._record_end(running, finished)
            await handle.close()  # running until then: an end of the loop waits for it
        return lost.reason if lost is not None and not lost.passes else None

    async def verify(self, experiment: Experiment, number: int, slot: Slot) -> None:
        """Measure the metric of a finished run anew, in a fresh worktree that the run cannot have touched.

        Raises:
            MachineFault: its machine did not do its part.
        """
        study, run = self._recorder.study, experiment.runs[number]
        left = max(SHORTEST_VERIFICATION, study.contract.deadline - run.seconds)
        with self._in_flight(self._job("verify", experiment, number, run.seed, left)) as running:
            handle = await self._start(running, slot)
            result = await handle.wait()
            if not (running.lost or self._short_of_memory(running.job, result)):  # else it is verified again
                self._record_end(running, ends.verified(study, experiment, result))
            await handle.close()

    # --- ending ------------------------------------------------------------------------------------------------

    def ends_for(self, request: int) -> bool:
        """Whether a run is being ended for that request, and will fulfil it with its end."""
        return any(running.request == request for running in self._running.values())

    def kill(self, experiment: int, who: str, *, request: int) -> bool:
        """End all that runs of `experiment`.

        Args:
            request: fulfilled with the last end.

        Returns:
            False where nothing of it runs.
        """
        found = [running for (of, _), running in self._running.items() if of == experiment]
        for running in found:
            running.request = running.request or request
            running.stop(who)
        return bool(found)

    def kill_all(self) -> None:
        """End everything; none of it counts and all of it is done again."""
        for running in self._running.values():
            running.lost = True
            running.stop("the supervisor")

    def lose(self, experiment: Experiment, reason: str) -> None:
        """Record that what goes on of `experiment` by the record, and does not here, is lost."""
        for run in experiment.running():
            if (experiment.id, run.number) not in self._running:
                lost = e.RunFinished(outcome=Outcome.LOST, reason=f"{reason}{ends.AGAIN}")
                self._recorder.record(lost, experiment.id, run.number)

    @property
    def busy(self) -> bool:
        """Whether a run or a verification goes on."""
        return bool(self._running)

    def observe(self, reading: e.GaugeRead) -> e.GaugeRead:
        """The reading, with what each run holds."""
        named = self._executor.observe(reading)
        gauges = [one.handle.gauge() for one in self._running.values() if one.handle is not None]
        return named.model_copy(update={"runs": tuple(gauges)})

    # --- inside ------------------------------------------------------------------------------------------------

    def _job(
        self, kind: Literal["run", "verify"], experiment: Experiment, number: int, seed: int, deadline: float
    ) -> Job:
        study = self._recorder.study
        assert experiment.commit
        others = usual_gpu_others(study)
        return Job(experiment.id, number, kind, experiment.commit, study.base, study.contract, seed, deadline, others)

    def _starting(self, experiment: Experiment) -> Mapping[int, int]:
        """Seeds, by number, of the experiment's runs that are being started and are not on record yet."""
        here = (running.job for (of, _), running in self._running.items() if of == experiment.id)
        return {job.run: job.seed for job in here if job.run not in experiment.runs}

    @contextmanager
    def _in_flight(self, job: Job) -> Iterator[RunInFlight]:
        running = self._running[job.experiment, job.run] = RunInFlight(job, self._recorder)
        try:
            yield running
        finally:
            del self._running[job.experiment, job.run]

    async def _start(self, running: RunInFlight, slot: Slot) -> RunHandle:
        handle = await self._executor.start(running.job, slot, running)
        running.started(handle)
        return handle

    def _lost_by(self, running: RunInFlight, result: RunResult, lost: Lost | None) -> str:
        """Why a run does not count, in a sentence; "" where it does."""
        if running.lost:
            return "ended with the supervisor"
        if lost is not None:
            return lost.reason
        return (self._recorder.disk.shortage() or "") if result.outcome == Outcome.CRASHED else ""

    def _short_of_memory(self, job: Job, result: RunResult) -> bool:
        """Whether a verification ran out of memory for the first time. It is done again then: what it measures is on
        the disk, and who took the memory may be gone. What runs out twice is too large to be measured here."""
        key = (job.experiment, job.run)
        if result.outcome != Outcome.OUT_OF_MEMORY or key in self._short:
            self._short.discard(key)
            return False
        self._short.add(key)
        message = (
            f"the verification of run {job.run_name} {result.reason}; the run's number is not lost, it is verified "
            "once more"
        )
        self._recorder.record(e.Fault(where="verification", message=message))
        return True

    def _record_end(self, running: RunInFlight, end: e.RunFinished | e.Verified) -> None:
        """Record the end of a run, and that of the request with the last run that it has ended: a supervisor killed
        before that fulfils it again."""
        job, request = running.job, running.request
        facts: list[tuple[e.Body, int | None, int | None]] = [(end, job.experiment, job.run)]
        others = any(one.request == request for one in self._running.values() if one is not running)
        if request is not None and not others and not (isinstance(end, e.RunFinished) and end.outcome == Outcome.LOST):
            outcome = f"the run of experiment {job.experiment} is ended"
            facts.append((e.RequestFulfilled(request=request, outcome=outcome), None, None))
        self._recorder.record_all(facts)


def _believed(experiment: Experiment, lost: Lost | None) -> Lost | None:
    """Why a run is lost; what may be the experiment's own doing is believed only so often."""
    if lost is None or lost.believed:
        return lost
    runs = [run for run in experiment.runs.values() if run.number > experiment.since_run]
    told = sum(run.outcome == Outcome.LOST and run.reason == f"{lost.reason}{ends.AGAIN}" for run in runs)
    return lost if told < BELIEVED else None
