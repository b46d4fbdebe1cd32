"""Commands that tell what a study came to: the report, and what it has cost."""

import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.open_study import AsJson, Refused, find_root, folded, open_journal, print_json

if TYPE_CHECKING:
    from loop.reporting.cost import Books
    from loop.study.experiment import Experiment
    from loop.study.state import Study


def report(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The file to write; - prints it.", show_default="report.html, report.md"),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    markdown: Annotated[bool, typer.Option("--md", help="As Markdown, for a pull request.")] = False,
) -> None:
    """Write the study as one page to show.

    What was found, what it is worth, what it cost, why to believe it, and how to do it again: one HTML file that needs
    no network and no script, light and dark, ready to print; with --md the same as Markdown. Every number on it is in
    the journal.

    Example: looptop report --open

    Example: looptop report --md -o - | gh pr create --body-file -
    """
    from loop.reporting import page

    root = find_root(context.obj)
    study, found = _study_and_books(root)
    if study.baseline is None:
        raise Refused("there is nothing to report yet: the study has no baseline; `looptop` starts it")
    told = page.gather(study, found, _diffs(root, study))
    text = page.as_markdown(told, found) if markdown else page.as_html(told, found)
    if out == Path("-"):
        typer.echo(text, nl=False)
        return
    target = out or Path("report.md" if markdown else "report.html")
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}") from None
    typer.echo(f"wrote {target} ({len(text.encode()) / 1000:.0f} kB)")
    if open_it and not webbrowser.open(target.resolve().as_uri()):
        raise Refused(f"no browser can be opened here; copy {target} to a machine that has one")


def _study_and_books(root: Path) -> "tuple[Study, Books]":
    """The study and its books, as of now where a supervisor is at work."""
    from loop.reporting import cost
    from loop.workspace import supervisor_alive

    with open_journal(root) as journal:
        study = folded(journal)
        events = journal.read(kinds=cost.KINDS)
    return study, cost.books(study, events, time.time() if supervisor_alive(root) is not None else None)


def _diffs(root: Path, study: "Study") -> "Callable[[Experiment], str]":
    """How to come by an experiment's diff; empty where git has it no more."""
    from loop.lineage import Lineage, LineageError

    def diff(experiment: "Experiment") -> str:
        between = experiment.between()
        try:
            return "" if between is None else Lineage(root, study.tag).commits.diff(*between)
        except LineageError:
            return ""

    return diff


def cost(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what the study has cost, and what for.

    By what it was for, by researcher, by day, and for one true improvement. Slot time is counted once: first runs, the
    baseline, repeats, measuring again, runs that were lost, idle slots. Money is that of model calls. With --json also
    for each experiment.

    Example: looptop cost --json | jq .per_true_improvement
    """
    from loop.reporting import cost as costs
    from tui.cli.cost_text import cost_lines

    _, found = _study_and_books(find_root(context.obj))
    if as_json:
        print_json(costs.data(found))
    else:
        typer.echo("\n".join(cost_lines(found)))


def finish(
    context: typer.Context,
    branch: Annotated[
        str | None, typer.Option("--branch", "-b", help="Name of the branch.", show_default="finish/TAG")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would hold; make nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a branch of clean commits for your own review.

    One for each change that was kept and is still in. Each message says what the change is worth, with its interval,
    who proposed it and why. The branch begins at the commit that the study began with. Nothing is pushed, your
    checkout stays as it is, and no branch is overwritten.

    Example: looptop finish && git log -p main..finish/TAG
    """
    from loop.lineage import Lineage
    from loop.reporting.finish import finish as make
    from loop.sanitize import plain

    root = find_root(context.obj)
    study, found = _study_and_books(root)
    name = branch or f"finish/{study.tag}"
    done = make(study, found, Lineage(root, study.tag), name, dry_run)
    if as_json:
        commits = [{"sha": sha, "title": title, "experiment": number} for sha, title, number in done.commits]
        print_json({"branch": done.branch, "base": done.base, "commits": commits, "dry_run": dry_run})
        return
    count = len(done.commits)
    typer.echo(f"{'would make' if dry_run else 'made'} branch {name}: {count} commit{'s' if count > 1 else ''}")
    for sha, title, _ in done.commits:
        typer.echo(f"  {sha[:12]} {plain(title)}")
    if not dry_run:
        typer.echo(f"look through it with `git log -p {done.base[:12]}..{name}`; nothing was pushed")
