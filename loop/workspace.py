"""The workspace: the person's checkout, and what looptop keeps in its `.looptop/` folder.

Everything looptop writes lies in that one folder (and in git's own object store): the journal, the log and lock of
the supervisor, one folder a run, the worktrees. Also tells whether a supervisor is at work here, by its lock, which
the kernel lets go of however the process ends.
"""

import fcntl
import getpass
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loop.errors import UserError

FOLDER = ".looptop"


class AlreadySupervised(UserError):
    """Another supervisor holds the workspace; `pid` is its process."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"a supervisor is already at work here (process {pid})")
        self.pid = pid


@dataclass(frozen=True)
class Workspace:
    """Where things are."""

    root: Path
    """The folder of `program.md`: the person's project."""
    prefix: str = ""
    """Where in its repository that folder is, such as `packages/model`; empty: it is the top itself."""

    @property
    def top(self) -> Path:
        """The top of the person's checkout."""
        return self.root.parents[self.prefix.count("/")] if self.prefix else self.root

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

    def refuse_stranger(self) -> None:
        """Refuse a file of somebody else's where looptop's folder should be.

        Raises:
            UserError: there is one.
        """
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise UserError(f"{self.folder} is no folder, and looptop keeps a study in it; move it away")

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    @property
    def lock(self) -> Path:
        return self.folder / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor's process prints; empty unless something went wrong."""
        return self.folder / "supervisor.log"

    @property
    def seal(self) -> Path:
        """The secret by which placebos are told from ideas before their verdict."""
        return self.folder / "seal"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def rehearsal(self) -> Path:
        """What a short start writes while it is tried out; afterwards it is gone."""
        return self.folder / "try"

    def scratch_folder(self, slot: int) -> Path:
        """What a scratch run in that slot writes; afterwards it is gone."""
        return self.folder / "scratch" / str(slot)

    def scratch_lock(self, slot: int) -> Path:
        """Held by whoever makes a scratch run in that slot."""
        return self.folder / "scratch" / f"{slot}.lock"

    def run_folder(self, experiment: int, run: int) -> Path:
        """What we keep of a run: its log, and in `out/` the one place it may write to itself."""
        return self.runs / f"{experiment}.{run}"

    def drop_written(self, experiment: int, run: int, but: str = "") -> None:
        """Remove all that a run has written except its log and the folder `but`; may be done again."""
        for part in {"out", "tmp", "cache", "verify.tmp"} - {but}:
            shutil.rmtree(self.run_folder(experiment, run) / part, ignore_errors=True)

    def disk_used(self) -> int:
        """Bytes on disk under `.looptop/`."""
        total = 0
        for folder, _, files in os.walk(self.folder):
            for name in files:
                try:
                    total += (Path(folder) / name).lstat().st_blocks * 512
                except OSError:
                    pass  # gone since the folder was listed
        return total


def folders_up(folder: Path) -> list[Path]:
    """`folder` and those above it, up to the top of its git checkout; only itself where it is in none."""
    up = [folder, *folder.parents]
    top = next((at for at, place in enumerate(up) if (place / ".git").exists()), 0)
    return up[: top + 1]


def outside_trees(place: Path) -> Path:
    """`place`, or the project whose run has its worktree there."""
    parts = place.parts
    own = next((at for at in range(len(parts)) if parts[at : at + 2] == (FOLDER, "trees")), None)
    return place if own is None else Path(*parts[:own])


def supervisor_alive(root: Path) -> int | None:
    """Process id of the supervisor at work in the workspace at `root`, or None.

    Asks for the lock in shared mode for a moment, so that any number of askers do not hinder each other; a
    supervisor that starts in that moment tries again (see `supervise`).
    """
    try:
        with Workspace(root).lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else 0
    except OSError:
        pass  # no folder, no lock: nobody has ever been at work here
    return None


@contextmanager
def supervise(root: Path, patience: int = 20) -> Iterator[None]:
    """Hold the workspace as its one supervisor.

    Args:
        patience: tries of 50 ms each, because somebody may just be asking.

    Raises:
        AlreadySupervised: another process holds it.
    """
    path = Workspace(root).lock
    Workspace(root).refuse_stranger()
    path.parent.mkdir(exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b") as file:
        _take(file.fileno(), root, patience)
        file.truncate()
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def _take(descriptor: int, root: Path, patience: int) -> None:
    for _ in range(patience):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.05)
    raise AlreadySupervised(supervisor_alive(root) or 0)


def who() -> str:
    """The person at this terminal, as the record names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
