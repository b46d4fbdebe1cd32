"""Which workspaces of this machine have a study: a small file for each in the person's state folder.

A workspace is noted when its loop starts and when a cockpit is attached to it. What the file says is where it is, and
nothing more; whatever else there is to know is in its journal. Where the folder cannot be written, nothing is noted.
"""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

_FORGOTTEN = 90 * 86400.0
"""Seconds after which a workspace that is gone is dropped."""


@dataclass(frozen=True, slots=True)
class Known:
    """One workspace."""

    root: Path
    seen_at: float
    """When it was noted last, in Unix seconds."""


def note(root: Path) -> None:
    """Note the workspace at `root`; whole or not at all, whoever else does so at the same time."""
    root = root.resolve()
    path = _folder() / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:20]}.json"
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(
            json.dumps({"root": str(root), "seen_at": time.time()}), encoding="utf-8", errors="surrogateescape"
        )
        part.replace(path)
    except (OSError, ValueError):
        pass  # it is found all the same by whoever stands in it


def known() -> list[Known]:
    """The workspaces that have a journal, the one noted last first."""
    found = []
    for path in _folder().glob("*.json"):
        try:
            told = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
            one = Known(Path(told["root"]), float(told["seen_at"]))
            if (one.root / ".looptop" / "journal.db").is_file():
                found.append(one)
            elif time.time() - one.seen_at > _FORGOTTEN:
                path.unlink()
        except (OSError, ValueError, TypeError, KeyError):
            continue  # half written by a machine that went down, or nobody's
    return sorted(found, key=lambda one: -one.seen_at)


def _folder() -> Path:
    return user_state_path("looptop") / "workspaces"
