"""The names of studies in one repository. Its folders and worktrees may each hold a study of their own.

What git knows of a study, its refs, comes some time after its start. Until then a reservation in git's folder keeps the
name: a file that holds the folder of the project that has it.
"""

import os
import re
from pathlib import Path

from loop.lineage.git import LineageError, Plumbing
from loop.workspace import Workspace

FOLDER = "looptop-tags"
"""In the git folder that all worktrees share."""


def tags(root: Path) -> list[str]:
    """The studies that git knows of in this repository, by branch or by experiments, sorted.

    Not those that another project of the repository has the journal of.
    """
    git = Plumbing(root)
    return [tag for tag in _known(git) if not _is_elsewhere(git, tag.casefold())]


def free_tag(root: Path, wanted: str) -> str:
    """Reserves a name for a study of the project at `root`.

    Returns:
        `wanted`, made fit to name a study, or the first of `wanted-2`, `wanted-3` ... that no study in git has yet and
        no other project of the repository has reserved.

    Raises:
        LineageError: git's folder cannot be written.
    """
    git = Plumbing(root)
    plain = (
        re.sub(r"\.lock$|\.+$", "", re.sub(r"\.{2,}", ".", re.sub(r"[^\w.-]+", "-", wanted).lstrip(".-"))) or "study"
    )
    # Two tags that differ only in case are one file on some disks.
    taken = {tag.casefold() for tag in _known(git)}
    number = 1
    while True:
        name = plain if number == 1 else f"{plain}-{number}"
        if name.casefold() not in taken and _reserve(git, name.casefold()):
            return name
        number += 1


def _known(git: Plumbing) -> list[str]:
    out = git.run("for-each-ref", "--format=%(refname)", "refs/heads/looptop/", "refs/looptop/")
    parts = (name.split("/") for name in out.decode().splitlines())
    # refs/heads/looptop/TAG and refs/looptop/TAG/ID
    return sorted({part[3] if part[1] == "heads" else part[2] for part in parts if len(part) == 4})


def _is_elsewhere(git: Plumbing, name: str) -> bool:
    try:
        owner = Path(os.fsdecode((git.common_dir / FOLDER / name).read_bytes()))
    except OSError:
        return False
    return owner != git.root and Workspace(owner).journal.exists()


def _reserve(git: Plumbing, name: str) -> bool:
    """Whether the name is this project's now; the system gives the file to one of those who make it at once."""
    path = git.common_dir / FOLDER / name
    try:
        path.parent.mkdir(exist_ok=True)
        try:
            with path.open("xb") as file:
                file.write(os.fsencode(git.root))
            return True
        except FileExistsError:
            return path.read_bytes() == os.fsencode(git.root)
    except OSError as failed:
        raise LineageError(f"{failed.filename} cannot be written ({failed.strerror}); looptop needs it") from failed
