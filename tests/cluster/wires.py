"""Machines of a network of their own: each node of a cluster in a network namespace, all of them at one switch.

A port of the switch can be closed for a while. Nobody is told then, as when a cable is pulled somewhere on the way:
no connection is refused, packets get nowhere. The namespaces have no names and end with the processes that hold them,
so nothing is left on the machine. It takes root, `ip`, `bridge`, `unshare` and `nsenter`.
"""

import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType

from tests.cluster.raylets import Raylets

NET = "10.79.0"
CLOSED, OPEN = "0", "3"


@cache
def lacking() -> str:
    """Why there can be no such network here; empty where there can."""
    programs = [one for one in ("ip", "bridge", "unshare", "nsenter") if shutil.which(one) is None]
    if programs:
        return f"{' and '.join(programs)} is not installed here"
    made = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "one0", "type", "veth", "peer", "name", "one1"], capture_output=True
    )
    said = made.stderr.decode(errors="replace").strip()
    return f"no network namespace can be made here ({said})" if made.returncode else ""


class Space:
    """A network namespace; `close` ends it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; read _"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        assert Path(f"/proc/{self.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    @property
    def pid(self) -> int:
        return self._holder.pid

    @property
    def entering(self) -> list[str]:
        """What a command has in front to be run in it."""
        return ["nsenter", "--net", "--target", str(self.pid), "--"]

    def do(self, command: str) -> None:
        subprocess.run([*self.entering, *command.split()], check=True, capture_output=True)

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


@dataclass
class Wired(Raylets):
    """Nodes of one cluster, each at a port of the switch. A context manager, as `Raylets`."""

    spaces: dict[str, Space] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.switch = Space()
        self.switch.do("ip link add switch type bridge")
        self.switch.do("ip link set switch up")

    def host(self, number: int) -> str:
        return f"{NET}.{number}"

    def entering(self, name: str) -> list[str]:
        if name not in self.spaces:
            self._plug(name)
        return self.spaces[name].entering

    def cut(self, name: str) -> None:
        """Let nothing through between a node and the others."""
        self._port(name, CLOSED)

    def mend(self, name: str) -> None:
        self._port(name, OPEN)

    def _port(self, name: str, state: str) -> None:
        self.switch.do(f"bridge link set dev {name} state {state}")

    def _plug(self, name: str) -> None:
        space = self.spaces[name] = Space()
        self.switch.do(f"ip link add {name} type veth peer name net netns {space.pid}")
        self.switch.do(f"ip link set {name} master switch up")
        space.do(f"ip addr add {self.host(len(self.spaces))}/24 dev net")
        for command in ("ip link set lo up", "ip link set net up", "ip route add default dev net"):
            space.do(command)  # a machine without a default route does not know its own address

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for space in (*self.spaces.values(), self.switch):
            space.close()
