"""Marks for the prompt cache of Claude models, which keeps only what it is told to keep. Pure.

Other models keep what requests have in common by themselves. Claude's are asked through gateways that pass the marks on
(OpenRouter, LiteLLM): `cache_control` at a part of a message says that everything up to there is to be kept. At most
four count. What is kept is found again at a part that ends at the same place, so the first message is cut into parts
that depend on the text before them alone.
"""

import re
from collections.abc import Sequence
from typing import Any

PART = 4000
"""Characters of a part at least: about a thousand tokens, the least that is kept."""

SETTLED = 0.7
"""The share of the first message that is marked: its end is another one each time, and would be kept in vain."""

_MARK = {"cache_control": {"type": "ephemeral"}}


def wanted(model: str) -> bool:
    """Whether a model's service keeps nothing without marks."""
    return re.search(r"\bclaude\b", model, re.IGNORECASE) is not None


def marked(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a Chat Completions request with marks; their texts are the same, byte for byte.

    Marked are the system message (with the tools before it), the briefing up to where it changes from one proposal to
    the next, and the newest message, so that each call finds what the one before it sent.
    """
    told = [dict(message) for message in messages]
    for index, message in enumerate(told[:2]):
        pieces = _pieces(message["content"]) if index else [message["content"]]
        if message["role"] != "assistant" and any(pieces):
            message["content"] = _parts(pieces, _settled(pieces) if index else 0)
    newest = next((message for message in reversed(told[1:]) if message["role"] != "assistant"), None)
    if newest is not None and (content := newest["content"]):  # an empty text cannot be marked
        parts = _parts([content], None) if isinstance(content, str) else content
        newest["content"] = [*parts[:-1], parts[-1] | _MARK]
    return told


def _parts(pieces: Sequence[str], mark: int | None) -> list[dict[str, Any]]:
    """Texts as parts of a message, one of them marked."""
    return [{"type": "text", "text": text} | (_MARK if index == mark else {}) for index, text in enumerate(pieces)]


def _pieces(text: str) -> list[str]:
    """A text cut at ends of lines, each piece but the last one just long enough."""
    pieces, begin = [], 0
    while (end := text.find("\n", begin + PART - 1)) >= 0 and end + 1 < len(text):
        pieces.append(text[begin : end + 1])
        begin = end + 1
    return [*pieces, text[begin:]]


def _settled(pieces: Sequence[str]) -> int | None:
    """The last whole piece within the settled share; None where there is none."""
    most, length, found = SETTLED * sum(map(len, pieces)), 0, None
    for index, piece in enumerate(pieces[:-1]):
        length += len(piece)
        if length <= most:
            found = index
    return found
