"""What a model meant by a call: the tool and its arguments, however it spelt them. Pure.

Models were taught other tools before ours, so names come as `str_replace_editor`, `file_path` or `newText`, and JSON
comes as a Python dict, twice encoded, with raw line breaks or between fences. A value is never made up: what is read
stands in the answer, and what cannot be read is said to the model.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loop.sanitize import one_line

_NESTING = 3
"""Times that arguments may be packed into each other: a string of JSON, an object with one key, and so on."""

_REPAIRED, _BRACKETS = 200_000, 2_000
"""Characters and opening brackets of a text that is repaired at most: json-repair takes 0.1 ms for each bracket."""

_TOOLS = {
    "edit_file": "edit strreplace strreplaceeditor strreplacebasededittool replaceinfile searchreplace "
    "searchandreplace applyedit applydiff multiedit modifyfile updatefile replace editor textedit patchfile",
    "write_file": "write createfile create writetofile savefile overwritefile replacefile rewritefile",
    "read_file": "read view cat openfile viewfile showfile getfile readfiles open",
    "propose": "submit proposeexperiment submitproposal submitexperiment finish done complete handover finalanswer "
    "attemptcompletion proposal end final",
    "note": "addnote writenote takenote notebook savenote",
    "claim": "claimidea announce announceidea",
    "list_experiments": "experiments getexperiments showexperiments listexperiment",
    "show_experiment": "getexperiment viewexperiment readexperiment experiment",
    "apply_patch": "applypatch patch applyunifieddiff diff",
}
"""Other names of our tools, without case and punctuation. `apply_patch` holds edits as text."""

_ARGUMENTS = {
    "path": "filepath filename file targetfile relativepath targetpath absolutepath relativeworkspacepath",
    "search": "oldstring oldstr oldtext old searchtext searchblock searchstring find original originaltext before "
    "oldcode from target oldcontent searchfor",
    "replace": "newstring newstr newtext new replacement replacewith replacetext replaceblock newcode after to "
    "updated newcontent replacementtext with",
    "text": "content contents filetext newcontent newtext code body data filecontent note lesson message entry",
    "title": "name summary headline subject",
    "hypothesis": "description rationale reason reasoning why explanation motivation justification message result body",
    "expected_gain": "expectedimprovement gain expected improvement expecteddelta expectedeffect expectedchange delta",
    "lesson": "text note content message learnt learned taught sentence",
    "number": "id experiment experimentid experimentnumber n",
    "part": "section what",
    "first": "startline offset line start linestart from",
    "lines": "limit count nlines numlines",
    "why": "reason message explanation",
    "query": "q search terms keywords",
    "url": "link address href",
    "page": "part number",
    "which": "verdict filter status",
}
"""Other names of our arguments. Where one may stand for two of a tool's, the first that is missing gets it."""

UNMADE = {
    "unfinished_edit": "an edit in your answer has no end, so it was not made; write it again, whole",
    "quoted_edit": "another edit in your answer, in another form, was not made; if you mean it, call edit_file with it",
    "sketched_edit": "a file in your answer leaves out code, so it was not written; make your change with edit_file",
    "delete_file": "a file cannot be deleted here; change its text",
    "move_file": "a file cannot be moved or renamed here; change its text",
}
"""Edits that are seen in an answer and never made, and what is said to each."""

_INNER = ("arguments", "parameters", "args", "input", "params", "kwargs", "toolinput", "actioninput", "properties")
_PATCHES = ("patch", "diff", "input", "changes", "patchtext", "content", "text", "edits")
_TEXTS = ("patch", "diff", "edits", "changes")
_LISTS = ("edits", "changes", "files", "replacements", "operations", "blocks", "calls")
_FENCED = re.compile(r"\s*(?:`{3,}|~{3,})[^\n]*\n(.*?)\n?\s*(?:`{3,}|~{3,})\s*", re.DOTALL)
_PREFIX = re.compile(r".*(?:[.:/]|__)(?=\w)", re.DOTALL)


class Unreadable(ValueError):
    """The arguments cannot be read; the message says why."""


@dataclass(frozen=True)
class Meant:
    """One call of a tool as it was meant."""

    tool: str
    """Our name of it; as the model wrote it where there is no such tool."""
    values: Mapping[str, Any]
    """Arguments by our names. What is none of the tool's is left out."""
    ignored: Sequence[str] = ()
    """Names of arguments that the tool does not have."""


def read(text: str) -> Any:
    """The JSON value that a model wrote, repaired where it is clear what is meant.

    Python's own readers take raw line breaks and Python's literals; json-repair takes the rest (a comma too many, bare
    keys, quotes inside of texts). What it finds counts only where every text of it stands in the answer as it is.

    Raises:
        Unreadable: it is no JSON, or it was cut off.
    """
    for _ in range(_NESTING):
        value = _read(text)
        if not isinstance(value, str):
            return value
        text = value
    return text


def _read(text: str) -> Any:
    if (fenced := _FENCED.fullmatch(text)) is not None:
        text = fenced[1]
    text = text.strip()
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        raise Unreadable("they are nested too deeply") from None
    except ValueError as error:
        problem = str(error)
    try:
        with warnings.catch_warnings(action="ignore"):  # of a backslash that escapes nothing
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        value = None
    if isinstance(value, dict | list):
        return value
    ends = text.startswith(("{", "[")) and text.endswith(("}", "]"))
    if not ends or len(text) > _REPAIRED or text.count("[") + text.count("{") > _BRACKETS:
        raise Unreadable(f"they are no JSON: {problem}")
    from json_repair import repair_json  # takes 0.1 s to import, and most models never need it

    try:
        value = repair_json(text, return_objects=True, skip_json_loads=True)
    except (ValueError, RecursionError, IndexError):
        value = None
    if not value or not all(_stands_in(one, text) for one in _texts(value)):  # such as one that was cut off
        raise Unreadable(f"they are no JSON: {problem}")
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _stands_in(value: str, text: str) -> bool:
    """Whether `value` stands in `text` between quotes, as it is or with JSON's escapes."""
    for every in (False, True):
        escaped = json.dumps(value, ensure_ascii=every)[1:-1]
        for spelt in (value, escaped, escaped.replace('\\"', '"'), escaped.replace("\\\\", "\\")):
            if any(f"{quote}{spelt}{quote}" in text for quote in "\"'`"):
                return True
    return False


# --- names -----------------------------------------------------------------------------------------------------


def plain_name(name: str) -> str:
    """A name without prefix, number, case and punctuation: `functions.EditFile:0` is "editfile"."""
    bare = re.sub(r":\d+$", "", name.partition("<|")[0].strip())
    return "".join(sign for sign in _PREFIX.sub("", bare).casefold() if sign.isalnum())


def _by_alias(table: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for ours, others in table.items():
        for name in (plain_name(ours), *others.split()):
            found.setdefault(name, []).append(ours)
    return found


_TOOL_OF = _by_alias(_TOOLS)
_ARGUMENTS_OF = _by_alias(_ARGUMENTS)


def tool_called(name: str, tools: Mapping[str, Sequence[str]]) -> str | None:
    """Our name of a tool, or None where there is no such tool. "apply_patch" is one that takes edits as text."""
    if name in tools:
        return name
    plain = plain_name(name)
    own = next((tool for tool in tools if plain_name(tool) == plain), None)
    return own or next((tool for tool in _TOOL_OF.get(plain, ()) if tool in tools or tool == "apply_patch"), None)


def is_edit(name: str, tools: Mapping[str, Sequence[str]]) -> bool:
    """Whether a call of that name is to change a file."""
    return name in UNMADE or tool_called(name, tools) in ("edit_file", "write_file", "apply_patch")


def meant(name: str, given: Any, tools: Mapping[str, Sequence[str]]) -> list[Meant]:
    """What a call asks for: mostly one call of a tool of ours, several where it holds a list of edits.

    Args:
        given: the arguments as `read` gives them.
        tools: names of each tool's arguments.

    Raises:
        Unreadable: the arguments are no object.
    """
    tool = tool_called(name, tools)
    if given is None:
        given = {}
    if isinstance(given, list) and given and all(isinstance(one, Mapping) for one in given):
        return [call for one in given[:50] for call in meant(name, one, tools)]
    if isinstance(given, str) and tool == "apply_patch":
        return [Meant("apply_patch", {"patch": given})]
    if not isinstance(given, Mapping):
        raise Unreadable(f"they are {one_line(json.dumps(given, default=str), 60)} instead of an object")
    given = {str(key): value for key, value in given.items()}
    if tool is None:
        patch = patch_of_shell(given)
        return [Meant(name, given) if patch is None else Meant("apply_patch", {"patch": patch})]
    given = _unpacked(given, tool, tools)
    by_name = {plain_name(key): key for key in given}
    if tool == "edit_file":
        tool = _kind_of_edit(by_name, given, tools)
    if tool == "apply_patch":
        held = next((given[by_name[one]] for one in _PATCHES if one in by_name), None)
        path = next((given[key] for one, key in by_name.items() if "path" in _ARGUMENTS_OF.get(one, ())), "")
        return [Meant("apply_patch", {"patch": held if isinstance(held, str) else "", "path": path})]
    if tool in ("edit_file", "write_file") and (several := _several(by_name, given)):
        rest = {key: value for key, value in given.items() if key not in several}
        return [call for edits in several.values() for one in edits for call in meant(tool, {**rest, **one}, tools)]
    within = list(_within(by_name, given, tools)) if tool == "propose" else []
    if within:
        given = {key: value for key, value in given.items() if plain_name(key) not in (*_LISTS, *_TEXTS)}
    return [*within, _named(tool, given, tools[tool])]


def _within(
    by_name: Mapping[str, str], given: Mapping[str, Any], tools: Mapping[str, Sequence[str]]
) -> Iterator[Meant]:
    """The edits that a proposal holds, where each of them is whole."""
    for edits in _several(by_name, given).values():
        calls = [call for one in edits for call in meant("edit_file", one, tools)]
        if all(set(tools.get(call.tool, ())) <= set(call.values) for call in calls):
            yield from calls
    for one in _TEXTS:
        text = given.get(by_name.get(one, ""))
        if isinstance(text, str) and re.search(r"^(?:@@|\*\*\* Begin Patch|<{5,9} SEARCH)", text, re.MULTILINE):
            yield Meant("apply_patch", {"patch": text})


def patch_of_shell(given: Mapping[str, Any]) -> str | None:
    """The V4A patch in the command of a shell, as a text or a list of words, or None."""
    return next((text for text in _texts(given) if "*** Begin Patch" in text), None)


def _unpacked(given: dict[str, Any], tool: str, tools: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The arguments, where they lie one deeper, as `{"arguments": {...}}` or `{"edit_file": {...}}`."""
    for _ in range(_NESTING):
        others = [key for key in given if plain_name(key) not in ("name", "tool", "toolname", "type", "function")]
        if len(others) != 1:
            return given
        (key,) = others
        if plain_name(key) not in _INNER and tool_called(key, tools) != tool:
            return given
        inner = given[key]
        if isinstance(inner, str) and tool != "apply_patch":
            try:
                inner = read(inner)
            except Unreadable:
                return given
        if not isinstance(inner, Mapping):
            return given
        given = {str(name): value for name, value in inner.items()}
    return given


def _kind_of_edit(by_name: Mapping[str, str], given: Mapping[str, Any], tools: Mapping[str, Sequence[str]]) -> str:
    """Which of our tools an editor of several commands is asked for."""
    command = str(given[by_name["command"]]).casefold() if "command" in by_name else ""
    named = {ours for one in by_name for ours in _ARGUMENTS_OF.get(one, ())}
    lists = any(isinstance(given[by_name[one]], list) for one in _LISTS if one in by_name)
    if command == "view" and "read_file" in tools:
        return "read_file"
    if command == "create" or ("text" in named and not named & {"search"} and not lists):
        return "write_file"
    texts = [given[by_name[one]] for one in _TEXTS if one in by_name]
    patch = any(isinstance(text, str) and not text.lstrip().startswith(("[", "{")) for text in texts)
    return "apply_patch" if patch and "search" not in named else "edit_file"


def _several(by_name: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The list of edits in a call, by the name that it has there."""
    for one in _LISTS:
        value = given.get(by_name.get(one, ""))
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            try:
                value = read(value)
            except Unreadable:
                continue
        value = [value] if isinstance(value, Mapping) else value
        if isinstance(value, list) and value and all(isinstance(edit, Mapping) for edit in value):
            return {by_name[one]: value[:50]}
    return {}


def _named(tool: str, given: Mapping[str, Any], names: Sequence[str]) -> Meant:
    """The arguments by our names: first those that have them, then by what else they are called."""
    values: dict[str, Any] = {}
    rest: list[str] = []
    for key, value in given.items():
        own = next((name for name in names if plain_name(name) == plain_name(key)), None)
        if own is not None:
            values[own] = value
        else:
            rest.append(key)
    ignored = []
    for key in rest:
        ours = next((one for one in _ARGUMENTS_OF.get(plain_name(key), ()) if one in names and one not in values), None)
        if ours is not None:
            values[ours] = given[key]
        elif key not in ("command", "type", "name", "tool", "function"):
            ignored.append(key)
    return Meant(tool, {key: _plain_value(value) for key, value in values.items()}, ignored)


def _plain_value(value: Any) -> Any:
    """A text that was given as a list of its lines, or as a number with a mark, as what it stands for."""
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "\n".join(line.removesuffix("\n") for line in value)
    if isinstance(value, str) and re.fullmatch(r"#\d{1,9}", value):
        return value[1:]
    return value
