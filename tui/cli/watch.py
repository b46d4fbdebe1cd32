"""`looptop watch`: the cockpit on a loop that somebody else's agent runs."""

import os
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from tui.cli.start import Ascii, Theme


def watch(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="A folder of its checkout.", show_default="here")
    ] = None,
    branch: Annotated[str | None, typer.Option("--branch", help="Its branch, or the TAG of autoresearch/TAG.")] = None,
    results: Annotated[Path | None, typer.Option("--results", help="Its results.", show_default="results.tsv")] = None,
    log: Annotated[Path | None, typer.Option("--log", help="The output of its runs.", show_default="run.log")] = None,
    ascii: Ascii = False,
    theme: Theme = None,
) -> None:
    """Watch a prompt-driven autoresearch that somebody else's agent runs.

    Experiments, progress, log and gauges follow its results.tsv, its git and its run.log. Nothing is written there.

    Example: looptop watch ~/autoresearch
    """
    from loop.guests.history import which
    from loop.guests.watch import Watch
    from loop.lineage import find_root
    from loop.lineage.git import Plumbing
    from tui.cockpit import launch

    root = find_root(path or context.obj)
    name = which(Plumbing(root), branch)
    if (why := launch.refusal()) is not None:
        raise launch.Unusable(why)
    with tempfile.TemporaryDirectory(prefix="looptop-watch-") as place:
        teller = Watch(root, name, Path(place), results, log)
        stop = threading.Event()
        thread = threading.Thread(target=teller.run, args=(stop,), daemon=True)
        try:
            teller.begin()
            thread.start()
            guest = launch.Guest(os.getpid(), f"no longer watching {name}; it goes on without looptop")
            code = launch.run(Path(place), read_only=True, ascii=ascii, theme=theme, guest=guest)
        finally:
            stop.set()
            if thread.ident is not None:
                thread.join(5)
    raise typer.Exit(code)
