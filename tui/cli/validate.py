"""`looptop validate`: have the total gain measured anew, and read what came of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.on_record import have_done, put_on_record
from tui.cli.open_study import AsJson, Refused, find_root, folded, open_journal, print_json

if TYPE_CHECKING:
    from loop.study.state import Study


def validate(
    context: typer.Context,
    runs: Annotated[int, typer.Option("--runs", min=2, max=50, help="Runs of each of the two.")] = 5,
    end: Annotated[bool, typer.Option("--end", help="End the validation under way; what has run counts.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Begin nothing; print what validations have come to.")] = False,
    as_json: AsJson = False,
) -> None:
    from loop.policy import permissions, validation
    from loop.reporting.validation import as_data, lines
    from loop.study import events as e
    from loop.workspace import who
    from tui.cli.status_text import safe

    root = find_root(context.obj)
    if show or as_json:
        with open_journal(root) as journal:
            study = folded(journal)
        if as_json:
            print_json(as_data(study))
        else:
            typer.echo("\n".join(safe(lines(study) or [_none(study)])))
        return
    if end:
        with open_journal(root, to_ask=True) as journal:
            if folded(journal).validation is None:
                raise Refused("no validation is under way")
        put_on_record(context, e.Validated(who=who(), runs=0), checked=True)
        return
    with open_journal(root, to_ask=True) as journal:
        answer = validation.may_begin(folded(journal))
    if isinstance(answer, permissions.Refused):
        raise Refused(answer.sentence)
    what = f"champion and baseline, {runs} runs each with fresh seeds"
    have_done(context, e.Validated(who=who(), runs=runs), what, "looptop validate --show")


def _none(study: "Study") -> str:
    from loop.policy import permissions, validation

    answer = validation.may_begin(study)
    return answer.sentence if isinstance(answer, permissions.Refused) else "nothing was validated yet"
