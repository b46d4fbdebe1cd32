"""The runs and verifications that go on: started in a slot, recorded as they end, ended when somebody asks.

One choke point: nothing of a proposal is executed anywhere else. Whether and when it is, `scheduler` and `life` say;
where and how, the executor; what the number means, the judge.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from loop.journal.recorder import Recorder
from loop.lineage import Lineage, LineageError
from loop.pipeline.advice import Advice
from loop.pipeline.climbing import files_on
from loop.pipeline.first_minute import followed
from loop.pipeline.run_in_flight import RunInFlight
from loop.policy import ablation, climbing, early_stop, neighbours, scheduler, validation
from loop.runs import outcome as ends
from loop.runs.executor import Executor, Job, RunHandle
from loop.runs.local.machine_faults import BELIEVED
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult, Tried
from loop.study import events as e
from loop.study import rungs
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.queries import usual_gpu_others
from loop.workspace import Workspace

SHORTEST_VERIFICATION = 60.0
"""Seconds a verification gets at least, however much of the deadline the run has used up."""


class Dispatcher:
    """Everything of one supervisor that runs now."""

    def __init__(
        self, workspace: Workspace, lineage: Lineage, recorder: Recorder, executor: Executor, advice: Advice
    ) -> None:
        self._workspace, self._lineage, self._recorder = workspace, lineage, recorder
        self._executor, self._advice = executor, advice
        self._running: dict[tuple[int, int], RunInFlight] = {}
        """By experiment and run."""
        self._adopted: list[RunInFlight] = []
        """Those that an earlier supervisor has started, until their slots look after them."""
        self._closing: dict[tuple[int, int], asyncio.Task[None]] = {}
        """What removes the worktrees of runs that have ended."""
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
        job = await self._job("run", experiment, number, seed, commit, rung, slot)
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
                also=slot.also,
            )
            self._recorder.record(started, experiment.id, number)
            return await self._see_out(running, experiment)

    async def adopt(self) -> set[tuple[int, int]]:
        """Have the runs of an earlier supervisor that still go on as our own; experiment and number of each.

        They wait in `adopted` until their slots `take_over`.
        """
        refs = {run.ref for _, run in self._recorder.study.running() if run.ref}
        for handle in await self._executor.adopt(refs, self._listen):
            running = self._running[handle.job.experiment, handle.job.run]
            running.started(handle)
            self._adopted.append(running)
            adopted = e.RunAdopted(slot=handle.slot.index, slot_name=handle.slot.name, also=handle.slot.also)
            self._recorder.record(adopted, handle.job.experiment, handle.job.run)
        return set(self._running)

    @property
    def adopted(self) -> Sequence[RunInFlight]:
        """Runs that were taken over, and that no slot looks after yet."""
        return self._adopted

    async def take_over(self, running: RunInFlight) -> str | None:
        """Look after one of the `adopted` until it has ended, and record how; see `run`.

        Raises:
            MachineFault: its machine did not do its part.
        """
        self._adopted.remove(running)
        try:
            return await self._see_out(running, self._recorder.study.experiments[running.job.experiment])
        finally:
            del self._running[running.job.experiment, running.job.run]

    async def _see_out(self, running: RunInFlight, experiment: Experiment) -> str | None:
        """Wait for a run that goes on, and record how it ended; see `run`."""
        study, job, handle = self._recorder.study, running.job, running.handle
        number, rung = job.run, experiment.runs[job.run].rung
        assert handle is not None
        async with followed(job, self._workspace, self._recorder, self._advice):
            result = running.as_stopped(await handle.wait())
        lost = None
        if not running.lost:
            excused = None if rung else ends.excused(study, experiment, experiment.runs[number], result, running.steps)
            lost = _believed(experiment, result.lost or excused)  # on another rung there is nothing to compare with
        reason = self._lost_by(running, result, lost)
        company = neighbours.company_of(study, experiment.runs[number], result.seconds)
        finished = ends.finished(
            study, experiment, result, running.steps, reason, job.contract, again=not running.dropped
        )
        seen = {"steps": running.stepped, "company": company, "curve": running.curve.curve()}
        finished = finished.model_copy(update=seen)
        if experiment.id == 0 and not rung and finished.outcome.has_number and result.opened is not None:
            self.unopened = tuple(path for path in job.contract.edit if path not in result.opened)
        if experiment.id == 0 and not rung and finished.outcome.is_failure:
            finished = await self._advised(finished, result.tail, job)
        # Before its end is recorded: a supervisor that is killed in between runs it again, and clears it then.
        if finished.outcome == Outcome.LOST:
            self._workspace.drop_written(experiment.id, number)
        self._record_end(running, finished)
        self._closing[experiment.id, number] = asyncio.create_task(handle.close())
        return lost.reason if lost is not None and not lost.passes else None

    def _listen(self, job: Job, slot: Slot) -> RunInFlight | None:
        """Who is to follow a run that an earlier supervisor has left; None where the journal has it as over, or as
        another one."""
        study = self._recorder.study
        experiment = study.experiments.get(job.experiment)
        run = experiment.runs.get(job.run) if experiment is not None else None
        if experiment is None or run is None or run.outcome is not None:
            return None
        if (ablation.commit_of(study, experiment, run), run.seed) != (job.commit, job.seed):
            return None
        running = self._running[job.experiment, job.run] = RunInFlight(job, slot, self._recorder)
        running.rule = None if run.alone or run.rung else early_stop.rule(study, experiment, run.seed, slot.kind)
        running.condemned, running.beside = run.condemned, run.validates
        if run.condemned is not None and run.condemned.then == "stopped":
            running.stop("looptop")  # who was to say so may have died before
        return running

    async def closed(self, experiment: Experiment, number: int) -> None:
        """Wait until nothing is left of a run that has ended; a `MachineFault` where something cannot be removed."""
        try:
            if (closing := self._closing.get((experiment.id, number))) is not None:
                await closing
        finally:
            self._closing.pop((experiment.id, number), None)

    async def verify(self, experiment: Experiment, number: int, slot: Slot) -> str | None:
        """Measure the metric of a finished run anew, in a fresh worktree that the run cannot have touched.

        Returns:
            What of the slot's machine kept it from that, where something did and may last.

        Raises:
            MachineFault: its machine did not do its part.
        """
        study, run = self._recorder.study, experiment.runs[number]
        left = max(SHORTEST_VERIFICATION, study.contract_of(run).deadline - run.seconds)
        commit = ablation.commit_of(study, experiment, run)
        job = await self._job("verify", experiment, number, run.seed, commit, run.rung, slot, left)
        with self._in_flight(job, slot) as running:
            running.beside = run.validates
            handle = await self._start(running, slot)
            result = await handle.wait()
            if not (running.lost or self._once_more(running.job, result)):
                self._record_end(running, ends.verified(study, experiment, result, job.contract))
            await handle.close()
            return result.lost.reason if result.lost is not None and not result.lost.passes else None

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
        """Whether a run, a verification or a rehearsal goes on, or something of one is still being removed."""
        return bool(self._running) or bool(self._closing) or self._rehearsing is not None

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
        slot: Slot,
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
            usual_gpu_others(study) * (1 + len(slot.also)),
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
        if running.dropped:
            return f"its climb is over: {running.dropped}"
        if running.lost:
            return "ended with the supervisor"
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
        """Whether a verification is done again: what it measures is on the disk, and who was in its way may be gone.

        As often as its machine is lost; once where that may be the experiment's own doing, where it ran out of memory,
        or came to its deadline because others had the machine. What runs out twice is too large to be measured here.
        """
        key, study, lost = (job.experiment, job.run), self._recorder.study, result.lost
        starved = ends.starved_verification(study, study.experiments[job.experiment], result)
        if lost is None or not lost.believed:
            if (result.outcome != Outcome.OUT_OF_MEMORY and not starved and lost is None) or key in self._short:
                self._short.discard(key)
                return False
            self._short.add(key)
        what = f"came to its deadline, because {ends.STARVED}" if starved else result.reason
        what = what if lost is None else f"was lost: {lost.reason}"
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
