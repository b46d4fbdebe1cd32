"""`looptop replay`: the cockpit at any past moment of a study."""

from typing import Annotated

import typer

from tui.cli.open_study import Refused, find_root, open_journal
from tui.cli.start import Ascii, Theme


def replay(
    context: typer.Context,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="Where it begins: begin, an experiment's number (its verdict), 4h (ago), 22:14, or a date.",
        ),
    ] = "begin",
    speed: Annotated[
        int, typer.Option("--speed", metavar="N", min=1, max=3600, help="Seconds of the study in one second.")
    ] = 60,
    ascii: Ascii = False,
    theme: Theme = None,
) -> None:
    """Play a study back on the cockpit's own screens.

    p stops and goes on, `,` and `.` go from verdict to verdict, [ and ] wind, < and > change the speed, and T comes
    back to now. Every view works as it does live, and nothing can be asked of the loop. Time in which nothing happened
    is skipped.

    Example: looptop replay --at 22:14 --speed 240

    Example: looptop replay --at 37
    """
    from tui.cockpit import launch
    from tui.model.replay import Replay

    root = find_root(context.obj)
    with open_journal(root) as journal:
        past = Replay(journal)
        if not past.end.seq:
            raise Refused("nothing has happened in this study yet")
        if at != "begin":
            try:
                past.meant(at)
            except ValueError as error:
                raise Refused(f"--at: {error}", 2) from None
    raise typer.Exit(launch.run(root, ascii=ascii, theme=theme, past=(at, speed)))
