"""The tools as fenced blocks of text, for models that cannot call tools. Pure.

    ```edit_file train.py
    <<<<<<< SEARCH
    DEPTH = 4
    =======
    DEPTH = 6
    >>>>>>> REPLACE
    ```

A block names the tool on its first line; its body is the arguments as `key: value` lines or JSON, except for
`edit_file` and `write_file`, whose first line names the file too and whose body is the text itself.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from loop.researchers.llm.conversation import Call

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.M | re.S)
_EDIT = re.compile(
    r"^<{5,9} ?SEARCH\s*?\n(?P<search>.*?)^={5,9}\s*?\n(?P<replace>.*?)^>{5,9} ?REPLACE\s*?$", re.M | re.S
)


def manual(tools: Sequence[Mapping[str, Any]]) -> str:
    """How to use `tools` (name, description and schema of each) in text."""
    lines = [
        "You have no function calls here. Use a tool by writing a fenced block whose first line names it; the "
        "arguments are",
        "lines of `key: value`. Several blocks in one answer are carried out in order, and the results come with "
        "the next",
        "message. End your answer after the blocks. To change a file:",
        "",
        "```edit_file train.py",
        "<<<<<<< SEARCH",
        "the exact lines to replace",
        "=======",
        "the lines to put there",
        ">>>>>>> REPLACE",
        "```",
        "",
        "```write_file train.py",
        "(the whole new text)",
        "```",
        "",
        "The others:",
    ]
    for tool in tools:
        if tool["name"] in ("edit_file", "write_file"):
            continue
        lines += ["", f"```{tool['name']}"]
        required = tool["parameters"].get("required", [])
        for name, part in tool["parameters"].get("properties", {}).items():
            values = " | ".join(map(str, part.get("enum", ())))
            meaning = part.get("description", values)
            lines.append(f"{name}: {meaning}" + ("" if name in required else " (may be left out)"))
        lines += ["```", tool["description"].split("\n")[0]]
    return "\n".join(lines)


def calls(text: str, names: Sequence[str], number: int = 0) -> list[Call]:
    """The tools used in an answer, in order.

    Args:
        names: tools there are; other fenced blocks are examples and quotations.
        number: the first call's number, so that ids differ within a conversation.
    """
    found: list[Call] = []
    for block in _FENCE.finditer(text if text.endswith("\n") else text + "\n"):
        name, _, rest = block["info"].strip().partition(" ")
        if name not in names:
            continue
        for arguments in _arguments(name, rest.strip(), block["body"]):
            found.append(Call(f"text_{number + len(found)}", name, arguments))
    return found


def _arguments(name: str, path: str, body: str) -> list[str]:
    """The arguments of one block, as JSON; an edit block may hold several."""
    if name == "edit_file":
        parts = [
            {"search": _inner(edit["search"]), "replace": _inner(edit["replace"])} for edit in _EDIT.finditer(body)
        ]
        if parts:
            return [json.dumps({"path": path, **part}) for part in parts]
    if name == "write_file" and path:
        return [json.dumps({"path": path, "text": body})]
    try:
        values = yaml.safe_load(body)
    except yaml.YAMLError:
        values = _lines(body)
    if isinstance(values, dict):
        # a date, a number or a word where the tool wants text is text: `title: 2024-01-01`
        return [json.dumps({"path": path} | values if path else values, default=str)]
    return [json.dumps({"path": path} if path else {}) if values is None else body]


def _lines(body: str) -> dict[str, str]:
    """`key: value` lines that are no YAML, such as a title with a colon in it; a line without a key goes on."""
    found: dict[str, str] = {}
    last = ""
    for line in body.splitlines():
        key, colon, value = line.partition(":")
        if colon and re.fullmatch(r"\w+", key.strip()):
            last = key.strip()
            found[last] = value.strip()
        elif last:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return found


def _inner(text: str) -> str:
    """The text between two marks, whose last line break belongs to the mark."""
    return text.removesuffix("\n")
