"""`looptop ls`: every study of this machine."""

import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

import typer

from tui.cli.open_study import AsJson, print_json


def ls(as_json: AsJson = False) -> None:
    """List the studies of this machine: state, best, what waits.

    Those whose loop was started, or to which a cockpit was attached, by you on this machine. `L` in a cockpit shows the
    same, and enter goes to one.

    Example: looptop ls --json | jq '.[] | select(.waiting != [])'
    """
    from loop.machine import studies
    from loop.reporting.overview import overview
    from tui.cli.status_text import safe
    from tui.render.glyphs import UNICODE
    from tui.render.study_rows import study_lines

    rows = [overview(one.root) for one in studies.known()]
    if as_json:
        print_json([asdict(row) | {"root": str(row.root)} for row in rows])
        return
    if not rows:
        typer.echo("no study was seen on this machine yet; `looptop` starts one")
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    lines = study_lines(rows, time.time(), width, UNICODE, Path.home())
    typer.echo("\n".join(safe("".join(text for text, _ in line).rstrip() for line in lines)))
    for row in rows:
        if said := row.refused or row.trouble:
            typer.echo("\n".join(safe([f"! {row.root}: {said}"])))
