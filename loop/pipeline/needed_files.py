"""Files that a run would look for and not find: in the person's folder and not in git, or outside of it.

A run's worktree holds what is committed, the editable files, and what `read:` names. What is left out is found by
reading the program: the scripts of `run:`, what they import, what they name. Reads files, changes nothing.
"""

import os
import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from loop.lineage.git import find_top
from loop.policy.mentions import Import, Named, mentions, words
from loop.policy.secret_files import is_secret_name
from loop.sandbox.backend import SYSTEM
from loop.sandbox.caches import KNOWN
from loop.study.contract import Contract

LARGEST = 1_000_000  # bytes of a source that is looked into
MOST = 500  # sources that are looked into: 0.3 s

_STARTED_BY = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "uv": ("pyproject.toml", "uv.lock"),
    "poetry": ("pyproject.toml", "poetry.lock"),
    "pdm": ("pyproject.toml", "pdm.lock"),
    "pixi": ("pixi.toml", "pixi.lock"),
}
"""What a program looks for in the folder that it is started in."""

_NO_DATA = (*SYSTEM, "/bin", "/dev", "/etc", "/lib", "/proc", "/run", "/sys")
_SHARED = ("/tmp", "/var/tmp", "/home", "/data", "/mnt")
"""Folders that nobody names as a whole."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A file or a folder of the project that runs do not have."""

    path: str
    """Relative to the project's folder; absolute where it lies outside of the repository."""
    by: str
    """Where it is named: `train.py:3`, or `run`."""
    certain: bool
    """No run can start without it; else the program names it, and may do without."""
    foreign: bool = False
    """It is a git repository of its own, which the project's cannot take in."""

    @property
    def sentence(self) -> str:
        if self.certain and self.foreign:
            return (
                f"{self.by} needs {self.path}, a git repository of its own, so no run would find it: name it in "
                f"program.md: `read: [{self.path}]`"
            )
        if self.certain:
            return (
                f"{self.by} needs {self.path}, which git does not have, so no run would find it: "
                f"`git add {self.path}` and commit it, or name it in program.md: `read: [{self.path}]`"
            )
        if posixpath.isabs(self.path):
            return (
                f"{self.by} names {self.path}, outside of the project: if runs need it, name it in program.md: "
                f"`read: [{self.path}]`"
            )
        return (
            f"{self.by} names {self.path}, which git does not have, so runs do not see it; if they need it, name it in "
            f"program.md (`read: [{self.path}]`) or commit it"
        )


def missing_files(root: Path, contract: Contract, committed: Collection[str]) -> list[Missing]:
    """What the runs of a project would look for and not find; what no run can start without comes first.

    Args:
        root: the project's folder.
        committed: the paths of all that git has of the project, links and submodules too; see `Commits.entries`.
    """
    search = _Search(root, contract, committed)
    search.look()
    found = {one.path: one for one in sorted(search.found, key=lambda one: one.certain)}
    return sorted(found.values(), key=lambda one: (not one.certain, one.path))


class _Search:
    def __init__(self, root: Path, contract: Contract, committed: Collection[str]) -> None:
        self._root, self._contract = root, contract
        self._there = {*committed, *contract.edit}
        self._folders = {parent for path in self._there for parent in _parents(path)}
        self._top = os.path.realpath(find_top(root) or root)
        self._search_path = ["", "src"]
        self._seen: set[str] = set()
        self._queue: list[tuple[str, bool]] = [(path, True) for path in contract.edit]
        self.found: list[Missing] = []

    def look(self) -> None:
        for command in filter(None, (self._contract.run, self._contract.verify)):
            self._look_at_command([word.text for word in words(command)])
        while self._queue and len(self._seen) < MOST:
            path, certain = self._queue.pop(0)
            if path not in self._seen:
                self._seen.add(path)
                self._read(path, certain)

    def _look_at_command(self, line: list[str]) -> None:
        folder = ""
        for number, word in enumerate(line):
            before = line[number - 1] if number else ""
            if before == "cd":
                folder = posixpath.join(folder, word)
            elif before == "-m":
                self._import(Import(word, 0, 0, True), folder, "`run`", True)
            else:
                certain = number == 0 or word.endswith((".py", ".sh"))
                self._meet(posixpath.join(folder, word), "`run`", certain)
            for name in _STARTED_BY.get(posixpath.basename(word), ()):
                self._meet(posixpath.join(folder, name), "`run`", posixpath.basename(word) == "make")

    def _import(self, module: Import, folder: str, by: str, certain: bool) -> None:
        for candidate in self._candidates(module, folder):
            if self._meet(candidate, by, certain):
                break

    def _read(self, path: str, certain: bool) -> None:
        try:
            if (self._root / path).stat().st_size > LARGEST:
                return
            text = (self._root / path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return
        folder = posixpath.dirname(path)
        if not path.endswith(".py"):
            if path.endswith((".sh", ".bash")) or text.startswith("#!"):
                for word in words(text):
                    self._name(word, path, folder)
            return
        found = mentions(text)
        self._search_path += [one for one in found.paths if one not in self._search_path]
        for module in found.imports:
            self._import(module, folder, f"{path}:{module.line}", certain and module.certain)
        for named in found.files:
            self._name(named, path, folder)

    def _name(self, named: Named, by: str, folder: str) -> None:
        if "/" in named.text or "." in named.text or named.text in ("data", "dataset", "datasets"):
            for place in dict.fromkeys(("", folder)):
                if self._meet(posixpath.join(place, named.text), f"{by}:{named.line}", False):
                    break

    def _candidates(self, module: Import, folder: str) -> Iterator[str]:
        """Where the file of a module may be, in the order in which Python looks."""
        parts = module.name.replace(".", "/")
        if module.level:
            above = "/".join([".."] * (module.level - 1))
            places = [posixpath.join(folder, above)]
        else:
            places = [folder, *self._search_path]
        for place in dict.fromkeys(places):
            yield posixpath.join(place, f"{parts}.py")
            yield posixpath.join(place, parts, "__init__.py")
            if not module.line:  # `python -m package`
                yield posixpath.join(place, parts, "__main__.py")

    def _meet(self, path: str, by: str, certain: bool) -> bool:
        """Take note of a path that something names; whether there is such a file or folder."""
        path = posixpath.normpath(path)
        place = self._root / path
        if path.startswith(("/", "..", "~/")):
            return self._meet_outside(path, by)
        try:
            if path.startswith(("~", ".git/", ".looptop")) or path == "." or not place.exists():
                return False
        except (OSError, ValueError):
            return False
        if path in self._there or path in self._folders or any(parent in self._there for parent in _parents(path)):
            if self._meet_outside(path, by):  # behind a link that git has
                return True
            if place.is_file():
                self._queue.append((path, certain))
        elif not self._is_given(path) and not self._is_environment(path):
            own = next((parent for parent in _parents(path) if (self._root / parent / ".git").exists()), None)
            self.found.append(Missing(own or path, by, certain, own is not None))
        return True

    def _meet_outside(self, path: str, by: str) -> bool:
        """Take note of a file or folder outside of the repository; whether it is one."""
        home = Path(os.path.realpath(Path.home()))
        real = Path(os.path.realpath(home / path[2:] if path.startswith("~/") else self._root / path))
        try:
            if not real.exists() or any(real.is_relative_to(place) for place in (self._top, *_NO_DATA)):
                return False
            if real.is_file() and os.access(real, os.X_OK):
                return True  # a program, which whoever confines runs looks up
        except (OSError, ValueError):
            return False
        caches = (home / place for place, _, _ in KNOWN)
        if (
            is_secret_name(str(real))
            or any(real.is_relative_to(cache) for cache in caches)
            or self._is_given(str(real))
        ):
            return True
        whole = real.is_dir() or real.parent == home or str(real.parent) in _SHARED
        named = real if whole else real.parent
        if named != home and len(named.parts) > 2:  # neither all of the home nor /mnt
            self.found.append(Missing(str(named), by, False))
        return True

    def _is_given(self, path: str) -> bool:
        """Whether `read:` or `write:` gives it to a run."""
        for name in (*self._contract.read, *self._contract.write):
            given = (self._root / Path(name).expanduser()).resolve()
            if (self._root / path).resolve().is_relative_to(given):
                return True
        return False

    def _is_environment(self, path: str) -> bool:
        """Whether it lies in a virtual environment, which runs have."""
        return any((self._root / parent / "pyvenv.cfg").is_file() for parent in (path, *_parents(path)))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
