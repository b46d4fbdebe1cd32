"""`looptop digest`: what has happened since a person last looked."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import AsJson, Refused, find_root, folded, open_journal, print_json

if TYPE_CHECKING:
    from loop.journal import Journal
    from loop.study.state import Study


def digest(
    context: typer.Context,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            help="last (your last look), how long ago (4h, 2d), a time of day (22:14), or a date.",
            metavar="WHEN",
        ),
    ] = "last",
    mark: Annotated[bool, typer.Option("--mark", help="This was a look: the next `last` begins here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what has happened since you last looked.

    What waits for you, what was kept and what that gained, what failed and why, faults, what researchers learnt, and
    what it cost. A look is a key pressed in a cockpit, or `--mark`; without one it begins with the study.

    Example: looptop digest --since 8h

    Example: looptop digest --mark | mail -s "the loop" me@example.org
    """
    from loop.machine import looks
    from loop.reporting import digest as digests
    from loop.workspace import Workspace, who
    from tui.cli.status_text import safe

    root, now = find_root(context.obj), time.time()
    folder = Workspace(root).folder
    with open_journal(root) as journal:
        study = folded(journal)
        after, begin = _begin(journal, study, folder, since, now)
        told = digests.digest(study, journal.read(after, until=study.seq, kinds=digests.TOLD), begin, now)
    if mark:
        here = looks.Look(study.seq, now)
        looks.remember(folder, who(), here, since=here)
    if as_json:
        print_json(digests.as_data(study, told))
        return
    lines = digests.text(study, told)
    typer.echo("\n".join(safe(lines) if sys.stdout.isatty() else lines))


def _begin(journal: "Journal", study: "Study", folder: Path, since: str, now: float) -> tuple[int, float]:
    """The event after which a digest begins, and when that is."""
    from loop.machine import looks
    from loop.reporting.moments import moment
    from loop.workspace import who

    if since != "last":
        try:
            at = moment(since, now)
        except ValueError as error:
            raise Refused(f"--since: {error}, or last", 2) from None
        return journal.seq_at(at), at
    look = looks.before(folder, who(), now)
    return (0, study.started_at or now) if look is None else (look.seq, look.at)
