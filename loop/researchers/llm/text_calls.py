"""Tool calls that a server should have taken out of the text of an answer, in the dialects of the models. Pure.

Models are trained on templates of their own, and a server without the right parser leaves them in the text: JSON alone
or between marks (Hermes, Qwen, Llama, Mistral, Granite, Command, Apertus), a name and JSON (DeepSeek, Kimi, gpt-oss,
newer Mistral, gptme, ReAct) or what is nearly JSON (Gemma), tags for each argument (Qwen coder, GLM, Anthropic,
MiniMax, Cline) and calls of Python functions (Llama 4, Gemini). A call that is cut off is yielded with what there is of
it, which nobody takes for whole.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loop.researchers.llm import arguments

_TRIES = 8
"""Unfinished calls after which a text is not searched any further: each may be read to its end."""

_BAR, _GAP = r"[|｜]", r"[_▁ ]"
_WORD = r"[\w.:/-]{1,100}"
_NAMED = re.compile(
    rf"<{_BAR}tool{_GAP}call{_GAP}begin{_BAR}>(?:function)?(?:<{_BAR}tool{_GAP}sep{_BAR}>)?(?P<deepseek>{_WORD})"
    rf"(?:<{_BAR}tool{_GAP}(?:sep|call{_GAP}argument{_GAP}begin){_BAR}>)?\s*(?:```\w*\s*)?(?=[{{\[])"
    rf"|to=(?P<harmony>{_WORD})[^{{\[\n]{{0,80}}?<{_BAR}message{_BAR}>\s*(?=[{{\[])"
    rf"|\[TOOL_CALLS\]\s*(?P<mistral>{_WORD})(?:\[(?:CALL_ID|ARGS)\]\w*)*\s*(?=[{{\[])"
    rf"|<function=(?P<llama>{_WORD})>\s*(?=[{{\[])"
    rf"|^[ \t]*@(?P<gptme>{_WORD})\([\w-]{{1,60}}\):\s*(?=\{{)"
    rf"|^[ \t]*Action:[ \t]*`?(?P<react>{_WORD})`?[ \t]*\n+[ \t]*Action Input:\s*(?:```\w*\s*)?(?=[{{\[])",
    re.MULTILINE,
)
_OBJECT = re.compile(
    r"\{\s*[\"']?(?:name|function|tool|tool_name|toolName|action|recipient_name|type|id|tool_call_id|arguments|parameters"
    r"|args|command|cmd)[\"']?\s*:|\{\s*[\"'](?P<only>\w{1,60})[\"']\s*:\s*(?=\{)"
)
_NAMES = ("name", "function", "tool", "tool_name", "toolName", "action", "recipient_name")
_BEGUN = re.compile(rf"\{{\s*[\"']?(?:{'|'.join(_NAMES)})[\"']?\s*:\s*[\"'](?P<name>{_WORD})[\"']\s*,")
_NEXT = re.compile(r"</?tool_call>|<\||\[TOOL_CALLS\]|^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)
"""What comes after a call that has no end of its own."""

_GEMMA = re.compile(rf"<(?:start_function_call|\|tool_call)>\s*call:(?P<name>{_WORD})\s*(?=\{{)")
_GEMMA_PIECE = re.compile(
    r'<escape>(?P<text>.*?)<escape>|<\|"\|>(?P<newer>.*?)<\|"\|>|"(?:[^"\\]|\\.)*"|[{}\[\]]|(?P<key>\w+)(?=\s*:)',
    re.DOTALL,
)

_TAG = re.compile(r"<(?:[\w｜]{1,20}:|｜\w{1,10}｜)?(?:(?:invoke|function)[ =]|tool_call>)", re.IGNORECASE)
_PARAMETER = re.compile(
    r"<(?:\w{1,20}:|｜\w{1,10}｜)?parameter(?:=[\"']?(?P<key>[\w.-]{1,60})[\"']?|\s+name=[\"'](?P<named>[\w.-]{1,60})"
    r"[\"'][^>\n]{0,80})>",
)
_PARAMETER_END = re.compile(r"</(?:\w{1,20}:|｜\w{1,10}｜)?parameter>")
_NAME = re.compile(rf"<[^\s=>]{{1,40}}?(?:=|\s+name=)[\"']?(?P<name>{_WORD})[\"']?[^>\n]{{0,40}}>")
_GLM = re.compile(rf"<tool_call>\s*(?P<name>{_WORD})\s*(?=<arg_key>)")
_GLM_ARGUMENT = re.compile(r"<arg_key>\s*(?P<key>[\w.-]{1,60})\s*</arg_key>\s*<arg_value>")
_GLM_ARGUMENT_END = re.compile("</arg_value>")
_ELEMENT = re.compile(r"<(?P<name>[a-z]\w{1,60})>\s*(?=<\w)")
_END = re.compile(r"</(?:[\w]{1,20}:|｜\w{1,10}｜)?(?:invoke|function|tool_call)>", re.IGNORECASE)
_QUOTED = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*"""|\'\'\'(?:[^\\\']|\\.|\'(?!\'\'))*\'\'\'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|[()\[\]{}]',
    re.DOTALL,
)


@dataclass(frozen=True)
class Call:
    """One call in a text."""

    start: int
    end: int
    """Where it stands, in characters."""
    name: str
    arguments: str
    """As the model wrote them, or as JSON."""


def found(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    """Every call of one of `tools` in `text`, one kind of dialect after the other.

    Args:
        tools: names of each tool's arguments, in their order.
    """
    for dialect in (_named, _gemma, _tagged, _bare):
        calls = list(dialect(text, tools))
        yield from calls
        text = without(text, [(call.start, call.end) for call in calls])


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """`text` with blanks in the place of spans, so that nothing is read twice and all places stay the same."""
    parts, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            parts += [text[at : max(at, start)], re.sub(r"[^\n]", " ", text[max(at, start) : end])]
            at = end
    return "".join([*parts, text[at:]])


def _known(name: str, tools: Mapping[str, Sequence[str]]) -> bool:
    return arguments.tool_called(name, tools) is not None


# --- a name, and JSON ------------------------------------------------------------------------------------------


def _named(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    tries = _TRIES
    for mark in _NAMED.finditer(text):
        name = next(group for group in mark.groups() if group is not None)
        if not _known(name, tools):
            continue
        end = _end_of_json(text, mark.end())
        yield _call(text, mark.start(), end, name, mark.end())
        if end is None:
            tries -= 1
            if not tries:
                return


def _call(text: str, start: int, end: int | None, name: str, at: int) -> Call:
    """A call whose arguments begin at `at`; where they have no end, with all that may be of them."""
    if end is None:
        after = _NEXT.search(text, at)
        end = after.start() if after is not None else len(text)
    return Call(start, end, name, text[at:end])


def _gemma(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    """`call:edit_file{path:<escape>train.py<escape>}`, with bare keys and marks of their own around texts."""
    done = 0
    for mark in _GEMMA.finditer(text):
        if mark.start() < done or not _known(mark["name"], tools):
            continue
        end, written = _of_gemma(text, mark.end())
        yield Call(mark.start(), end, mark["name"], written)
        done = end


def _of_gemma(text: str, at: int) -> tuple[int, str]:
    """Where the arguments that begin at `at` end, and as JSON; as they stand where they have no end."""
    parts, last, depth = [], at, 0
    for piece in _GEMMA_PIECE.finditer(text, at):
        said = piece["text"] if piece["text"] is not None else piece["newer"]
        shown = f'"{piece[0]}"' if piece["key"] else piece[0]
        parts += [text[last : piece.start()], shown if said is None else json.dumps(said)]
        last = piece.end()
        depth += (piece[0] in "{[") - (piece[0] in "}]")
        if not depth:
            return last, "".join(parts)
    return len(text), text[at:]


def _end_of_json(text: str, at: int) -> int | None:
    """Where the JSON value that begins at `at` ends; also that of a Python dict, or one with raw line breaks."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return _end_of_brackets(text, at)


def _end_of_brackets(text: str, at: int) -> int | None:
    depth = 0
    for piece in _QUOTED.finditer(text, at):
        depth += (piece[0] in "([{") - (piece[0] in ")]}") if len(piece[0]) == 1 else 0
        if depth <= 0:
            return piece.end()
    return None


# --- JSON that holds the name ----------------------------------------------------------------------------------


def _bare(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    tries, done = _TRIES, 0
    for mark in _OBJECT.finditer(text):
        if mark.start() < done or (mark["only"] is not None and mark["only"] not in tools):
            continue
        end = _end_of_json(text, mark.start())
        try:
            held = arguments.read(text[mark.start() : end]) if end is not None else None
        except arguments.Unreadable:
            held = None
        call = call_in(held, tools) if isinstance(held, dict) else None
        if call is not None and end is not None:
            yield Call(mark.start(), end, *call)
            done = end
        elif held is None:
            begun = _BEGUN.match(text, mark.start())
            if begun is not None and _known(begun["name"], tools):
                yield (broken := _call(text, mark.start(), end, begun["name"], mark.start()))
                done = broken.end
            tries -= 1
            if not tries:
                return


def call_in(held: Mapping[str, Any], tools: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """Name and arguments of an object that is a call: `{"name": ..., "arguments": {...}}`, `{"edit_file": {...}}`, or a
    command of a shell that holds a patch."""
    inner = held.get("function")
    if isinstance(inner, Mapping):
        return call_in(inner, tools)
    if (patch := arguments.patch_of_shell(held)) is not None:
        return "apply_patch", json.dumps({"patch": patch})
    if len(held) == 1 and (own := next(iter(held))) in tools and isinstance(held[own], Mapping):
        return own, json.dumps(held[own])
    for key in _NAMES:
        name = held.get(key)
        if not isinstance(name, str) or not _known(name, tools):
            continue
        for other in ("arguments", "parameters", "args", "input", "params", "kwargs", "tool_input", "action_input"):
            if other in held:
                given = held[other]
                return name, given if isinstance(given, str) else json.dumps(given)
        rest = {one: value for one, value in held.items() if one not in (key, "type", "id", "tool_call_id")}
        return (name, json.dumps(rest)) if rest else None
    return None


# --- tags ------------------------------------------------------------------------------------------------------


def _tagged(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    yield from _invoked(text, tools)
    yield from _elements(text, tools)


def _invoked(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    """`<invoke name="...">`, `<function=...>` and `<tool_call>name` with a tag for each argument."""
    done = 0
    for tag in _TAG.finditer(text):
        if tag.start() < done:
            continue
        glm = _GLM.match(text, tag.start())
        head = glm or _NAME.match(text, tag.start())
        if head is None or not _known(head["name"], tools):
            continue
        end = _END.search(text, head.end())
        stop, done = (end.start(), end.end()) if end is not None else (len(text), len(text))
        marks = (_GLM_ARGUMENT, _GLM_ARGUMENT_END) if glm else (_PARAMETER, _PARAMETER_END)
        values = dict(_parameters(text, *marks, head.end(), stop))  # what was cut off is not among them, and missed
        yield Call(tag.start(), done, head["name"], json.dumps(values))


def _parameters(text: str, opening: re.Pattern[str], closing: re.Pattern[str], at: int, end: int) -> Iterator[Any]:
    """Name and value of each parameter between two places of `text`."""
    while (mark := opening.search(text, at, end)) is not None:
        if (close := closing.search(text, mark.end(), end)) is None:
            return
        named = mark.groupdict()
        yield named["key"] or named.get("named"), _value(text[mark.end() : close.start()])
        at = close.end()


def _elements(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    """`<edit_file><path>...</path>...</edit_file>`, with an element for each argument."""
    at, endless = 0, set()
    while (mark := _ELEMENT.search(text, at)) is not None:
        at, name = mark.end(), mark["name"]
        if name in endless or (name not in tools and not ("_" in name and _known(name, tools))):  # or an argument
            continue
        end = text.find(f"</{name}>", mark.end())
        if end < 0:
            endless.add(name)
        values = dict(_children(text, mark.end(), end if end >= 0 else len(text)))
        if values:
            at = end + len(name) + 3 if end >= 0 else len(text)
            yield Call(mark.start(), at, name, json.dumps(values))


def _children(text: str, at: int, end: int) -> Iterator[tuple[str, str]]:
    opening = re.compile(r"<(\w{1,60})>")
    while (mark := opening.search(text, at, end)) is not None:
        close = text.find(f"</{mark[1]}>", mark.end(), end)
        if close < 0:
            return
        yield mark[1], _value(text[mark.end() : close])
        at = close + len(mark[1]) + 3


def _value(text: str) -> str:
    """A value between tags, which templates put on lines of their own."""
    text = text.removeprefix("\r").removeprefix("\n").removesuffix("\n")
    cdata = re.fullmatch(r"\s*<!\[CDATA\[(.*)\]\]>\s*", text, re.DOTALL)
    return cdata[1] if cdata else text


# --- Python ----------------------------------------------------------------------------------------------------


def python(text: str, tools: Mapping[str, Sequence[str]]) -> Iterator[Call]:
    """Calls of Python functions at the start of a line: `edit_file(path="train.py", ...)`."""
    names = "|".join(map(re.escape, tools))
    lead = r"^[ \t]*(?:<\|(?:python_tag|tool_call_start)\|>[ \t]*)?(?:\[|print\()?"
    start = re.compile(rf"{lead}(?:\w+\.){{0,3}}(?P<name>{names})(?=\()", re.MULTILINE)
    after = re.compile(rf"\s*[,;]\s*(?:\w+\.){{0,3}}(?P<name>{names})(?=\()")
    tries, at = _TRIES, 0
    while (mark := start.search(text, at)) is not None:
        at = mark.end()
        while mark is not None:
            end = _end_of_brackets(text, mark.end())
            given = _keywords(text[mark.end() : end], tools[mark["name"]]) if end is not None else None
            if end is None or given is None:
                tries -= 1
                if not tries:
                    return
                break
            yield Call(mark.start(), end, mark["name"], json.dumps(given, default=str))
            at = end
            mark = after.match(text, end)


def _keywords(between: str, names: Sequence[str]) -> dict[str, Any] | None:
    """The arguments between the brackets of a call, where they are literals."""
    try:
        with warnings.catch_warnings(action="ignore"):
            call = ast.parse(f"f{between}", mode="eval").body
            if not isinstance(call, ast.Call):
                return None
            given = dict(zip(names, map(ast.literal_eval, call.args), strict=False))
            return given | {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
