"""`looptop web`: the cockpit in a browser on this machine, or at the end of a tunnel."""

import asyncio
import secrets
import shlex
import socket
import sys
from typing import Annotated

import typer

from loop.errors import UserError
from tui.cli.open_study import Refused, find_root, open_journal
from tui.cli.start import Theme


def web(
    context: typer.Context,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 8765,
    write: Annotated[
        bool, typer.Option("--write", help="Let it ask the loop for things; without, it watches.")
    ] = False,
    theme: Theme = None,
) -> None:
    """Serve the cockpit to a browser.

    It listens on 127.0.0.1 only and wants the token that is in the address it prints. From another machine or a phone,
    come through a tunnel: ssh -L 8765:127.0.0.1:8765 HOST. Needs the extra `serve`: pip install 'looptop[serve]'.

    Example: looptop web

    Example: looptop web --port 9000 --write
    """
    root = find_root(context.obj)
    open_journal(root).close()
    try:
        from tui.cockpit.web import CockpitServer, serve
    except ImportError as error:
        raise Refused(
            f"the cockpit in a browser needs another package ({error.name}): pip install 'looptop[serve]'"
        ) from None
    words = [sys.executable, "-P", "-m", "tui.cli", "-C", str(root), "attach", "--theme", theme or "dark"]
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        raise UserError(f"127.0.0.1:{port} cannot be listened on: {error.strerror}; choose another --port") from None
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    command = shlex.join(words if write else [*words, "--read-only"])
    server = CockpitServer(command, port, token, f"looptop {root.name}")

    def said() -> None:
        may = "may ask the loop for things" if write else "only watches (--write lets it ask)"
        typer.echo(f"http://127.0.0.1:{port}/?token={token}")
        typer.echo(f"the cockpit of {root} in a browser; it {may}. Whoever has this address has it too. ctrl+c ends it")

    with listening:
        asyncio.run(serve(server, listening, said))
