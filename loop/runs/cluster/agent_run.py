"""A run on a node, as its agent keeps it: what it was asked for, all that it has said, and how it ended."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from loop.runs.cluster.wire import Ended, Heard
from loop.runs.executor import Job, RunHandle

KEPT = 8 << 20
"""Bytes of a run's output that are kept here at most; of more, the oldest goes."""

MERGED = 64 << 10
"""Bytes that pieces of output are put together to, where they came within `MERGED_S` of each other."""

MERGED_S = 0.2


@dataclass
class AgentRun:
    """One run, from when it is asked for."""

    job: Job
    slots: Sequence[int]
    gpus: int = 0
    """As in `Going`."""
    handle: RunHandle | None = None
    began: float = field(default_factory=time.monotonic)
    heard: int = 0
    """Bytes of its output so far."""
    waiting: int = 0
    """Of those, bytes that are to be fetched."""
    past: deque[Heard] = field(default_factory=deque)
    """The output itself, fetched or not."""
    stop: str = ""
    """Who has ended it; empty where nobody has."""
    left: int = 0
    """See `Ended`."""
    ended: Ended | None = None
    unclaimed: bool = False
    """An earlier supervisor has started it, and nothing is said of it until the present one adopts it."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, token: str, data: bytes) -> Heard:
        """Keep the next piece of the output, for whoever comes later."""
        piece = Heard(token, self.heard, data, time.monotonic())
        self.heard += len(data)
        last = self.past[-1] if self.past else None
        if last is not None and len(last.data) < MERGED and piece.at - last.at < MERGED_S:
            self.past[-1] = Heard(token, last.offset, last.data + data, last.at)
        else:
            self.past.append(piece)
        while self.heard - self.past[0].offset > KEPT and len(self.past) > 1:
            self.past.popleft()
        return piece
