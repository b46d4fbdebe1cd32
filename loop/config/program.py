"""Reads and watches `program.md`: front matter (the contract) and instructions in plain words.

A refusal names file and line in one sentence. Nothing here changes the file, and a broken edit never replaces the
last good version: `watch` yields the refusal and the caller keeps what it has.
"""

import difflib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError
from watchfiles import Change, awatch

from loop.config.safe_yaml import PlainLoader
from loop.errors import UserError
from loop.study.contract import Contract

NAME = "program.md"
_LARGEST = 1_000_000  # bytes; every briefing carries it, and a megabyte of instructions is a mistake


class ProgramError(UserError):
    """The program cannot be used; the message is a sentence with file and line."""


@dataclass(frozen=True)
class Program:
    """A `program.md` that was read and found valid."""

    contract: Contract
    text: str
    """Everything below the front matter."""


def load(root: Path) -> Program:
    """The program of the workspace at `root`, with the files it names checked.

    Raises:
        ProgramError: it is missing, not valid, or names files that cannot be edited.
    """
    path = root / NAME
    try:
        if path.stat().st_size > _LARGEST:
            raise ProgramError(f"{NAME}: larger than {_LARGEST // 1000} kB; instructions belong there, data does not")
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProgramError(f"there is no {NAME} in {root}; write one with `looptop init`") from None
    except UnicodeDecodeError as error:
        raise ProgramError(f"{NAME}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ProgramError(f"{NAME} cannot be read: {error.strerror}") from None
    program = parse(source, uv_locked=(root / "uv.lock").exists())
    check_files(program.contract, root, source)
    return program


def parse(source: str, *, uv_locked: bool = False) -> Program:
    """The program in the text `source`.

    Args:
        uv_locked: the workspace has a `uv.lock`, so the default command is `uv run ...`.

    Raises:
        ProgramError: the front matter is not valid.
    """
    front, text = _split(source)
    nodes = _mapping(front)
    values = {key.value: _value(value) for key, value in nodes}
    if "run" not in values:
        edit = values.get("edit", "train.py")
        script = edit[0] if isinstance(edit, list) and edit else edit
        values["run"] = f"{'uv run' if uv_locked else 'python'} {script}"
    try:
        return Program(Contract.model_validate(values), text)
    except ValidationError as error:
        raise ProgramError(_sentence(error, nodes)) from None


def check_files(contract: Contract, root: Path, source: str = "") -> None:
    """Refuse editable files that are missing, binary, or not really inside the repository."""
    line = next((n for n, text in enumerate(source.splitlines(), 1) if text.startswith("edit")), 0)
    where = f"{NAME}:{line}: edit" if line else f"{NAME}: edit"
    for name in contract.edit:
        path = root / name
        try:
            if not path.resolve().is_relative_to(root.resolve()):
                raise ProgramError(f"{where}: {name:.200} leads outside the repository ({path.resolve()!s:.200})")
            if not path.is_file():
                kind = "is not a file" if path.exists() else "does not exist"
                raise ProgramError(f"{where}: {name:.200} {kind} in {root}")
            if b"\0" in (content := path.read_bytes()):
                raise ValueError
            content.decode("utf-8")
        except ValueError:
            raise ProgramError(f"{where}: {name:.200} is not a text file; proposals are edits of text") from None
        except (OSError, RuntimeError) as error:  # before Python 3.13 a link to itself is the second
            raise ProgramError(f"{where}: {name:.200} cannot be read: {_why(error)}") from None
    line = next((n for n, text in enumerate(source.splitlines(), 1) if text.startswith("read")), 0)
    where = f"{NAME}:{line}: read" if line else f"{NAME}: read"
    for name in contract.read:
        try:
            if not (root / Path(name).expanduser()).exists():
                raise ProgramError(f"{where}: {name:.200} does not exist, so no run could read it")
        except (OSError, RuntimeError) as error:  # the second where `~name` is nobody's home
            raise ProgramError(f"{where}: {name:.200} cannot be read: {_why(error)}") from None


def _why(error: OSError | RuntimeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())[:200]


async def watch(root: Path) -> AsyncIterator[Program | ProgramError]:
    """The program each time it is saved and reads differently, or why the new version is refused.

    Watches the folder, not the file: editors replace a file by renaming another over it.
    """
    path = os.fspath(root / NAME)

    def ours(_: Change, changed: str) -> bool:
        return changed == path

    last: Program | str | None = None
    async for _ in awatch(root, watch_filter=ours, recursive=False, debounce=200, step=50):
        try:
            now: Program | ProgramError = load(root)
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
        raise ProgramError(f"{NAME}:{mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ProgramError(f"{NAME}: the front matter is not YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ProgramError(f"{NAME}:{node.start_mark.line + 1}: expected lines of `key: value`")
    _check_keys(node)
    return list(node.value)


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not key.value.isprintable():
            raise ProgramError(f"{NAME}:{key.start_mark.line + 1}: a key must be a plain word")
        if key.value in seen:
            raise ProgramError(f"{NAME}:{key.start_mark.line + 1}: `{key.value:.80}` is there twice")
        seen.add(key.value)
        if isinstance(value, yaml.MappingNode):
            _check_keys(value)


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
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not path:  # about several keys at once; the message begins with the one to look at
        line = _line([message.split(" ")[0]], nodes)
        return f"{NAME}:{line}: {message}" if line else f"{NAME}: {message}"
    line = _line(path, nodes)
    where = f"{NAME}:{line}: " if line else f"{NAME}: "
    if first["type"] == "extra_forbidden":
        known = _fields(path)
        close = difflib.get_close_matches(path[-1], known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}"
        return f"{where}unknown key `{'.'.join(path)}` ({hint})"
    if first["type"] == "byte_size":
        message = "expected a size such as 500MB or 80GB"
    given = "" if first["type"] == "value_error" else f", not {first['input']!r:.80}"
    return f"{where}{'.'.join(path)}: {message}{given}"


def _fields(path: list[str]) -> list[str]:
    model: type[BaseModel] = Contract
    for part in path[:-1]:
        field = model.model_fields.get(part)
        if field is None or not hasattr(field.annotation, "model_fields"):
            break
        model = cast(type[BaseModel], field.annotation)
    return list(model.model_fields)


def _line(path: list[str], nodes: list[tuple[yaml.ScalarNode, yaml.Node]]) -> int | None:
    """Line of the deepest part of `path` that the front matter has, counted from 1."""
    line, level = None, nodes
    for part in path:
        found = next(((key, value) for key, value in level if key.value == part), None)
        if found is None:
            break
        line = found[0].start_mark.line + 1
        level = found[1].value if isinstance(found[1], yaml.MappingNode) else []
    return line
