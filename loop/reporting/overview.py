"""A study in one row, for a list of all that this machine has. It opens the journal to look, and changes nothing."""

from dataclasses import dataclass
from pathlib import Path

from loop.journal import Journal, JournalError
from loop.reporting import summary
from loop.reporting.digest import waits_since
from loop.reporting.table import change
from loop.study.figures import Figures
from loop.study.folding import FOLDED, fold
from loop.workspace import Workspace, supervisor_alive


@dataclass(frozen=True, slots=True)
class Overview:
    """One study. Times are Unix seconds."""

    root: Path
    tag: str = ""
    state: str = ""
    """As `looptop status` calls it."""
    alive: bool = False
    metric: str = ""
    best: float | None = None
    change: str = ""
    """How far that is from the baseline, such as "-2.8%"."""
    experiments: int = 0
    kept: int = 0
    waiting: tuple[int, ...] = ()
    """Experiments that wait for a person."""
    waiting_since: float | None = None
    trouble: str = ""
    """What the loop waits for, where that is not its to mend."""
    at: float | None = None
    """Time of the newest event."""
    usd: float = 0.0
    refused: str = ""
    """Why its journal cannot be read; nothing else is known then."""


def overview(root: Path) -> Overview:
    """The study at `root`: 0.1 s for a thousand experiments."""
    try:
        with Journal(Workspace(root).journal) as journal:
            study = fold(journal.read(kinds=FOLDED))
            newest = journal.read(limit=1, newest=True)
    except JournalError as error:
        return Overview(root, refused=str(error))
    pid = supervisor_alive(root)
    best = Figures(study).best
    waiting = [one for one in study.open_experiments() if one.phase == "waiting"]
    trouble = next(iter(study.troubles.items()), None) if pid is not None else None
    return Overview(
        root=root,
        tag=study.tag,
        state=summary.state(study, pid),
        alive=pid is not None,
        metric=study.contract.metric,
        best=None if best is None else best.mean,
        change=change(study),
        experiments=study.judged(),
        kept=study.verdicts()["kept"],
        waiting=tuple(one.id for one in waiting),
        waiting_since=min(map(waits_since, waiting), default=None),
        trouble="" if trouble is None else f"{trouble[0]}: {trouble[1].message}",
        at=newest[0].at if newest else None,
        usd=study.usd,
    )
