"""From a workspace to the nodes of a cluster: what they are told, and who connects to them."""

import hashlib
import os
import socket
from collections.abc import Collection

from loop.harness import corpus
from loop.lineage import Lineage
from loop.lineage.packs import pack
from loop.runs.cluster import probe
from loop.runs.cluster.executor import ClusterExecutor, Home
from loop.runs.cluster.ray_link import RayLink
from loop.runs.cluster.wire import Link, Opening
from loop.sandbox.project_python import uses_harness
from loop.study.contract import Contract
from loop.supervisor.startup import Prepared

AGENT = "loop.supervisor.node:serve"

ENVIRONMENTS = (".venv", "venv", "env")
"""Where a project keeps its own Python."""


def opening_of(prepared: Prepared, base: str) -> Opening:
    """What each node is told of the study.

    Args:
        base: the study's first commit.
    """
    contract = prepared.options.applied(prepared.program.contract)
    return Opening(
        study=study_name(prepared),
        base=base,
        prefix=prepared.workspace.prefix,
        top=prepared.workspace.top,
        outside=outside(contract),
        sandbox=prepared.sandbox.kind,
        plan=prepared.slots,
        corpus=text_name() if uses_harness(contract, prepared.workspace.root) else "",
        lease=prepared.settings.cluster_lease,
    )


def text_name() -> str:
    """Name of the text that our harness measures with, by the standard library that it is made of. Blocks for 20 ms."""
    return corpus.place(corpus.standard_library()).name


def study_name(prepared: Prepared) -> str:
    """By which nodes know the study: the same at every start, and no other's."""
    said = f"{socket.gethostname()}:{prepared.workspace.root}:{prepared.lineage.tag}"
    return f"{prepared.lineage.tag}-{hashlib.sha256(said.encode()).hexdigest()[:10]}"


def outside(contract: Contract) -> tuple[str, ...]:
    """Paths below the project's folder that its runs read and git does not have."""
    declared = (path for path in (*contract.read, *contract.write) if not path.startswith(("/", "~")))
    return tuple(dict.fromkeys((*declared, *ENVIRONMENTS)))


async def connect(prepared: Prepared, base: str) -> ClusterExecutor:
    """Connect to the cluster that `prepared` names, and look at its nodes.

    Raises:
        UserError: Ray is not installed, the cluster cannot be reached, or none of its nodes can run anything.
    """
    log_file = os.open(prepared.workspace.folder / "ray.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        link = RayLink(prepared.cluster, AGENT, study_name(prepared), log_file)
        await link.connect()
    finally:
        os.close(log_file)
    return await join(prepared, base, link)


async def join(prepared: Prepared, base: str, link: Link) -> ClusterExecutor:
    """The executor of the nodes at the end of `link`. Raises: UserError, as `connect`."""
    lineage: Lineage = prepared.lineage

    def packed(commit: str, known: Collection[str]) -> bytes:
        return pack(lineage.git, commit, base, known)

    home = Home(prepared.workspace, packed, os.environ, probe.code())
    executor = ClusterExecutor(home, link, opening_of(prepared, base), prepared.settings.cluster_nodes)
    try:
        await executor.connect()
    except BaseException:
        await link.close()
        raise
    return executor
