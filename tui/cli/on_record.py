"""A person's request from the command line: put on record, and told what comes of it."""

import time
from typing import TYPE_CHECKING

import typer

from loop.policy import permissions, request_table
from loop.workspace import supervisor_alive
from tui.cli.open_study import Refused, find_experiment, find_root, folded, open_journal

if TYPE_CHECKING:
    from loop.study import events as e


def put_on_record(
    context: typer.Context, body: "e.AnyRequest", number: int | None = None, checked: bool = False
) -> None:
    """Put a request on record, wait a moment for what comes of it, and say so; or say why it cannot be made now.

    Args:
        number: of the experiment that it is about.
        checked: it was made sure of already that it can.
    """
    from loop.study import events as e

    root, row = find_root(context.obj), request_table.of(body)
    with open_journal(root, to_ask=True) as journal:
        study = folded(journal)
        answer = row.check(study, None if number is None else find_experiment(study, number))
        if not checked and isinstance(answer, permissions.Refused):
            raise Refused(answer.sentence)
        seq = journal.append(body, number)
        if row.at_once:
            typer.echo("noted" if getattr(body, "text", "") else "taken back")
            return
        if supervisor_alive(root) is None:
            typer.echo("noted; no loop runs here now, so it takes effect when `looptop` starts one")
            return
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for event in journal.read(seq, kinds={"request_fulfilled"}):
                if isinstance(event.body, e.RequestFulfilled) and event.body.request == seq:
                    typer.echo(event.body.outcome)
                    return
            time.sleep(0.05)
    typer.echo(f"noted; it takes effect {row.later or 'as soon as it can'}")


def have_done(
    context: typer.Context, body: "e.Validated | e.Ablated | e.Promoted", does: str, see: str, number: int | None = None
) -> None:
    """Have a measurement made by the loop at work, or by one that is started for it alone; it can be made, as is known.

    Args:
        does: what the loop that is started does, for a sentence.
        see: the command that says how far it is.
        number: of the experiment that it is about.
    """
    from loop.config.overrides import Overrides
    from loop.supervisor.service import start_in_background

    root = find_root(context.obj)
    if supervisor_alive(root) is not None:
        put_on_record(context, body, number, checked=True)
        return
    pid = start_in_background(root, Overrides(), (body.model_copy(update={"only": True}), number))
    typer.echo(f"started (process {pid}): it measures {does}, and nothing else; `{see}` says how far it is")
