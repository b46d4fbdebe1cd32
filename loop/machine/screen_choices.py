"""What a person has chosen on the cockpit's screen and finds again in the next one: a small file in their state folder.

Of the person and not of a study, so that it holds in all of theirs. Where the file cannot be written or read, nothing
is remembered, and nobody is told: it is no more than a convenience.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_state_path

_MOST = 40
"""Columns that are read at most, of a file that anything may have written."""


def columns() -> tuple[str, ...]:
    """The columns of the experiments that were chosen last; none: as many as there is room for."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))["columns"]
    except (OSError, ValueError, TypeError, KeyError):
        return ()
    return tuple(name for name in found if isinstance(name, str))[:_MOST] if isinstance(found, list) else ()


def keep_columns(names: Sequence[str]) -> None:
    """Remember the columns; whole or not at all, however many cockpits of a person are open."""
    path = _file()
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"columns": list(names)}), encoding="utf-8")
        part.replace(path)
    except OSError:
        pass  # read-only, or full: they are chosen again


def _file() -> Path:
    return user_state_path("looptop") / "screen.json"
