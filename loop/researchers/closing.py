"""What a coding agent says about its change, in the lines that end its last message; a title if it gives none. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from loop.researchers import patching
from loop.researchers.briefing.instructions import COMMAND_END
from loop.researchers.protocol import Closing

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
_WRAPPED = 60
"""Characters of a line from which on it may go on in the next one: some agents wrap what they print."""
_BLANK = re.compile(r"[\W_]*|<[^>]*>|\[[^\]]*\]")
"""A text that says nothing: dots, or a placeholder of the briefing that the agent has echoed."""


def closing(text: str) -> Closing:
    """What the end of an agent's last message says about its change.

    One line each: `title: ...`, `hypothesis: ...`, `expected: ...` and any number of `note: ...`, in any order and with
    any markup. Of a repeated key, the last one counts.
    """
    said: dict[str, str] = {}
    notes: list[str] = []
    for key, words in _lines(text.splitlines()[-LAST_LINES:]):
        words = _bare(words)
        if _BLANK.fullmatch(words) or _is_template(words):
            continue
        if key.startswith("note"):
            notes.append(words[:LONGEST_TEXT])
        else:
            said[key] = words[: LONGEST_TITLE if key == "title" else LONGEST_TEXT]
    return Closing(**said, notes=tuple(dict.fromkeys(notes))[-MOST_NOTES:])


def is_closing(line: str) -> bool:
    """Whether a line is one of those, and not the briefing's own."""
    found = _LINE.fullmatch(line.strip())
    return found is not None and not _BLANK.fullmatch(found["text"]) and not _is_template(_bare(found["text"]))


def _lines(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each key with its text, which a wrapped line continues in the next."""
    key, words, wrapped = "", "", False
    for line in lines:
        found = _LINE.fullmatch(line.strip())
        if found is None and key and wrapped and line.strip() and not line.lstrip().startswith(("```", "#")):
            words += f" {line.strip()}"
        else:
            if key:
                yield key, words
            key, words = (found["key"].lower().split()[0], found["text"]) if found else ("", "")
        wrapped = len(line.rstrip()) >= _WRAPPED
    if key:
        yield key, words


def _bare(words: str) -> str:
    """A text without the markup around all of it."""
    words = words.strip()
    for mark in ("**", "__", "`", "*", "_"):
        inner = words[len(mark) : -len(mark)]
        if words.startswith(mark) and words.endswith(mark) and inner and mark not in inner:
            words = inner.strip()
    return words.removesuffix("**").strip() if words.count("**") == 1 else words


def _is_template(words: str) -> bool:
    """Whether a text is the briefing's own, which some agents print with the rest of it, wrapped or not."""
    said = " ".join(words.lower().split())
    return len(said) > len("what changes") and any(template.startswith(said) for template in _TEMPLATE)


_TEMPLATE = tuple(
    " ".join(found["text"].lower().split()) for line in COMMAND_END.splitlines() if (found := _LINE.fullmatch(line))
)


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
