"""What runs start with, as one short digest: another interpreter, other packages or other lock files give another one.

It reads names and a few small files, some milliseconds' worth, and starts nothing.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from loop.sandbox.project_python import ProjectPython

LOCKS = (
    "uv.lock", "poetry.lock", "pdm.lock", "pixi.lock", "Pipfile.lock", "conda-lock.yml", "environment.yml",
    "requirements.txt", "pyproject.toml", "setup.py", "setup.cfg",
)  # fmt: skip
"""Files that say what is to be installed."""

_INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth")
"""What an installation leaves beside the packages."""


def setup_digest(root: Path, python: ProjectPython) -> str:
    """Digest of the interpreter that runs in the project at `root` start with, and of what is installed for it."""
    digest = hashlib.sha256()
    for part in _parts(root, python):
        digest.update(part + b"\0")
    return digest.hexdigest()[:12]


def _parts(root: Path, python: ProjectPython) -> Iterator[bytes]:
    for name in LOCKS:
        yield _content(root / name)
    yield os.fsencode(os.path.realpath(python.executable))
    prefix = Path(python.environment or sys.prefix)
    yield _content(prefix / "pyvenv.cfg")
    for folder in sorted(prefix.glob("lib/python*/site-packages")):
        for name in sorted(_names(folder)):
            yield os.fsencode(name)
            # How an editable installation leads to the checkout.
            if name.endswith(".pth") or name.startswith("__editable__"):
                yield _content(folder / name)


def _names(folder: Path) -> list[str]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return [name for name in names if name.endswith(_INSTALLED) or name.startswith("__editable__")]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
