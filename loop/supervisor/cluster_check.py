"""What `looptop cluster check` finds out: each node of a cluster, as a study that is started now would find it."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from loop.config.program import Program
from loop.errors import UserError
from loop.policy.mentions import mentions, words
from loop.runs.cluster import probe
from loop.runs.cluster.fitness import remarks, unfit
from loop.runs.cluster.ray_link import RayLink
from loop.runs.cluster.wire import Facts, Link, Needs, NodeInfo, Opening
from loop.sandbox.backend import Wanted, on_nodes
from loop.sandbox.project_python import choose
from loop.study.contract import Contract
from loop.supervisor.cluster import AGENT, ENVIRONMENTS
from loop.words import listed, size


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
        return await check_nodes(link, sandbox, needs(root, program))
    finally:
        await link.close()
        os.close(log)


async def check_nodes(link: Link, sandbox: Wanted, needed: Needs) -> list[NodeCheck]:
    """Look at the nodes at the end of a link."""
    opening = Opening("check", "", "", Path("/"), sandbox=on_nodes(sandbox).kind)
    return list(await asyncio.gather(*(_look(link, node, opening, needed) for node in await link.nodes())))


def needs(root: Path | None, program: Program | None) -> Needs:
    """What the program needs on every node, as it has it at home: data, an environment, and modules."""
    if root is None or program is None:
        return Needs()
    home = os.path.expanduser("~")  # noqa: PTH111 - as text, as the program has it
    declared = [path.replace("~", home, 1) if path.startswith("~/") else path for path in program.contract.read]
    data = [path if path.startswith("/") else str(root / path) for path in declared]
    own = Path(choose(root, os.environ, program.contract).environment)
    python = str(own / "bin" / "python") if own.parent == root and own.name in ENVIRONMENTS else ""
    return Needs(tuple(data), python, _modules(root, program.contract))


def _modules(root: Path, contract: Contract) -> tuple[str, ...]:
    """What no run can start without, of what is neither Python's nor the project's."""
    named = [word.text for word in words(contract.run) if word.text.endswith(".py")]
    found: dict[str, None] = {}
    for path in dict.fromkeys((*contract.edit, *named)):
        try:
            text = (root / path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        beside = (root, root / "src", (root / path).parent)
        for one in mentions(text).imports:
            name = one.name.partition(".")[0]
            own = any((folder / name).exists() or (folder / f"{name}.py").exists() for folder in beside)
            if one.certain and not one.level and not own and name not in sys.stdlib_module_names:
                found[name] = None
    return tuple(found)


async def _look(link: Link, node: NodeInfo, opening: Opening, needed: Needs) -> NodeCheck:
    asked = time.time()
    try:
        facts = await link.examine(node, needed)
    except UserError as error:
        return NodeCheck(node.name, False, f"it cannot be looked at: {error}")
    why, told = unfit(facts, node, opening, probe.code()), remarks(facts, asked, time.time())
    if facts.lacking:
        told += [f"{path} is not there, and program.md reads it; runs find it where it lies as at home"
                 for path in facts.lacking]  # fmt: skip
    if needed.python not in ("", facts.runs_in):
        told.append(
            f"{needed.python} is not there, so `python` is {facts.runs_in}: have the environment at the same place"
        )
    if facts.modules_lacking:
        told.append(
            f"{facts.runs_in} has no {listed(facts.modules_lacking)}, which the program imports; install it there"
        )
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
