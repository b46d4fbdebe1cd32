"""Ray's end of the link: a process of its own that hands calls on to the agents, and their answers back.

Ray ends a program that loses its cluster, keeps 26 threads and prints what it likes; none of that is to happen to the
supervisor. The bridge remembers nothing: agents are found by their names, so another bridge goes on where one has died.
It ends with its input.

    python -P -m loop.runs.cluster.bridge ADDRESS FACTORY
"""

import asyncio
import hashlib
import importlib.util
import inspect
import os
import select
import socket
import sys
import threading
from collections.abc import Coroutine
from typing import Any

from loop.errors import UserError
from loop.runs.cluster import frames, probe
from loop.runs.cluster.wire import Facts, LinkDown, Needs, NodeGone, NodeInfo, Opened, Opening

NAMESPACE = "looptop"

CLIENT = "ray://"
"""How the address of a cluster begins that this machine is not in itself."""

INSTALL_CLIENT = "install it with `pip install 'looptop[ray-client]'`"

LONGEST_EXAMINATION = 60.0
"""Seconds that a node has for starting a process and looking around."""

LONGEST_OPENING = 120.0

LONGEST_KNOCK = 10.0
"""Seconds that the head's machine has for accepting a connection."""

AT_ONCE = 1000
"""Calls that an agent serves at a time: one waits for news, and each slot may wait for one."""


class Node:
    """What Ray makes an actor of: it holds the agent, whose code is the node's own. It travels by value, since this
    module is the main one of its process, so it imports what it needs where it is."""

    def __init__(self) -> None:
        self._agent: Any = None
        self._opening: Any = None

    async def open(self, factory: str, opening: Any, node: str) -> Any:
        import importlib as modules
        import os as system
        import sys as python

        try:
            place = modules.import_module(factory.partition(":")[0])
            # Other slots, another sandbox, or one that has given the node back.
            if self._agent is not None and (opening != self._opening or self._agent.over):
                await self._agent.stop()
                self._agent = None
            if self._agent is None:
                self._agent, self._opening = getattr(place, factory.partition(":")[2])(opening, node), opening
            return "ok", await self._agent.begin()
        except ModuleNotFoundError as error:
            said = f"the Python of this node ({python.executable}, process {system.getpid()}) has no {error.name}"
            return "unopened", said
        except Exception as error:
            if any(kind.__name__ == "UserError" for kind in type(error).__mro__):
                return "refused" if self._agent is not None else "unopened", str(error)
            raise

    async def call(self, session: int, method: str, arguments: Any) -> Any:
        try:
            if self._agent is None:
                return "gone", "the agent has never been opened"
            return "ok", await self._agent.call(session, method, *arguments)
        except Exception as error:
            if any(kind.__name__ == "UserError" for kind in type(error).__mro__):
                return "refused", str(error)
            raise


class Bridge:
    """One cluster's.

    Args:
        ray: the module, connected.
        factory: what makes an agent on a node, as `module:function`.
    """

    def __init__(self, ray: Any, factory: str) -> None:
        self._ray, self._factory = ray, factory
        self._node = ray.remote(Node)
        self._actors: dict[str, Any] = {}

    @property
    def cut(self) -> bool:
        """Whether Ray's client has lost its cluster for good."""
        return not self._ray.is_initialized()

    async def nodes(self) -> list[NodeInfo]:
        listed = await asyncio.to_thread(self._ray.nodes)
        found = []
        for one in listed:
            if not one["Alive"]:
                continue
            resources, host = one["Resources"], one["NodeManagerHostname"]
            named = one.get("NodeName") or ""
            name = named if named and named != one["NodeManagerAddress"] else host
            cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
            found.append(NodeInfo(one["NodeID"], name, host, cpus, gpus))
        return sorted(found, key=lambda node: (node.name, node.id))

    async def examine(self, node: NodeInfo, needs: Needs) -> Facts:
        source, name = inspect.getsource(probe), node.name
        needed = (needs.paths, needs.python, needs.modules)  # plain, so that it travels to a node without looptop

        def look() -> dict[str, object]:
            there: dict[str, Any] = {"__name__": "looptop_probe"}
            exec(source, there)
            return dict(there["facts"](None, *needed, name))

        task = self._ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=self._there(node))
        return Facts(**await asyncio.wait_for(task.remote(), LONGEST_EXAMINATION))

    async def open(self, node: NodeInfo, opening: Opening) -> Opened:
        name = self._name(node, opening.study)
        options = {
            "name": name,
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "get_if_exists": True,
            "num_cpus": 0,
            "max_concurrency": AT_ONCE,
            "scheduling_strategy": self._there(node),
        }
        self._actors[node.id] = actor = self._node.options(**options).remote()
        asked = actor.open.remote(self._factory, opening, node.name)
        said = await asyncio.wait_for(asked, LONGEST_OPENING)
        if said[0] == "unopened":  # a process of ours in which there is nothing; it would stay as long as the node does
            await self.release(node, opening.study)
        opened: Opened = _answer(said)
        return opened

    async def call(self, node: NodeInfo, study: str, session: int, method: str, *arguments: object) -> object:
        if node.id not in self._actors:
            try:
                self._actors[node.id] = self._ray.get_actor(self._name(node, study), NAMESPACE)
            except ValueError:
                raise NodeGone(f"there is no agent of ours on {node.name} any more") from None
        return _answer(await self._actors[node.id].call.remote(session, method, arguments))

    async def release(self, node: NodeInfo, study: str) -> None:
        actor = self._actors.pop(node.id, None)
        try:
            self._ray.kill(actor or self._ray.get_actor(self._name(node, study), NAMESPACE))
        except ValueError:
            pass  # it is gone

    def _there(self, node: NodeInfo) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node.id, soft=False)

    @staticmethod
    def _name(node: NodeInfo, study: str) -> str:
        return f"{study}-{hashlib.sha256(node.id.encode()).hexdigest()[:12]}"


def _answer(said: Any) -> Any:
    kind, value = said
    if kind in ("refused", "unopened"):
        raise UserError(value)
    if kind == "gone":
        raise NodeGone(value)
    return value


async def serve(bridge: Bridge, source: asyncio.StreamReader, target: int) -> None:
    """Answer each call as it is done, until there are no more."""
    tasks = set()
    writing = asyncio.Lock()

    async def answer(number: int, work: Coroutine[Any, Any, object]) -> None:
        try:
            said: tuple[str, object] = ("ok", await work)
        except NodeGone as error:
            said = ("gone", str(error))
        except UserError as error:
            said = ("refused", str(error))
        except TimeoutError:
            said = ("refused", "it does not answer")
        except Exception as error:
            said = ("down", "the way to the cluster was cut") if bridge.cut else _told(error)
        async with writing:
            await asyncio.to_thread(_write, target, frames.encode((number, *said)))
        if bridge.cut:
            os._exit(1)  # Ray's client does not connect a second time; another bridge does

    while True:
        try:
            number, method, arguments = await frames.read(source)
        except asyncio.IncompleteReadError:
            return
        task = asyncio.create_task(answer(number, getattr(bridge, method)(*arguments)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _told(error: Exception) -> tuple[str, str]:
    """What an error of Ray's means."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"ActorUnavailableError"}:
        return "away", said
    if names & {"RayActorError", "ActorDiedError", "WorkerCrashedError", "NodeDiedError", "ActorUnschedulableError"}:
        return "gone", said
    if "TaskUnschedulableError" in names:
        return "gone", said
    return "refused", f"{type(error).__name__}: {said}"


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def connect(address: str) -> Any:
    """Ray, connected to a running cluster.

    Raises:
        LinkDown: it is not there, refuses us, or its versions are not ours; a sentence.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = importlib.import_module("ray")
    outside = address.startswith(CLIENT)
    if outside and importlib.util.find_spec("grpc") is None:
        raise LinkDown(f"{CLIENT} needs Ray's client; {INSTALL_CLIENT}")
    options: dict[str, Any] = {} if outside else {"log_to_driver": False, "logging_level": "ERROR"}
    if address != "auto":
        host, _, port = address.removeprefix(CLIENT).rpartition(":")
        if why := _unreachable(host.strip("[]"), int(port)):
            raise LinkDown(f"Ray at {address}: {why}")
        if not outside and host.startswith("127."):  # by which of its addresses this machine's own Ray is found
            options["_node_ip_address"] = host
    try:
        ray.init(address, namespace=NAMESPACE, **options)
    except Exception as error:
        raise LinkDown(f"Ray at {address}: {_why(error, outside)}") from error
    return ray


def _why(error: Exception, outside: bool) -> str:
    """Why Ray lets nobody in, and what to do about it."""
    if "Starting Ray client server failed" in str(error):
        return (
            "its head did not get a process ready for us, which happens where gRPC is to survive forks; try again, and "
            "start the head with GRPC_ENABLE_FORK_SUPPORT=0 in front of `ray start`"
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines)[:400].rstrip(".") or type(error).__name__
    if "ersion mismatch" in said:
        return said
    said += "; is it running there, and has this machine its token (~/.ray/auth_token, or RAY_AUTH_TOKEN)?"
    return f"{said} Its head must have Ray's client too; {INSTALL_CLIENT}" if outside else said


def _unreachable(host: str, port: int) -> str:
    """Why nobody can be there; empty where somebody is. Ray itself would try for a minute."""
    try:
        socket.create_connection((host, port), LONGEST_KNOCK).close()
    except ConnectionRefusedError:
        return "nothing listens there; is it running?"
    except TimeoutError:
        return f"there is no answer within {LONGEST_KNOCK:g} s; is it running, and is no firewall in between?"
    except OSError as error:
        return f"it cannot be reached ({error.strerror or error})"
    return ""


def _end_with(source: int) -> None:
    """End this process once nobody can ask it any more, whatever Ray is waiting for."""
    waiting = select.poll()
    waiting.register(source, 0)  # that it is hung up is told unasked
    waiting.poll()
    os._exit(0)


async def main(address: str, factory: str) -> None:
    """Connect, say so, and serve."""
    threading.Thread(target=_end_with, args=(0,), daemon=True).start()
    target = os.dup(1)
    os.dup2(2, 1)  # whatever prints, prints elsewhere
    os.chdir("/")  # Ray has its workers import from the folder that it is started in, and from that of the script
    sys.argv[0] = "/looptop"
    try:
        bridge = Bridge(connect(address), factory)
    except LinkDown as error:
        _write(target, frames.encode((0, "down", str(error))))
        return
    _write(target, frames.encode((0, "ok", None)))
    source = asyncio.StreamReader(limit=1 << 30)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(source), sys.stdin.buffer)
    await serve(bridge, source, target)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    finally:
        os._exit(0)  # past Ray's tidying up, which may wait for a cluster that is gone
