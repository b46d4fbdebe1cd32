"""`looptop promote` and `looptop ladder`: have an experiment measured on a larger rung, and read what came of it."""

from typing import Annotated

import typer

from tui.cli.on_record import have_done, put_on_record
from tui.cli.open_study import (
    AsJson,
    Refused,
    find_experiment,
    find_root,
    folded,
    open_journal,
    parse_number,
    print_json,
)

Some = Annotated[
    int | None, typer.Argument(metavar="[N]", parser=parse_number, help="Number of the experiment; the champion.")
]


def promote(
    context: typer.Context,
    number: Some = None,
    to: Annotated[str, typer.Option("--to", metavar="RUNG", help="Go on up to this rung, while it is better.")] = "",
    hold: Annotated[bool, typer.Option("--hold", help="Start no further run of it on a larger rung.")] = False,
    forbid: Annotated[bool, typer.Option("--forbid", help="End its climb, and begin none by itself.")] = False,
) -> None:
    from loop.policy import climbing, permissions
    from loop.study import events as e
    from loop.workspace import who

    if (hold and forbid) or (to and (hold or forbid)):
        raise Refused("--to, --hold and --forbid say three different things; give one of them", 2)
    root = find_root(context.obj)
    with open_journal(root, to_ask=True) as journal:
        study = folded(journal)
    x = climbing.champion(study) if number is None else find_experiment(study, number)
    if isinstance(x, permissions.Refused):
        raise Refused(x.sentence)
    if hold or forbid:
        put_on_record(context, e.Promoted(who=who(), then="hold" if hold else "forbid"), x.id)
        return
    grounded = study.climb is not None and study.climb.began.experiment == x.id and x.id in study.grounded
    answer = climbing.may_climb(study, x, to)
    if isinstance(answer, permissions.Refused) and not grounded:
        raise Refused(answer.sentence)
    rung = to or climbing.next_rung(study, x)
    what = f"experiment {x.id} and the baseline side by side on {rung}"
    have_done(context, e.Promoted(who=who(), to=to), what, "looptop ladder", x.id)


def ladder(context: typer.Context, as_json: AsJson = False) -> None:
    """What has climbed the ladder, and what held there.

    A row for each experiment that was measured on a larger rung: what it is worth there beside the baseline, with its
    95% interval, and whether it transfers. `scales:` in program.md names the rungs; `looptop promote` asks for a climb.
    """
    from loop.reporting.ladder import as_data, lines
    from tui.cli.status_text import safe

    with open_journal(find_root(context.obj)) as journal:
        study = folded(journal)
    if as_json:
        print_json(as_data(study))
    else:
        typer.echo("\n".join(safe(lines(study))))
