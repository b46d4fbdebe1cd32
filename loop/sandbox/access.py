"""What the runs of one workspace may reach: found once, and then named for each run and each verification.

A run reads the system, its interpreter, its worktree, the training text and what the program declares; it writes to its
own folders. A verification reads what the run left and the validation text too, and writes to nothing that stays. The
person's home, their checkout with `.looptop/` in it, and looptop's cache are never named as a whole.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from loop.sandbox import interpreter
from loop.sandbox.backend import SYSTEM, Sandbox
from loop.sandbox.confinement import Confinement

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

PLAIN_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
GPU_DEVICES = ("nvidia*", "dri", "kfd", "dxg")
"""In /dev: NVIDIA's, Linux's own (AMD, Intel), AMD's for computing, Windows' in WSL."""

KERNEL = "/sys/kernel"
"""Hidden: tracing and debugging, which root could read; no program of ours looks there."""


class Access:
    """One workspace's, for one supervisor. Blocks, for a tenth of a second at its first use: call it in a thread.

    Args:
        sandbox: the one in force.
        root: the person's checkout.
        state: looptop's folder in it.
        cache: looptop's cache, where the texts are.
        environment: the supervisor's own; only PATH and HOME are looked at.
    """

    def __init__(self, sandbox: Sandbox, root: Path, state: Path, cache: Path, environment: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        self._root, self._state = str(root), state
        self._path, self._home = environment.get("PATH", os.defpath), environment.get("HOME", "")
        self._own = (*_home(self._home), str(root))
        self._hidden = (*self._own, str(state), str(cache), KERNEL)
        self._needs: dict[str, list[str]] = {}
        self._etc = ""

    def confinement(
        self,
        argv: Sequence[str],
        tree: Path,
        *,
        read: Iterable[Path | str] = (),
        hidden: Iterable[Path] = (),
        shown: Iterable[tuple[Path, Path]] = (),
        write: Iterable[Path] = (),
        tmp: Path,
        shared_memory: bool,
    ) -> Confinement | None:
        """What the command `argv` in the worktree `tree` may reach, beyond the system and its interpreter.

        Args:
            read: files and folders, absolute.
            hidden: what stays out of reach inside all these.
            shown: where bubblewrap shows a folder in another's place.
            write: folders.
            tmp: its private temporary folder.
            shared_memory: whether it may use /dev/shm, which Landlock cannot make private.

        Returns:
            None where runs are not confined.
        """
        if self.sandbox.kind == "off":
            return None
        reads = [*SYSTEM, *self._programs(argv, tree), str(tree), *map(str, read)]
        hides = (*self._hidden, *map(str, hidden))
        gpus = [str(path) for pattern in GPU_DEVICES for path in sorted(Path("/dev").glob(pattern))]
        writes = [str(path) for path in write]
        if self.sandbox.kind == "bubblewrap":
            return Confinement(
                "bubblewrap", tuple(reads), tuple(writes), hides, tuple(gpus),
                (("/etc", self._shown_etc()), *((str(place), str(source)) for place, source in shown)), str(tmp),
                self.sandbox.bwrap,
            )  # fmt: skip
        reads += ["/proc", *(f"/etc/{name}" for name in ETC)]
        writes += [str(tmp), *(["/dev/shm"] if shared_memory else [])]
        return Confinement("landlock", tuple(reads), tuple(writes), hides, (*PLAIN_DEVICES, *gpus))

    def declared(self, paths: Iterable[str]) -> list[Path]:
        """The program's `read:`, absolute."""
        homely = (path.replace("~", self._home, 1) if path == "~" or path.startswith("~/") else path for path in paths)
        return [Path(self._root, path) for path in homely]

    def tmp_inside(self, tmp: Path) -> Path:
        """How a run itself names its temporary folder."""
        return Path("/tmp") if self.sandbox.kind == "bubblewrap" else tmp

    def _programs(self, argv: Sequence[str], tree: Path) -> list[str]:
        """What the command reads to start; of one that is no Python also what the Pythons do that it may call."""
        started = interpreter.find(argv[0], str(tree), self._path)
        programs = [started] if started else []
        if started and self._needs_of(started) == [started]:
            programs += filter(None, (shutil.which(name, path=self._path) for name in ("python3", "python")))
        venv = Path(self._root, ".venv", "bin", "python")
        programs += [str(venv)] if venv.exists() else []
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
