"""JSON in a run's output or in a file of it, and Python's dictionaries as `print` writes them. Pure.

Taken apart into leaves: a path such as `eval.f1`, and the number or the words there. The parts of a list share a path,
as the lines of a log do; bare numbers in a list have no name, and only a path such as `results.0` or `history.-1` finds
them. Nothing is ever evaluated, and what nests deeper than a parser likes is no document.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from loop.runs.reading.numbers import Number, of_text

LEAVES = 2000
"""Leaves of one document that are looked at."""

STEP_KEYS = ("step", "global_step", "iter", "iteration", "epoch")
"""A line that has one of these says where it is, not how it ended."""

_WRAPPED = re.compile(
    r"\b(?:tensor|array|Array|Decimal|(?:np|numpy|jnp|torch)\.\w{1,16}|float\d{0,3})"
    r"\(([^(),]{1,60})(?:, ?\w+=[^()]*)?\)"
)
_QUOTED = re.compile(r"'([^'\"\\]*)'")
_WORDS = re.compile(r"(?<![\w\"])(?:True|False|None|nan|inf|-inf)(?![\w\"])")
_JSON_WORDS = {
    "True": "true", "False": "false", "None": "null", "nan": "NaN", "inf": "Infinity", "-inf": "-Infinity",
}  # fmt: skip


class Leaf(NamedTuple):
    """One value of a document."""

    path: str
    """Keys from the top, with dots between them."""
    name: str
    """The last of them."""
    number: Number | None
    text: str


def in_line(line: str) -> Any:
    """The JSON object, list or Python dictionary in a line, whatever a logger writes before it; None without one."""
    at = line.find("{")
    if at < 0 or "}" not in line:
        return None
    for text in (line[at:], None):
        try:
            if text is None:
                text = _as_json(line[at:])
            return json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError):
            continue
    return None


def whole(text: str) -> Any:
    """The JSON document that a text is; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def leaves(document: Any) -> Iterator[Leaf]:
    """Its named numbers, words and switches, in the order in which they stand; LEAVES of them at most."""
    waiting: list[tuple[str, str, Any]] = [("", "", document)]
    given = 0
    while waiting and given < LEAVES:
        path, name, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(f"{path}.{key}" if path else str(key), str(key), part) for key, part in value.items()]
            waiting += reversed(inner[:LEAVES])
        elif isinstance(value, list):
            waiting += reversed([(path, "", part) for part in value[-LEAVES:] if isinstance(part, dict | list)])
        elif value is not None:
            given += 1
            yield _leaf(path, name, value)


def numbers(document: Any) -> dict[str, float]:
    """Its numbers by their paths."""
    return {leaf.path: leaf.number.value for leaf in leaves(document) if leaf.number is not None}


def at(document: Any, path: str) -> Leaf | None:
    """What stands at a path such as `eval.f1`; a key with a dot in it, as `mAP@0.5`, is tried first."""
    if path == "":
        return None if isinstance(document, dict | list) or document is None else _leaf(path, path, document)
    if not isinstance(document, dict | list):
        return None
    cuts = [number for number, sign in enumerate(path) if sign == "."]
    for cut in (len(path), *reversed(cuts)):
        inner = _inside(document, path[:cut])
        if inner is not None and (found := at(inner, path[cut + 1 :])) is not None:
            return found._replace(path=path, name=path.rpartition(".")[2])
    return None


def _inside(document: Any, key: str) -> Any:
    if isinstance(document, dict):
        return document.get(key)
    try:
        return document[int(key)]
    except (ValueError, IndexError):
        return None


def _leaf(path: str, name: str, value: Any) -> Leaf:
    if isinstance(value, bool):
        return Leaf(path, name, None, str(value).lower())
    if isinstance(value, int | float):
        try:
            return Leaf(path, name, Number(float(value)), "")
        except OverflowError:
            return Leaf(path, name, Number(float("inf") if value > 0 else float("-inf")), "")
    return Leaf(path, name, of_text(value[:80]), value[:80].strip())


def _as_json(text: str) -> str:
    """What Python prints of a dictionary, as JSON."""
    text = _QUOTED.sub(r'"\1"', _WRAPPED.sub(r"\1", text))
    return _WORDS.sub(lambda word: _JSON_WORDS[word[0]], text)
