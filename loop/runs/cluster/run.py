"""A run on a node, as the supervisor sees it: its output is read and kept here, with the node's own clock beside it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from loop.errors import UserError
from loop.runs.cluster.wire import Ended, Event, Heard, Holds, NodeGone
from loop.runs.executor import Job, NodeFault, RunListener
from loop.runs.log import CappedLog
from loop.runs.output import SAMPLE_EVERY_S, OutputReader, Sample
from loop.runs.reading.wanted import wanted_by
from loop.runs.slot import Slot
from loop.runs.spec import Lost, RunResult
from loop.study.outcomes import Outcome
from loop.study.readings import RunGauge

log = logging.getLogger(__name__)


class Place(Protocol):
    """The node that a run is on."""

    name: str

    async def ask(self, method: str, *arguments: object) -> object:
        """See `Agent.call`. Raises: UserError; `NodeGone` once the node is given up."""
        ...

    def forget(self, run: "ClusterRun") -> None:
        """The run is over, and nothing is to be heard of it any more."""


class ClusterRun:
    """See `RunHandle`.

    Args:
        token: names it on its node.
        folder: where its log goes, on this machine.
        bring: brings home what it has written, once it has ended.
        recall: takes what it has printed up to where its log ends, where an earlier supervisor has started it.
        seconds: since it was started.
    """

    pid, pid_started = 0, 0.0

    def __init__(
        self,
        token: str,
        job: Job,
        slot: Slot,
        node: Place,
        folder: Path,
        listener: RunListener,
        bring: Callable[["ClusterRun", int], Awaitable[None]],
        recall: Callable[[Sequence[Sample]], None] | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.token, self.job, self.slot, self.node = token, job, slot, node
        self.ref = f"node:{node.name}/{token}"
        self._listener, self._bring = listener, bring
        self._recall = recall or listener.sampled
        self._wanted = wanted_by(job.contract, job.kind)
        self._reader, self._log = OutputReader(self._wanted), CappedLog(folder, go_on=recall is not None)
        self._known = self._log.size
        """Bytes of its output that an earlier supervisor had heard."""
        self._heard = 0
        self._whole = True
        """No piece of the output has been left out."""
        self._clock: float | None = None
        """The node's clock less ours, about; None before anything was heard."""
        self._memory, self._gpu_memory = 0, None if not slot.gpus else 0
        self._stopped_by = ""
        self._flush: asyncio.TimerHandle | None = None
        self._began = time.monotonic() - seconds
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    async def wait(self) -> RunResult:
        ended = await asyncio.shield(self._ended)
        if self._flush is not None:
            self._flush.cancel()
        self._hand_on(self._reader.finish(self._now()))
        self._log.close()
        if ended.result is None:
            raise NodeFault(UserError(f"{self.node.name}: {ended.fault}"))
        result = self._read(ended.result, ended.heard)
        try:
            if ended.left:
                await self._bring(self, ended.left)
        except NodeGone as error:
            return replace(result, lost=Lost(str(error)))
        return result

    def stop(self, by: str) -> None:
        if not self._stopped_by and not self._ended.done():
            self._stopped_by = by
            self._stopping = asyncio.create_task(self._ask_to_stop())

    def gauge(self) -> RunGauge:
        of, number = self.job.experiment, self.job.run
        return RunGauge(experiment=of, run=number, memory=self._memory, gpu_memory=self._gpu_memory)

    async def close(self) -> None:
        self.node.forget(self)
        try:
            await self.node.ask("close", self.token)
        except UserError:
            pass  # the node is gone, or it removes what is left when it is opened again

    def take(self, event: Event) -> None:
        """Take what its node says of it."""
        match event:
            case Heard():
                self._take(event)
            case Holds():
                self._memory, self._gpu_memory = event.memory, event.gpu_memory
            case Ended():
                if not self._ended.done():
                    self._ended.set_result(event)

    def lose(self, reason: str) -> None:
        """It is lost with its node, and is run again; or is killed, where somebody has asked for that."""
        if self._ended.done():
            return
        seconds = time.monotonic() - self._began
        outcome, lost = Outcome.CRASHED, Lost(reason)
        if self._stopped_by:
            outcome, reason = Outcome.KILLED, f"killed by {self._stopped_by}, and {reason}"
        result = RunResult(outcome, reason, None, None, seconds, 0.0, self._memory, None, 0, {}, self._reader.tail())
        if outcome == Outcome.CRASHED:
            result = replace(result, lost=lost)
        self._ended.set_result(Ended(self.token, result, heard=self._heard))

    async def _ask_to_stop(self) -> None:
        try:
            await self.node.ask("stop", self.token, self._stopped_by)
        except UserError as error:
            log.warning("run %s on %s could not be told to end: %s", self.job.name, self.node.name, error)

    def _take(self, piece: Heard) -> None:
        clock = piece.at - time.monotonic()
        self._clock = clock if self._clock is None else max(clock, self._clock)  # an old piece has been on its way long
        data, missing = piece.data, piece.offset - self._heard
        if missing < 0:  # said before
            data = data[-missing:]
        elif missing:
            self._whole = False
            data = b"\n[looptop: %d bytes left out here]\n" % missing + data
        if not data:
            return
        end = piece.offset + len(piece.data)
        known = max(0, min(len(data), self._known - end + len(data)))
        self._log.write(data[known:])
        for part, heard in ((data[:known], end - len(data) + known), (data[known:], end)):
            self._heard = heard
            if part:
                self._hand_on(self._reader.feed(part, piece.at))

    def _hand_on(self, samples: list[Sample]) -> None:
        if samples:
            (self._listener.sampled if self._heard > self._known else self._recall)(samples)
        if self._reader.waiting and self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(SAMPLE_EVERY_S, self._flush_samples)

    def _flush_samples(self) -> None:
        self._flush = None
        self._hand_on(self._reader.feed(b"", self._now()))

    def _now(self) -> float:
        """The node's clock."""
        return time.monotonic() + (self._clock or 0.0)

    def _read(self, result: RunResult, heard: int) -> RunResult:
        """The result with what was read here; where a file has the metric, or output was left out, the node's."""
        if self._wanted.source.file is not None or not self._whole or heard != self._heard:
            return result
        found = self._reader.answers()
        return replace(
            result,
            metrics=found.metrics,
            texts=found.texts,
            printed=found.printed,
            missing=found.missing and (result.missing or found.missing),
            tail=self._reader.tail(),
        )
