"""Scratch runs: a draft, or a snippet of code against its modules, started for a moment before it is proposed.

Invariants:
- It is confined as a run of the study is, within the same limits, and reads what a run reads: no held-out text.
- It is no run: nothing of it is in the journal, and its worktree and folders are gone when it has ended.
- There is one at a time for each slot, over all processes at work here (a lock file each), and it is niced. On a GPU it
  starts only where that has room for it beside whatever is there.

It needs no supervisor: whoever has the study and an executor can make one.
"""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from loop.errors import UserError
from loop.lineage import Lineage
from loop.machine.gauges import Gauges
from loop.policy import guards
from loop.researchers.protocol import NoScratch, Scratch
from loop.runs.executor import Executor, Job, MachineFault, RunHandle
from loop.runs.output import Sample
from loop.runs.reading.withheld import is_withheld, without_metric
from loop.runs.slot import Slot
from loop.runs.spec import RunResult
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.study.queries import gpu_memory_needed
from loop.study.readings import GaugeRead
from loop.study.state import Study
from loop.workspace import Workspace

SHARE = 0.1
"""Of a run's budget, which is what a draft is given."""

STARTING = 20.0
"""Seconds until its first step line, or its end, beside that share."""

ENDING = 3.0
"""Seconds beyond its share that it gets to come to its end by itself."""

SNIPPET_S = 10.0
"""Seconds that a snippet may take."""

PATIENCE = 60.0
"""Seconds that a scratch run waits for room."""

IDLE = 0.1
"""Share of a GPU's memory in use, up to which it counts as idle."""

SNIPPET = "snippet_of_the_draft.py"
"""Where a snippet stands in the worktree, so that it imports the draft's modules."""

SEED = 0
"""No seed of the study's runs."""

POINTS = 512
"""Points of a curve that are kept while it goes on."""

STOPPED = "looptop"


class ScratchRuns:
    """One study's; see `ScratchRuns` of the researchers' protocol.

    Args:
        study: the study as it is now.
    """

    def __init__(
        self,
        workspace: Workspace,
        lineage: Lineage,
        executor: Executor,
        gauges: Gauges,
        study: Callable[[], Study],
    ) -> None:
        self._workspace, self._lineage, self._executor = workspace, lineage, executor
        self._gauges, self._study = gauges, study

    async def try_draft(self, edits: Mapping[str, str], steps: int | None = None) -> Scratch:
        study = self._study()
        contract, share = study.contract, SHARE * study.contract.budget
        await asyncio.to_thread(self._check, study, edits)
        watch = _Watch(share + ENDING, steps)
        result = await self._run(study, contract, share, STARTING + share + ENDING, _encoded(edits), watch)
        return _told(contract, result, watch, f"a scratch run has {share:.3g} s, a tenth of the budget")

    async def time_code(self, edits: Mapping[str, str], code: str) -> Scratch:
        study = self._study()
        await asyncio.to_thread(self._check, study, edits)
        if len(code) > guards.LARGEST:
            raise NoScratch(f"the snippet is larger than {guards.LARGEST // 1000} kB")
        if (problem := guards.syntax(SNIPPET, code)) is not None:
            raise NoScratch(f"the snippet does not parse: {problem}")
        contract = study.contract.model_copy(update={"run": f"python {SNIPPET}"})
        files = _encoded({**edits, SNIPPET: code if code.endswith("\n") else f"{code}\n"})
        watch = _Watch(None, None)
        result = await self._run(study, contract, SHARE * contract.budget, SNIPPET_S, files, watch)
        return _told(study.contract, result, watch, f"a snippet has {SNIPPET_S:.0f} s")

    def _check(self, study: Study, edits: Mapping[str, str]) -> None:
        """Have the guards look at a draft; one without a change may be tried. Blocks.

        Raises:
            NoScratch: it may not be run, or there is no champion whose files it could change.
        """
        champion = study.best
        if champion is None or champion.commit is None:
            raise NoScratch("there is no baseline yet that a draft could change")
        editable = study.contract.edit
        before = self._lineage.commits.files([champion.commit], editable)[champion.commit]
        changes = {path: text for path, text in edits.items() if before.get(path) != text}
        if changes and (reason := guards.refusal(study.contract, before, changes)) is not None:
            raise NoScratch(f"it cannot be tried: {reason}")

    async def _run(
        self,
        study: Study,
        contract: Contract,
        budget: float,
        longest: float,
        files: Mapping[str, bytes],
        watch: "_Watch",
    ) -> RunResult:
        commit = study.champion_commit
        # Never ended by its budget: how far it has come in it is for `watch` to say, which knows when it has begun.
        short = contract.model_copy(update={"budget": budget, "ends": "itself"})
        async with self._slot() as slot:
            job = Job(
                experiment=0,
                run=slot.index,
                kind="scratch",
                commit=commit,
                base=study.base,
                contract=short,
                seed=SEED,
                deadline=longest,
                instead=files,
            )
            going = asyncio.create_task(self._through(job, slot, watch))
            try:
                return await asyncio.shield(going)
            except asyncio.CancelledError:
                watch.stop()
                await asyncio.wait([going])
                raise
            except (MachineFault, UserError, OSError) as fault:
                raise NoScratch(f"it could not be started: {fault}") from fault

    async def _through(self, job: Job, slot: Slot, watch: "_Watch") -> RunResult:
        """From its worktree to the removal of it."""
        folder = self._workspace.scratch_folder(slot.index)
        await asyncio.to_thread(self._lineage.trees.remove, job.name)  # of a process that was killed
        try:
            handle = await self._executor.start(job, slot, watch)
            watch.started(handle)
            try:
                return await handle.wait()
            finally:
                await handle.close()
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    # --- room --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[Slot]:
        """A slot that nobody else makes a scratch run in, and whose GPU has room for one.

        Raises:
            NoScratch: there is none within `PATIENCE`.
        """
        until = time.monotonic() + PATIENCE
        while True:
            study = self._study()
            busy = {slot for _, run in study.running() for slot in (run.slot, *run.also)}
            busy.update(*study.reserved.sets)
            slots = await asyncio.to_thread(self._with_room, gpu_memory_needed(study))
            for slot in sorted(slots, key=lambda slot: slot.index in busy):
                if (lock := _take(self._workspace.scratch_lock(slot.index))) is not None:
                    try:
                        yield slot
                    finally:
                        os.close(lock)
                    return
            if time.monotonic() > until:
                why = "other scratch runs go on" if slots else "no GPU has room for it beside its run"
                raise NoScratch(f"there was no room for a scratch run in {PATIENCE:.0f} s, since {why}; go on without")
            await asyncio.sleep(0.5)

    def _with_room(self, need: int | None) -> list[Slot]:
        """The slots that can take one, those with the most room first. Blocks."""
        reading = self._gauges.read()
        room = {slot.index: _room(slot, reading, need) for slot in self._executor.slots()}
        slots = [slot for slot in self._executor.slots() if room[slot.index] > 0]
        return sorted(slots, key=lambda slot: -room[slot.index])


class _Watch:
    """Follows a scratch run, and ends it when it has had its share.

    Args:
        share: seconds from its first step line; None: it may take as long as it takes.
        steps: steps after which it ends; None: as many as it comes to.
    """

    def __init__(self, share: float | None, steps: int | None) -> None:
        self.points: list[Sample] = []
        self.enough = ""
        """Why it was ended, where this ended it."""
        self._share, self._steps = share, steps
        self._every = 1
        self._heard = 0
        self._handle: RunHandle | None = None
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None

    def started(self, handle: RunHandle) -> None:
        self._handle = handle
        if self._stopped:
            handle.stop(STOPPED)

    def stop(self, enough: str = "") -> None:
        self.enough, self._stopped = self.enough or enough, True
        if self._timer is not None:
            self._timer.cancel()
        if self._handle is not None:
            self._handle.stop(STOPPED)

    def sampled(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if sample.step is not None and self._timer is None and self._share is not None:
                self._timer = asyncio.get_running_loop().call_later(self._share, self.stop, "its time was up")
            if self._heard % self._every == 0:
                self.points.append(sample)
            self._heard += 1
            if len(self.points) > POINTS:
                self.points, self._every = self.points[::2], 2 * self._every
            if self._steps is not None and sample.step is not None and sample.step >= self._steps:
                self.stop(f"it had made its {self._steps} steps")


def _told(contract: Contract, result: RunResult, watch: _Watch, bound: str) -> Scratch:
    """What a researcher hears of it."""
    seconds = f"{result.seconds:.1f} s"
    failed = False
    if watch.enough or result.outcome == Outcome.TIMED_OUT:
        ended = f"ended after {seconds}, when {watch.enough or 'its time was up'} ({bound}); until then nothing failed"
    elif result.outcome.has_number:
        ended = f"came to its end by itself after {seconds}"
    else:
        ended = f"failed after {seconds}: {without_metric(result.reason or result.outcome.said, contract)}"
        failed = True
    return Scratch(
        ended=ended,
        failed=failed,
        seconds=result.seconds,
        per_step=_per_step(watch.points),
        points=[
            (point.step, {name: value for name, value in point.values.items() if not is_withheld(name, contract)})
            for point in watch.points
        ],
        memory=result.peak_memory,
        gpu_memory=result.peak_gpu_memory,
        output=without_metric(result.tail, contract),
    )


def _per_step(points: Sequence[Sample]) -> float | None:
    """Seconds per step, over the later half of what was heard: the first steps may compile."""
    stepped = [(point.at, point.step) for point in points if point.step is not None]
    later = stepped[len(stepped) // 2 :] if len(stepped) > 3 else stepped
    if len(later) < 2 or (steps := later[-1][1] - later[0][1]) <= 0:
        return None
    return (later[-1][0] - later[0][0]) / steps


def _room(slot: Slot, reading: GaugeRead, need: int | None) -> float:
    """Room for a scratch run in a slot, in bytes where it has GPUs; 0 or less where there is none.

    Args:
        need: bytes of GPU memory that a run takes; where nobody knows that, only an idle GPU will do.
    """
    if not slot.gpus:
        return 1.0
    gpus = [gpu for gpu in reading.gpus if gpu.index in slot.gpus]
    # A GPU without memory of its own does not tell: it has the machine's.
    used = sum(reading.ram_used if gpu.memory_used is None else gpu.memory_used for gpu in gpus)
    total = sum(reading.ram_total if gpu.memory_total is None else gpu.memory_total for gpu in gpus)
    wanted = (1 - IDLE) * total if need is None else need * (1 + IDLE)
    return total - used - wanted


def _take(path: Path) -> int | None:
    """Take a lock without waiting; the descriptor that holds it, None where somebody has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode("utf-8", "replace") for path, text in files.items()}
