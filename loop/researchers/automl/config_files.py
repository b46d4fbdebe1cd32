"""The constants of a configuration file: YAML, JSON and TOML.

A value is changed where it stands and the file is never written anew, so comments, order and layout stay. For YAML the
positions come from PyYAML's nodes. The standard library has none for JSON and TOML, and a library that keeps layout
(tomlkit) would be one more for one edit; so values are found by their lines and signs, and each has to be the one that
the standard reader finds under the same key.

A value's name is the path of its keys: `optimizer.lr`, `model.hidden[1]`.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from loop.researchers.automl.constants import Constant, Value, choices_of, is_fixed, unique

_NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][\d_]*)")
_REAL = re.compile(_NUMBER)
_SWITCH = re.compile(r"true|false|True|False|TRUE|FALSE|yes|no|on|off|Yes|No|On|Off")
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TOML = re.compile(
    r"^[ \t]*(?:(?P<list>\[\[.*\]\])|\[(?P<table>[^\[\]]+)\]|"
    rf"(?P<key>[\w.-]+)[ \t]*=[ \t]*(?P<value>{_NUMBER}|true|false))[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)
_LONGEST = 40
"""Characters of a number."""

_SIZE = 200_000
"""Characters; a longer file is data."""


def find(source: str, kind: str) -> list[Constant]:
    """The searchable constants of a file, in order; an empty list where it cannot be read.

    Args:
        kind: `yaml`, `json` or `toml`.
    """
    if len(source) > _SIZE:
        return []
    try:
        places = list({"yaml": _yaml, "json": _json, "toml": _toml}[kind](source))
    except (yaml.YAMLError, ValueError, RecursionError, KeyError, TypeError):
        return []
    found = []
    for name, start, end in places:
        if (constant := _constant(source, name, start, end)) is not None:
            found.append(constant)
    return unique(found)


def _constant(source: str, name: str, start: int, end: int) -> Constant | None:
    text = source[start:end]
    value = _value(text)
    choices = None if value is None else choices_of(name, value)
    rest = source[end:].partition("\n")[0]
    if value is None or choices is None or is_fixed(rest.partition("#")[2]):
        return None
    before = len(source[:start].encode(errors="surrogatepass"))
    return Constant(name, value, text, "plain", before, before + len(text.encode()), choices)


def _value(text: str) -> Value | None:
    if _SWITCH.fullmatch(text):
        return text.lower() in ("true", "yes", "on")
    if len(text) > _LONGEST:
        return None
    if _WHOLE.fullmatch(text):
        return int(text.replace("_", ""))
    return float(text.replace("_", "")) if _REAL.fullmatch(text) else None


Place = tuple[str, int, int]
"""Name of a value, and where it begins and ends, in characters."""


def _yaml(source: str) -> Iterator[Place]:
    if "\x85" in source or "\u2028" in source or source.startswith("\ufeff"):
        return  # PyYAML counts such signs in a way of its own
    for document in yaml.compose_all(source, Loader=yaml.SafeLoader):
        if document is not None:
            yield from _nodes("", document, 20)


def _nodes(name: str, node: yaml.Node, levels: int) -> Iterator[Place]:
    if levels == 0:
        return
    match node:
        case yaml.ScalarNode(style=None):
            yield name, node.start_mark.index, node.end_mark.index
        case yaml.MappingNode():
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    yield from _nodes(f"{name}.{key.value}" if name else str(key.value), value, levels - 1)
        case yaml.SequenceNode() if len(node.value) <= 6:
            for place, value in enumerate(node.value):
                yield from _nodes(f"{name}[{place}]", value, levels - 1)
        case _:
            pass


def _json(source: str) -> Iterator[Place]:
    json.loads(source)  # what follows relies on it being JSON
    path: list[str | int] = []
    key: str | None = None
    for token in _JSON.finditer(source):
        text = token[0]
        inside = path[-1] if path else None
        if text == "{":
            path += [""]
        elif text == "[":
            path += [0]
        elif text in "}]":
            path.pop()
        elif text == ",":
            if isinstance(inside, int):
                path[-1] = inside + 1
            key = None
        elif text == ":":
            path[-1] = key or ""
        elif text.startswith('"'):
            key = json.loads(text) if isinstance(inside, str) else None
        elif path:
            yield "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:], *token.span()


def _toml(source: str) -> Iterator[Place]:
    whole = tomllib.loads(source)
    table: str | None = ""
    for line in _TOML.finditer(source):
        if line["list"] or line["table"]:
            table = None if line["list"] else line["table"].strip()  # of the tables of a list, which one is not known
        if table is None or not line["key"]:
            continue
        name = f"{table}.{line['key']}" if table else line["key"]
        there: Any = whole
        for part in name.split("."):
            there = there.get(part) if isinstance(there, dict) else None
        value = _value(line["value"])
        if value is not None and type(there) is type(value) and there == value:
            yield name, *line.span("value")
