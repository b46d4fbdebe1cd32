"""Git for a study: experiment commits, refs, notes, the branch, worktrees, and the study read back from git alone.

`Lineage` joins the parts, a module each. `git` runs the commands, shut off from hooks and the shell's environment;
`locks` waits while other programs hold git's locks; `message` and `verdict_note` are the text of commits and notes.
"""

from loop.lineage.branch import BranchMoved, moved
from loop.lineage.checkout import find_root, init_repository, matching, prefix_of
from loop.lineage.commits import Change, FileChange, MergeConflict
from loop.lineage.git import LineageError
from loop.lineage.history import RecoveredExperiment, Survey
from loop.lineage.incomplete import incomplete
from loop.lineage.lineage import Committed, Lineage
from loop.lineage.message import ExperimentMessage, Judged
from loop.lineage.tags import free_tag, tags
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
    "incomplete",
    "init_repository",
    "matching",
    "moved",
    "prefix_of",
    "tags",
]
