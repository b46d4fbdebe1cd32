"""A run or a verification while it goes on: what it prints is recorded, and watched for early stops."""

from collections.abc import Sequence
from dataclasses import replace

from loop.journal.recorder import Recorder
from loop.policy import early_stop
from loop.runs.executor import Job, RunHandle
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.curves import CurveReader
from loop.study.outcomes import Outcome


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
            body = e.StepSampled(step=sample.step, progress=sample.progress, values=sample.values)
            self._recorder.stream(body, self.job.experiment, self.job.run)
            self._take(sample)

    def recalled(self, samples: Sequence[Sample]) -> None:
        """What it printed under an earlier supervisor, which has recorded it."""
        for sample in samples:
            self._take(sample)

    def _take(self, sample: Sample) -> None:
        if sample.step is not None:
            self.steps = (sample.at if self.steps is None else self.steps[0], sample.at)
            self._first = sample.step if self._first is None else self._first
            self.stepped = sample.step - self._first
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
