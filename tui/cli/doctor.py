"""`looptop doctor`: check the machine and the workspace, mend, rebuild."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tui.cli.open_study import AsJson, Refused, find_root, print_json
from tui.cli.start import BaseUrl, Budget, Model, Researcher, Sandbox, flags_of

if TYPE_CHECKING:
    from tui.cli.checks import Check


def doctor(
    context: typer.Context,
    researcher: Researcher = None,
    model: Model = None,
    base_url: BaseUrl = None,
    sandbox: Sandbox = None,
    budget: Budget = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Mend what journal, git and disk disagree on; the next start does so too.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Rebuild a damaged or lost journal from what is left of it and from git."),
    ] = False,
    tag: Annotated[str | None, typer.Option("--tag", help="The study to rebuild, where git knows several.")] = None,
    rehearsal: Annotated[
        bool,
        typer.Option(
            "--try", help="Start the program for a few seconds as the loop would, and say what is in its way."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check what is here, what is missing and how to get it.

    Changes nothing without --mend or --rebuild, and never touches your own files or branches. With --model,
    --researcher and the like it checks what a start with them would need.

    Exit code 1 if something that the loop needs is missing.

    Example: looptop doctor --model qwen3-coder --base-url http://localhost:8000/v1

    Example: looptop doctor --try

    Example: looptop doctor --rebuild
    """
    flags_of(context)  # refused before anything is done
    if rehearsal and (mend or rebuild):
        raise Refused("use --try alone; --mend and --rebuild are about a study that is there", 2)
    if mend and rebuild:
        raise Refused("use --mend or --rebuild, not both; a rebuilt journal is mended too", 2)
    if tag is not None and not rebuild:
        raise Refused("--tag says which study to rebuild; it goes with --rebuild", 2)
    if rebuild:
        _rebuild(context, tag, as_json)
    elif mend:
        _mend(context, as_json)
    elif rehearsal:
        _rehearse(context, as_json)
    else:
        _examine(context, as_json)


def _examine(context: typer.Context, as_json: bool) -> None:
    from tui.cli.checks import examine

    _show(examine(context.obj.resolve(), flags_of(context)), as_json)


def _rehearse(context: typer.Context, as_json: bool) -> None:
    from loop.workspace import AlreadySupervised
    from tui.cli.checks import rehearse

    try:
        _show(rehearse(context.obj.resolve()), as_json)
    except AlreadySupervised as busy:
        raise Refused(f"{busy}, and tries all of this when it starts; `looptop stop`, then try") from None


def _show(checks: "list[Check]", as_json: bool) -> NoReturn:
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        typer.echo("\n".join(check.line() for check in checks))
    raise typer.Exit(1 if any(check.needed and not check.good for check in checks) else 0)


def _mend(context: typer.Context, as_json: bool) -> None:
    from loop.recovery.doctor import mend
    from loop.workspace import AlreadySupervised

    try:
        found = mend(find_root(context.obj))
    except AlreadySupervised as busy:
        raise Refused(f"{busy}, and mends when it starts; `looptop stop`, then mend") from None
    if as_json:
        names = ("kind", "said", "then", "experiments")
        print_json([{**{name: getattr(one, name) for name in names}, "mended": bool(one.mends)} for one in found])
    else:
        typer.echo("\n".join(one.sentence for one in found) or "nothing disagrees")
    raise typer.Exit(1 if any(one.stops for one in found) else 0)


def _rebuild(context: typer.Context, tag: str | None, as_json: bool) -> None:
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
