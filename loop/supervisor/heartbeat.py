"""The heartbeat: every few seconds the gauges are read, and what may have changed around the loop is looked at.

The reading is what a person sees of the machine, and its arrival the sign that the supervisor is alive.
"""

import asyncio
import time
from pathlib import Path

from loop.journal.recorder import Recorder
from loop.machine.gauges import Gauges
from loop.pipeline.dispatcher import Dispatcher
from loop.pipeline.pool import ResearcherPool
from loop.pipeline.quarantine import CannotGoOn
from loop.policy import limits
from loop.runs.local.orphans import reap_strangers
from loop.study import events as e
from loop.workspace import Workspace

HEARTBEAT_BUSY, HEARTBEAT_IDLE = 2.0, 5.0
"""Seconds between two readings of the gauges with and without a run under way: 300 bytes each, 13 MB a day at most."""

DISK_INTERVAL = 30.0
"""Seconds between two walks through `.looptop/`; one takes about 1 ms per 100 files."""


class LimitWatch:
    """Says once that a limit is reached; from then on nothing new starts."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.disk_used: int | None = None
        """Bytes in `.looptop/`; None where nobody has to know."""

    def reached(self) -> bool:
        """Whether a limit is reached."""
        study, now = self._recorder.study, self._recorder.now()
        found = limits.reached(study, now, self.disk_used) if study.limit is None else None
        if found is not None:
            self._recorder.record(e.LimitReached(limit=found[0], reason=found[1]))
        return study.limit is not None


class Heartbeat:
    """One supervisor's."""

    def __init__(
        self,
        workspace: Workspace,
        recorder: Recorder,
        gauges: Gauges,
        dispatcher: Dispatcher,
        pool: ResearcherPool,
        limit: LimitWatch,
    ) -> None:
        self._workspace, self._recorder, self._gauges = workspace, recorder, gauges
        self._dispatcher, self._pool, self._limit = dispatcher, pool, limit
        self._journal = _identity(workspace.journal)

    async def beat(self) -> None:
        """Beat for ever.

        Raises:
            CannotGoOn: the folder of the journal is gone.
        """
        walked = -DISK_INTERVAL
        while True:
            if gone := await asyncio.to_thread(self.folder_gone):
                raise CannotGoOn(gone)
            reap_strangers()
            reading = await asyncio.to_thread(self._gauges.read)
            self._pool.observe(reading)
            self._recorder.stream(self._dispatcher.observe(reading))
            study = self._recorder.study
            try:
                if study.contract.limits.disk is not None and time.monotonic() - walked > DISK_INTERVAL:
                    self._limit.disk_used = await asyncio.to_thread(self._workspace.disk_used)
                    walked = time.monotonic()
                self._recorder.disk.check()
                self._recorder.check_wal()
            except OSError:
                # The folder can go between the look at it above and these.
                if gone := self.folder_gone():
                    raise CannotGoOn(gone) from None
                raise
            self._limit.reached()
            await asyncio.sleep(HEARTBEAT_BUSY if study.running() else HEARTBEAT_IDLE)

    def folder_gone(self) -> str:
        """Why nothing that is recorded could be found again, where somebody has taken the journal's folder away."""
        if self._journal == _identity(self._workspace.journal):
            return ""
        return (
            f"{self._workspace.folder} was deleted or moved while the loop was at work; put it back and start "
            "`looptop` again (every experiment is in git too: `looptop doctor` says what is there)"
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
