"""Which files of a project measure it: what `run:` and `verify:` start and no proposal may change. Pure.

Whoever proposes has to know how its change is measured: what is timed, on what input, what counts as wrong. Found by
reading the commands and what they start, so a file whose name is put together at run time is not found.
"""

import posixpath
from collections.abc import Callable, Collection, Iterator

from loop.policy.mentions import mentions, words
from loop.study.contract import Contract

DEPTH = 3
"""Scripts that start scripts, followed so far: `make bench`, `bench.sh`, `bench.py`."""

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")


def started(contract: Contract, there: Collection[str], read: Callable[[str], str | None]) -> dict[str, str]:
    """Text of the files that the contract's commands start and that may not be edited, by path, in order.

    Args:
        there: every file of the champion's commit.
        read: the text of one; None where it has none.
    """
    found: dict[str, str] = {}
    known, seen = frozenset(there), set[str]()
    waiting = [path for command in (contract.run, contract.verify or "") for path in _named(command, known)]
    for _ in range(DEPTH):
        following: list[str] = []
        for path in (path for path in dict.fromkeys(waiting) if path not in seen):
            seen.add(path)
            if path in contract.edit or not (text := read(path)):
                continue
            found[path] = text
            if path.endswith((".sh", ".bash")) or posixpath.basename(path) in _MAKEFILES or text.startswith("#!/bin"):
                following += _named(text, known)
        waiting = following
    return found


def imported(edited: Collection[str], contract: Contract, there: Collection[str]) -> list[str]:
    """Files of the project that the editable ones import and that may not be edited themselves, such as `prepare.py`.

    Args:
        edited: texts of the editable files.
        there: as above.
    """
    known = frozenset(there) - frozenset(contract.edit)
    folders = dict.fromkeys(("", "src", *map(posixpath.dirname, contract.edit)))
    modules = dict.fromkeys(module.name for text in edited for module in mentions(text).imports)
    places = ((path for folder in folders for path in _module(name, folder) if path in known) for name in modules)
    return list(dict.fromkeys(path for path in (next(some, "") for some in places) if path))


def _named(command: str, known: Collection[str]) -> Iterator[str]:
    """The files of the project that a command line or a script names."""
    folder, before = "", ""
    for word in (one.text for one in words(command)):
        if before == "cd":
            folder = posixpath.join(folder, word)
        elif before == "-m":
            yield from [path for path in _module(word, folder) if path in known][:1]
        elif (path := posixpath.normpath(posixpath.join(folder, word))) in known:
            yield path
        if posixpath.basename(word) == "make":
            makefiles = (posixpath.normpath(posixpath.join(folder, name)) for name in _MAKEFILES)
            yield from [path for path in makefiles if path in known][:1]
        before = word


def _module(name: str, folder: str) -> list[str]:
    """Where the file of a module may be; a package's is what `python -m` starts."""
    place = posixpath.normpath(posixpath.join(folder, name.replace(".", "/")))
    return [f"{place}.py", posixpath.join(place, "__main__.py"), posixpath.join(place, "__init__.py")]
