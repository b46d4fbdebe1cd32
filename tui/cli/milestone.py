"""`looptop milestone`: the sealed part of the data, opened for champion and baseline."""

from typing import Annotated

import typer

from tui.cli.open_study import AsJson, find_root, folded, open_journal, print_json


def milestone(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--show", help="Print those of before; open nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the gain on data that no decision has seen.

    Champion and baseline are measured on the sealed part of the data. `sealed:` in program.md names the command. The
    checkpoints of their runs are measured, so it takes seconds, and the gap between the search's gain and the sealed
    one says how much of it selection has eaten. Open it seldom: what is looked at often, and decided by, is sealed no
    more.

    Example: looptop milestone --json | jq .[-1].gap
    """
    from loop.policy.sealed import all_opened
    from loop.reporting.sealed import as_data, lines

    root = find_root(context.obj)
    if show:
        with open_journal(root) as journal:
            study = folded(journal)
    else:
        from loop.supervisor.milestone import milestone as open_it

        study = open_it(root, lambda said: typer.echo(said, err=as_json))
    if as_json:
        print_json(as_data(study))
    elif all_opened(study):
        typer.echo("\n".join(lines(study)))
    else:
        typer.echo("the sealed part of the data has given no number yet")
