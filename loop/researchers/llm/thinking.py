"""Tells thinking from answering in a text that holds both: models that mark their reasoning with `<think>` tags.

Pure. A tag may be torn between two pieces of a stream, so what could still become one is held back.
"""

import re
from collections.abc import Iterator

_TAG = re.compile(r"<(/?)(think|thinking|thought|reasoning)>", re.IGNORECASE)
_LONGEST = len("</reasoning>")


class Splitter:
    """Takes the pieces of one answer, in order; gives back pairs of "thinking" or "text" and a piece."""

    def __init__(self) -> None:
        self._held = ""
        self._kind = "text"
        self._began = False

    def feed(self, piece: str) -> Iterator[tuple[str, str]]:
        """What can be told so far."""
        text = self._held + piece
        at = 0
        for tag in _TAG.finditer(text):
            # Only a tag at the very beginning opens thinking: one further on is something the model writes about.
            before = text[at : tag.start()]
            if self._kind == "text" and (tag[1] or self._began or before.strip()):
                continue
            if self._kind == "thinking" and not tag[1]:
                continue
            yield from self._give(before)
            self._kind = "text" if tag[1] else "thinking"
            at = tag.end()
        rest = text[at:]
        torn = rest.rfind("<", max(0, len(rest) - _LONGEST))
        could_be = torn >= 0 and ">" not in rest[torn:]
        self._held = rest[torn:] if could_be else ""
        yield from self._give(rest[:torn] if could_be else rest)

    def finish(self) -> Iterator[tuple[str, str]]:
        """What was held back."""
        held, self._held = self._held, ""
        yield from self._give(held)

    def _give(self, text: str) -> Iterator[tuple[str, str]]:
        if self._kind == "text" and not self._began:
            text = text.lstrip()
        if text:
            self._began = self._began or self._kind == "text"
            yield self._kind, text
