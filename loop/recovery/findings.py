"""The words of recovery: what was found beside the journal, what disagrees, and what mends it. Plain data."""

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
    """End the processes that are left over, and remove the trees and lock files; they are looked for anew."""


@dataclass(frozen=True)
class RunAgain:
    """Record that a run under way is lost, so that it runs again."""

    experiment: int
    run: int


@dataclass(frozen=True)
class Commit:
    """Make a proposal a commit, from the journal."""

    experiment: int


@dataclass(frozen=True)
class CommitAgain:
    """Make a commit again that the journal names and git has lost, from the journal's edits."""

    experiment: int


@dataclass(frozen=True)
class Point:
    """Have an experiment's ref point at its commit; what it was at is kept aside."""

    experiment: int
    commit: str


@dataclass(frozen=True)
class Record:
    """Tell the journal what git remembers."""

    facts: tuple[Dated, ...]


@dataclass(frozen=True)
class Write:
    """Write an experiment's note anew from the journal."""

    experiment: int


@dataclass(frozen=True)
class Forget:
    """Take an experiment's note away: it has no verdict any more."""

    experiment: int


@dataclass(frozen=True)
class SetAside:
    """Rename a run folder that nobody knows, so that no run of that number wipes it."""

    folder: str


@dataclass(frozen=True)
class PutBack:
    """Move the branch from `seen` to where the journal has it, or take it away where that is None."""

    commit: str | None
    seen: str | None
    """None where the file of the branch holds no commit."""


Mend = Clear | RunAgain | Commit | CommitAgain | Point | Record | Write | Forget | SetAside | PutBack


@dataclass(frozen=True)
class Finding:
    """Something in which journal, git, the process table and the disk disagree."""

    kind: Kind
    said: str
    """What is found, for a person; and where nobody else can mend it, what they can do."""
    then: str = ""
    """What is done about it: "put back"."""
    mends: tuple[Mend, ...] = ()
    """Empty where nobody but a person can mend it."""
    experiments: tuple[int, ...] = ()
    ordinary: bool = False
    """The trace that any supervisor leaves which is at work, or which died: mended without a word."""
    stops: bool = False
    """The loop cannot go on before a person has mended it."""

    @property
    def sentence(self) -> str:
        """All of it, for the record."""
        return f"{self.said}; {self.then}" if self.then else self.said


@dataclass(frozen=True)
class Observed:
    """What was found beside the journal."""

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
