"""What `looptop doctor` finds of the study here: its journal, and whether journal, git and disk agree. Looks only."""

from collections.abc import Iterator
from pathlib import Path

from loop.journal import Journal, JournalError
from loop.lineage import LineageError, tags
from loop.recovery import doctor
from loop.words import size
from loop.workspace import Workspace, supervisor_alive
from tui.cli.finding import Finding


def examine(root: Path) -> Iterator[Finding]:
    """What is found of the study in the checkout at `root`."""
    workspace = Workspace(root)
    if not workspace.journal.exists():
        yield _without_journal(root)
        return
    pid = supervisor_alive(root)
    try:
        with Journal(workspace.journal) as journal:
            journal.check()
            said = f"{journal.last_seq()} events, {size(workspace.journal.stat().st_size)}; " + (
                f"process {pid} is at work" if pid else "no loop runs"
            )
        yield Finding("study", True, said)
        yield from _disagreements(root)
    except JournalError as error:
        yield Finding("study", False, str(error), needed=True)


def _without_journal(root: Path) -> Finding:
    known = tags(root)
    if not known:
        return Finding("study", True, "none yet; `looptop` begins one")
    which = "--rebuild" if len(known) == 1 else "--rebuild --tag TAG"
    said = f"no journal here, and git knows {', '.join(known)}"
    return Finding("study", False, said, f"`looptop doctor {which}` brings one back, `looptop` begins another")


def _disagreements(root: Path) -> Iterator[Finding]:
    """A finding for each disagreement, or one that there is none."""
    try:
        found = doctor.examine(root)
    except LineageError as error:
        yield Finding("recovery", False, str(error), needed=True)
        return
    for one in found:
        remedy = "the next start mends that, or `looptop doctor --mend`" if one.mends else ""
        yield Finding("recovery", one.ordinary, one.said, remedy, needed=one.stops)
    if not found:
        yield Finding("recovery", True, "journal, git and disk agree")
