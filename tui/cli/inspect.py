"""Commands that look and change nothing: status, experiments, show, log."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import AsJson, Number, Refused, find_experiment, find_root, folded, open_journal, print_json

if TYPE_CHECKING:
    from loop.study.experiment import Experiment
    from loop.study.state import Study


def status(
    context: typer.Context,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on saying it, until ctrl+c.")] = False,
) -> None:
    """Say whether the loop is alive and what it has found.

    Example: looptop status --json | jq .champion
    """
    if watch:
        from tui.cli.status_watch import watch_status

        watch_status(find_root(context.obj), as_json)
        return
    from loop.workspace import supervisor_alive
    from tui.cli import status_text

    root = find_root(context.obj)
    with open_journal(root) as journal:
        study = folded(journal)
    pid = supervisor_alive(root)
    if as_json:
        print_json(status_text.status(study, pid, time.time()))
    else:
        typer.echo("\n".join([*status_text.status_lines(study, pid, time.time()), *status_text.summary(study)]))


def experiments(context: typer.Context, as_json: AsJson = False) -> None:
    """List all experiments.

    With verdict, metric, effect in units of the noise (σ, positive is better), and title.

    Example: looptop experiments --json
    """
    from tui.cli import status_text

    with open_journal(find_root(context.obj)) as journal:
        study = folded(journal)
    if as_json:
        print_json([status_text.experiment(study, found) for found in study.experiments.values()])
    else:
        typer.echo("\n".join(status_text.table(study)))


def show(
    context: typer.Context,
    number: Number,
    diff: Annotated[bool, typer.Option("--diff", help="Its change, as a unified diff.")] = False,
    log: Annotated[bool, typer.Option("--log", help="The output of its newest run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one experiment, its diff or its log.

    Hypothesis, runs, verdict and why.

    Example: looptop show 12 --diff
    """
    from loop.sanitize import plain
    from tui.cli import status_text

    root = find_root(context.obj)
    with open_journal(root) as journal:
        study = folded(journal)
    found = find_experiment(study, number)
    if diff:
        change = _diff(root, study, found)
        typer.echo(plain(change) if sys.stdout.isatty() else change, nl=False)  # a file gets it byte for byte
    elif log:
        if not found.runs:
            raise Refused(f"experiment {number} has not run yet")
        _print_log(root, number, max(found.runs), follow=False)
    elif as_json:
        print_json(status_text.experiment(study, found))
    else:
        typer.echo("\n".join(status_text.details(study, found)))


def log(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as it grows, run after run.")] = False,
) -> None:
    """Print the output of the newest run.

    Example: looptop log -f
    """
    from tui.cli import status_text

    root = find_root(context.obj)
    shown: tuple[int, int] | None = None
    while True:
        with open_journal(root) as journal:
            newest = status_text.newest(folded(journal).experiments.values())
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
        str, typer.Argument(metavar="FORM", help="tsv (results.tsv as autoresearch has it), csv or json.")
    ] = "tsv",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file instead of standard output.")] = None,
    compat: Annotated[
        bool, typer.Option("--compat", help="tsv: a crash as 0.0 instead of an empty cell, for old notebooks.")
    ] = False,
) -> None:
    """Print the results as a table.

    The columns of tsv are autoresearch's: commit, val_bpb, memory_gb, status, description.

    Example: looptop export > results.tsv
    """
    from loop.reporting import table

    if form not in table.FORMS:
        raise Refused(f"{form!r} is no form of the results; known are {', '.join(table.FORMS)}", 2)
    if compat and form != "tsv":
        raise Refused("--compat is about tsv; csv and json have an empty metric for a crash", 2)
    with open_journal(find_root(context.obj)) as journal:
        text = table.table(folded(journal), form, compat=compat)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{output} cannot be written: {error.strerror}") from None


def _diff(root: Path, study: "Study", found: "Experiment") -> str:
    from loop.lineage import Lineage

    if found.commit is None or found.parent_commit is None:
        raise Refused(f"experiment {found.id} has no commit to compare")
    return Lineage(root, study.tag).commits.diff(found.parent_commit, found.commit)


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
