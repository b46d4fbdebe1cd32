"""A Ray cluster of several nodes on this machine: each `ray start` a process of its own, with a folder of its own.

It listens on addresses of the loopback only, asks for a token, and is ended by its processes' ids: `ray stop` would end
everybody's Ray on the machine.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil

RAY = Path(sys.executable).parent / "ray"
STORE = 80_000_000  # bytes of plasma; the least that Ray takes is 75 MB
LONGEST_START = 150.0
ATTEMPTS = 3
"""Ray gives its own processes 30 s to be there, which a busy machine may not have."""


@dataclass
class Node:
    """One node that was started."""

    name: str
    address: str
    folder: Path
    """Where looptop keeps what it needs there."""
    process: subprocess.Popen[bytes]

    def of_runs(self) -> list[int]:
        """Processes of runs that are alive there."""
        return _with("LOOPTOP_RUN_DIR", lambda place: place.startswith(f"{self.folder}/"))

    def kill(self) -> None:
        """End the node as a power cut would, with all that was started by it and led no life of its own."""
        end(self.process.pid)
        self.process.wait()
        for pid in _of(self.folder):  # what a `ray start` that failed has left
            end(pid)


@dataclass
class Raylets:
    """The nodes of one cluster. A context manager: leaving it ends them."""

    folder: Path
    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.token = secrets.token_hex(16)
        self.port, self.client_port = _free_port(), _free_port()

    @property
    def address(self) -> str:
        return f"{self.host(1)}:{self.port}"

    @property
    def outside(self) -> str:
        """Its address for a machine that is in no cluster."""
        return f"ray://{self.host(1)}:{self.client_port}"

    def host(self, number: int) -> str:
        """Address of the node that was started as that one, from 1."""
        return f"127.0.0.{number}"

    def entering(self, name: str) -> list[str]:
        """What a command has in front to be run on a node; nothing where all nodes are this machine."""
        return []

    def _client(self) -> list[str]:
        """Where Ray is installed with its client, its head serves it, and by itself always on the same port."""
        return [] if find_spec("grpc") is None else ["--ray-client-server-port", str(self.client_port)]

    @property
    def environment(self) -> dict[str, str]:
        """What a supervisor needs to be let in."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token, "RAY_USAGE_STATS_ENABLED": "0"}

    def start(
        self, name: str, cpus: int = 2, environ: Mapping[str, str] | None = None, ray: Sequence[str] = ()
    ) -> Node:
        """Start a node; the first one is the head.

        Args:
            ray: the command, where it is not that of this environment.
        """
        number = len(self.nodes) + 1
        address, place = self.host(number), self.folder / name
        if name in self.nodes:  # it comes back
            address = self.nodes[name].address
        where = (
            ["--head", "--include-dashboard", "false", "--no-monitor", "--port", str(self.port), *self._client()]
            if name == next(iter(self.nodes), name)
            else ["--address", self.address]
        )
        command = [*self.entering(name), *(ray or [str(RAY)]), "start", "--block", *where]
        command += ["--node-ip-address", address, "--node-name", name, "--num-cpus", str(cpus)]
        command += ["--object-store-memory", str(STORE), "--temp-dir", str(_short(place))]
        command += ["--min-worker-port", "0", "--max-worker-port", "0", "--include-log-monitor", "false"]
        own = {
            **os.environ,
            **self.environment,
            "GRPC_ENABLE_FORK_SUPPORT": "0",  # with it, what serves a client hangs in one start of four
            "LOOPTOP_NODE_FOLDER": str(place / "looptop"),
            **(environ or {}),
        }
        place.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            (_short(place) / "ray_current_cluster").unlink(missing_ok=True)  # of a head that was killed
            with (place / "ray.out").open("wb") as out:
                process = subprocess.Popen(command, stdout=out, stderr=out, env=own, start_new_session=True, cwd="/")
            node = self.nodes[name] = Node(name, address, place / "looptop", process)
            until = time.monotonic() + LONGEST_START
            while process.poll() is None and time.monotonic() < until:
                if b"Ray runtime started" in (place / "ray.out").read_bytes():
                    return node
                time.sleep(0.1)
            node.kill()
        raise RuntimeError(f"{name} did not start: {(place / 'ray.out').read_text()[-2000:]}")

    def __enter__(self) -> "Raylets":
        return self

    def __exit__(self, *_: object) -> None:
        for node in reversed(self.nodes.values()):
            node.kill()
            shutil.rmtree(_short(self.folder / node.name), ignore_errors=True)


def ray_folder(raylets: Raylets, name: str) -> Path:
    """Where the Ray of that node keeps its sockets and its own logs."""
    return _short(raylets.folder / name)


def _short(place: Path) -> Path:
    """Ray makes unix sockets in its folder, whose paths may have 107 bytes."""
    return Path("/tmp") / f"looptop-ray-{abs(hash(str(place))) % 10**8}"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _of(folder: Path) -> list[int]:
    """Processes of the node that has its folder there."""
    return _with("LOOPTOP_NODE_FOLDER", lambda place: place == str(folder))


def _with(variable: str, right: Callable[[str], bool]) -> list[int]:
    """Processes whose environment has that variable, and has it right."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and right(process.environ().get(variable, "")):
                found.append(process.pid)
        except (psutil.Error, OSError):
            pass  # gone, or somebody else's
    return found


def end(pid: int) -> None:
    """Kill a process and all below it."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    psutil.wait_procs(tree, timeout=10)
