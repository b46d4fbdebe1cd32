"""A study's experiment refs put right in git. Every step can be repeated; repeating it changes nothing.

What a ref points at and would be lost by moving it is kept under `superseded/`. Lock files are removed only where they
lock a file of the study's own; those of the person's git are reported (`foreign_locks`) and left alone.
"""

import os
from pathlib import Path

from loop.lineage.git import Plumbing
from loop.lineage.history import is_broken

FOREIGN_LOCKS = ("index.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock")


class Refs:
    """The refs of the study `tag`: `refs/looptop/<tag>/<id>`."""

    def __init__(self, git: Plumbing, tag: str) -> None:
        self._git, self._tag = git, tag

    def name(self, experiment_id: int) -> str:
        """The ref of an experiment."""
        return f"refs/looptop/{self._tag}/{experiment_id}"

    def aside(self, experiment_id: int, sha: str) -> str:
        """The ref that keeps a commit which another one replaces."""
        return f"refs/looptop/{self._tag}/superseded/{experiment_id}-{sha[:12]}"

    def point(self, experiment_id: int, sha: str) -> None:
        """Point an experiment's ref at the commit `sha`; the commit that it points at now is kept aside.

        Raises:
            LineageError: git does not take it.
        """
        ref = self.name(experiment_id)
        was = self._git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").out.decode().strip()
        if was == sha:
            return
        keep = f"update {self.aside(experiment_id, was)} {was}\n" if was else ""
        moves = f"{keep}update {ref} {sha}\n".encode()
        self._git.run("update-ref", "-m", "looptop: put back", "--stdin", stdin=moves)

    def make_room(self, experiment_id: int) -> None:
        """Clear the way for a commit that is gone and is made again.

        Git would neither move a ref whose commit is gone, nor write an object whose file exists although a power cut
        has left it empty. An empty object is nobody's.
        """
        ref = self.name(experiment_id)
        if self._git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").status != 0:
            self._git.ask("update-ref", "-d", ref)
        for file in (self._git.common_dir / "objects").glob("??/*"):
            if file.stat().st_size == 0:
                file.unlink()

    def left_by_dead_gits(self) -> list[Path]:
        """Lock files on the study's own branch and refs, and files of its refs that hold no commit.

        They are stale if the workspace's one supervisor is not at work.
        """
        lock = self._git.common_dir / f"refs/heads/looptop/{self._tag}.lock"
        found = [lock] if lock.exists() else []
        for folder, _, files in os.walk(self._git.common_dir / "refs" / "looptop" / self._tag):
            paths = (Path(folder, name) for name in files)
            found += [path for path in paths if path.suffix == ".lock" or is_broken(path)]
        return sorted(found)

    def foreign_locks(self, now: float) -> dict[str, float]:
        """Lock files of the person's own git and the age of each in seconds. A living git may hold them."""
        found = {}
        for path in {self._git.common_dir / name for name in FOREIGN_LOCKS} | {self._git.git_dir / "index.lock"}:
            try:
                found[str(path)] = max(0.0, now - path.lstat().st_mtime)
            except OSError:
                continue
        return dict(sorted(found.items()))
