"""The verdict notes in git, under `refs/notes/looptop`: written, and removed when an experiment runs again."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from loop.lineage.git import LineageError, Plumbing, data
from loop.lineage.history import is_broken
from loop.lineage.message import compose_note

LOCK_S = 10.0  # writing a note takes 3 ms; whoever holds the lock this long hangs
_REF = "refs/notes/looptop"


class Notes:
    """The notes of one repository. All its studies share them, so every write takes a lock of ours."""

    def __init__(self, git: Plumbing) -> None:
        self._git = git

    def write(self, notes: Mapping[str, Mapping[str, str]]) -> None:
        """Write notes over earlier ones, in one git process.

        A note is put where git itself has its notes once there are hundreds: `fast-import` would read all of them to
        find that out, 8 ms at 700. The place where git has it while there are fewer is cleared.

        Args:
            notes: trailers by commit: `Verdict`, the metric by its own name, `Runs`, `Reason` and more; values become
                one line each.

        Raises:
            LineageError: git does not take them.
        """
        if not notes:
            return
        git = self._git
        name, email = git.identity
        with self._lock():
            stream = [
                b"feature done\n",
                f"commit {_REF}\ncommitter {name} <{email}> {int(time.time())} +0000\n".encode(),
            ]
            stream.append(data(b"Notes added by looptop\n"))
            if git.ask("rev-parse", "--verify", "--quiet", f"{_REF}^{{commit}}").status == 0:
                stream.append(f"from {_REF}^0\n".encode())
            elif is_broken(git.common_dir / _REF):
                (git.common_dir / _REF).unlink()
            for sha, trailers in notes.items():
                stream += [f"D {path}\n".encode() for path in (sha, f"{sha[:2]}/{sha[2:4]}/{sha[4:]}")]
                stream.append(f"M 100644 inline {sha[:2]}/{sha[2:]}\n".encode())
                stream.append(data(compose_note(trailers).encode("utf-8", "replace")))
            answer = git.fast_import([*stream, b"done\n"])
        if answer.status != 0:
            raise git.failed(("fast-import",), answer)

    def remove(self, sha: str) -> None:
        """Remove the note of a commit; nothing happens if there is none."""
        with self._lock():
            self._git.run("notes", f"--ref={_REF}", "remove", "--ignore-missing", sha)

    def stale_locks(self) -> list[Path]:
        """Git's own lock file on the notes, where there is one."""
        lock = self._git.common_dir / f"{_REF}.lock"
        return [lock] if lock.exists() else []

    def clear_stale_locks(self) -> None:
        """Remove git's own lock file on the notes. We hold our lock, so no looptop's git is writing them."""
        with self._lock():
            try:
                for lock in self.stale_locks():
                    lock.unlink(missing_ok=True)
            except OSError as failed:
                raise LineageError(
                    f"{failed.filename} cannot be deleted ({failed.strerror}); delete it by hand"
                ) from failed

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Git reads and writes the notes in two steps; another study of the repository may do so at the same time."""
        self._git.await_repository()
        try:
            with FileLock(self._git.common_dir / "looptop-notes.flock", timeout=LOCK_S):
                yield
        except Timeout as busy:
            raise LineageError(f"{busy.lock_file} is held by another looptop that hangs; end that one first") from busy
        except OSError as failed:
            raise LineageError(
                f"the verdict's note cannot be locked ({failed}); free the disk or fix its rights"
            ) from failed
