"""Nodes without Ray: agents in this process, each with folders of its own, at the end of a link that can be cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loop.runs.cluster import probe
from loop.runs.cluster.agent import Agent
from loop.runs.cluster.wire import NOTHING, Facts, LinkDown, Needs, NodeGone, NodeInfo, Opened, Opening
from loop.supervisor import node


@dataclass
class Machine:
    """A node."""

    name: str
    folder: Path
    environ: dict[str, str]
    facts: dict[str, Any]
    """What it says of itself that is not so."""
    agent: Agent | None = None
    opening: Opening | None = None
    cut: bool = False
    dead: bool = False
    sessions: int = 0


class LocalLink:
    """See `Link`.

    Args:
        environ: that of each node's Ray.
    """

    def __init__(self, folder: Path, environ: dict[str, str], *names: str) -> None:
        self.machines = {
            name: Machine(name, folder / name, {**environ, "LOOPTOP_NODE_FOLDER": str(folder / name)}, {})
            for name in names
        }
        self.calls: list[tuple[str, str]] = []
        self._sessions: dict[str, int] = {}

    def another(self) -> "LocalLink":
        """The way that another supervisor takes to the same nodes."""
        link = LocalLink(Path(), {})
        link.machines = self.machines
        return link

    async def nodes(self) -> Sequence[NodeInfo]:
        there = (one for one in self.machines.values() if not (one.dead or one.cut))
        return [NodeInfo(f"{one.name}-{one.sessions}", one.name, "here", cpus=2.0) for one in there]

    async def examine(self, info: NodeInfo, needs: Needs = NOTHING) -> Facts:
        machine = self._machine(info)
        said = {
            **probe.facts(machine.environ, needs.paths, needs.python, needs.modules, info.name),
            "token": True,
            **machine.facts,
        }
        return Facts(**said)  # type: ignore[arg-type]

    async def open(self, info: NodeInfo, opening: Opening) -> Opened:
        machine = self._machine(info)
        if machine.agent is not None and opening != machine.opening:
            await machine.agent.stop()
            machine.agent = None
        if machine.agent is None:
            machine.agent = node.serve(opening, machine.name, machine.environ, lambda: self._left(machine))
            machine.opening = opening
        opened = await machine.agent.begin()
        self._sessions[machine.name] = opened.session
        return opened

    async def call(self, info: NodeInfo, method: str, *arguments: object) -> object:
        machine = self._machine(info)
        self.calls.append((info.name, method))
        if machine.agent is None:
            raise NodeGone(f"{info.name} has no agent")
        answer = await machine.agent.call(self._sessions[machine.name], method, *arguments)
        self._machine(info)  # cut meanwhile: the answer does not arrive
        return answer

    async def release(self, info: NodeInfo) -> None:
        machine = self._machine(info)
        if machine.agent is not None:
            await machine.agent.stop()
        machine.agent = None

    async def close(self) -> None:
        for machine in self.machines.values():
            if machine.agent is not None:
                await machine.agent.stop()

    def _left(self, machine: Machine) -> None:
        machine.agent = None

    def _machine(self, info: NodeInfo) -> Machine:
        machine = self.machines[info.name]
        if machine.dead:
            raise NodeGone(f"{info.name} is dead")
        if machine.cut:
            raise LinkDown("cut")
        return machine
