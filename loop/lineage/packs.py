"""Commits on their way to another machine, as git packs: a commit without its history, and later only what is new.

The other side is a store: a repository that has the study's first commit for its beginning (git calls it shallow), no
branch and no remote. A pack and not a bundle, since a bundle carries a ref and all that came before it. A changed file
of a project is some 400 bytes.
"""

import subprocess
from collections.abc import Collection
from pathlib import Path

from loop.errors import UserError
from loop.lineage.git import LineageError, Plumbing


def pack(git: Plumbing, commit: str, base: str, known: Collection[str]) -> bytes:
    """What a store lacks of `commit`: its objects, as differences where that is less.

    Args:
        base: the store's beginning. The history before it is not sent, and nothing of it counts as known.
        known: commits that the store has.

    Raises:
        LineageError: git has no such commit.
    """
    wanted = [f"--shallow {base}", commit, *(f"^{one}" for one in known)]
    stdin = "".join(f"{line}\n" for line in wanted).encode()
    return git.run("pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q", stdin=stdin)


def has(git: Plumbing, commit: str) -> bool:
    """Whether the store has the commit."""
    return git.ask("cat-file", "-e", f"{commit}^{{commit}}").status == 0


class PackStore:
    """The store of one study on a machine where its runs happen. Blocks; one call at a time.

    Args:
        folder: made where it is not there.
        base: the study's first commit.
    """

    def __init__(self, folder: Path, base: str) -> None:
        if not (folder / ".git" / "HEAD").exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                made = subprocess.run(
                    ["git", "init", "--quiet", "--template=", str(folder)], capture_output=True, text=True
                )
            except OSError as error:
                raise LineageError(f"no store can be made at {folder}: {error.strerror}") from error
            if made.returncode:
                raise LineageError(f"no store can be made at {folder}: {made.stderr.strip()}")
        self.git = Plumbing(folder)
        (self.git.common_dir / "shallow").write_text(f"{base}\n")

    def take(self, packed: bytes) -> None:
        """Take in what `pack` has made.

        Raises:
            UserError: it is damaged, or the disk is full; the store is as before.
        """
        answer = self.git.ask("index-pack", "--stdin", "--fix-thin", stdin=packed)
        if answer.status:
            raise UserError(f"a commit could not be stored on this machine: {answer.err.strip()[-200:]}")
