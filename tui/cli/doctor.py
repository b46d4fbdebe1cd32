"""The command that looks after a workspace: `looptop doctor`."""

from typing import Annotated, Any

import typer

from tui.cli.open_study import AsJson, Refused, Tag, find_root, print_json


def doctor(
    context: typer.Context,
    mend: Annotated[
        bool, typer.Option("--mend", help="Mend what journal, git and disk disagree in; the next start does so too.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Make a damaged or lost journal anew, from what is left of it and from git."),
    ] = False,
    tag: Tag = None,
    as_json: AsJson = False,
) -> None:
    """Say what is here, what is missing and how to get it.

    Looks only, unless told to mend or to rebuild; nothing of a person's is ever touched.

    Exit code 1 if something that the loop needs is missing.

    Example: looptop doctor --rebuild
    """
    if mend and rebuild:
        raise Refused("say --mend or --rebuild, not both; a rebuilt journal is mended too", 2)
    if tag is not None and not rebuild:
        raise Refused("--tag says which study to rebuild; it goes with --rebuild", 2)
    if rebuild:
        _rebuild(context, tag, as_json)
    elif mend:
        _mend(context, as_json)
    else:
        _examine(context, as_json)


def _examine(context: typer.Context, as_json: bool) -> None:
    from tui.cli.checks import examine

    findings = examine(context.obj.resolve())
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        typer.echo("\n".join(finding.line() for finding in findings))
    raise typer.Exit(1 if any(finding.needed and not finding.good for finding in findings) else 0)


def _mend(context: typer.Context, as_json: bool) -> None:
    from loop.recovery.doctor import mend
    from loop.workspace import AlreadySupervised

    try:
        found = mend(find_root(context.obj))
    except AlreadySupervised as busy:
        raise Refused(f"{busy}, and mends when it starts; `looptop stop`, then mend") from None
    if as_json:
        print_json([_as_dict(one) for one in found])
    else:
        typer.echo("\n".join(one.sentence for one in found) or "nothing disagrees")
    raise typer.Exit(1 if any(one.stops for one in found) else 0)


def _rebuild(context: typer.Context, tag: str | None, as_json: bool) -> None:
    from dataclasses import asdict

    from loop.recovery.rebuild import rebuild
    from loop.workspace import AlreadySupervised

    try:
        rebuilt = rebuild(find_root(context.obj), tag)
    except AlreadySupervised as busy:
        raise Refused(f"{busy}; `looptop stop`, then rebuild") from None
    if as_json:
        print_json(asdict(rebuilt))
    else:
        typer.echo("\n".join(rebuilt.lines()))


def _as_dict(one: Any) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "said": one.said,
        "then": one.then,
        "experiments": one.experiments,
        "mended": bool(one.mends),
    }
