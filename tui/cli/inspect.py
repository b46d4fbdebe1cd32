"""Commands that look and change nothing: status, experiments, show, log, export."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loop.reporting.exporters import EXPORTERS
from tui.cli.open_study import (
    AsJson,
    Number,
    Refused,
    find_experiment,
    find_root,
    folded,
    json_of,
    open_journal,
    print_json,
)

if TYPE_CHECKING:
    from loop.study.experiment import Experiment
    from loop.study.state import Study

_EVERY = 1.0
"""Seconds between two looks of `status --watch`; one look at nothing new costs well under a millisecond."""

_HOME, _END_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"
"""Move the cursor to the top left corner; erase the rest of the line; erase the rest of the screen."""


def status(
    context: typer.Context,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Update it until ctrl+c.")] = False,
) -> None:
    """Show whether the loop runs and what it has found.

    Example: looptop status --json | jq .champion
    """
    from loop.workspace import supervisor_alive

    root = find_root(context.obj)
    if watch:
        _watch(root, as_json)
        return
    with open_journal(root) as journal:
        study = folded(journal)
    typer.echo(_status(study, supervisor_alive(root), as_json, indent=2))


def _status(study: "Study", pid: int | None, as_json: bool, indent: int | None = None) -> str:
    from loop.reporting import summary
    from tui.cli.status_text import status_lines

    now = time.time()
    if as_json:
        return json_of(summary.status(study, pid, now), indent)
    return "\n".join([*status_lines(study, pid, now), *summary.sentences(study)])


def slots(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what each slot does, and why one that is idle is.

    Example: looptop slots
    """
    from loop.reporting import summary
    from loop.workspace import supervisor_alive
    from tui.cli.status_text import slot_lines

    root = find_root(context.obj)
    with open_journal(root) as journal:
        study = folded(journal)
    pid, now = supervisor_alive(root), time.time()
    if as_json:
        print_json(summary.status(study, pid, now)["slots"])
    else:
        typer.echo("\n".join(slot_lines(study, pid, now)))


def _watch(root: Path, as_json: bool) -> None:
    """Print the status of the study at `root` until ctrl+c.

    A terminal that can move its cursor gets it written over; elsewhere, and with --json, each change of the study is
    printed once, so that a log of it stays short.
    """
    from loop.workspace import supervisor_alive

    moves = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not as_json
    with open_journal(root) as journal:
        study = folded(journal)
        printed = ""
        try:
            if moves:
                sys.stdout.write(_HOME + _REST)
            while True:
                folded(journal, study)
                pid = supervisor_alive(root)
                text = _status(study, pid, as_json)
                state = f"{study.seq} {pid}"  # clocks alone are no news
                if moves:
                    sys.stdout.write(_HOME + text.replace("\n", f"{_END_OF_LINE}\n") + f"{_END_OF_LINE}\n{_REST}")
                elif state != printed:
                    sys.stdout.write(text + ("\n" if as_json else "\n\n"))
                printed = state
                sys.stdout.flush()
                time.sleep(_EVERY)
        except KeyboardInterrupt:
            sys.stdout.write("\n")


def experiments(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILTER]...", help="Only those that satisfy all of it.", show_default=False),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            help="Best first: metric, effect, age, runs, time, usd, mem, lines, title, by, verdict, or a value.",
        ),
    ] = "",
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="At most so many.")] = None,
    pager: Annotated[bool, typer.Option(help="Show a long list in a pager, on a terminal.")] = True,
    as_json: AsJson = False,
) -> None:
    """List the experiments.

    Each with verdict, metric, effect in units of the noise (σ; positive is better), and title.

    A filter is words and terms, which all have to hold. Words are looked for in titles, hypotheses, reasons, lessons
    and notes. Terms: is:kept, is:crashed, is:open, is:failed, is:flagged, is:noted, is:mine, by:NAME; comparisons such
    as effect>1, age<6h, metric<0.98, time>10m, mem<40G, or of any value that runs print; ! in front turns one round.
    The cockpit's / takes the same.

    Example: looptop experiments is:kept 'effect>1' --sort effect

    Example: looptop experiments by:claude 'age<6h' '!is:crashed' dropout --json
    """
    from loop.reporting import query, summary
    from tui.cli import status_text

    with open_journal(find_root(context.obj)) as journal:
        study = folded(journal)
    rows = query.chosen(study, " ".join(words or ()), sort, reverse, now=time.time())[:limit]
    if as_json:
        print_json([summary.experiment(study, found) for found in rows])
    else:
        _print_long("\n".join(status_text.table(study, rows)), pager)


def _print_long(text: str, pager: bool) -> None:
    """Print a text; in the person's pager where it is a terminal that does not hold all of it."""
    if not pager or not sys.stdout.isatty() or text.count("\n") + 2 <= shutil.get_terminal_size().lines:
        typer.echo(text)
        return
    import pydoc  # 30 ms

    os.environ.setdefault("LESS", "FRSX")  # as git sets it, and titles are cut and not wrapped
    pydoc.pager(text)


def show(
    context: typer.Context,
    number: Number,
    diff: Annotated[bool, typer.Option("--diff", help="Print its change as a unified diff.")] = False,
    log: Annotated[bool, typer.Option("--log", help="Print the output of its newest run.")] = False,
    files: Annotated[bool, typer.Option("--files", help="List what its runs have left, such as checkpoints.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one experiment, its diff, its log, or the files that its runs have left.

    Without an option: its hypothesis, its runs, its verdict and the reason.

    Example: looptop show 12 --diff

    Example: looptop show 12 --files
    """
    from loop.reporting import summary
    from loop.sanitize import plain
    from loop.workspace import Workspace
    from tui.cli import run_files, status_text

    root = find_root(context.obj)
    with open_journal(root) as journal:
        study = folded(journal)
    found = find_experiment(study, number)
    if diff:
        change = _diff(root, study, found)
        typer.echo(plain(change) if sys.stdout.isatty() else change, nl=False)  # into a file, byte for byte
    if log:
        if found.newest is None:
            raise Refused(f"experiment {number} has not run yet")
        _print_log(root, number, found.newest.number, follow=False)
    if files:
        left = run_files.files_of(Workspace(root), found)
        if as_json:
            print_json([{"run": file.run, "path": str(file.path), "bytes": file.bytes} for file in left])
        elif not left:
            raise Refused(run_files.why_none(found))
        else:
            typer.echo("\n".join(plain(line) for line in run_files.lines_of(left)))
    if diff or log or files:
        return
    if as_json:
        print_json(summary.experiment(study, found))
    else:
        typer.echo("\n".join(status_text.details(study, found)))


def log(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep printing as it grows, run after run.")] = False,
) -> None:
    """Print the output of the newest run.

    Example: looptop log -f
    """
    from loop.reporting import summary

    root = find_root(context.obj)
    shown: tuple[int, int] | None = None
    while True:
        with open_journal(root) as journal:
            newest = summary.newest(folded(journal).experiments.values())
        if newest is None and not follow:
            raise Refused("nothing has run here yet")
        if newest is not None and (newest.id, max(newest.runs)) != shown:
            shown = newest.id, max(newest.runs)
            _print_log(root, *shown, follow=follow)
        if not follow:
            return
        time.sleep(0.5)


def export(
    context: typer.Context,
    form: Annotated[
        str,
        typer.Argument(metavar="NAME", help=f"{'; '.join(f'{x.name}: {x.help}' for x in EXPORTERS.values())}."),
    ] = "tsv",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write a file instead of printing.")] = None,
) -> None:
    """Print the results, or write them to a file.

    The columns of tsv are autoresearch's: commit, val_bpb, memory_gb, status, description.

    Example: looptop export > results.tsv
    """
    if form not in EXPORTERS:
        raise Refused(f"{form!r} is no form of the results; known are {', '.join(EXPORTERS)}", 2)
    with open_journal(find_root(context.obj)) as journal:
        text = EXPORTERS[form].write(folded(journal), journal)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}") from None


def _diff(root: Path, study: "Study", found: "Experiment") -> str:
    from loop.lineage import Lineage

    if (between := found.between()) is None:
        raise Refused(f"experiment {found.id} has no commit to compare")
    return Lineage(root, study.tag).commits.diff(*between)


def _print_log(root: Path, experiment: int, number: int, *, follow: bool) -> None:
    """Print a run's log; with `follow`, until the run has ended and a newer one may have begun."""
    from loop.runs.log import read_log
    from loop.workspace import Workspace

    folder = Workspace(root).run_folder(experiment, number)
    offset = 0
    while True:
        piece = read_log(folder, offset)
        if piece.text:
            sys.stdout.write(piece.text)
            offset = piece.end
            continue
        sys.stdout.flush()
        if not follow or _ended(root, experiment, number):
            return
        time.sleep(0.3)


def _ended(root: Path, experiment: int, number: int) -> bool:
    with open_journal(root) as journal:
        return bool(journal.read(kinds={"run_finished"}, experiment=experiment, run=number, limit=1))
