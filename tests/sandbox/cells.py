"""A workspace with things worth stealing around it, and runs in it, in each sandbox, as root and not."""

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import psutil
import pytest

import loop
from loop.runs.local import process as local
from loop.runs.local.process import LocalProcess
from loop.runs.local.process_tree import LISTS_CHILDREN
from loop.runs.output import Sample
from loop.runs.spec import RunResult, RunSpec
from loop.sandbox import bubblewrap
from loop.sandbox.access import Access
from loop.sandbox.backend import NoSandbox, Sandbox, choose
from loop.sandbox.confinement import Confinement
from loop.sandbox.environment import child_environment
from loop.workspace import Workspace

PROGRAMS = Path(__file__).parents[1] / "programs"
MARKER = "marker-of-a-secret"
SOMEBODY = 54321
"""An ordinary user, for whom no account is needed."""

KINDS = ("bubblewrap", "landlock")


@cache
def found(kind: str) -> Sandbox | str:
    """The sandbox, or why this machine has it not."""
    try:
        return choose(kind)  # type: ignore[arg-type]
    except NoSandbox as error:
        return str(error)


@cache
def python_of(user: int) -> str:
    """A Python that the user can start, new enough for the guard of a run; empty where there is none."""
    new_enough = "import sys; sys.exit(sys.version_info < (3, 11))"
    # The second is what the environment was made of: it may be the system's where the environment is private.
    for python in (sys.executable, str(Path(sys.executable).resolve()), "/usr/bin/python3"):
        tried = subprocess.run([*become(user), python, "-I", "-S", "-c", new_enough], capture_output=True)
        if tried.returncode == 0:
            return python
    return ""


@cache
def roots() -> list[str]:
    """What the guard of a run imports, copied: an ordinary user may not enter the folder that the checkout is in."""
    folder = Path(tempfile.mkdtemp(prefix="guard of a test-", dir="/var/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for package in (Path(loop.__file__).parent, *([] if LISTS_CHILDREN else [Path(psutil.__file__).parent])):
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    open_up(folder)
    return [str(folder)]


def open_up(folder: Path) -> None:
    """Let anybody read it, also where the checkout was made for its owner alone."""
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


def become(user: int) -> list[str]:
    """The beginning of a command line that is to run as `user`."""
    if user == os.getuid():
        return []
    return [
        "setpriv",
        "--reuid",
        str(user),
        "--regid",
        str(user),
        "--clear-groups",
        "env",
    ]  # which starts without the capabilities that setpriv still has


@dataclass
class Cell:
    """One workspace, one user, one sandbox."""

    folder: Path
    sandbox: Sandbox
    user: int
    python: str
    tree: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home, self.root, self.cache = self.folder / "home", self.folder / "a project", self.folder / "cache"
        state = self.root / ".looptop"
        self.tree, self.run = state / "trees" / "1.1", state / "runs" / "1.1"
        self.secrets = {
            "a file of the home folder": self.home / ".ssh" / "id_ed25519",
            "a key in the checkout": self.root / ".env",
            "the journal": state / "journal.db",
            "the output of another run": state / "runs" / "2.1" / "out" / "checkpoint.pt",
            "the log of its own run": self.run / "log.txt",
            "the file of another experiment": state / "trees" / "2.1" / "train.py",
            "the validation text": self.cache / "corpus" / "abc" / "validation" / "text.bin",
            "a file of the library that is held out": self.folder / "library" / "held_out.py",
        }
        for path in self.secrets.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(MARKER)
        self.training = self.cache / "corpus" / "abc" / "train" / "text.bin"
        self.declared = self.folder / "data set" / "data.bin"
        for path in (self.tree / "train.txt", self.training, self.declared, self.folder / "library" / "seen.py"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("to be read")
        (self.tree / ".git").write_text(f"gitdir: {self.root}/.git/worktrees/1.1\n")
        self.linked = self.folder / "links" / "data"
        self.linked.parent.mkdir()
        self.linked.symlink_to(self.declared.parent)
        # A compile cache on another disk, reached through a link.
        (self.folder / "other disk").mkdir()
        (self.run / "cache").symlink_to(self.folder / "other disk")
        for part in ("out", "tmp/home"):
            (self.run / part).mkdir(parents=True)
        self._hand_over()

    def _hand_over(self) -> None:
        """Have it all be the user's own."""
        if self.user != os.getuid():
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.user, self.user, follow_symlinks=False)

    async def start(
        self, program: str, *arguments: str, on_samples: Callable[[list[Sample]], None] = lambda _: None, **limits: int
    ) -> LocalProcess:
        """Start one of `tests/programs`."""
        return await self.start_command([self.python, str(self.program(program)), *arguments], on_samples, **limits)

    def program(self, name: str) -> Path:
        """One of `tests/programs`, copied to where the cell's user may read it."""
        shutil.copytree(PROGRAMS, self.folder / "programs", dirs_exist_ok=True)
        open_up(self.folder / "programs")
        return self.folder / "programs" / name

    async def start_command(
        self, argv: list[str], on_samples: Callable[[list[Sample]], None] = lambda _: None, **limits: int
    ) -> LocalProcess:
        confinement, inside = self.confinement(argv)
        if confinement is not None and self.user != os.getuid():  # who starts a run makes its places, and is its user
            bubblewrap.make_room(confinement)
            self._hand_over()
        spec = self.spec(argv, confinement, inside, **limits)
        with pytest.MonkeyPatch.context() as patched:
            if self.user != os.getuid():
                options = local._WARDEN[1 : -len(local._ROOTS)]
                patched.setattr(local, "_WARDEN", [*become(self.user), self.python, *options, *roots()])
            return await LocalProcess.start(spec, on_samples)

    def spec(self, argv: list[str], confinement: Confinement | None, inside: Path, **limits: int) -> RunSpec:
        """A run of `argv`, which names its temporary folder `inside`."""
        environment = child_environment(
            {**os.environ, "HOME": str(self.home), "OPENAI_API_KEY": MARKER},
            budget_s=0.2,
            seed=7,
            run_dir=self.run / "out",
            tmp_dir=inside,
            cache_dir=self.run / "cache",
            workspace=self.root,
            home=self.reach.home_of(inside),
            texts=self.cache,
        )
        folders = (self.run / "out", self.run / "tmp", self.tree)
        return RunSpec(argv, self.tree, environment, self.run, 60, folders=folders, confinement=confinement, **limits)

    def confinement(self, argv: list[str]) -> tuple[Confinement | None, Path]:
        """What the command may reach, and how it names its temporary folder."""
        given = (self.training.parent, self.declared.parent, self.linked)
        confinement = self.reach.confinement(
            argv,
            self.tree,
            read=(*given, self.folder / "programs", self.folder / "library"),
            hidden=(self.secrets["a file of the library that is held out"],),
            write=(self.tree, self.run / "out", self.run / "cache"),
            tmp=self.run / "tmp",
            shared_memory=True,
        )
        return confinement, self.reach.tmp_of(self.run / "tmp")

    @cached_property
    def reach(self) -> Access:
        environment = {**os.environ, "HOME": str(self.home)}
        return Access(self.sandbox, Workspace(self.root), self.cache, environment)

    async def told(self, program: str, **asked: object) -> dict[str, str]:
        """Run a program of `tests/programs` that takes what it is asked as JSON and writes down what came of it."""
        result = await (await self.start(program, json.dumps(asked))).wait()
        assert result.outcome == "finished", (result.reason, result.tail)
        told: dict[str, str] = json.loads((self.run / "out" / "told.json").read_text())
        return told

    async def ends(self, program: str, *arguments: str, **limits: int) -> RunResult:
        return await (await self.start(program, *arguments, **limits)).wait()

    async def ends_command(self, *argv: str) -> RunResult:
        return await (await self.start_command([*argv])).wait()


@contextmanager
def victim(cell: Cell) -> Iterator[tuple[int, int]]:
    """A process of the cell's user with a secret; its process id and where in its memory the secret is."""
    command = [*become(cell.user), cell.python, str(cell.program("holds_a_secret.py"))]
    process = subprocess.Popen(command, env={"SECRET": MARKER}, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        pid, address = map(int, process.stdout.readline().split())
        yield pid, address
        assert process.poll() is None, "somebody has ended it"
    finally:
        process.kill()
        process.wait()


@contextmanager
def listeners(cell: Cell) -> Iterator[dict[str, socket.socket]]:
    """Sockets of this machine that a run might talk to."""
    # A short path: a socket's has 107 bytes at most.
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(cell.folder / "s"))
        os.chmod(cell.folder / "s", 0o777)  # noqa: PTH101
        abstract.bind(f"\0looptop-{os.getpid()}-{cell.sandbox.kind}-{cell.user}")
        unix.listen()
        abstract.listen()
        for one in (tcp, udp, unix, abstract):
            one.setblocking(False)
        yield {"tcp": tcp, "udp": udp, "unix": unix, "abstract": abstract}
