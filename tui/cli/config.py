"""`looptop config`: the settings in force here, and where each comes from. Changes nothing."""

import os
from pathlib import Path
from typing import Any

import typer

from tui.cli.open_study import AsJson, print_json


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the settings in force, and where each comes from.

    A flag that was given to an earlier start goes over a variable LOOPTOP_NAME, that over the file, and that over the
    default. Keys are never printed.

    Example: looptop config --json
    """
    from loop.config import settings as personal

    settings = personal.read()
    origins = personal.origins()
    flags = _flags_in_force(context.obj)
    rows = []
    for name in personal.Settings.model_fields:
        value = flags.get(name, getattr(settings, name))
        origin = f"--{name.replace('_', '-')}" if name in flags else origins.get(name, "default")
        rows.append((name, _shown(name, value), origin))
    file = personal.config_file(os.environ)
    if as_json:
        told = {name: {"value": value, "from": origin} for name, value, origin in rows}
        print_json({"file": str(file), "exists": file.is_file(), "settings": told})
        return
    typer.echo(f"{file}" + ("" if file.is_file() else " (not there)"))
    width = max(len(_text(value)) for _, value, _ in rows)
    typer.echo("\n".join(f"  {name:<11} {_text(value):<{min(width, 40)}}  {origin}" for name, value, origin in rows))


def _flags_in_force(folder: Path) -> dict[str, Any]:
    """What flags of earlier starts have set for the study here, by name of the setting."""
    from loop.config.overrides import Overrides
    from loop.errors import UserError
    from tui.cli.open_study import find_root, folded, open_journal

    try:
        with open_journal(find_root(folder)) as journal:
            options = Overrides.model_validate(folded(journal).options)
    except UserError:
        return {}  # there is no study here
    return {name: value for name, value in options if value is not None}


def _shown(name: str, value: Any) -> Any:
    if name == "api_key":
        return None if value is None else "set"
    if name == "notify":
        return [way.name for way in value]  # an address may hold a secret
    if name == "digest_at":
        return None if value is None else f"{value:%H:%M}"
    return value.model_dump() if hasattr(value, "model_dump") else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "off"
    return "–" if value in (None, {}) else f"{value:g}" if isinstance(value, float) else str(value)
