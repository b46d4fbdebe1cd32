"""What the runs of an experiment have left in their folders, checkpoints among it: `looptop show N --files`."""

import os
from dataclasses import dataclass
from pathlib import Path

from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.words import size
from loop.workspace import Workspace


@dataclass(frozen=True)
class RunFile:
    """One file."""

    run: int
    path: Path
    bytes: int


def files_of(workspace: Workspace, found: Experiment) -> list[RunFile]:
    """The files that are there, run by run, by their names. Links are not followed."""
    listed = []
    for number in sorted(found.runs):
        out = workspace.run_folder(found.id, number) / "out"
        for folder, folders, names in os.walk(out):
            folders.sort()
            for path in (Path(folder) / name for name in sorted(names)):
                try:
                    listed.append(RunFile(number, path, path.lstat().st_size))
                except OSError:
                    pass  # a run that goes on has removed it meanwhile
    return listed


def lines_of(files: list[RunFile]) -> list[str]:
    """A line each: the size, and the path to copy it from."""
    return [f"{size(file.bytes):>8}  {file.path}" for file in files]


def why_none(found: Experiment) -> str:
    """Why there is no file, in a sentence."""
    if not found.runs:
        return f"experiment {found.id} has not run yet"
    if found.verdict is not None and found.verdict != Outcome.KEPT:
        return f"experiment {found.id} was not kept, and what its runs wrote was deleted with the verdict"
    if any(run.outcome is None for run in found.runs.values()):
        return f"a run of experiment {found.id} goes on; what it has written on a node comes here when it ends"
    return f"the runs of experiment {found.id} have left nothing in their folder ($LOOPTOP_RUN_DIR)"
