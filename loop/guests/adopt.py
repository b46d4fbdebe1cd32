"""Adopting a prompt-driven loop: its history becomes a study's past, and the study goes on from its best commit.

What its agent reported is recorded as imported experiments: with a verdict and a number, and without a run, so that
nothing of it counts for the noise, the judge or a limit. The study's own baseline measures the best commit anew.
Nothing of theirs is changed; git and the journal get what any new study gets.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loop.config import program as programs
from loop.config.program import Program
from loop.guests.history import Found, Loop, NoGuest, look, which
from loop.guests.results import Row
from loop.journal import Journal, exists
from loop.lineage import Lineage, free_tag, matching
from loop.lineage.git import Plumbing
from loop.study import events as e
from loop.study.contract import Contract
from loop.study.outcomes import Outcome
from loop.words import listed
from loop.workspace import Workspace, supervise

IMPORTED = "imported"
"""Name of the researcher that imported experiments are by."""


@dataclass
class Adopted:
    """What was taken over, or would be."""

    tag: str
    branch: str
    """Theirs."""
    base: str
    """The commit that the study begins at."""
    best: Row | None
    rows: list[Row]
    metric: str
    said: list[str] = field(default_factory=list)
    """What was left out or taken otherwise, a sentence each."""
    facts: list[tuple[float, e.Body, int | None]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many of their experiments had which verdict."""
        found: dict[str, int] = {}
        for row in self.rows:
            found[row.outcome.word] = found.get(row.outcome.word, 0) + 1
        return found


def adopt(root: Path, branch: str | None, file: Path | None, tag: str | None, dry: bool) -> Adopted:
    """Begin a study at `root` with the history of the loop on `branch`.

    Args:
        branch: theirs; None: the only one, or the one that is checked out.
        file: their results, where they are not in `results.tsv`.
        tag: the study's name; None: theirs.
        dry: only say what would be done.

    Raises:
        NoGuest: there is no such loop, or a study is here already; nothing was changed.
        AlreadySupervised, LineageError, ProgramError, JournalError: each with a sentence.
    """
    workspace = Workspace(root)
    git = Plumbing(root)
    if exists(workspace.journal):
        raise NoGuest(
            f"{workspace.journal} holds a study already; adopt the loop in a worktree of its own (`git worktree add "
            "../adopted`), or move that folder away"
        )
    program = programs.load(root, matching)
    found = look(git, which(git, branch), file)
    adopted = plan(found, program, free_tag(root, tag or found.tag), time.time())
    if not dry:
        Lineage(root, adopted.tag).prepare()
        with supervise(root), Journal(workspace.journal, create=True) as journal:
            journal.append_all(
                [(body, number, None) for _, body, number in adopted.facts], at=[at for at, _, _ in adopted.facts]
            )
    return adopted


def plan(found: Loop, program: Program, tag: str, now: float) -> Adopted:
    """What to record of a loop. Pure, but for the time that is passed in.

    Raises:
        NoGuest: nothing can be taken over.
    """
    rows, contract = found.results.rows, program.contract
    if not rows:
        why = f": {found.results.said[0]}" if found.results.said else ""
        raise NoGuest(f"the results of {found.branch} have no experiment{why}")
    if found.results.metric != contract.metric:
        raise NoGuest(
            f"its results are of {found.results.metric}, and program.md says {contract.metric}: write `metric: "
            f"{found.results.metric}` there"
        )
    best = best_of(rows, found, contract)
    base = found.commits[best.commit].sha if best is not None else found.tip
    adopted = Adopted(tag, found.branch, base, best, rows, contract.metric, list(found.results.said))
    adopted.said += _doubts(rows, found, best, contract)
    times = list(_times(rows, found.commits, now))
    started = e.StudyStarted(
        tag=tag, branch=f"looptop/{tag}", base=base, contract=contract, text=program.text, pairs=True, rules=1
    )
    adopted.facts.append((times[0], started, None))
    parent: int | None = None
    for number, (row, at) in enumerate(zip(rows, times, strict=True), 1):
        commit = found.commits.get(row.commit)
        adopted.facts += [(at, body, number) for body in _told(row, commit, parent, found.branch)]
        if row.outcome == Outcome.KEPT:
            parent = number
    return adopted


def best_of(rows: list[Row], found: Loop, contract: Contract) -> Row | None:
    """The kept row with the best number whose commit still exists; of equals the newest."""
    kept = [row for row in rows if row.outcome == Outcome.KEPT and row.commit in found.commits]
    sign = -1 if contract.goal == "min" else 1
    return max(kept, key=lambda row: (sign * (row.metric or 0.0), row.line), default=None)


def _told(row: Row, commit: Found | None, parent: int | None, branch: str) -> Iterator[e.Body]:
    notes: dict[str, object] = {"branch": branch, "line": row.line, "commit": row.commit}
    if row.memory_gb is not None:
        notes["memory_gb"] = row.memory_gb
    if commit is not None:
        notes |= {"commit": commit.sha, "parent_commit": commit.parent}
    yield e.ExperimentProposed(researcher=IMPORTED, title=row.description, parent=parent, notes=notes, imported=True)
    yield e.ExperimentJudged(
        verdict=row.outcome,
        reason=f"its agent on {branch} said so; nothing here has measured it",
        metric=row.metric,
        by=IMPORTED,
    )


def _doubts(rows: list[Row], found: Loop, best: Row | None, contract: Contract) -> Iterator[str]:
    kept = [row for row in rows if row.outcome == Outcome.KEPT]
    gone = [row for row in kept if row.commit not in found.commits]
    if gone:
        yield f"git has no commit of {len(gone)} kept experiments ({listed([row.commit or '?' for row in gone])})"
    if best is None:
        yield f"git has the commit of none that it kept: the study goes on from the tip of {found.branch}"
    elif any(contract.better_by(row.metric or 0.0, best.metric or 0.0) > 0 for row in gone):
        yield f"the commit of its best number is gone: the study goes on from {best.commit}, the best that is there"


def _times(rows: list[Row], commits: dict[str, Found], now: float) -> Iterator[float]:
    """When each was tried: its commit's date, or that of the one before it; never back, never ahead."""
    dated = [commits[row.commit].at for row in rows if row.commit in commits]
    last = min([now, *dated])
    for row in rows:
        commit = commits.get(row.commit)
        last = max(last, min(now, commit.at)) if commit is not None else last
        yield last
