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
    """Where things are. `root` is the top of the person's checkout."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

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
    def runs(self) -> Path:
        return self.folder / "runs"

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
