"""What a command needs to read in order to start: itself, and of a Python its installation, environment and packages.

It asks the interpreter, which knows of `.pth` files, editable installs and links in odd places: one short process for
each. It starts nothing that does not call itself a Python.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_ASK = """
import importlib.metadata, json, sys, sysconfig
editable = []
for one in importlib.metadata.distributions():
    said = one.read_text("direct_url.json")
    if said and '"editable": true' in said:
        editable.append(json.loads(said)["url"])
print(json.dumps({"prefixes": [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix],
    "path": sys.path, "editable": editable, "stdlib": sysconfig.get_path("stdlib")}))
"""

PARTS = ("bin", "lib", "lib32", "lib64", "libexec", "include", "share", "ssl", "etc", "nvvm", "targets", "pyvenv.cfg")
"""What of a prefix belongs to the installation, where the prefix is a person's own folder too, such as ~/.local."""

_PYTHON = re.compile(r"(python|pypy)[\d.]*")

LONGEST_ANSWER = 60.0
"""Seconds to wait for an interpreter; it takes about 0.05 s, and more from a cold network disk."""


def find(program: str, folder: str, path: str) -> str | None:
    """Where the program of a command is, as it is spelled: `program` is a name on `path`, or a path from `folder`."""
    if "/" in program:
        found = os.path.normpath(os.path.join(folder, program))
        return found if os.path.exists(found) else None
    return shutil.which(program, path=path)


def needs(program: str, own: Iterable[str]) -> list[str]:
    """Files and folders that a program reads to start: itself, and what the Python reads that it is or begins with.

    Args:
        program: its path.
        own: folders that are a person's own, such as their home and their checkout: of one that holds a prefix or
            packages only those are named.
    """
    own = [os.path.realpath(path) for path in own]
    python = program if _PYTHON.fullmatch(os.path.basename(program)) else _first_line(program)
    found = list(dict.fromkeys((program, *([python] if python else []))))
    answer = _ask(python) if python else None
    if answer is None or python is None:
        return found
    for prefix in dict.fromkeys((*answer["prefixes"], *_spelled(python))):
        found += [os.path.join(prefix, part) for part in PARTS] if _holds(prefix, own) else [prefix]
    for entry in filter(os.path.exists, answer["path"]):
        found += _packages(entry) if _holds(entry, own) else [entry]
    for url in answer["editable"]:
        place = url.removeprefix("file://")
        found += [*_packages(place), *_packages(os.path.join(place, "src"))]
    return list(dict.fromkeys(found))


def _first_line(program: str) -> str | None:
    """The Python that a script names in its first line, as torchrun and its like do."""
    try:
        with open(program, "rb") as file:
            line = file.read(256).partition(b"\n")[0].decode(errors="surrogateescape")
    except OSError:
        return None
    words = line[2:].split() if line.startswith("#!") else []
    return words[0] if words and _PYTHON.fullmatch(os.path.basename(words[0])) else None


def _ask(python: str) -> dict[str, list[str]] | None:
    """What the interpreter says of itself, None where it is none after all."""
    try:  # from the root, so that nothing that lies about in a checkout shadows what is asked
        said = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=LONGEST_ANSWER, cwd="/")
        answer: dict[str, list[str]] = json.loads(said.stdout)
        return answer
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _spelled(python: str) -> list[str]:
    """The prefix as each link on the way to the interpreter spells it: uv links a minor version to its newest patch."""
    prefixes = []
    at = Path(python)
    for _ in range(40):
        if at.parent.name == "bin":
            prefixes.append(str(at.parent.parent))
        if not at.is_symlink():
            break
        at = at.parent / at.readlink()
    return prefixes


def _holds(path: str, own: list[str]) -> bool:
    """Whether a person's own folder is this one or lies in it."""
    path = os.path.realpath(path)
    return any(folder == path or folder.startswith(path.rstrip("/") + "/") for folder in own)


def _packages(folder: str) -> list[str]:
    """The packages and modules right in a folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    paths = [os.path.join(folder, name) for name in names]
    return [
        path for path in paths if path.endswith((".py", ".so")) or os.path.exists(os.path.join(path, "__init__.py"))
    ]
