"""Git for a study: worktrees, experiment commits, refs, notes, diffs, and the tree of experiments read back.

Rooms: `plumbing` runs git, shut off from hooks and the shell's environment; `message` is the text of commits and notes;
`checkout` looks at the person's files; `worktrees` holds what runs run in; `comparison` diffs and merges in memory;
`memory` reads a study back from git alone, `mending` puts its refs right; `branch` moves what was kept, `locks` waits
for other hands; `study_lineage` joins them into `Lineage`, which promises the rest.
Knows nothing of the rest of `loop` but what a sentence for a person is.
"""

from loop.lineage.branch import BranchMoved, moved
from loop.lineage.checkout import find_root, init_repository
from loop.lineage.diff import FileChange, MergeConflict
from loop.lineage.git import LineageError
from loop.lineage.history import Change, RecoveredExperiment, Survey
from loop.lineage.lineage import Committed, Lineage, free_tag, tags
from loop.lineage.message import ExperimentMessage, Judged
from loop.lineage.worktrees import TreeChanges

__all__ = [
    "BranchMoved",
    "Change",
    "Committed",
    "ExperimentMessage",
    "FileChange",
    "Judged",
    "Lineage",
    "LineageError",
    "MergeConflict",
    "RecoveredExperiment",
    "Survey",
    "TreeChanges",
    "find_root",
    "free_tag",
    "init_repository",
    "moved",
    "tags",
]
