"""The first minute of a study's first run: what it seems to hang on is told while it hangs, and not at its deadline.

A program that waits for a server that it cannot reach may do so for as long as it is given. Its last words are read
from its log; nothing is ended for them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loop.errors import UserError
from loop.journal.recorder import Recorder
from loop.pipeline.advice import Advice
from loop.runs.executor import Job
from loop.runs.log import read_log_tail
from loop.study import events as e
from loop.workspace import Workspace

LOOKS = (4.0, 4.0, 8.0, 16.0, 28.0)
"""Seconds before each look. A run that has said nothing new between two of them may hang."""

TAIL_BYTES = 8000


@asynccontextmanager
async def followed(job: Job, workspace: Workspace, recorder: Recorder, advice: Advice) -> AsyncIterator[None]:
    """Look after a run meanwhile, where it is a study's first."""
    if (job.experiment, job.run) != (0, 1):
        yield
        return
    task = asyncio.create_task(_follow(job, workspace, recorder, advice))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _follow(job: Job, workspace: Workspace, recorder: Recorder, advice: Advice) -> None:
    folder, before = workspace.run_folder(job.experiment, job.run), ""
    for wait in LOOKS:
        await asyncio.sleep(wait)
        tail = (await asyncio.to_thread(read_log_tail, folder, TAIL_BYTES)).text
        if tail and tail == before:
            try:
                mend = await asyncio.to_thread(advice.on, tail, job.contract, job.commit)
            except UserError:
                return  # git's own trouble is told elsewhere
            if mend:
                said = f"run {job.run_name} has said nothing for {wait:.0f} s, and before that: {mend}"
                recorder.record(e.Fault(where="rehearsal", message=said))
                return
        before = tail
