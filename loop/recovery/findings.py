"""What recovery observes besides the journal, what it finds, and what repairs it. Plain data."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from loop.lineage import Survey
from loop.recovery.git_facts import Dated, GitRecord

Kind = Literal[
    "processes", "trees", "locks", "person's locks", "run", "uncommitted", "commit", "ref", "journal", "folders",
    "note", "champion", "branch",
]  # fmt: skip


@dataclass(frozen=True)
class Clear:
    """End leftover processes and remove leftover trees and lock files; they are searched for again."""


@dataclass(frozen=True)
class RunAgain:
    """Record that the current run is lost, so that it runs again."""

    experiment: int
    run: int


@dataclass(frozen=True)
class Commit:
    """Commit a proposal from the journal."""

    experiment: int


@dataclass(frozen=True)
class CommitAgain:
    """Recreate a commit that the journal names and git has lost, from the journal's edits."""

    experiment: int


@dataclass(frozen=True)
class Point:
    """Point an experiment's ref at its commit; the commit that it pointed at is kept."""

    experiment: int
    commit: str


@dataclass(frozen=True)
class Record:
    """Record what git knows and the journal does not."""

    facts: tuple[Dated, ...]


@dataclass(frozen=True)
class Write:
    """Rewrite an experiment's note from the journal."""

    experiment: int


@dataclass(frozen=True)
class Forget:
    """Remove the note of an experiment that has no verdict any more."""

    experiment: int


@dataclass(frozen=True)
class SetAside:
    """Rename an unknown run folder, so that no run of that number overwrites it."""

    folder: str


@dataclass(frozen=True)
class PutBack:
    """Move the branch from `seen` to where the journal has it, or delete it if that is None."""

    commit: str | None
    seen: str | None
    """None if the branch's file holds no commit."""


Mend = Clear | RunAgain | Commit | CommitAgain | Point | Record | Write | Forget | SetAside | PutBack


@dataclass(frozen=True)
class Finding:
    """A disagreement between journal, git, process table and disk."""

    kind: Kind
    said: str
    """What was found, for a person; and what they can do, if only they can repair it."""
    then: str = ""
    """What is done about it: "put back"."""
    mends: tuple[Mend, ...] = ()
    """Empty if only a person can repair it."""
    experiments: tuple[int, ...] = ()
    ordinary: bool = False
    """The trace of any supervisor that is at work, or that died: repaired without a report."""
    stops: bool = False
    """The loop cannot go on until a person has repaired it."""

    @property
    def sentence(self) -> str:
        """Finding and repair in one sentence."""
        return f"{self.said}; {self.then}" if self.then else self.said


@dataclass(frozen=True)
class Observed:
    """What was observed besides the journal."""

    survey: Survey
    remembered: Mapping[int, GitRecord] = field(default_factory=dict)
    """Of `strangers`."""
    judged: Mapping[int, Collection[float]] = field(default_factory=dict)
    """When the journal has judged each of `contradicted`, in Unix seconds, every time."""
    trees: tuple[str, ...] = ()
    """Worktrees of runs, and git's records of them."""
    processes: tuple[str, ...] = ()
    """Command lines of processes of runs."""
    locks: tuple[str, ...] = ()
    """Lock files on the study's own refs, and files of refs that hold no commit."""
    foreign_locks: Mapping[str, float] = field(default_factory=dict)
    """Lock files of the person's git, and for how many seconds each has been there."""
    folders: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Run folders that hold a log: experiment and run, by their name."""
