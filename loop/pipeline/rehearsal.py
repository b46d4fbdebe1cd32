"""The rehearsal before runs count: whether a run uses the experiment's own edit, tried once for each setup.

A short start with the editable files broken on purpose must not come to its metric (`policy/canary`). It happens in the
slot that takes the next experiment, is no experiment and no run, and is on record so that a restart does not repeat it.
It costs as long as the program takes to fail: a tenth of a second where the broken file is the script itself.
"""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from loop.journal.recorder import Recorder
from loop.pipeline.dispatcher import Dispatcher
from loop.policy import canary
from loop.policy.canary import Seen
from loop.runs.executor import Job
from loop.runs.slot import Slot
from loop.runs.spec import Tried
from loop.sandbox.project_python import choose
from loop.sandbox.setup_digest import setup_digest
from loop.study import events as e
from loop.study.contract import Contract
from loop.workspace import Workspace

LONGEST = 30.0
"""Seconds that one start may take, and the starts with one broken file each together."""

BUDGET = 1.0
"""Seconds of training that it is given: a program whose file is not used should come to its metric soon."""

SEED = 0
"""No seed of the study's runs."""


TryOut = Callable[[Job], Awaitable[Tried | None]]
"""Makes a short start; None where it was cut off."""


def short_start(contract: Contract, commit: str, instead: Mapping[str, bytes], longest: float = LONGEST) -> Job:
    """A start of the program of `commit` that is no run.

    Args:
        instead: what files hold in the place of what the commit has.
        longest: seconds until it is ended.
    """
    # Never ended by its budget: what had no time to fail has not failed.
    short = {"budget": min(BUDGET, contract.budget), "ends": "itself"}
    return Job(
        experiment=0,
        run=0,
        kind="try",
        commit=commit,
        base=commit,
        contract=contract.model_copy(update=short),
        seed=SEED,
        deadline=min(longest, contract.deadline),
        instead=instead,
    )


async def prove(start: Job, try_out: TryOut) -> canary.Verdict | None:
    """Break the editable files of a start, all at once and then one at a time, and see what that proves.

    Returns:
        None where a start was cut off, or failed by the machine's doing: it proves nothing and is to be repeated.
    """
    contract = start.contract
    together = await _broken(start, contract.edit, try_out, start.deadline)
    if together is None:
        return None
    alone: list[Seen] = []
    several = 1 < len(contract.edit) <= canary.MOST_ALONE
    if several and canary.judge(together, contract.run, contract.metric).proof == "proven":
        until = time.monotonic() + start.deadline
        for path in contract.edit:
            if (left := until - time.monotonic()) <= 0:
                break
            seen = await _broken(start, (path,), try_out, left)
            if seen is None:
                return None
            alone.append(seen)
    return canary.judge_all(together, alone, contract.run, contract.metric)


def came_to(contract: Contract, tried: Tried) -> str:
    """What a start has come to of what a run is for: its metric, or its end, where a verification measures that."""
    value = tried.metric(contract.metric)
    if value is not None:
        return f"{contract.metric} {value:g}"
    return "its end" if contract.verify is not None and tried.result.outcome.has_number else ""


async def _broken(start: Job, files: Sequence[str], try_out: TryOut, longest: float) -> Seen | None:
    instead = {**start.instead, **dict.fromkeys(files, canary.BROKEN)}
    tried = await try_out(replace(start, instead=instead, deadline=longest))
    if tried is None or tried.result.machine:
        return None
    result = tried.result
    seen = Seen(
        broken=files,
        came_to=came_to(start.contract, tried),
        metric=tried.metric(start.contract.metric),
        ended=result.outcome.has_number or result.outcome.is_broken,
        seconds=result.seconds,
        reason=result.reason,
        opened=result.opened,
    )
    if not seen.doubtful:
        return seen
    whole = await try_out(start)
    return None if whole is None or whole.result.machine else replace(seen, whole=whole.metric(start.contract.metric))


class Rehearsal:
    """One study's.

    Args:
        sandbox: the kind in force, since what a run finds in its place may hang on it.
    """

    def __init__(self, workspace: Workspace, recorder: Recorder, dispatcher: Dispatcher, sandbox: str) -> None:
        self._workspace, self._recorder, self._dispatcher = workspace, recorder, dispatcher
        self._sandbox = sandbox
        self._one_at_a_time = asyncio.Lock()
        self._unopened: tuple[str, ...] = ()
        """Files of which was told that the baseline has not opened them."""

    async def refusal(self, slot: Slot) -> str | None:
        """Rehearse in `slot`, unless that was done with what is in force now.

        Returns:
            Why no run may count, in a sentence; None where runs may go on, or the loop ends meanwhile. What was cut
            off, or failed by the machine's doing, is rehearsed before the next run.

        Raises:
            MachineFault: the machine did not do its part.
        """
        async with self._one_at_a_time:
            study = self._recorder.study
            contract = study.contract
            if (unopened := self._dispatcher.unopened) and unopened != self._unopened:
                self._unopened = unopened
                verdict = canary.never_opened(unopened, contract.edit, contract.run, contract.metric)
                return self._record(verdict, study.rehearsed, 0.0)
            reference = study.baseline if study.best is None else study.best
            setup = await asyncio.to_thread(self._setup, contract, study.base)
            if reference is None or reference.commit is None or study.rehearsed == setup:
                return None
            began = time.monotonic()
            start = short_start(contract, reference.commit, {})
            proven = await prove(start, partial(self._try_out, slot))
            return None if proven is None else self._record(proven, setup, time.monotonic() - began)

    def _record(self, verdict: canary.Verdict, setup: str, seconds: float) -> str | None:
        said = verdict.said
        found = e.Rehearsed(proof=verdict.proof, said=said, files=verdict.files, setup=setup, seconds=seconds)
        self._recorder.record(found)
        return said if verdict.proof == "unused" else None

    async def _try_out(self, slot: Slot, job: Job) -> Tried | None:
        try:
            return await self._dispatcher.rehearse(job, slot)
        finally:
            await asyncio.to_thread(shutil.rmtree, self._workspace.rehearsal, ignore_errors=True)

    def _setup(self, contract: Contract, base: str) -> str:
        """What a rehearsal's outcome hangs on. Blocks for some milliseconds."""
        said = contract.model_dump_json(include={"edit", "run", "metric", "source", "env", "read", "network"})
        root = self._workspace.root
        parts = (said, base, self._sandbox, setup_digest(root, choose(root, os.environ, contract)))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
