"""`looptop mcp`: the study's record as tools for any agent, over the Model Context Protocol."""

import asyncio
import os
from pathlib import Path

import typer

from tui.cli.open_study import Refused, find_root


def mcp(context: typer.Context) -> None:
    """Serve the record to an agent, over the Model Context Protocol on standard input and output.

    Any agent that speaks the protocol can look up experiments, diffs, logs, curves and the notebook, and say what its
    change is. The study is that of -C, else of LOOPTOP_WORKSPACE, which the loop sets for the agents that it starts.
    See docs/agents.md for how each agent is told. Needs the extra `looptop[mcp]`.

    Example: claude mcp add looptop -- looptop mcp
    """
    try:
        from loop.mcp.server import serve
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith(("loop", "tui")):
            raise
        raise Refused("`looptop mcp` needs the package mcp; install it with: pip install 'looptop[mcp]'") from None
    asyncio.run(serve(find_root(_place(context))))


def _place(context: typer.Context) -> Path:
    """The folder that -C names, else the study whose agent has started this, else here."""
    assert context.parent is not None
    source = context.parent.get_parameter_source("workspace")
    named = os.environ.get("LOOPTOP_WORKSPACE")
    given: Path = context.obj
    return Path(named) if named and (source is None or source.name == "DEFAULT") else given
