"""When each person last looked at a study: a small file a person in `.looptop/looked/`, beside the journal.

Not the journal: it is about people and screens, no result depends on it, and a cockpit that may only read still looks.
Where the folder cannot be written, nothing is remembered, and nobody is told: it is no more than a convenience.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

AWAY = 1800.0
"""Seconds after which who looks again was away: what came before is another visit."""


@dataclass(frozen=True, slots=True)
class Look:
    """The newest event that a person has seen, and when that was."""

    seq: int
    at: float
    """Unix seconds."""


def last(folder: Path, who: str) -> Look | None:
    """When `who` last looked at the study in the `.looptop/` folder; None where that is not known."""
    return _look(_told(folder, who))


def before(folder: Path, who: str, now: float) -> Look | None:
    """Where a digest begins for `who` at `now` (Unix seconds): at the end of the visit before this one. None where that
    is not known, as in a first visit."""
    told = _told(folder, who)
    look = _look(told)
    return look if look is None or now - look.at > AWAY else _look(told.get("before"))


def _told(folder: Path, who: str) -> dict[str, Any]:
    try:
        found = json.loads(_file(folder, who).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _look(told: Any) -> Look | None:
    try:
        return Look(int(told["seq"]), float(told["at"]))
    except (ValueError, TypeError, KeyError):
        return None


def remember(folder: Path, who: str, look: Look, since: Look | None = None) -> None:
    """Note a look; whole or not at all, however many cockpits of a person are open.

    Args:
        since: the end of the visit before.
    """
    path = _file(folder, who)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        told = asdict(look) | ({} if since is None else {"before": asdict(since)})
        part.write_text(json.dumps(told), encoding="utf-8")
        part.replace(path)
    except OSError:
        pass  # read-only, or full: the next digest begins earlier


def _file(folder: Path, who: str) -> Path:
    return folder / "looked" / (re.sub(r"[^\w.-]", "_", who).strip(".")[:60] or "somebody")
