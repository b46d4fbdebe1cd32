"""A branch for a person's own review: the files of commits that are there already, one after another, with new words.

Made without worktree or index; the same steps give the same commits. It is never pushed, and no branch is overwritten.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.lineage.git import LineageError, Plumbing, complaint


@dataclass(frozen=True, slots=True)
class Step:
    """One commit to be made."""

    like: str
    """The commit whose files it has."""
    message: str
    at: float
    """Its date, in Unix seconds."""


def make(git: Plumbing, branch: str, base: str, steps: Sequence[Step], dry: bool = False) -> Sequence[str]:
    """Make the branch at the last of `steps`, the first of which stands on `base`.

    Args:
        dry: make sure that it could be made, and make nothing that a ref names.

    Returns:
        The commits, oldest first. Where the branch is there already and holds just them, nothing is done.

    Raises:
        LineageError: the name is none for a branch, or there is another branch of that name.
    """
    answer = git.ask("check-ref-format", "--branch", branch)
    if answer.status != 0 or branch.startswith("looptop/"):
        why = "that name belongs to studies" if branch.startswith("looptop/") else "git takes no branch of that name"
        raise LineageError(f"{branch!r} cannot be the branch: {why}; choose another with `--branch NAME`")
    made: list[str] = []
    parent = git.run("rev-parse", "--verify", f"{base}^{{commit}}").decode().strip()
    for step in steps:
        parent = _commit(git, step, parent)
        made.append(parent)
    ref = f"refs/heads/{branch}"
    there = git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").out.decode().strip()
    if there == parent:
        return made
    if there:
        raise LineageError(
            f"there is a branch {branch} already, at {there[:12]}, and it is not overwritten; choose another name with "
            f"`--branch NAME`, or delete it: git branch -D {branch}"
        )
    if not dry:
        order = f"create {ref} {parent}\n".encode()
        done = git.ask("update-ref", "-m", "looptop: finish", "--stdin", stdin=order)
        if done.status != 0:
            raise complaint(("update-ref",), git.top, done)
    return made


def same_files(git: Plumbing, one: str, other: str) -> bool:
    """Whether two commits hold the same files."""
    return len(set(git.run("rev-parse", f"{one}^{{tree}}", f"{other}^{{tree}}").split())) == 1


def _commit(git: Plumbing, step: Step, parent: str) -> str:
    name, email = git.identity
    when = f"@{int(step.at)} +0000"
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", email), ("DATE", when))
    }
    arguments = ("commit-tree", f"{step.like}^{{tree}}", "-p", parent, "-F", "-")
    return git.run(*arguments, stdin=step.message.encode("utf-8", "replace"), env=who).decode().strip()
