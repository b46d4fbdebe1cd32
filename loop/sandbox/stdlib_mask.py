"""A Python's standard library without the text of some of its files: a copy in which those are blank.

The validation text of the default harness is made of the interpreter's own library, which a run must read to be a
Python at all. In the copy a hidden file keeps its size and its date, so that Python takes its compiled twin for good
and runs from that. A file whose twin is not there, or is stale, stays as it is unless it belongs to the library's own
tests. It knows nothing of corpora: which files, it is told.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

LEFT_OUT = frozenset({"site-packages", "dist-packages"})
"""Other people's packages: shown beside the copy, not in it."""

TESTS = frozenset({"test", "tests", "idle_test"})
"""Folders that nothing but the library's own tests imports."""


def hideable(library: Path, names: Collection[str]) -> list[Path]:
    """What of the library Python can do without: whole folders of tests, and files that it runs from compiled ones.

    Args:
        library: the folder of the standard library.
        names: files in it, relative, with forward slashes.
    """
    found: dict[Path, None] = {}
    for name in names:
        parts = name.split("/")
        tests = next((place for place, part in enumerate(parts) if part in TESTS), None)
        if tests is not None:
            found[library.joinpath(*parts[: tests + 1])] = None
        elif _compiled(library / name):
            found[library / name] = None
    return list(found)


def draw(library: Path, hidden: Collection[Path], target: Path) -> None:
    """Make the copy at `target`; nothing is there before it is whole. A few seconds, once for each interpreter.

    Raises:
        OSError: no room, or a folder that cannot be written.
    """
    unfinished = target.with_name(f"{target.name}-{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    for folder, inner, files in os.walk(library):
        here = unfinished / Path(folder).relative_to(library)
        here.mkdir(parents=True, exist_ok=True)
        for name in LEFT_OUT.intersection(inner):
            (here / name).mkdir()  # an empty one, to show them on
        inner[:] = [name for name in inner if name not in LEFT_OUT]
        blank = any(place in hidden for place in (Path(folder), *Path(folder).parents))
        for name in files:
            path = Path(folder, name)
            if blank or path in hidden:
                _blank(path, here / name)
            else:
                shutil.copy2(path, here / name)
    try:
        unfinished.rename(target)
    except OSError:
        shutil.rmtree(unfinished)
        if not target.exists():
            raise


def _compiled(path: Path) -> bool:
    """Whether a compiled file says that it was made of this one as it is now (PEP 552: by date and size)."""
    try:
        found = path.stat()
        for twin in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            with twin.open("rb") as file:
                head = file.read(16)
            stamp = int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF
            if head[4:8] == bytes(4) and head[8:] == b"".join(part.to_bytes(4, "little") for part in stamp):
                return True
    except OSError:
        pass  # gone
    return False


def _blank(path: Path, copy: Path) -> None:
    """A file of the same size and date with nothing in it; it takes up no room."""
    found = path.stat()
    with copy.open("wb") as file:
        file.truncate(found.st_size)
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
