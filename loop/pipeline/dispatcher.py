"""The runs and verifications that go on: started in a slot, recorded as they end, ended when somebody asks.

One choke point: nothing of a proposal is executed anywhere else. Whether and when it is, `scheduler` and `life` say;
where and how, the executor; what the number means, the judge.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.pipeline.advice import Advice
from loop.pipeline.climbing import files_on
from loop.pipeline.first_minute import followed
from loop.policy import ablation, climbing, early_stop, neighbours, scheduler, validation
from loop.runs import outcome as ends
from loop.runs.executor import Executor, Job, RunHandle
from loop.runs.local.machine_faults import BELIEVED
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult, Tried
from loop.study import events as e
from loop.study import rungs
from loop.study.curves import CurveReader
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.queries import usual_gpu_others
from loop.workspace import Workspace

SHORTEST_VERIFICATION = 60.0
"""Seconds a verification gets at least, however much of the deadline the run has used up."""


class RunInFlight:
    """A run or a verification, from the moment that a slot takes it; listens to it while it goes on."""

    def __init__(self, job: Job, slot: Slot, recorder: Recorder) -> None:
        self.job, self.slot, self._recorder = job, slot, recorder
        self.handle: RunHandle | None = None
        """None while it is being started."""
        self.beside = 0
        """The validation or climb that it is for."""
        self.lost = False
        """It is being ended and does not count."""
        self.dropped = ""
        """Why it is being ended and does not count, where that is not the end of the loop."""
        self.request: int | None = None
        """The person's request that it is being ended for."""
        self.values: dict[str, float] = {}
        """The last of each value that it printed on its way, where it is a rehearsal's."""
        self._stopped_by = ""
        self.steps: tuple[float, float] | None = None
        """When it printed its first step and its last, by the monotonic clock."""
        self._first: int | None = None
        self.stepped = 0
        """Steps between these two."""
        contract = job.contract
        # Processor time is known here at its end only: until then the run's own word has to tell.
        budget = None if slot.clock(contract) == "cpu" else contract.budget
        self.curve = CurveReader(contract.metric, budget)
        self.rule: early_stop.Rule | None = None
        """By which it may be held for hopeless; None where it comes to its end."""
        self.condemned: e.RunCondemned | None = None

    def started(self, handle: RunHandle) -> None:
        """Take the handle; a run that somebody has ended meanwhile ends now."""
        self.handle = handle
        if self._stopped_by:
            handle.stop(self._stopped_by)

    def stop(self, by: str) -> None:
        self._stopped_by = self._stopped_by or by
        if self.handle is not None:
            self.handle.stop(by)

    def sampled(self, samples: Sequence[Sample]) -> None:
        """What a verification or a rehearsal prints is no progress."""
        if self.job.kind != "run":
            for sample in samples:
                self.values |= sample.values
            return
        for sample in samples:
            if sample.step is not None:
                self.steps = (sample.at if self.steps is None else self.steps[0], sample.at)
                self._first = sample.step if self._first is None else self._first
                self.stepped = sample.step - self._first
            body = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
            self._recorder.stream(body, self.job.experiment, self.job.run)
            done = self.curve.add(sample.at, sample.progress, sample.values)
            if done is not None and self.rule is not None and self.condemned is None:
                self._look(self.rule, done)

    def _look(self, rule: early_stop.Rule, part: int) -> None:
        """Record that it is hopeless by its curve, where it is, and end it where such runs are ended."""
        curve = self.curve.curve()
        found = None if curve is None else early_stop.condemn(self._recorder.study, rule, curve, part)
        if found is None or self._stopped_by:
            return
        self.condemned = found
        self._recorder.record(found, self.job.experiment, self.job.run)
        if found.then == "stopped":
            self.stop("looptop")

    def as_stopped(self, result: RunResult) -> RunResult:
        """The result, which says why where it was ended for being hopeless."""
        found = self.condemned
        if found is None or found.then != "stopped" or result.outcome != Outcome.KILLED:
            return result
        if self.lost or self.request is not None:
            return result
        return replace(result, outcome=Outcome.STOPPED_EARLY, reason=early_stop.told(found))


class Dispatcher:
    """Everything of one supervisor that runs now."""

    def __init__(
        self, workspace: Workspace, lineage: Lineage, recorder: Recorder, executor: Executor, advice: Advice
    ) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._executor, self._advice = executor, advice
        self._running: dict[tuple[int, int], RunInFlight] = {}
        """By experiment and run."""
        self._rehearsing: RunInFlight | None = None
        self.unopened: tuple[str, ...] = ()
        """Editable files that the last run of the baseline which came to a number did not open."""
        self._short: set[tuple[int, int]] = set()
        """Runs whose verification has run out of memory, or of time, once."""

    async def run(self, work: scheduler.Work, slot: Slot) -> str | None:
        """Run an experiment once in `slot`, as its run of that number, and record how it ended.

        Returns:
            What of its machine lost the run and will lose the next one too, where that is so; None where it did not.

        Raises:
            MachineFault: its machine did not do its part, before or after the run.
        """
        study, experiment, number = self._recorder.study, work.experiment, work.run
        starting = self._starting(experiment, slot.kind)
        row, beside, rung, commit = 0, 0, "", experiment.commit or ""
        if work.ablates and (now := study.ablation) is not None:
            row = ablation.next_row(study, self._rows_starting(experiment))
            beside, seed, commit = now.seq, now.began.seeds[row - 1], now.began.commits[row - 1]
        elif work.climbs and (climb := study.climb) is not None:
            seed = climbing.next_seed(study, experiment, starting)
            beside, rung = climb.seq, climb.began.rung
        elif work.validates and study.validation is not None:
            seed, beside = validation.next_seed(study, experiment, starting), study.validation.seq
        else:
            seed = scheduler.next_seed(experiment, starting, slot.kind)
        job = await self._job("run", experiment, number, seed, commit, rung)
        with self._in_flight(job, slot) as running:
            running.beside = beside or 0
            running.rule = None if work.alone or rung else early_stop.rule(study, experiment, seed, slot.kind)
            handle = await self._start(running, slot)
            contract = job.contract
            started = e.RunStarted(
                seed=seed,
                slot=slot.index,
                budget=contract.budget,
                deadline=contract.deadline,
                protocol_id=rungs.protocol_of(study.contract, rung),
                pid=handle.pid,
                pid_started=handle.pid_started,
                ref=handle.ref,
                device=slot.kind,
                clock=slot.clock(contract),
                slot_name=slot.name,
                alone=work.alone,
                gpus=len(slot.gpus) / slot.on_gpu,
                validates=running.beside,
                row=row,
                rung=rung,
            )
            self._recorder.record(started, experiment.id, number)
            async with followed(job, self._workspace, self._recorder, self._advice):
                result = running.as_stopped(await handle.wait())
            lost = None
            if not running.lost:
                starved = None if rung else ends.starved(study, experiment, result)  # by runs of the study's own rung
                if starved is None and not slot.gpus and not rung:
                    starved = ends.cut_short(study, experiment, result)
                lost = _believed(experiment, result.lost or starved)
            reason = self._lost_by(running, result, lost)
            company = neighbours.company_of(study, experiment.runs[number], result.seconds)
            finished = ends.finished(study, experiment, result, running.steps, reason, contract)
            seen = {"steps": running.stepped, "company": company, "curve": running.curve.curve()}
            finished = finished.model_copy(update=seen)
            if experiment.id == 0 and not rung and finished.outcome.has_number and result.opened is not None:
                self.unopened = tuple(path for path in contract.edit if path not in result.opened)
            if experiment.id == 0 and not rung and finished.outcome.is_failure:
                finished = await self._advised(finished, result.tail, job)
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
        left = max(SHORTEST_VERIFICATION, study.contract_of(run).deadline - run.seconds)
        commit = ablation.commit_of(study, experiment, run)
        job = await self._job("verify", experiment, number, run.seed, commit, run.rung, left)
        with self._in_flight(job, slot) as running:
            running.beside = run.validates
            handle = await self._start(running, slot)
            result = await handle.wait()
            if not (running.lost or self._once_more(running.job, result)):
                self._record_end(running, ends.verified(study, experiment, result, job.contract))
            await handle.close()

    async def rehearse(self, job: Job, slot: Slot) -> Tried | None:
        """Start `job`, which is to try something out, and keep nothing of it but what it came to; one at a time.

        Returns:
            None where the loop has ended it.

        Raises:
            MachineFault: its machine did not do its part.
        """
        running = self._rehearsing = RunInFlight(job, slot, self._recorder)
        try:
            handle = await self._start(running, slot)
            result = await handle.wait()
            await handle.close()
        finally:
            self._rehearsing = None
        return None if running.lost else Tried(result, running.values)

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

    def drop(self, beside: int, reason: str) -> None:
        """End all runs for the validation or climb that began at that place in the journal; none of them counts."""
        for running in self._running.values():
            if running.beside == beside:
                running.dropped = reason
                running.stop("looptop")

    def kill_all(self) -> None:
        """End everything; none of it counts and all of it is done again."""
        for running in filter(None, (*self._running.values(), self._rehearsing)):
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
        """Whether a run, a verification or a rehearsal goes on."""
        return bool(self._running) or self._rehearsing is not None

    def observe(self, reading: e.GaugeRead) -> e.GaugeRead:
        """The reading, with what each run holds."""
        named = self._executor.observe(reading)
        gauges = [one.handle.gauge() for one in self._running.values() if one.handle is not None]
        return named.model_copy(update={"runs": tuple(gauges)})

    # --- inside ------------------------------------------------------------------------------------------------

    async def _job(
        self,
        kind: Literal["run", "verify"],
        experiment: Experiment,
        number: int,
        seed: int,
        commit: str,
        rung: str,
        deadline: float | None = None,
    ) -> Job:
        study = self._recorder.study
        assert commit
        contract = rungs.contract_on(study.contract, rung)
        return Job(
            experiment.id,
            number,
            kind,
            commit,
            study.base,
            contract,
            seed,
            contract.deadline if deadline is None else deadline,
            usual_gpu_others(study),
            instead=await asyncio.to_thread(files_on, self._lineage, study, experiment, rung) if rung else {},
        )

    def _rows_starting(self, experiment: Experiment) -> set[tuple[str, int]]:
        """Commit and seed of the experiment's runs that are being started and are not on record yet."""
        jobs = (one.job for (of, _), one in self._running.items() if of == experiment.id)
        return {(job.commit, job.seed) for job in jobs if job.run not in experiment.runs}

    def _starting(self, experiment: Experiment, kind: str) -> set[int]:
        """Seeds of the experiment's runs that are being started on a kind of slot and are not on record yet."""
        running = (one for (of, _), one in self._running.items() if of == experiment.id)
        here = (one.job for one in running if one.slot.kind == kind)
        return {job.seed for job in here if job.run not in experiment.runs}

    @contextmanager
    def _in_flight(self, job: Job, slot: Slot) -> Iterator[RunInFlight]:
        running = self._running[job.experiment, job.run] = RunInFlight(job, slot, self._recorder)
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
        if running.dropped:
            return f"its climb is over: {running.dropped}"
        if lost is not None:
            return lost.reason
        return (self._recorder.disk.shortage() or "") if result.outcome == Outcome.CRASHED else ""

    async def _advised(self, finished: e.RunFinished, tail: str, job: Job) -> e.RunFinished:
        """The end of a run of the untouched program, with what mends it where its output tells."""
        try:
            mend = await asyncio.to_thread(self._advice.on, tail, job.contract, job.commit)
        except LineageError:
            return finished  # git's own trouble is told elsewhere
        return finished.model_copy(update={"reason": f"{finished.reason}; {mend}"}) if mend else finished

    def _once_more(self, job: Job, result: RunResult) -> bool:
        """Whether a verification ran out of memory for the first time, or came to its deadline because others had the
        machine. It is done again then: what it measures is on the disk, and who took the memory or the time may be
        gone. What runs out twice is too large to be measured here."""
        key, study = (job.experiment, job.run), self._recorder.study
        starved = ends.starved_verification(study, study.experiments[job.experiment], result)
        if (result.outcome != Outcome.OUT_OF_MEMORY and not starved) or key in self._short:
            self._short.discard(key)
            return False
        self._short.add(key)
        what = f"came to its deadline, because {ends.STARVED}" if starved else result.reason
        message = (
            f"the verification of run {job.run_name} {what}; the run's number is not lost, it is verified once more"
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
