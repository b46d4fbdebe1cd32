"""Reads and watches `program.md`: front matter (the contract) and instructions in plain words.

A refusal names file and line in one sentence. Nothing here changes the file, and a broken edit never replaces the
last good version: `watch` yields the refusal and the caller keeps what it has.
"""

import difflib
import os
import re
import shlex
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError
from watchfiles import Change, awatch

from loop.config.named_files import NAME, Matching, ProgramError, checked
from loop.config.safe_yaml import PlainLoader
from loop.study import command_line
from loop.study.contract import Contract
from loop.study.team import Member
from loop.workspace import folders_up

__all__ = ["NAME", "Matching", "Program", "ProgramError", "load", "parse", "watch"]

_COMMAND = re.compile(r"(run|verify|sealed|researcher):")
_LARGEST = 1_000_000  # bytes; every briefing carries it, and a megabyte of instructions is a mistake


@dataclass(frozen=True)
class Program:
    """A `program.md` that was read and found valid."""

    contract: Contract
    text: str
    """Everything below the front matter."""


def load(root: Path, matching: Matching) -> Program:
    """The program of the workspace at `root`, with the files it names checked.

    Args:
        matching: what a pattern or a folder under `edit:` stands for; `lineage.matching` asks git.

    Raises:
        ProgramError: it is missing, not valid, or names files that cannot be edited.
    """
    path = root / NAME
    try:
        about = path.stat()
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):  # a pipe or a device may never end
            raise ProgramError(f"{NAME} is no file; move it away, and write one with `looptop init`")
        if about.st_size > _LARGEST:
            raise ProgramError(f"{NAME}: larger than {_LARGEST // 1000} kB; instructions belong there, data does not")
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProgramError(f"there is no {NAME} in {root}; write one with `looptop init`") from None
    except UnicodeDecodeError as error:
        raise ProgramError(f"{NAME}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ProgramError(f"{NAME} cannot be read: {error.strerror}") from None
    program = parse(source, uv_locked=any((folder / "uv.lock").exists() for folder in folders_up(root)))
    return Program(checked(program.contract, root, source, matching), program.text)


def parse(source: str, *, uv_locked: bool = False) -> Program:
    """The program in the text `source`.

    Args:
        uv_locked: the project or the repository around it has a `uv.lock`, so the default command is `uv run ...`.

    Raises:
        ProgramError: the front matter is not valid.
    """
    front, text = _split(source)
    nodes = _mapping(front)
    values = {key.value: _value(value) for key, value in nodes}
    if "source" in values:  # the contract's word for the rest of a `metric:` that is a mapping
        line = _line(["source"], nodes)
        raise ProgramError(f"{NAME}:{line}: unknown key `source` (where the metric stands is said below `metric:`)")
    if "run" not in values:
        edit = values.get("edit", "train.py")
        script = edit[0] if isinstance(edit, list) and edit else edit
        values["run"] = f"{'uv run' if uv_locked else 'python'} {shlex.quote(str(script))}"
    try:
        contract = Contract.model_validate(values)
    except ValidationError as error:
        raise ProgramError(_sentence(error, nodes)) from None
    sealed = contract.sealed.run if contract.sealed is not None else None
    commands = [(["run"], contract.run), (["verify"], contract.verify), (["sealed"], sealed)]
    for rung, given in contract.scales.items():
        commands += [(["scales", rung, "run"], given.run), (["scales", rung, "verify"], given.verify)]
    for path, command in commands:
        try:
            if command is not None:
                command_line.check(command)
        except ValueError as error:
            raise ProgramError(f"{NAME}:{_line(path, nodes) or 1}: {'.'.join(path)}: {error}") from None
    return Program(contract, text)


async def watch(root: Path, matching: Matching) -> AsyncIterator[Program | ProgramError]:
    """The program each time it is saved and reads differently, or why the new version is refused.

    Watches the folder, not the file: editors replace a file by renaming another over it.
    """
    path = os.fspath(root / NAME)

    def ours(_: Change, changed: str) -> bool:
        return changed == path

    last: Program | str | None = None
    async for _ in awatch(root, watch_filter=ours, recursive=False, debounce=200, step=50):
        try:
            now: Program | ProgramError = load(root, matching)
        except ProgramError as error:
            gone = ProgramError(f"{NAME} is gone; put it back, or write a new one with `looptop init`")
            now = error if (root / NAME).exists() else gone
        key = str(now) if isinstance(now, ProgramError) else now
        if key != last:
            last = key
            yield now


# --- the front matter ------------------------------------------------------------------------------------------


def _split(source: str) -> tuple[str, str]:
    """Front matter, led by one line break for its `---` so that line numbers hold, and the text below it."""
    lines = source.removeprefix("\ufeff").splitlines(keepends=True)
    if not lines or lines[0].rstrip() != "---":
        return "", source
    for n, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return "\n" + "".join(lines[1:n]), "".join(lines[n + 1 :]).lstrip("\n")
    raise ProgramError(f"{NAME}:1: the front matter that begins here has no closing `---` line")


def _mapping(front: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """The keys and values of the front matter as YAML nodes, which know their lines."""
    try:
        node = yaml.compose(front, Loader=PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if hint := _misread(error, front.splitlines()):
            raise ProgramError(hint) from None
        raise ProgramError(f"{NAME}:{mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ProgramError(f"{NAME}: the front matter is not YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ProgramError(f"{NAME}:{node.start_mark.line + 1}: expected lines of `key: value`")
    _check_keys(node)
    return list(node.value)


_SPECIAL = re.compile(r"[:\[,{-]\s*([*@%`&][^\s,\]}]*)")


def _misread(error: yaml.MarkedYAMLError, lines: list[str]) -> str:
    """What to write where the signs of a command line or the first one of a value mean something else to YAML."""
    for place in (error.problem_mark, error.context_mark):
        if not place or place.line >= len(lines):
            continue
        line, where = lines[place.line], f"{NAME}:{place.line + 1}: "
        if key := _COMMAND.match(line):
            return (
                f"{where}YAML reads this command in another way ({error.problem}); write "
                f"`{key[1]}: |`, and the command as you type it on the next line, indented"
            )
        if line.startswith("\t"):
            return f"{where}it begins with a tab; YAML takes only spaces there"
        if error.problem == "mapping values are not allowed here":
            return f"{where}a value with `: ` in it needs quotes"
        if value := _SPECIAL.search(line):
            return f'{where}a value that begins with `{value[1][0]}` needs quotes: "{value[1]:.60}"'
    return ""


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not key.value.isprintable():
            raise ProgramError(f"{NAME}:{key.start_mark.line + 1}: a key must be a plain word")
        if key.value in seen:
            raise ProgramError(f"{NAME}:{key.start_mark.line + 1}: `{key.value:.80}` is there twice")
        seen.add(key.value)
        for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(part, yaml.MappingNode):
                _check_keys(part)


def _value(node: yaml.Node) -> Any:
    loader = PlainLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ProgramError(f"{NAME}:{node.start_mark.line + 1}: {problem}") from None
    except (ValueError, OverflowError) as error:  # a date such as 2024-13-45
        raise ProgramError(f"{NAME}:{node.start_mark.line + 1}: {error}") from None
    finally:
        loader.dispose()


def _sentence(error: ValidationError, nodes: list[tuple[yaml.ScalarNode, yaml.Node]]) -> str:
    """The first thing wrong, with its line."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    path = ["metric" if part == "source" else part for part in path]
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not path:  # about several keys at once; the message begins with the one to look at
        line = _line([message.split(" ")[0]], nodes)
        return f"{NAME}:{line}: {message}" if line else f"{NAME}: {message}"
    found = _find(path, nodes)
    where = f"{NAME}:{found.line}: " if found.line else f"{NAME}: "
    if first["type"] in ("extra_forbidden", "invalid_key"):
        known = ["name", "pattern", "json", "file", "take"] if "metric" in path[:-1] else _fields(path)
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
        return f"{where}unknown key `{found.name}` ({hint})"
    if first["type"].startswith("byte_size"):
        message = "expected a size such as 500MB or 80GB"
    given, told = first["input"], f", not {first['input']!r:.80}"
    if first["type"] != "value_error":
        message += told
    if not isinstance(given, str) and isinstance(found.value, yaml.ScalarNode) and message.endswith(told):
        typed = f"{found.value.value:.80}" or "nothing"  # YAML reads `yes` and `2020-01-01` as something else
        message = f"{message.removesuffix(told)}, not {typed}"
    return f"{where}{found.name}: {message}"


def _fields(path: list[str]) -> list[str]:
    model: type[BaseModel] = Member if path[0] == "researchers" else Contract
    for part in path[:-1]:
        field = model.model_fields.get(part)
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
        if inner is None:
            break
        model = cast(type[BaseModel], inner)
    return [name for name in model.model_fields if name != "source"]


@dataclass(frozen=True)
class _Found:
    """Where something is in the front matter."""

    line: int | None
    """Of the deepest part of its path that is there, counted from 1."""
    name: str
    """Its path as a person reads it: the first of a list is 1."""
    value: yaml.Node | None
    """What stands there; None where not all of the path is there."""


def _line(path: list[str], nodes: list[tuple[yaml.ScalarNode, yaml.Node]]) -> int | None:
    return _find(path, nodes).line


def _find(path: list[str], nodes: list[tuple[yaml.ScalarNode, yaml.Node]]) -> _Found:
    line, level = None, nodes
    names, node = list(path), None
    for depth, part in enumerate(path):
        found = next(((key, value) for key, value in level if key.value == part), None)
        if found is None:
            return _Found(line, ".".join(names), None)
        line, node = found[0].start_mark.line + 1, found[1]
        if isinstance(node, yaml.SequenceNode):  # its parts are named by their number
            level = [(yaml.ScalarNode("", str(n), one.start_mark), one) for n, one in enumerate(node.value)]
            if path[depth + 1 :] and path[depth + 1].isdecimal():
                names[depth + 1] = str(int(path[depth + 1]) + 1)
        else:
            level = node.value if isinstance(node, yaml.MappingNode) else []
    return _Found(line, ".".join(names), node)
