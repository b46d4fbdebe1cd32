"""What a command needs to read in order to start: itself, what is installed with it, and of a Python its packages.

It asks the interpreter, which knows of `.pth` files, editable installs and links in odd places: one short process for
each. It starts nothing that does not call itself a Python. Which programs a shell line, a script or a Makefile starts,
nobody knows beforehand: all that are named in it are counted.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
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

_LONG_FIRST_LINE = re.compile(r"'''exec' (?:\"([^\"]+)\"|(\S+)) ")
_PYTHON = re.compile(r"(python|pypy)[\d.]*")

_WORD = re.compile(r"[\w.+/~-]+")
_RULED, _RULES = {"make", "gmake", "just"}, ("GNUmakefile", "makefile", "Makefile", "justfile", ".justfile")
"""Programs that do what a file beside them says, and the names of that file."""

_CONDAS = {"conda", "mamba", "micromamba"}
_CONDA_HOMES = ("~/.conda/envs", "~/micromamba/envs", "~/.local/share/mamba/envs")
"""Where `conda run -n NAME` finds environments that are not in its own folder."""

_SCRIPTS = ("", ".sh", ".bash", ".ksh", ".zsh", ".mk")
LARGEST_SCRIPT = 100_000  # bytes
DEEPEST = 3  # a script that starts a script that starts a script

LONGEST_ANSWER = 60.0
"""Seconds to wait for an interpreter; it takes about 0.05 s, and more from a cold network disk."""


def find(program: str, folder: str, path: str) -> str | None:
    """Where the program of a command is, as it is spelled: `program` is a name on `path`, or a path from `folder`."""
    if "/" in program:
        found = os.path.normpath(os.path.join(folder, program))
        return found if os.path.exists(found) else None
    return shutil.which(program, path=path)


def programs(argv: Sequence[str], folder: str, path: str, system: Iterable[str]) -> list[str]:
    """Paths of the programs that a command may start, but for those of the system, which all can read.

    These are its first word, the `python` and `python3` that one finds which is no Python itself, and each program that
    is named in its words, in the scripts among them, and in the Makefile beside them.

    Args:
        folder: where it starts; or a folder with the same files, if that is not there yet.
        path: the PATH that it starts with.
        system: folders that are not looked into.
    """
    words = _words(" ".join(argv))
    looked_at: set[str] = set()
    for _ in range(DEEPEST):
        files = {os.path.join(folder, os.path.expanduser(word)) for word in words}
        if words & _RULED:
            files |= {os.path.join(folder, name) for name in _RULES}
        words |= {word for file in files - looked_at for word in _words_of(file)}
        looked_at |= files
    found = [find(argv[0], folder, path)]
    if not _PYTHON.fullmatch(os.path.basename(argv[0])):
        found += [shutil.which(name, path=path) for name in ("python", "python3")]
    found += [find(os.path.expanduser(word), folder, path) for word in words if "/" in word]
    if words & _CONDAS:
        homes = [os.path.expanduser(home) for home in _CONDA_HOMES]
        found += [f"{home}/{word}/bin/python" for home in homes for word in words if "/" not in word]
        found += [os.path.join(folder, os.path.expanduser(word), "bin/python") for word in words if "/" in word]
    for place in path.split(":"):
        if place and not any(f"{os.path.realpath(place)}/".startswith(f"{top}/") for top in system):
            found += [shutil.which(name, path=path) for name in words & set(_listed(place))]
    return list(dict.fromkeys(program for program in found if program and _starts(program)))


def needs(program: str, own: Iterable[str]) -> list[str]:
    """Files and folders that a program reads to start: itself, and what the Python reads that it is or begins with.

    Args:
        program: its path.
        own: folders that are a person's own, such as their home and their checkout: of one that holds a prefix or
            packages only those are named.
    """
    own = [os.path.realpath(path) for path in own]
    python = program if _PYTHON.fullmatch(os.path.basename(program)) else _first_line(program)
    found = list(dict.fromkeys((program, *([python] if python else []), *_beside(program, own))))
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


def _beside(program: str, own: list[str]) -> Iterator[str]:
    """What belongs to a program in `PREFIX/bin`, such as a Node of nvm: its libraries, the programs that it starts.

    Not where the prefix is a hidden folder right in the home, as ~/.local and ~/.cargo are: those hold secrets too.
    """
    for path in (program, os.path.realpath(program)):
        prefix, folder = os.path.split(os.path.dirname(path))
        shared = prefix in ("", "/", "/usr", "/usr/local") or _holds(prefix, own)
        hidden = os.path.basename(prefix).startswith(".") and _holds(os.path.dirname(prefix), own)
        if folder == "bin" and not shared and not hidden:
            yield from (os.path.join(prefix, part) for part in PARTS)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text))


def _words_of(script: str) -> set[str]:
    """The words in a shell's script or a Makefile; none in any other file."""
    name = os.path.basename(script)
    try:
        if os.path.splitext(name)[1] not in _SCRIPTS and name not in _RULES:
            return set()
        if not os.path.isfile(script) or os.path.getsize(script) > LARGEST_SCRIPT:
            return set()
        with open(script, "rb") as file:
            text = file.read()
    except OSError:
        return set()
    return set() if b"\0" in text else _words(text.decode(errors="replace"))


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _starts(program: str) -> bool:
    return os.path.isfile(program) and os.access(program, os.X_OK)


def _first_line(program: str) -> str | None:
    """The Python that a script names in its first line, as torchrun and its like do.

    A path that is too long for that line, or has a space in it, stands in the second: pip and uv write `#!/bin/sh` and
    '''exec' "/a project/.venv/bin/python" "$0" "$@".
    """
    try:
        with open(program, "rb") as file:
            lines = file.read(1024).decode(errors="surrogateescape").split("\n")
    except OSError:
        return None
    words = lines[0][2:].split() if lines[0].startswith("#!") else []
    if words == ["/bin/sh"] and len(lines) > 1 and (second := _LONG_FIRST_LINE.match(lines[1])):
        words = [second[1] or second[2]]
    return words[0] if words and _PYTHON.fullmatch(os.path.basename(words[0])) else None


@cache
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
