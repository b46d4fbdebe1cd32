"""When each person last looked at a study: a small file a person in `.looptop/looked/`, beside the journal.

Not the journal: it is about people and screens, no result depends on it, and a cockpit that may only read still looks.
Where the folder cannot be written, nothing is remembered, and nobody is told: it is no more than a convenience.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Look:
    """The newest event that a person has seen, and when that was."""

    seq: int
    at: float
    """Unix seconds."""


def last(folder: Path, who: str) -> Look | None:
    """When `who` last looked at the study in the `.looptop/` folder; None where that is not known."""
    try:
        found = json.loads(_file(folder, who).read_text(encoding="utf-8"))
        return Look(int(found["seq"]), float(found["at"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(folder: Path, who: str, look: Look) -> None:
    """Note a look; whole or not at all, however many cockpits of a person are open."""
    path = _file(folder, who)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        part.write_text(json.dumps(asdict(look)), encoding="utf-8")
        part.replace(path)
    except OSError:
        pass  # read-only, or full: the next digest begins earlier


def _file(folder: Path, who: str) -> Path:
    return folder / "looked" / (re.sub(r"[^\w.-]", "_", who).strip(".")[:60] or "somebody")
