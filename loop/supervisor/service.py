"""Starts a supervisor: in this process, or in the background, detached from the terminal."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loop.config.overrides import Overrides
from loop.journal import Journal, exists
from loop.lineage import find_root
from loop.machine import studies
from loop.machine.gauges import MachineGauges, cores
from loop.machine.systemd import lingers, outside_the_session
from loop.runs.executor import Executor
from loop.runs.local.slots import divide, refuse_rungs
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.supervisor.build import build
from loop.supervisor.startup import CannotStart, Prepared, preflight
from loop.supervisor.supervisor import End, Supervisor
from loop.workspace import AlreadySupervised, Workspace, supervise, supervisor_alive

LONGEST_CONNECTING = 240.0
"""Seconds to wait until one that has to reach a cluster has looked at its nodes; it takes ten."""

LONGEST_START = 60.0
"""Seconds to wait for a background supervisor to take the workspace; it takes about one."""


def nothing_to_resume(root: Path) -> str | None:
    """Why the machine should not resume the loop at `root` by itself; None where it should.

    It should where the loop was cut off: it died, or was told to end (SIGTERM, as at a shutdown). A loop that a person
    stopped, that reached a limit or that failed waits for a person.
    """
    workspace = Workspace(root)
    if not workspace.journal.exists():
        return "there is no study here yet"
    with Journal(workspace.journal) as journal:
        study = fold(journal.read(kinds=FOLDED))
    if study.supervisor is None:
        return "the study here was never begun"
    if study.stopping != "no":
        return "a person has stopped it"
    if study.supervisor.stopped_at is None or study.supervisor.signal == "SIGTERM":
        return None
    return f"it has ended: {study.supervisor.reason}"


def work(start: Path, flags: Overrides, beside: Callable[[Path], Coroutine[Any, Any, None]] | None = None) -> End:
    """Be the supervisor of the workspace around `start` until the loop ends; returns why it ended.

    Args:
        beside: something to do at the same time, such as printing what happens; it gets the journal's path and is
            given half a second to finish after the end.

    Raises:
        UserError: it could not begin.
    """
    workspace = Workspace(find_root(start))
    begun = exists(workspace.journal)
    prepared = preflight(start, flags)
    gauges = MachineGauges(workspace.root)
    if not prepared.cluster:  # refused before anybody thinks that it has begun
        division = divide(gauges.devices(), cores(), prepared.slots, os.environ)
        refuse_rungs(prepared.options.applied(prepared.program.contract).scales, division.slots)
    with supervise(workspace.root), ExitStack() as held:
        if not begun and exists(workspace.journal):
            prepared = preflight(start, flags)  # another was here between our look and our lock, and has begun a study
        journal = held.enter_context(Journal(workspace.journal, create=True))
        studies.note(workspace.root)

        async def both() -> End:
            supervisor = Supervisor(build(prepared, journal, gauges, await _elsewhere(prepared, journal)))
            other = asyncio.create_task(beside(workspace.journal)) if beside is not None else None
            end = await supervisor.run()
            if other is not None:
                await asyncio.wait([other], timeout=0.5)
                other.cancel()
            return end

        return asyncio.run(both())


async def _elsewhere(prepared: Prepared, journal: Journal) -> Executor | None:
    """Where runs happen, if that is not this machine.

    Raises:
        UserError: there is no cluster, or it has no node for us.
    """
    if not prepared.cluster:
        return None
    from loop.supervisor import cluster

    base = fold(journal.read(kinds={"study_started"})).base or prepared.lineage.checkout.head()
    return await cluster.connect(prepared, base)


def start_in_background(start: Path, flags: Overrides, asked: tuple[e.Body, int | None] | None = None) -> int:
    """Start a supervisor that outlives this terminal, and return its process id once it holds the workspace.

    Args:
        asked: what it is started for, a request and its experiment; recorded only where nothing is in its way.

    Raises:
        AlreadySupervised: somebody else was quicker.
        UserError: it cannot begin; nothing was started then.
    """
    prepared = preflight(start, flags)
    workspace = prepared.workspace
    if asked is not None:
        with Journal(workspace.journal) as journal:
            journal.append(*asked)
    with workspace.supervisor_log.open("ab") as log:
        began = log.tell()
        arguments = [str(workspace.root), flags.model_dump_json(exclude_none=True)]
        process = subprocess.Popen(
            [*_outside(), sys.executable, "-P", "-m", "loop", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=workspace.root,
            start_new_session=True,
        )
    started = time.monotonic()
    until = started + (LONGEST_CONNECTING if prepared.cluster else LONGEST_START)
    while time.monotonic() < until:
        if supervisor_alive(workspace.root) == process.pid and (not prepared.cluster or _began(workspace, process.pid)):
            return process.pid
        if process.poll() is not None:
            break
        time.sleep(0.02)
    if process.poll() is None:
        raise CannotStart(
            f"the supervisor (process {process.pid}) is not up after {until - started:.0f} s; this machine may be very "
            "busy: `looptop status` says when it is at work"
        )
    if (other := supervisor_alive(workspace.root)) is not None:
        raise AlreadySupervised(other)
    said = _said(workspace, began)
    raise CannotStart(said or f"the supervisor did not start; {workspace.supervisor_log} may say why")


def _began(workspace: Workspace, pid: int) -> bool:
    """Whether that supervisor is at work: one that has to reach a cluster first may yet fail to."""
    if not exists(workspace.journal):
        return False
    with Journal(workspace.journal) as journal:
        known = fold(journal.read(kinds={"supervisor_started"})).supervisor
    return known is not None and known.pid == pid


def _outside() -> list[str]:
    try:
        cgroup = Path("/proc/self/cgroup").read_text()
    except OSError:
        return []
    return outside_the_session(cgroup, lingers())


def _said(workspace: Workspace, began: int) -> str:
    """The last line that a supervisor which did not start has left."""
    with workspace.supervisor_log.open("rb") as log:
        log.seek(began)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
