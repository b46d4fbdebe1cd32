"""Commands by which a person steers: each puts one request into the journal, and says what comes of it.

Their names, helps and refusals are those of `request_table`. A request that takes nothing, or an experiment and perhaps
a reason, needs no function here; the others have one.
"""

from collections.abc import Callable
from typing import Annotated

import typer

from loop.policy import permissions, request_table
from loop.policy.request_table import Row
from loop.workspace import supervisor_alive, who
from tui.cli.ablate import ablate
from tui.cli.ladder import promote
from tui.cli.on_record import put_on_record
from tui.cli.open_study import Number, Refused, find_experiment, find_root, folded, open_journal
from tui.cli.validate import validate

Why = Annotated[str, typer.Option("--why", help="Your reason; it is kept with the experiment.")]


def add_commands(app: typer.Typer) -> None:
    """Give `app` a command for each request that there is."""
    for row in request_table.TABLE:
        help = f"{row.help[0].upper()}{row.help[1:]}.\n\n{row.more}"
        app.command(row.name, help=help)(_OWN.get(row.name) or _command(row))


def _command(row: Row) -> Callable[..., None]:
    """The command of a request that takes nothing, or an experiment and perhaps a reason."""

    if row.of_slot:
        return _of_slot(row)

    def alone(context: typer.Context) -> None:
        put_on_record(context, row.body(who()))

    def numbered(context: typer.Context, number: Number) -> None:
        put_on_record(context, row.body(who()), number)

    def reasoned(context: typer.Context, number: Number, why: Why = "") -> None:
        put_on_record(context, row.body(who(), why), number)

    return reasoned if row.reasoned else numbered if row.numbered else alone


def _steer(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="[@NAME] TEXT", help="Words for the researchers.")],
    interrupt: Annotated[bool, typer.Option("-i", "--interrupt", help="Cut their present thoughts short.")] = False,
) -> None:
    from loop.study import events as e
    from loop.study.requests import addressed

    to, text = addressed(" ".join(words))
    if not text:
        raise Refused("there are no words to pass on", 2)
    with open_journal(find_root(context.obj), to_ask=True) as journal:
        known = permissions.find_researcher(folded(journal), to)
    if isinstance(known, permissions.Refused):
        raise Refused(known.sentence, 2)
    put_on_record(context, e.Steered(who=who(), text=text, interrupt=interrupt, to=to))


def _submit(
    context: typer.Context,
    title: Annotated[str, typer.Option("-m", "--title", help="What it is, in a few words.")] = "",
) -> None:
    from loop.pipeline import submission

    root = find_root(context.obj)
    with open_journal(root, to_ask=True) as journal:
        found = submission.look_in(root, folded(journal))
    if isinstance(found, str):
        raise Refused(found)
    typer.echo(f"{found.words} on experiment {found.request.parent}")
    put_on_record(context, found.called(title, who()))


def _pin(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="The guidance; lists what is pinned without it.", show_default=False),
    ] = None,
) -> None:
    from loop.study import events as e
    from tui.cli.status_text import pin_lines

    if text := " ".join(words or ()).strip():
        put_on_record(context, e.Pinned(who=who(), text=text))
        return
    with open_journal(find_root(context.obj)) as journal:
        typer.echo("\n".join(pin_lines(folded(journal)) or ["nothing is pinned"]))


def _unpin(
    context: typer.Context,
    number: Annotated[
        int | None, typer.Argument(metavar="N", help="Number of the pin; all without it.", show_default=False)
    ] = None,
) -> None:
    from loop.study import events as e

    with open_journal(find_root(context.obj), to_ask=True) as journal:
        study = folded(journal)
    if isinstance(pin := permissions.find_pin(study, number), permissions.Refused):
        raise Refused(pin.sentence, 2 if study.pins else 1)
    put_on_record(context, e.Unpinned(who=who(), pin=pin))


def _note(
    context: typer.Context,
    number: Number,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]", help="The note; prints the present one without it.", show_default=False),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take the note back.")] = False,
) -> None:
    from loop.sanitize import one_line
    from loop.study import events as e

    text = " ".join(words or ()).strip()
    if text and clear:
        raise Refused("--clear takes the note back, so there is no text to go with it", 2)
    with open_journal(find_root(context.obj), to_ask=bool(text) or clear) as journal:
        found = find_experiment(folded(journal), number)
    before = f"“{one_line(found.note)}”" + (f" by {one_line(found.noted_by)}" if found.noted_by else "")
    if not text and not clear:
        typer.echo(before if found.note else f"there is no note on experiment {number}")
        return
    if clear and not found.note:
        raise Refused(f"there is no note on experiment {number}")
    put_on_record(context, e.Noted(who=who(), text=text), number)
    if found.note:
        typer.echo(f"it was {before}")


def _of_slot(row: Row) -> Callable[..., None]:
    """The command of a request that is about a slot."""

    def named(
        context: typer.Context,
        words: Annotated[list[str], typer.Argument(metavar="SLOT", help='Its name, such as "GPU 3", or its number.')],
    ) -> None:
        with open_journal(find_root(context.obj), to_ask=True) as journal:
            slot = permissions.find_slot(folded(journal), " ".join(words))
        if isinstance(slot, permissions.Refused):
            raise Refused(slot.sentence, 2)
        put_on_record(context, row.about_slot(who(), slot))

    return named


def _stop(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="End the current run; it is run again after a start.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has stopped.")] = True,
) -> None:
    from tui.cli.stop import stop_loop

    root = find_root(context.obj)
    if supervisor_alive(root) is None:
        typer.echo("no loop runs here")
        return
    with open_journal(root, to_ask=not now) as journal:
        for line in stop_loop(root, journal, who(), now=now, wait=wait):
            typer.echo(line)


_OWN: dict[str, Callable[..., None]] = {
    "steer": _steer,
    "submit": _submit,
    "pin": _pin,
    "unpin": _unpin,
    "note": _note,
    "validate": validate,
    "ablate": ablate,
    "promote": promote,
    "stop": _stop,
}
"""Requests that take something else, by name."""
