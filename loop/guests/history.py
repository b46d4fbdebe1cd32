"""What git knows of a loop that somebody else's agent runs: its branch, and the commits that its results name.

Only reads: their branch, index, working tree and refs stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loop.errors import UserError
from loop.guests import results
from loop.guests.results import Results
from loop.lineage import LineageError
from loop.lineage.git import Plumbing
from loop.words import listed

BRANCHES = "autoresearch/"
"""Where the original's protocol has its agent make the branch of a run."""


class NoGuest(UserError):
    """There is no such loop here, or it cannot be told which; the message is a sentence for a person."""


@dataclass(frozen=True)
class Found:
    """A commit of theirs."""

    sha: str
    parent: str | None
    at: float
    """Its date in Unix seconds."""
    title: str


@dataclass(frozen=True)
class Loop:
    """Somebody else's loop, as it stands."""

    branch: str
    tip: str
    results: Results
    commits: dict[str, Found]
    """By the name that a row gives them; one that is gone (a discarded one was reset away) is left out."""

    @property
    def tag(self) -> str:
        return self.branch.removeprefix(BRANCHES)


def which(git: Plumbing, wanted: str | None) -> str:
    """The branch of the loop: the one that is meant, the one that is checked out, or the only one there is.

    Raises:
        NoGuest: there is none, or there are several.
    """
    out = git.run("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/").decode("utf-8", "replace")
    branches = out.splitlines()
    theirs = [name for name in branches if name.startswith(BRANCHES)]
    if wanted is not None:
        for name in (wanted, BRANCHES + wanted):
            if name in branches:
                return name
        known = f"; there are {listed(theirs)}" if theirs else ""
        raise NoGuest(f"there is no branch {wanted} or {BRANCHES}{wanted} in {git.root}{known}")
    head = git.ask("symbolic-ref", "--quiet", "--short", "HEAD").out.decode("utf-8", "replace").strip()
    if head in theirs:
        return head
    if len(theirs) == 1:
        return theirs[0]
    if not theirs:
        raise NoGuest(f"git has no branch {BRANCHES}TAG in {git.root}; name the branch of the loop, such as `main`")
    raise NoGuest(f"there are several loops in {git.root}: name one of {listed(theirs)}")


def look(git: Plumbing, branch: str, file: Path | None = None) -> Loop:
    """The loop as it stands now: one look at the results and a few at git.

    Args:
        file: where its results are, if not in `results.tsv` at the top of the checkout or on the branch.

    Raises:
        NoGuest: there are no results, or they cannot be read.
    """
    text = written(git, branch, file)
    if text is None:
        where = file or f"{results.NAME} in {git.root}, nor on {branch}"
        raise NoGuest(f"there is no {where}; say where the results are: --results FILE")
    found = results.read(text)
    return Loop(branch, tip(git, branch), found, commits(git, [row.commit for row in found.rows if row.commit]))


def tip(git: Plumbing, branch: str) -> str:
    """The commit that the branch is at."""
    return git.run("rev-parse", "--verify", f"refs/heads/{branch}^{{commit}}").decode().strip()


def written(git: Plumbing, branch: str, file: Path | None = None) -> str | None:
    """The text of the results; None where there are none (yet).

    Raises:
        NoGuest: the file cannot be read.
    """
    place = git.root / results.NAME if file is None else file
    try:
        return place.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        pass
    except OSError as failed:
        raise NoGuest(f"{place} cannot be read: {failed.strerror}") from None
    committed = git.blobs([f"refs/heads/{branch}:{git.inside(results.NAME)}"])[0] if file is None else None
    return None if committed is None else committed.decode("utf-8", "replace")


def commits(git: Plumbing, names: Sequence[str]) -> dict[str, Found]:
    """Those of these commits that exist, by the name asked for."""
    if not names:
        return {}
    asked = "".join(f"{name}^{{commit}}\n" for name in names).encode()
    told = git.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).decode().splitlines()
    shas = {name: line.split()[1] for name, line in zip(names, told, strict=True) if line.startswith("commit ")}
    if not shas:
        return {}
    try:
        out = git.run(
            "log",
            "--no-walk=unsorted",
            "--stdin",
            "--format=%H%x00%P%x00%ct%x00%s%x00",
            stdin="".join(f"{sha}\n" for sha in dict.fromkeys(shas.values())).encode(),
        )
    except LineageError:
        return {}
    by_sha = {}
    for line in out.decode("utf-8", "replace").split("\n"):
        parts = line.split("\0")
        if len(parts) >= 4:
            sha, parents, at, title = parts[:4]
            by_sha[sha] = Found(sha, parents.split()[0] if parents else None, float(at), title)
    return {name: by_sha[sha] for name, sha in shas.items() if sha in by_sha}
