"""The tools as fenced blocks of text, for models that cannot call tools; and whatever else in a text is a call. Pure.

    ```edit_file train.py
    <<<<<<< SEARCH
    DEPTH = 4
    =======
    DEPTH = 6
    >>>>>>> REPLACE
    ```

A block names the tool on its first line; its body is the arguments as `key: value` lines or JSON, except for
`edit_file` and `write_file`, whose first line names the file too and whose body is the text itself. That is what models
are taught here; what they were taught elsewhere is read by `text_calls` and `text_edits`.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import yaml

from loop.config.safe_yaml import PlainLoader
from loop.policy import guards
from loop.researchers.llm import text_calls, text_edits
from loop.researchers.llm.arguments import is_edit
from loop.researchers.llm.conversation import ToolCall

# Matched line by line, in linear time: a pattern over many lines would scan from each opening fence to the end.
_OPENING = re.compile(r"(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
_CLOSING = re.compile(r"`{3,}|~{3,}")
_YAML = ("", "yaml", "yml", "tool", "tool_call", "tool_use", "function_call")
_YAML_CALL = re.compile(r"\s*(?:-[ \t]+)?(?:tool_calls?|function|name|tool|tool_name|action)[ \t]*:[ \t]*(?P<name>\w*)")
"""What a fence says of a call that is written in YAML, and how that begins."""

_FENCES_INSIDE = 8
"""Fences inside of a file's text that are looked at for its end."""


def manual(tools: Sequence[Mapping[str, Any]], path: str, lead: str = "You have no function calls here.") -> str:
    """How to use `tools` (name, description and schema of each) in text, with a file at `path` in its examples."""
    lines = [
        f"{lead} Use a tool by writing a fenced block whose first line names it; the",
        "arguments are lines of `key: value`. Several blocks in one answer are carried out in order, and the results",
        "come with the next message. End your answer after the blocks. To change a file:",
        "",
        f"```edit_file {path}",
        "<<<<<<< SEARCH",
        "the exact lines to replace",
        "=======",
        "the lines to put there",
        ">>>>>>> REPLACE",
        "```",
        "",
        f"```write_file {path}",
        "(the whole new text)",
        "```",
        "",
        "The other tools:",
    ]
    for tool in tools:
        if tool["name"] in ("edit_file", "write_file"):
            continue
        lines += ["", f"```{tool['name']}"]
        required = tool["parameters"].get("required", [])
        for name, part in tool["parameters"].get("properties", {}).items():
            values = " | ".join(map(str, part.get("enum", ())))
            meaning = part.get("description") or values or _KINDS.get(part.get("type"), "text")
            lines.append(f"{name}: {meaning}" + ("" if name in required else " (may be left out)"))
        lines += ["```", " ".join(tool["description"].split("\n\n")[0].split())]
    return "\n".join(lines)


_KINDS = {"integer": "a whole number", "number": "a number"}


def calls(
    text: str, tools: Mapping[str, Sequence[str]], files: Mapping[str, str] | None = None, number: int = 0
) -> list[ToolCall]:
    """The tool calls and edits in an answer, in order.

    Args:
        tools: names of each tool's arguments; blocks that name none are examples and quotations.
        files: present text of each file that may be changed; None: only calls count, and no edits.
        number: of the first call, so that ids differ within a conversation.
    """
    text = text.replace("\r\n", "\n")
    found = _found(text, tools, files)
    if not found and (bare := _unwrapped(text)) != text:
        found = _found(bare, tools, files)
    return [ToolCall(f"text_{number + n}", name, arguments) for n, (_, name, arguments) in enumerate(found)]


def _unwrapped(text: str) -> str:
    """A text as it was before it was escaped for a page, quoted as a whole, or given marks that nobody sees."""
    text = html.unescape(text).translate(_UNSEEN)
    lines = text.split("\n")
    if all(line.startswith(">") or not line.strip() for line in lines):
        text = "\n".join(re.sub(r"^> ?", "", line) for line in lines)
    return text


_UNSEEN = dict.fromkeys((0x200B, 0x2060, 0xFEFF))
"""Zero width space, word joiner, byte order mark."""


def _found(
    text: str, tools: Mapping[str, Sequence[str]], files: Mapping[str, str] | None
) -> list[tuple[int, str, str]]:
    """Place, tool and arguments of each call and edit, in order."""
    found: list[tuple[int, str, str]] = []
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    for first, end, name, arguments in _fenced(lines, tools):
        found.append((starts[first], name, arguments))
        lines[first:end] = [" " * len(line) for line in lines[first:end]]
    marked = list(text_calls.found("\n".join(lines), tools))
    found += [(call.start, call.name, call.arguments) for call in marked]
    rest = text_calls.without("\n".join(lines), [(call.start, call.end) for call in marked])
    written: list[list[text_edits.Found]] = []
    for reader in _READERS if files is not None else ():
        written.append(list(reader(rest.split("\n"), files or {})))
        rest = text_calls.without(rest, [(starts[edit.first], starts[edit.end] - 1) for edit in written[-1]])
    found += [(call.start, call.name, call.arguments) for call in text_calls.python(rest, tools)]
    made = [at for at, name, _ in found if is_edit(name, tools)]
    for edits in written:
        # Beside edits in one form, those in another may tell what these do, or what an earlier experiment did.
        told = [
            (edit, "quoted_edit" if made else edit.tool)
            for edit in edits
            if not (made and edit.tool == "sketched_edit")  # it shows where they are
        ]
        found += [(max([starts[edit.first], *made]), tool, json.dumps(edit.values)) for edit, tool in told]
        made = made or [starts[edit.first] for edit in edits]
    return sorted(found, key=lambda call: call[0])


_READERS = (text_edits.v4a, text_edits.conflict_blocks, text_edits.unified, text_edits.whole_files)
"""Of edits that are no calls; those of the first that finds any count."""


def _fenced(lines: Sequence[str], tools: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, int, str, str]]:
    """First line, line after the last, name and arguments of each fenced block that names a tool or is a call."""
    for first, end, info, body in _blocks(lines):
        name, _, rest = info.strip().partition(" ")
        if name in tools:
            for tool, arguments in _arguments(name, rest.strip(), body):
                yield first, end, tool, arguments
        elif info.strip().casefold() in _YAML and (call := _YAML_CALL.match(body)) is not None:
            try:
                found = list(_yaml_calls(_yaml(body), tools))
            except yaml.YAMLError:  # whose tool says so
                found = [(call["name"], body)] if is_edit(call["name"], tools) else []
            for tool, arguments in found:
                yield first, end, tool, arguments


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, int, str, str]]:
    """First line, line after the last, info string and body of each fenced block that is closed."""
    closing: dict[str, list[int]] = {}  # by fence, the numbers of the lines that close it, last first
    for at in range(len(lines) - 1, -1, -1):
        if (bare := lines[at].rstrip(" \t\r")) and _CLOSING.fullmatch(bare):
            closing.setdefault(bare, []).append(at)
    at = 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at].rstrip("\r"))
        at += 1
        if opening is None:
            continue
        ends = closing.get(opening["fence"], [])
        while ends and ends[-1] < at:
            ends.pop()
        if ends:
            end = _end(lines, at, ends, opening["info"])
            yield at - 1, end + 1, opening["info"], "".join(f"{line}\n" for line in lines[at:end])
            at = end + 1


def _end(lines: Sequence[str], at: int, ends: Sequence[int], info: str) -> int:
    """The line that closes a block: a file's text may hold fences itself, so the first after which it is whole.

    Args:
        ends: the lines that may, last first.
    """
    name, _, path = info.strip().partition(" ")
    for end in ends[: -_FENCES_INSIDE - 1 : -1]:
        body = lines[at:end]
        if name == "write_file" and guards.syntax(path.strip(), "\n".join(body)) is None:
            return end
        if name == "edit_file":
            opened, closed = (
                sum(bool(mark.fullmatch(line.strip())) for line in body)
                for mark in (text_edits.SEARCH, text_edits.REPLACE)
            )
            if opened == closed:
                return end
        elif name != "write_file":
            return end
    return ends[-1]


def _arguments(name: str, path: str, body: str) -> list[tuple[str, str]]:
    """Tool and arguments, as JSON, of one block; an edit block may hold several."""
    if name == "edit_file" and (
        edits := list(text_edits.conflict_blocks(body.split("\n"), {path: ""} if path else {}))
    ):
        return [(edit.tool, json.dumps(edit.values)) for edit in edits]
    if name == "write_file" and path:
        return [(name, json.dumps({"path": path, "text": body}))]
    try:
        values = _yaml(body)
    except yaml.YAMLError:
        values = _lines(body)
    if isinstance(values, dict):
        named = {str(key): value for key, value in ({"path": path} | values if path else values).items()}
        return [(name, json.dumps(named))]
    return [(name, json.dumps({"path": path} if path else {}) if values is None else body)]


class _TextLoader(PlainLoader):
    """Reads every value but null as the text that it is: a tool's own types say what it means. `0.10` is no 0.1."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - of PyYAML's own form
        sign: [(tag, pattern) for tag, pattern in resolvers if tag.endswith(":null")]
        for sign, resolvers in PlainLoader.yaml_implicit_resolvers.items()
    }


def _yaml(body: str) -> Any:
    return yaml.load(body, _TextLoader)


def _yaml_calls(held: Any, tools: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Tool and arguments of each call in what was read as YAML."""
    for one in held if isinstance(held, list) else [held]:
        if not isinstance(one, dict):
            continue
        inner = one.get("tool_call", one.get("tool_calls"))
        if inner is not None:
            yield from _yaml_calls(inner, tools)
        elif (call := text_calls.call_in(one, tools)) is not None:
            yield call


def _lines(body: str) -> dict[str, str]:
    """`key: value` lines that are not YAML, such as a title with a colon; a line without a key continues the last."""
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
