"""Fields of an agent's JSON: each function returns something usable, whatever it finds. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from loop.sanitize import plain

LONGEST_SHOWN = 160
"""Characters of a tool's intent or result that are shown: a line on screen."""
_WORKTREE = re.compile(r"/[^\s\"'`:]*?/\.looptop/trees/workshop-\d+/?")
"""Where an agent works: the same in every line, and long."""


def parsed(text: str) -> Any:
    """The JSON value in a text; None where it does not parse."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def short(text: str, most: int = LONGEST_SHOWN) -> str:
    """The first line that is not empty, with an ellipsis where there is more."""
    lines = [" ".join(line.split()) for line in _WORKTREE.sub("", plain(text[: 8 * most])).split("\n")]
    first = next((line for line in lines if line), "")
    cut = first[: most - 1]
    return cut + "…" if cut != first or sum(map(bool, lines)) > 1 else first


def mapping(source: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def string(source: Mapping[str, Any], key: str) -> str:
    value = source.get(key)
    return value if isinstance(value, str) else ""


def count(source: Mapping[str, Any], key: str) -> int:
    """A count; 0 where there is none."""
    value = source.get(key)
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e15 else 0


def blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def strings(value: Any, depth: int = 8) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner, depth - 1)


def content(value: Any) -> str:
    """The text in a tool's result, however it is wrapped."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(string(block, "text") for block in value if isinstance(block, dict))
    if isinstance(value, dict):
        texts = (string(value, key) for key in ("text", "stdout", "output", "content", "stderr", "message"))
        return next((text for text in texts if text), "")
    return ""


def error(line: Mapping[str, Any], most: int = LONGEST_SHOWN) -> str:
    """What went wrong, in one line."""
    failure = mapping(line, "error")
    said = (string(mapping(failure, "data"), "message"), string(line, "message"))
    texts = (*said, string(failure, "message"), string(failure, "name"), string(line, "error"))
    return short(next((text for text in texts if text), "it does not say what"), most)


_ASKS = re.compile(r"(ask|request)_?(user|question|followup)\w*|question", re.IGNORECASE)


def question(name: str, given: Any) -> str:
    """What a tool asks the person, in one line; empty where it is no such tool."""
    if not _ASKS.fullmatch(name) or not isinstance(given, dict):
        return ""
    asked = given.get("questions")
    first = asked[0] if isinstance(asked, list) and asked and isinstance(asked[0], dict) else given
    return short(string(first, "question") or string(first, "text") or "it does not say what", 400)


def intent(name: str, given: Any) -> str:
    """What a tool is used for: its name and its most telling argument."""
    values = given if isinstance(given, dict) else {}
    telling = ("description", "command", "file_path", "filePath", "path", "absolute_path", "pattern", "query", "url")
    texts = [text for key in telling if (text := string(values, key))]
    texts += [text for text in strings(values) if text]
    return f"{name or 'a tool'}: {texts[0]}" if texts else name or "a tool"
