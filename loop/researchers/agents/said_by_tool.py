"""What a coding agent says about its change through the tools of `looptop mcp`: a small file beside its worktree.

The tools write it and the command's researcher reads it when the agent has ended, so that a title needs no parsing of
prose. The agent could write the file itself: it counts as a stranger's, and what is not as it must be is left out.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loop.researchers.closing import LONGEST_TEXT, LONGEST_TITLE, MOST_NOTES
from loop.researchers.protocol import Closing
from loop.sanitize import one_line

FILE = "proposal.json"
"""Its name in the LOOPTOP_RUN_DIR of the agent."""

LARGEST = 65_536
"""Bytes of the file that are read: more than the longest title, text and notes take."""


def read(folder: Path) -> Closing | None:
    """What the agent whose LOOPTOP_RUN_DIR is `folder` has said by tool; None where it has said nothing so."""
    known = _load(folder / FILE)
    said = Closing(
        title=_text(known.get("title"), LONGEST_TITLE),
        hypothesis=_text(known.get("hypothesis"), LONGEST_TEXT),
        expected=_text(known.get("expected"), LONGEST_TEXT),
        notes=_notes(known),
    )
    return said if said != Closing() else None


def propose(folder: Path, title: str, hypothesis: str, expected: str) -> None:
    """Say what the change is; the last call counts.

    Raises:
        OSError: the file cannot be written.
    """
    _save(folder / FILE, {**_load(folder / FILE), "title": title, "hypothesis": hypothesis, "expected": expected})


def note(folder: Path, text: str) -> None:
    """Add a note for the notebook; the last few count.

    Raises:
        OSError: the file cannot be written.
    """
    known = _load(folder / FILE)
    notes = dict.fromkeys([*_notes(known), _text(text, LONGEST_TEXT)])
    _save(folder / FILE, {**known, "notes": list(notes)[-MOST_NOTES:]})


def _text(value: object, most: int) -> str:
    return one_line(value, most) if isinstance(value, str) else ""


def _notes(known: Mapping[str, Any]) -> tuple[str, ...]:
    given = known.get("notes")
    texts = (_text(one, LONGEST_TEXT) for one in given) if isinstance(given, list) else ()
    return tuple(dict.fromkeys(text for text in texts if text))[-MOST_NOTES:]


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.is_symlink() or not path.is_file():
            return {}
        with path.open("rb") as file:
            found = json.loads(file.read(LARGEST + 1)[:LARGEST])
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _save(path: Path, known: Mapping[str, Any]) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8", errors="replace")
    beside.replace(path)
