"""Settings of a machine or a person: `LOOPTOP_*` variables over `~/.config/looptop/config.toml`. Flags go over both.

Nothing here belongs to a study: what the numbers mean is in `program.md`. The file is read, never written, and a
file that is not there is no error. It is read with the standard library alone, because the cockpit reads it before
its first paint.

    theme = "light"
    notify = "bell"

    [keymap]
    kill = "ctrl+k"
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

THEMES = ("dark", "light", "contrast", "ansi", "mono")
"""Names of the cockpit's colours."""


class SettingsError(Exception):
    """The settings cannot be used; the message is a sentence that names the file or the variable."""


class Settings(BaseModel):
    """What a person may set. Unknown keys of the file are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    theme: Literal["auto", "dark", "light", "contrast", "ansi", "mono"] = "auto"
    """Colours; "auto" takes what the terminal can show, and none where NO_COLOR is set."""
    ascii: bool = False
    """Draw with plain ASCII characters."""
    notify: Literal["off", "bell", "desktop", "both"] = "off"
    """On a new champion, a wait for approval, a fault and the end: ring the bell, send OSC 9, or both."""
    keymap: dict[str, str] = {}
    """Ids of keys to the keys wanted instead, with commas between; `looptop` names the ids in its help."""


def config_file(environ: Mapping[str, str]) -> Path:
    """Where the file is looked for."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "looptop" / "config.toml"


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force in this environment.

    Raises:
        SettingsError: the file is no TOML, or it or a variable says something that is not known.
    """
    path = config_file(environ)
    values = _table(path)
    sources = dict.fromkeys(values, str(path))
    for name in ("theme", "ascii", "notify"):
        if (value := environ.get(f"LOOPTOP_{name.upper()}")) is not None:
            values[name], sources[name] = value, f"LOOPTOP_{name.upper()}"
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        where = sources.get(str(first["loc"][0]), str(path))
        if first["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            raise SettingsError(f"{where}: {name} is not a setting; known are {known}") from None
        said = first["msg"].replace("Input should be", "it must be")
        raise SettingsError(f"{where}: {name} = {first['input']!r} is not understood; {said}") from None


def _table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    import tomllib  # 12 ms, and most people have no such file

    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
