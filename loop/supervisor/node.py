"""The parts of a node's agent, and who gets whom: what `build` is for a supervisor.

Ray calls `serve` on the node, by its name. The node's folder for a study is a workspace of its own: a store of commits
in place of the person's checkout, worktrees and run folders. No file of it is anybody's but ours.
"""

import fcntl
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from loop.errors import UserError
from loop.harness import corpus
from loop.lineage.commits import Commits
from loop.lineage.packs import PackStore
from loop.lineage.worktrees import Worktrees
from loop.machine.disk import lacking
from loop.machine.gauges import MachineGauges
from loop.runs.cluster import probe
from loop.runs.cluster.agent import Agent
from loop.runs.cluster.wire import Opening
from loop.runs.executor import Job
from loop.runs.local.executor import LocalExecutor
from loop.sandbox import backend
from loop.sandbox.backend import NoSandbox, Sandbox
from loop.workspace import Workspace


def serve(
    opening: Opening, node: str, environ: dict[str, str] | None = None, gone: Callable[[], None] | None = None
) -> Agent:
    """Make the agent of a study on this machine. Call it in the event loop that it is to live in.

    Args:
        node: the node's name, which tells two nodes on one machine apart.
        environ: this machine's; that of its Ray, where none is given.
        gone: what becomes of this process when nobody has asked for the agent for long; it ends, where none is given.

    Raises:
        UserError: this machine cannot do what is asked of it; a sentence.
    """
    environ = probe.environment() if environ is None else environ
    place = probe.folder(environ) / f"{opening.study}-{probe.lock_of(environ, node).stem}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o700)
    except OSError as error:
        raise UserError(f"{place} cannot be made ({error.strerror}); LOOPTOP_NODE_FOLDER names another") from error
    if reason := lacking(place):
        raise UserError(reason)
    if opening.corpus and corpus.place(corpus.standard_library()).name != opening.corpus:
        raise UserError(
            f"the standard library of its Python ({sys.executable}) is another text than at home, and the study is "
            "measured with that text, so numbers would not compare; install the same Python there"
        )
    lock = _take(probe.lock_of(environ, node), opening.study)
    store = PackStore(place / "project", opening.base)
    workspace = Workspace(store.git.root / opening.prefix, opening.prefix)
    workspace.folder.mkdir(parents=True, exist_ok=True)
    _show_outside(opening, workspace)
    gauges = MachineGauges(workspace.root)
    agents: list[Agent] = []

    def heard(job: Job, data: bytes) -> None:
        agents[0].heard(job, data)

    executor = LocalExecutor(
        workspace,
        Worktrees(store.git),
        Commits(store.git).read,
        gauges,
        _sandbox(opening.sandbox, environ),
        environ,
        opening.plan,
        heard,
    )
    agents.append(
        Agent(
            executor,
            workspace,
            store.take,
            gauges,
            opening.lease,
            probe.code(),
            gone or _leave,
            lock.close,
            partial(lacking, place),
        )
    )
    return agents[0]


def _take(path: Path, study: str) -> TextIO:
    """Have the node for one study alone: two that do not know of each other would take each other's time.

    Raises:
        UserError: another study has it.
    """
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        other = file.read(200).strip().rpartition("-")[0] or "another"
        file.close()
        raise UserError(f"the study {other} has its runs there; it is free when that has stopped") from None
    file.truncate(0)
    file.write(study)
    file.flush()
    return file


def _leave() -> None:
    """End this process, which is Ray's for this agent alone."""
    sys.stdout.flush()
    os._exit(0)


def _sandbox(wanted: str, environ: dict[str, str]) -> Sandbox:
    if wanted == "off":
        return backend.choose("off")
    os.environ["PATH"] = environ.get("PATH", os.defpath)
    try:
        return backend.choose("bubblewrap")
    except NoSandbox as error:
        raise UserError(
            f"{str(error).partition(';')[0]}; runs beside Ray are confined by it or not at all, since Landlock leaves "
            "Ray's own sockets open: install it there, or start with --sandbox off"
        ) from None


def _show_outside(opening: Opening, workspace: Workspace) -> None:
    """Have what git does not have, and lies at the same place here as on the supervisor's machine, in the project too:
    the environment of the project, and the data that it declares."""
    there = opening.top / opening.prefix
    for path in opening.outside:
        source, link = there / path, workspace.root / path
        if source.exists() and not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(source))
