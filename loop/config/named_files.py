"""The files that `program.md` names: patterns and folders under `edit:` made a list of files, and all of them checked.

Whoever knows git says what a pattern stands for (`Matching`); nothing here changes a file.
"""

import os
import posixpath
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from loop.errors import UserError
from loop.policy.secret_files import is_secret_name
from loop.study.contract import Contract

NAME = "program.md"
MOST = 200
"""Files that `edit:` may stand for: a researcher is shown all of them."""
LARGEST = 1_000_000
"""Bytes of a file that a pattern stands for; larger ones are data."""


class Matching(Protocol):
    """Whoever knows git."""

    def __call__(self, root: Path, pattern: str, new: bool = True) -> Sequence[str]:
        """Files of the project at `root` that a pattern or a folder stands for, relative to it: those in git, and, if
        `new`, others that git does not ignore."""
        ...


class ProgramError(UserError):
    """The program cannot be used; the message is a sentence with file and line."""


def checked(contract: Contract, root: Path, source: str, matching: Matching) -> Contract:
    """The contract with a concrete list of editable files, all of them text files of the project.

    Raises:
        ProgramError: a file is missing, binary, in a submodule or not really inside the project; or a pattern stands
            for nothing, or for too much.
    """
    where = _place("edit", source)
    names: list[str] = []
    for name in contract.edit:
        _check_own(name, root, where)
        if _is_file_name(name, root):
            names.append(posixpath.normpath(name))
        else:
            names += _files_of(name, contract, root, where, matching)
    edit = tuple(dict.fromkeys(names))
    if len(edit) > MOST:
        raise ProgramError(f"{where}: that is {len(edit)} files, and at most {MOST} may be edited; name fewer")
    first = contract.edit[0]
    if not _is_file_name(first, root) and contract.run.endswith(f" {shlex.quote(first)}"):
        raise ProgramError(f"{where}: {first:.200} is no program; say in `run:` how a run is started")
    for name in edit:
        _check_editable(root, name, where)
    _check_read(contract.read, root, _place("read", source))
    if contract.sealed is not None:
        _check_read(contract.sealed.read, root, _place("sealed", source))
    for name in contract.write:
        _check_write(name, root, _place("write", source), matching)
    return contract.model_copy(update={"edit": edit})


def _place(key: str, source: str) -> str:
    line = next((n for n, text in enumerate(source.splitlines(), 1) if text.startswith(key)), 0)
    return f"{NAME}:{line}: {key}" if line else f"{NAME}: {key}"


def _is_file_name(name: str, root: Path) -> bool:
    if name.endswith("/"):
        return False
    try:
        return (root / name).is_file() or not (set("*?[") & set(name) or (root / name).is_dir())
    except (OSError, ValueError):
        return True  # what is wrong with it is said where it is checked


def _check_own(name: str, root: Path, where: str) -> None:
    """Refuse what lies in a repository inside the project's: git keeps no file of it here."""
    parts = name.split("/")
    for count in range(1, len(parts) + 1):
        folder = root.joinpath(*parts[:count])
        try:
            if folder.is_dir() and not folder.samefile(root) and (folder / ".git").exists():
                inner = "/".join(parts[:count])
                what = f"{name:.200} lies in {inner}" if inner != name else name
                raise ProgramError(
                    f"{where}: {what}, a git repository of its own (a submodule); start looptop in that folder instead"
                )
        except (OSError, ValueError):
            return


def _files_of(name: str, contract: Contract, root: Path, where: str, matching: Matching) -> list[str]:
    """The text files that a pattern or a folder stands for.

    Not `program.md`, what looks like a secret, nor what `verify:` starts: whoever means these has to name them.
    """
    try:
        found = matching(root, name)
    except UserError as error:
        raise ProgramError(f"{where}: {error}") from None
    try:
        kept_out = {NAME, *map(posixpath.normpath, [*shlex.split(contract.verify or ""), *_sealed_words(contract)])}
    except ValueError:
        kept_out = {NAME}
    wanted = (path for path in found if path not in kept_out and path.isprintable() and not is_secret_name(path))
    files = [path for path in wanted if _is_text(root / path)]
    if not files:
        raise ProgramError(f"{where}: {name:.200} stands for no text file that is in git or that `git add` would take")
    return sorted(files)


def _is_text(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            return False
        content = path.read_bytes()
        content.decode("utf-8")
    except (OSError, ValueError):
        return False
    return b"\0" not in content


def _check_editable(root: Path, name: str, where: str) -> None:
    path = root / name
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            raise ProgramError(f"{where}: {name:.200} leads outside the project ({path.resolve()!s:.200})")
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


def _sealed_words(contract: Contract) -> list[str]:
    """The words of the command under `sealed:`."""
    return shlex.split(contract.sealed.run) if contract.sealed is not None else []


def _check_read(names: Iterable[str], root: Path, where: str) -> None:
    for name in names:
        try:
            if not (root / Path(name).expanduser()).exists():
                raise ProgramError(f"{where}: {name:.200} does not exist, so no run could read it")
        except (OSError, RuntimeError) as error:  # the second where `~name` is nobody's home
            raise ProgramError(f"{where}: {name:.200} cannot be read: {_why(error)}") from None


def _check_write(name: str, root: Path, where: str, matching: Matching | None) -> None:
    """Refuse what is not there, and what holds something that no run may change."""
    try:
        path = (root / Path(name).expanduser()).resolve()
        if not path.exists():
            raise ProgramError(f"{where}: {name:.200} does not exist; make it first, such as with `mkdir {name:.200}`")
        own = {"your home folder": Path.home().resolve(), "the project": root.resolve(), "the system": Path("/usr")}
    except (OSError, RuntimeError) as error:
        raise ProgramError(f"{where}: {name:.200} cannot be written to: {_why(error)}") from None
    for what, folder in own.items():
        if folder.is_relative_to(path):
            raise ProgramError(f"{where}: {name:.200} holds {what}; name the folder in it that a run writes to")
    if path.is_relative_to(root.resolve() / ".looptop"):
        raise ProgramError(f"{where}: {name:.200} leads into .looptop/, which belongs to looptop itself")
    try:
        kept = matching(root, os.path.relpath(path, root.resolve()), new=False) if matching is not None else ()
    except UserError:
        kept = ()  # outside the repository
    if kept:
        raise ProgramError(
            f"{where}: {name:.200} holds files that git keeps, such as {kept[0]:.200}; a run may write to those of its "
            "own worktree without being told; for what is to stay, name a folder that git ignores"
        )


def _why(error: OSError | RuntimeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())[:200]
