"""What `looptop cluster check` finds out: each node of a cluster, as a study that is started now would find it."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loop.config.program import Program
from loop.errors import UserError
from loop.runs.cluster import probe
from loop.runs.cluster.fitness import remarks, unfit
from loop.runs.cluster.ray_link import RayLink
from loop.runs.cluster.wire import Facts, Link, NodeInfo, Opening
from loop.sandbox.backend import Wanted, on_nodes
from loop.supervisor.cluster import AGENT
from loop.words import size


@dataclass(frozen=True)
class NodeCheck:
    """One node."""

    name: str
    ready: bool
    why: str = ""
    """Why it is unfit; a sentence."""
    about: str = ""
    """What it is, in a line."""
    remarks: tuple[str, ...] = ()
    """What is to be known of it all the same; a sentence each."""
    facts: Facts | None = None
    lacking: tuple[str, ...] = field(default=())
    """Paths that the program reads and that are not there."""


async def check(
    address: str, sandbox: Wanted, root: Path | None = None, program: Program | None = None
) -> list[NodeCheck]:
    """Look at all nodes; nothing of ours stays there.

    Args:
        root: the folder of `program.md`, where there is one.

    Raises:
        UserError: the cluster cannot be reached; a sentence.
    """
    log = os.open(os.devnull, os.O_WRONLY)
    link = RayLink(address, AGENT, "check", log)
    try:
        await link.connect()
        return await check_nodes(link, sandbox, paths(root, program))
    finally:
        await link.close()
        os.close(log)


async def check_nodes(link: Link, sandbox: Wanted, needed: Sequence[str]) -> list[NodeCheck]:
    """Look at the nodes at the end of a link."""
    opening = Opening("check", "", "", Path("/"), sandbox=on_nodes(sandbox).kind)
    return list(await asyncio.gather(*(_look(link, node, opening, needed) for node in await link.nodes())))


def paths(root: Path | None, program: Program | None) -> list[str]:
    """Where on every node the data of the program has to be, as at home."""
    if root is None or program is None:
        return []
    home = os.path.expanduser("~")  # noqa: PTH111 - as text, as the program has it
    declared = [path.replace("~", home, 1) if path.startswith("~/") else path for path in program.contract.read]
    return [path if path.startswith("/") else str(root / path) for path in declared]


async def _look(link: Link, node: NodeInfo, opening: Opening, needed: Sequence[str]) -> NodeCheck:
    asked = time.time()
    try:
        facts = await link.examine(node, needed)
    except UserError as error:
        return NodeCheck(node.name, False, f"it cannot be looked at: {error}")
    why, told = unfit(facts, node, opening, probe.code()), remarks(facts, asked, time.time())
    if facts.lacking:
        told += [f"{path} is not there, and program.md reads it; runs find it where it lies as at home"
                 for path in facts.lacking]  # fmt: skip
    if facts.study:
        told.append(f"the study {facts.study} has its runs there; another one can when that has stopped")
    if node.gpus and not facts.driver:
        told.append("Ray counts GPUs there, and no NVIDIA driver is loaded")
    return NodeCheck(node.name, not why, why, _about(facts, node), tuple(told), facts, facts.lacking)


def _about(facts: Facts, node: NodeInfo) -> str:
    gpus = (
        f"{node.gpus:g} GPU{'s' if node.gpus != 1 else ''}, driver {facts.driver or 'none'}" if node.gpus else "no GPU"
    )
    known = (
        f"{node.cpus:g} CPUs",
        gpus,
        f"looptop {facts.looptop or 'none'}",
        f"Python {facts.python}",
        f"Ray {facts.ray}",
        f"torch {facts.torch or 'none'}",
        "bubblewrap" if facts.bubblewrap else "no bubblewrap",
        f"{size(facts.disk_free)} free under {facts.folder}",
    )
    return ", ".join(known)
