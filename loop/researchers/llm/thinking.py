"""Separates reasoning from answer in a text that holds both, for models that mark reasoning with `<think>` tags.

Pure. A tag may be split between two pieces of a stream, so the start of a possible tag is held back.
"""

import re
from collections.abc import Iterator

_TAG = re.compile(r"<(/?)(think|thinking|thought|reasoning)>", re.IGNORECASE)
_LONGEST = len("</reasoning>")


class Splitter:
    """Takes the pieces of one answer in order; yields pairs of "thinking" or "text" and a piece."""

    def __init__(self) -> None:
        self._held = ""
        self._kind = "text"
        self._began = False

    def feed(self, piece: str) -> Iterator[tuple[str, str]]:
        """What is certain so far."""
        text = self._held + piece
        at = 0
        for tag in _TAG.finditer(text):
            # Only a tag at the very start opens reasoning: a later one is something the model writes about.
            before = text[at : tag.start()]
            if self._kind == "text" and (tag[1] or self._began or before.strip()):
                continue
            if self._kind == "thinking" and not tag[1]:
                continue
            yield from self._give(before)
            self._kind = "text" if tag[1] else "thinking"
            at = tag.end()
        rest = text[at:]
        split = rest.rfind("<", max(0, len(rest) - _LONGEST))
        could_be = split >= 0 and ">" not in rest[split:]
        self._held = rest[split:] if could_be else ""
        yield from self._give(rest[:split] if could_be else rest)

    def finish(self) -> Iterator[tuple[str, str]]:
        """What was held back, at the end of the answer."""
        held, self._held = self._held, ""
        yield from self._give(held)

    def _give(self, text: str) -> Iterator[tuple[str, str]]:
        if self._kind == "text" and not self._began:
            text = text.lstrip()
        if text:
            self._began = self._began or self._kind == "text"
            yield self._kind, text
