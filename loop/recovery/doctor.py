"""A study examined and repaired for a person: what `looptop doctor` and `looptop doctor --mend` do.

Both use what every start uses (`compare`). Examining changes nothing, and is allowed while a loop is at work; then the
traces that any supervisor leaves between two steps are no findings. Nothing here runs anything.
"""

import asyncio
from functools import partial
from pathlib import Path

from loop.journal import Journal
from loop.journal.recorder import Recorder
from loop.lineage import Lineage
from loop.pipeline.filing import Filing
from loop.pipeline.judging import Judging
from loop.pipeline.proposals import Proposals
from loop.recovery import compare
from loop.recovery.findings import Finding
from loop.recovery.repair import Repair, look
from loop.runs.local.orphans import sweep_leftovers
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.workspace import Workspace, supervise, supervisor_alive


def examine(root: Path) -> list[Finding]:
    """What disagrees in the workspace at `root`, which has a study.

    Raises:
        JournalError, LineageError: it cannot be looked at; the sentence says why.
    """
    workspace = Workspace(root)
    with Journal(workspace.journal) as journal:
        study = fold(journal.read(kinds=FOLDED))
        if not study.tag:
            return []
        found = compare.compare(study, look(workspace, Lineage(root, study.tag), study))
    at_work = supervisor_alive(root) is not None
    return [one for one in found if not (at_work and one.ordinary)]


def mend(root: Path) -> list[Finding]:
    """Repair what can be repaired in the workspace at `root`, which has a study; returns what was found.

    Raises:
        AlreadySupervised: a loop is at work there; it repairs for itself when it starts.
        JournalError, LineageError: it cannot be mended; the sentence says why.
    """
    workspace = Workspace(root)
    Journal(workspace.journal).close()  # refused where there is none: an empty one would be in the way of a rebuild
    with supervise(root), Journal(workspace.journal, create=True) as journal:
        recorder = Recorder(journal)
        study = recorder.study
        if not study.tag:
            return []
        lineage = Lineage(root, study.tag)
        proposals, filing = Proposals(lineage, recorder, journal), Filing(workspace, lineage, recorder)
        judging = Judging(lineage, recorder, filing)
        sweep = partial(asyncio.to_thread, sweep_leftovers, workspace.folder)
        repair = Repair(workspace, lineage, recorder, proposals, judging, filing, sweep)

        async def both() -> list[Finding]:
            found = await repair.look()
            if any(one.mends for one in found):
                _close_supervision(journal, recorder)
                await repair.mend(found)
            return found

        return asyncio.run(both())


def _close_supervision(journal: Journal, recorder: Recorder) -> None:
    """Record that the last supervisor died, at the time of its last event: the time since then was not time at work."""
    supervisor = recorder.study.supervisor
    if supervisor is not None and supervisor.stopped_at is None:
        newest = journal.read(limit=1, newest=True)[0].at
        died = e.SupervisorStopped(reason="it died without a word; `looptop doctor --mend` found it so", failed=True)
        recorder.record_dated([(newest, died, None, None)])
