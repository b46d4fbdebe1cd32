"""What the runs of one workspace may reach: found once, and then named for each run and each verification.

A run reads the system, its interpreter, the training text and what the program declares; it writes to its worktree, to
its own folders and to what the program declares for that. A verification reads what the run left too, and writes to
nothing that stays. The person's home, their checkout with `.looptop/` in it, and looptop's cache are never named as a
whole: bubblewrap shows the worktree and a home of the run's own in their places.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from loop.sandbox import interpreter, scratch
from loop.sandbox.backend import SYSTEM, Sandbox
from loop.sandbox.confinement import Confinement, above
from loop.sandbox.worktree import environment_of
from loop.workspace import Workspace

# fmt: off
ETC = (
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "alternatives", "localtime", "timezone", "passwd",
    "group", "nsswitch.conf", "hosts", "host.conf", "protocols", "services", "gai.conf", "locale.alias", "locale.conf",
    "os-release", "debian_version", "redhat-release", "lsb-release", "mime.types", "magic", "terminfo", "fonts",
    "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf", "pki/tls/certs", "pki/tls/cert.pem",
    "pki/ca-trust/extracted", "crypto-policies", "OpenCL", "vulkan", "nvidia", "cuda", "hwloc", "python3", "python3.11",
    "python3.12", "python3.13", "python3.14", "bash.bashrc", "profile", "inputrc",
)
"""Of /etc what programs look for. Not what else is in there: root would read the host's keys and the shadow file."""
# fmt: on

RESOLVERS = ("/etc/resolv.conf",)
"""What a run with a network looks names up with; read anew for each, since it changes with the network."""

PLAIN_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
GPU_DEVICES = ("nvidia*", "dri", "kfd", "dxg")
"""In /dev: NVIDIA's, Linux's own (AMD, Intel), AMD's for computing, Windows' in WSL."""

KERNEL = "/sys/kernel"
"""Hidden: tracing and debugging, which root could read; no program of ours looks there."""


class Access:
    """One workspace's, for one supervisor. Blocks, for a tenth of a second at its first use: call it in a thread.

    Args:
        sandbox: the one in force.
        workspace: the person's.
        cache: looptop's cache, where the texts are.
        environment: the supervisor's own; only PATH and HOME are looked at.
    """

    def __init__(self, sandbox: Sandbox, workspace: Workspace, cache: Path, environment: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        self.home = environment.get("HOME", "")
        self._root, self._top, self._state = str(workspace.root), str(workspace.top), workspace.folder
        self._path = environment.get("PATH", os.defpath)
        self._own = (*_home(self.home), self._top)
        self._hidden = (*self._own, str(workspace.folder), str(cache), KERNEL)
        self._needs: dict[str, list[str]] = {}
        self._etc = ""

    def confinement(
        self,
        argv: Sequence[str],
        tree: Path,
        *,
        read: Iterable[Path | str] = (),
        hidden: Iterable[Path] = (),
        shown: Iterable[tuple[Path | str, Path | str]] = (),
        write: Iterable[Path | str] = (),
        tmp: Path,
        shared_memory: bool,
        path: str = "",
        network: str = "off",
    ) -> Confinement | None:
        """What the command `argv` in the worktree `tree` may reach, beyond the system and its interpreter.

        Args:
            read: files and folders, absolute.
            hidden: what stays out of reach inside all these.
            shown: where bubblewrap shows a folder in another's place.
            write: files and folders; the worktree is one if it is to be.
            tmp: its private temporary folder.
            shared_memory: whether it may use /dev/shm, which Landlock cannot make private.
            path: PATH of the command; empty: the supervisor's own.
            network: as in `Contract.network`.

        Returns:
            None where runs are not confined.
        """
        if self.sandbox.kind == "off":
            return None
        programs = (need for need in self._programs(argv, path) if not self._is_code(need))
        reads = [*SYSTEM, *programs, *map(str, read)]
        hides = (*self._hidden, *map(str, hidden))
        gpus = [str(path) for pattern in GPU_DEVICES for path in sorted(Path("/dev").glob(pattern))]
        writes = [str(path) for path in write]
        online = [path for path in RESOLVERS if network == "on" and os.path.exists(path)]
        if self.sandbox.kind == "bubblewrap":
            placed = [(self._top, str(tree))]
            if self.homed:
                placed.append((self.home, str(tmp / "home")))
                writes.append(str(tmp / "home"))
            places = [("/etc", self._shown_etc()), *((path, os.path.realpath(path)) for path in online)]
            places += [(str(place), str(source)) for place, source in shown]
            return Confinement(
                "bubblewrap", tuple(reads), tuple(writes), hides, tuple(gpus), tuple(places), tuple(placed), network,
                str(tmp), self.sandbox.bwrap,
            )  # fmt: skip
        reads += [str(tree), "/proc", *(f"/etc/{name}" for name in ETC), *online]
        writes += [str(tmp), *(["/dev/shm"] if shared_memory else [])]
        return Confinement("landlock", tuple(reads), tuple(writes), hides, (*PLAIN_DEVICES, *gpus), network=network)

    @property
    def homed(self) -> bool:
        """Whether a run has a folder of its own in the place of the person's home, rather than another HOME."""
        return self.sandbox.kind == "bubblewrap" and bool(_home(self.home)) and self.home not in ("", self._top)

    def declared(self, paths: Iterable[str]) -> list[str]:
        """What the program's `read:` and `write:` name, absolute."""
        homely = (path.replace("~", self.home, 1) if path == "~" or path.startswith("~/") else path for path in paths)
        return [os.path.normpath(os.path.join(self._root, path)) for path in homely]

    def tmp_of(self, tmp: Path) -> Path:
        """How a run itself names its temporary folder: not by more than fits into a socket's path."""
        return Path("/tmp") if self.sandbox.kind == "bubblewrap" else scratch.shortened(tmp)

    def home_of(self, tmp: Path) -> Path:
        """The HOME of a run that names its temporary folder `tmp`."""
        return Path(self.home) if self.homed else tmp / "home"

    def _is_code(self, path: str) -> bool:
        """Whether this is the project's own code, of which a run has that in its worktree."""
        top, path = os.path.realpath(self._top), os.path.realpath(path)
        return (path == top or above(top, path)) and environment_of(path, top) is None

    def _programs(self, argv: Sequence[str], path: str) -> list[str]:
        """What the programs that the command may start read to start."""
        programs = interpreter.programs(argv, self._root, path or self._path, SYSTEM)
        return [need for program in programs for need in self._needs_of(program)]

    def _needs_of(self, program: str) -> list[str]:
        if program not in self._needs:
            self._needs[program] = interpreter.needs(program, self._own)
        return self._needs[program]

    def _shown_etc(self) -> str:
        """A copy of what runs see of /etc: one mount instead of thirty, half a millisecond each."""
        if not self._etc:
            folder = self._state / "etc"
            shutil.rmtree(folder, ignore_errors=True)
            for name in ETC:
                _copy(Path("/etc", name), folder / name)
            for path in RESOLVERS:  # an empty place
                (folder / Path(path).name).touch()
            self._etc = str(folder)
        return self._etc


def _home(path: str) -> tuple[str, ...]:
    """The home folder, unless it holds the system itself, as it does where a container has it at /."""
    real = os.path.realpath(path) if path else "/"
    inside = any(f"{place}/".startswith(real.rstrip("/") + "/") for place in SYSTEM)
    return () if inside else (path,)


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore_dangling_symlinks=True)
        elif source.exists():
            shutil.copy2(source, target)  # what a link leads to: it may lie outside of what is shown
    except (OSError, shutil.Error):
        pass  # not ours to read, or gone: then a run does without it too
