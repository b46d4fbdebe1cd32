"""What a run finds in its worktree besides the files of its commit.

Git has the code. A program also looks for its data, for the environment that it is started with and for what was built
beside the sources: `gaps` says what of that the worktree lacks, and the rest puts it there, as a link, as an empty
place for bubblewrap to show the original in, or, of what was built, as a copy. Nothing is put outside of the worktree,
and nothing over a file of the commit.
"""

import fnmatch
import os
import shutil
from collections.abc import Iterable, Iterator

from loop.sandbox.confinement import above

ENVIRONMENTS = (".venv", "venv", "env")
"""Where a project keeps its virtual environment, if it has one."""

MARKS = ("pyvenv.cfg", "conda-meta")
"""What lies in the top folder of a Python environment."""

BUILT = ("*.so", "_version.py", "*_pb2.py", "*_pb2_grpc.py", "*.egg-info")
"""What is made beside the sources, ignored by git, and imported: compiled extensions, a version, generated code."""

NEVER = (".git", ".looptop")


def gaps(source: str, place: str) -> Iterator[tuple[str, str]]:
    """What of `source` is not at `place`: whole files and folders, each with where it belongs.

    A folder that is at both places, because git has a part of it, is looked into.
    """
    if not os.path.lexists(source):
        return
    if not os.path.lexists(place):
        yield source, place
    elif _is_folder(source) and _is_folder(place):
        for name in sorted(os.listdir(source)):
            if name not in NEVER:
                yield from gaps(os.path.join(source, name), os.path.join(place, name))


def link(source: str, place: str, tree: str) -> None:
    """Have `place` in the worktree lead to `source`."""
    if _room(place, tree):
        os.symlink(source, place)


def reserve(source: str, place: str, tree: str) -> bool:
    """Make something empty at `place` for bubblewrap to show `source` there; False where that is not possible."""
    if not _room(place, tree):
        return os.path.lexists(place) and not os.path.islink(place)
    if os.path.isdir(source):
        os.mkdir(place)
    else:
        with open(place, "xb"):
            pass
    return True


def environment_of(path: str, top: str) -> str | None:
    """The Python environment below `top` that `path` belongs to."""
    while above(top, path):
        if _is_environment(path):
            return path
        path = os.path.dirname(path)
    return None


def environments(folders: Iterable[str]) -> list[str]:
    """The virtual environments right in these folders."""
    found = [os.path.join(folder, name) for folder in folders for name in ENVIRONMENTS]
    return list(dict.fromkeys(filter(_is_environment, found)))


def bring_built(top: str, tree: str) -> None:
    """Copy what was built beside the sources, with its dates, so that a build knows what is newer.

    A copy: a build that writes over it must not reach the original.
    """
    for folder, inner, files in os.walk(tree):
        inner[:] = [name for name in inner if name not in NEVER]
        if folder != tree and not any(name.endswith((".py", ".pyx", ".toml")) for name in files):
            continue
        there = os.path.join(top, os.path.relpath(folder, tree))
        for name in _built(there):
            source, place = os.path.join(there, name), os.path.join(folder, name)
            try:
                if not os.path.lexists(place):
                    (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, place)
            except (OSError, shutil.Error):
                continue  # being made anew this moment, or not to be read: an import will say so


def _built(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if any(fnmatch.fnmatchcase(name, one) for one in BUILT)]
    except OSError:
        return []  # the commit has a folder that the checkout has not


def _is_environment(path: str) -> bool:
    """By what lies in it; `.venv` may be no more than a folder with a link to an interpreter."""
    bare = os.path.basename(path) == ".venv" and os.path.exists(os.path.join(path, "bin", "python"))
    return bare or any(os.path.exists(os.path.join(path, mark)) for mark in MARKS)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _room(place: str, tree: str) -> bool:
    """Make the folder that `place` is in. False where something is at it, or a link leads out of the worktree."""
    folder = os.path.dirname(place)
    real = os.path.realpath(folder)
    if real != os.path.realpath(tree) and not above(os.path.realpath(tree), real):
        return False
    os.makedirs(folder, exist_ok=True)
    return not os.path.lexists(place)
