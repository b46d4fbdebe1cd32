"""What mends a baseline that gave no number, in a sentence behind its reason.

What the words of its output mean, `policy/diagnosis` knows; here the paths in them are looked for: in the checkout, in
git, in the home, elsewhere. It only looks.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from loop.lineage import Lineage
from loop.policy.diagnosis import Facts, Place, diagnose
from loop.sandbox import caches
from loop.sandbox.project_python import choose
from loop.study.contract import Contract

LONGEST = 80
"""Characters of a name that nothing has; Python 3.14 finds nothing wrong with one of thousands."""

_IN_TREE = re.compile(r".*/\.looptop/trees/[^/]+/+(?P<rest>.+)")
"""A file of a run's worktree, by its whole path."""

_IN_HOME = re.compile(r"(?:.*/\.looptop/(?:runs/[^/]+|try)/tmp|/tmp(?:/looptop[\w.-]*)?)/home/+(?P<rest>.+)")
"""A file of the home that a run has in the place of the person's."""

_FAR_UP = ("/", "/home", "/root", "/mnt", "/data", "/tmp", "/usr", "/opt", "/var", "/srv")
"""Folders that nobody names as a whole."""


class Advice:
    """For the runs of one study.

    Args:
        sandbox: the kind in force.
    """

    def __init__(self, lineage: Lineage, root: Path, sandbox: str) -> None:
        self._lineage, self._root, self._sandbox = lineage, root, sandbox

    def on(self, tail: str, contract: Contract, commit: str) -> str:
        """What mends what the end of a run's output tells; empty where nobody can tell. Blocks for some milliseconds.

        Args:
            commit: what it ran.

        Raises:
            LineageError: git fails.
        """
        places = Places(self._root, self._lineage.commits.paths(commit))
        python = choose(self._root, os.environ, contract).executable
        return diagnose(tail, Facts(contract, self._sandbox, places.place, python))


class Places:
    """Where things are.

    Args:
        root: the person's checkout.
        known: files that runs have, from its top.
        home: the person's home.
    """

    def __init__(self, root: Path, known: Collection[str], home: Path | None = None) -> None:
        self._root = root
        self._home = Path.home() if home is None else home
        self._files = frozenset(known)
        self._folders = frozenset(str(above) for path in known for above in PurePosixPath(path).parents)

    def place(self, path: str) -> Place:
        """Where the file or folder is that a run has named."""
        try:
            return self._place(path)
        except (OSError, ValueError):  # a name that is too long, or has a zero byte in it
            return Place(path[:LONGEST], "nowhere")

    def _place(self, path: str) -> Place:
        found = self._as_the_person_has_it(path)
        if not found.is_relative_to(self._root):
            return self._elsewhere(found)
        inside = found.relative_to(self._root)
        name = str(inside)
        if name in self._files or name in self._folders:
            # A link in git leads to what git does not have.
            real = Path(os.path.realpath(found))
            return Place(name, "git") if real.is_relative_to(self._root.resolve()) else self._elsewhere(real)
        if found.exists():
            real = Path(os.path.realpath(found))
            return Place(self._own(inside), "checkout") if self._is_inside(real) else self._elsewhere(real)
        linked = Path(os.path.realpath(found))
        if not self._is_inside(linked):
            return self._elsewhere(linked)
        around = inside.parent
        folder = str(around) if str(around) not in self._folders and (self._root / around).is_dir() else ""
        return Place(name[:LONGEST], "nowhere", folder)

    def _is_inside(self, real: Path) -> bool:
        return real.is_relative_to(self._root.resolve())

    def _as_the_person_has_it(self, path: str) -> Path:
        if match := _IN_TREE.fullmatch(path):
            path = match["rest"]
        elif match := _IN_HOME.fullmatch(path):
            path = str(self._home / match["rest"])
        elif path == "~" or path.startswith("~/"):
            path = str(self._home) + path[1:]
        return Path(os.path.normpath(self._root / path))

    def _own(self, inside: Path) -> str:
        """The topmost folder around a file that has nothing of git's in it, or the file itself."""
        name = inside
        while str(name.parent) not in self._folders:
            name = name.parent
        return str(name)

    def _elsewhere(self, found: Path) -> Place:
        there = found.exists()
        around = found.parent
        named = found if found.is_dir() or not there or around == self._home or str(around) in _FAR_UP else around
        if named != self._home and named.is_relative_to(self._home):
            name = str(named.relative_to(self._home))
            given = any(f"{name}/".startswith(f"{place}/") for place, _, _ in caches.KNOWN)
            return Place(f"~/{name}", "machine" if there else "nowhere", given=given)
        outside = str(around) if not there and around.is_dir() and str(around) not in _FAR_UP else ""
        return Place(str(named), "machine" if there else "nowhere", outside=outside)
