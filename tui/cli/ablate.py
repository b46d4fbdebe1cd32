"""`looptop ablate`: have the worth of each kept change measured in today's champion, and read what came of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.on_record import have_done, put_on_record
from tui.cli.open_study import AsJson, Refused, find_root, folded, open_journal, print_json

if TYPE_CHECKING:
    from loop.study.state import Study


def ablate(
    context: typer.Context,
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs", min=2, max=400, help="Runs at most; as many as it takes without it.", show_default=False
        ),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the ablation under way; what has run counts.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Begin nothing; print what the newest has come to.")] = False,
    as_json: AsJson = False,
) -> None:
    from loop.policy import ablation, permissions
    from loop.reporting.ablation import as_data, lines
    from loop.study import events as e
    from loop.workspace import who
    from tui.cli.status_text import safe

    root = find_root(context.obj)
    with open_journal(root, to_ask=not (show or as_json)) as journal:
        study = folded(journal)
    if as_json:
        print_json(as_data(study))
        return
    if show:
        typer.echo("\n".join(safe(lines(study) or [_none(study)])))
        return
    if end:
        if study.ablation is None:
            raise Refused("no ablation is under way")
        put_on_record(context, e.Ablated(who=who(), end=True), checked=True)
        return
    answer = ablation.may_begin(study)
    if isinstance(answer, permissions.Refused):
        raise Refused(answer.sentence)
    count = len(ablation.kept(study))
    what = "the one kept change" if count == 1 else f"the {count} kept changes"
    request = e.Ablated(who=who(), runs=runs)
    have_done(context, request, f"{what} of experiment {study.champion}", "looptop ablate --show")


def _none(study: "Study") -> str:
    from loop.policy import ablation, permissions

    answer = ablation.may_begin(study)
    return (
        answer.sentence
        if isinstance(answer, permissions.Refused)
        else "nothing was measured yet; `looptop ablate` does"
    )
