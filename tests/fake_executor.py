"""An executor that executes nothing: every run ends as the test says, in this process and at once, or when it likes."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from loop.lineage import Lineage
from loop.runs.executor import Job, Listen, Report, RunListener
from loop.runs.output import Sample
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult
from loop.study.outcomes import Outcome
from loop.study.readings import GaugeRead, RunGauge


def ended(outcome: str = "finished", reason: str = "", lost: Lost | None = None, **metrics: float) -> RunResult:
    """How a run ended that printed `metrics`."""
    return RunResult(Outcome(outcome), reason, 0, None, 1.0, 1.0, 0, None, 0, metrics, "", lost=lost)


async def _crashed() -> RunResult:
    return ended("crashed", "exit code 1")


class FakeRun:
    pid, pid_started = 0, 0.0

    def __init__(self, job: Job, answer: Awaitable[RunResult], slot: Slot) -> None:
        self.job, self.slot, self.ref, self.closed = job, slot, f"fake:{job.name}", False
        self._answer = asyncio.ensure_future(answer)
        self._stopped: asyncio.Future[RunResult] = asyncio.get_running_loop().create_future()

    async def wait(self) -> RunResult:
        done, _ = await asyncio.wait((self._answer, self._stopped), return_when=asyncio.FIRST_COMPLETED)
        self._answer.cancel()
        return (self._stopped if self._stopped in done else self._answer).result()

    def stop(self, by: str) -> None:
        if not self._stopped.done():
            self._stopped.set_result(ended("killed", f"killed by {by}"))

    def gauge(self) -> RunGauge:
        return RunGauge(experiment=self.job.experiment, run=self.job.run, memory=7)

    async def close(self) -> None:
        self.closed = True


class FakeExecutor:
    """Starts `answer(job, slot)` for every job; an error in `refusals` is raised by a start instead, in order."""

    name, notes = "fake", ()

    def __init__(self, answer: Callable[[Job, Slot], Awaitable[RunResult]], slots: int = 1) -> None:
        self.answer, self.jobs, self.runs = answer, list[tuple[Job, Slot]](), list[FakeRun]()
        self.refusals: list[Exception] = []
        self.going: dict[str, tuple[Job, Slot]] = {}
        """Runs that an earlier supervisor has left, by their names; they end as any other."""
        self.recalled: list[Sample] = []
        """What each of them has printed before."""
        self._slots = [Slot(number, f"fake {number}") for number in range(slots)]

    def slots(self) -> Sequence[Slot]:
        return self._slots

    async def ready(self, slot: Slot, need: Callable[[], int | None], report: Report) -> None:
        pass

    async def start(self, job: Job, slot: Slot, listener: RunListener) -> FakeRun:
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        if job.kind == "try":  # its files are broken
            return FakeRun(job, _crashed(), slot)
        self.jobs.append((job, slot))
        self.runs.append(FakeRun(job, self.answer(job, slot), slot))
        return self.runs[-1]

    async def adopt(self, refs: Collection[str], listen: Listen) -> Sequence[FakeRun]:
        """Those of `going` that are asked for."""
        found = []
        for ref, (job, slot) in self.going.items():
            if ref in refs and (listener := listen(job, slot)) is not None:
                listener.recalled(self.recalled)
                found.append(FakeRun(job, self.answer(job, slot), slot))
        return found

    async def sweep(self) -> Sequence[str]:
        return ()

    def observe(self, reading: GaugeRead) -> GaugeRead:
        return reading

    async def close(self) -> None:
        pass


def scored(root: Path, loss: Callable[[str, int], float]) -> FakeExecutor:
    """Runs that end at once with `loss(script, seed)`, where the script is their commit's `run.sh`."""

    async def answer(job: Job, slot: Slot) -> RunResult:
        script = (Lineage(root, "test").commits.read(job.commit, "run.sh") or b"").decode()
        return ended(loss=loss(script, job.seed))

    return FakeExecutor(answer)
