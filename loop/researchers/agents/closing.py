"""What a coding agent says about its change, in the lines that end its last message; a title if it gives none. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loop.researchers import patching

LAST_LINES = 60
"""Lines from the end that are searched: further up, an agent may repeat its instructions."""
LONGEST_TITLE = 100
"""Characters."""
LONGEST_TEXT = 2000
MOST_NOTES = 8

# Bullets, quotes and headings before the key, bold or code around it.
_LINE = re.compile(
    r"[\s>*\-+•#`_\d.)]{0,12}(?P<key>title|hypothesis|expected(?: effect)?|notes?)"
    r"[*_`]{0,3}\s?:[*_`]{0,3}\s*(?P<text>.+)",
    re.IGNORECASE,
)
_BLANK = re.compile(r"[\W_]*|<[^>]*>|\[[^\]]*\]")
"""A text that says nothing: dots, or a placeholder of the briefing that the agent has echoed."""


@dataclass(frozen=True)
class Closing:
    """What an agent says about its change; empty where it says nothing."""

    title: str = ""
    hypothesis: str = ""
    expected: str = ""
    notes: Sequence[str] = ()


def closing(text: str) -> Closing:
    """What the end of an agent's last message says about its change.

    One line each: `title: ...`, `hypothesis: ...`, `expected: ...` and any number of `note: ...`, in any order and with
    any markup. Of a repeated key, the last one counts.
    """
    said: dict[str, str] = {}
    notes: list[str] = []
    for line in text.splitlines()[-LAST_LINES:]:
        found = _LINE.fullmatch(line.strip())
        if found is None:
            continue
        words = found["text"].strip().strip("*_`").strip()
        if _BLANK.fullmatch(words):
            continue
        key = found["key"].lower().split()[0]
        if key.startswith("note"):
            notes.append(words[:LONGEST_TEXT])
        else:
            said[key] = words[: LONGEST_TITLE if key == "title" else LONGEST_TEXT]
    return Closing(**said, notes=tuple(dict.fromkeys(notes))[-MOST_NOTES:])


def title_of(before: Mapping[str, str], edits: Mapping[str, str]) -> str:
    """A title from the change itself: its first new line, else the first line that it removes.

    Args:
        before: text of the files as they were, by path.
        edits: new full text by path.
    """
    for path, text in edits.items():
        lines = patching.diff(before.get(path, ""), text, path)
        changed = [line for line in lines if line[0] in "+-" and line[1:].strip()]
        for sign, lead in (("+", ""), ("-", "without ")):
            if first := next((line[1:].strip() for line in changed if line[0] == sign), ""):
                return (lead + first)[:LONGEST_TITLE]
    return f"change {', '.join(edits)}"[:LONGEST_TITLE]
