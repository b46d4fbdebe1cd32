"""Which Python is the project's own, and where its runs look for programs.

`python` in a command line, in a script and in a Makefile is the same one: its folder comes first on the run's PATH. It
looks at folders, and asks pyenv which version its shims stand for.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loop.study.contract import Contract
from loop.workspace import folders_up

LONGEST_ANSWER = 20.0
"""Seconds to wait for pyenv; it takes 0.1."""


@dataclass(frozen=True)
class ProjectPython:
    """The choice."""

    executable: str
    why: str
    """Which one it is, in words that fit behind its path."""
    environment: str = ""
    """The folder of the environment that it is of; empty where that is only looptop's own."""

    @property
    def has_looptop(self) -> bool:
        if self.executable == sys.executable:
            return True
        return any(Path(self.executable).parents[1].glob("lib/python*/site-packages/looptop-*.dist-info"))


def choose(root: Path, environ: Mapping[str, str], contract: Contract | None = None) -> ProjectPython:
    """The project's own environment, else the active one of whoever starts the loop, else what runs looptop.

    Args:
        root: the folder of `program.md`.
        environ: what the loop was started with.
        contract: `env:` in it may name another PATH or environment, and a program that imports looptop's harness needs
            a Python that has it; an active environment without it is passed over.
    """
    named = contract.variables(environ) if contract is not None else {}
    if (path := named.get("PATH")) and (
        found := shutil.which("python", path=path) or shutil.which("python3", path=path)
    ):
        return ProjectPython(found, "the first on the PATH that `env:` names")
    for name in (".venv", "venv", "env", ".pixi/envs/default"):
        for folder in folders_up(root):  # a workspace's packages share one environment
            python = folder / name / "bin" / "python"
            if python.exists() and (name.startswith(".") or (folder / name / "pyvenv.cfg").exists()):
                return ProjectPython(str(python), f"the project's {name}", str(folder / name))
    needs_looptop = contract is not None and uses_harness(contract, root) and not own_harness(root)
    for kind, folder in _active({**environ, **named}):
        active = ProjectPython(str(folder / "bin" / "python"), f"the active {kind}", str(folder))
        if os.access(active.executable, os.X_OK) and (active.has_looptop or not needs_looptop):
            return active
    return ProjectPython(sys.executable, "the one that runs looptop")


def _active(environ: Mapping[str, str]) -> list[tuple[str, Path]]:
    """Environments that are active, the one that comes first on PATH first."""
    path = environ.get("PATH", os.defpath).split(":")
    names = (("VIRTUAL_ENV", "virtual environment"), ("CONDA_PREFIX", "conda environment"))
    active = [(kind, Path(environ[name])) for name, kind in names if environ.get(name)]
    places = {folder: place for place, folder in reversed(list(enumerate(path)))}
    return sorted(active, key=lambda one: places.get(str(one[1] / "bin"), len(path)))


def search_path(python: ProjectPython, root: Path, environ: Mapping[str, str], contract: Contract) -> str:
    """PATH of a run: the folder of its Python, and then what the loop was started with.

    pyenv's shims start pyenv, which lies in the home folder: the folders of the versions that they stand for take their
    place. `conda` is a function of an interactive shell; the program of that name is put on PATH.
    """
    if named := contract.variables(environ).get("PATH"):
        return named
    folders: list[str] = []
    for folder in environ.get("PATH", os.defpath).split(":"):
        pyenv = Path(folder).parent / "libexec" / "pyenv"
        shims = Path(folder).name == "shims" and pyenv.exists()
        folders += (_pyenv_versions(pyenv, root, environ.get("PYENV_VERSION")) or [folder]) if shims else [folder]
    if shutil.which("python", path=":".join(folders)) != python.executable:
        folders.insert(0, str(Path(python.executable).parent))
    if (conda := environ.get("CONDA_EXE")) and not shutil.which("conda", path=":".join(folders)):
        folders.append(str(Path(conda).parent))
    return ":".join(dict.fromkeys(folders))


@cache
def _pyenv_versions(pyenv: Path, root: Path, version: str | None) -> list[str]:
    """The folders of the programs of those of pyenv's versions that are in force in `root`; empty: it does not say."""
    environment = {**os.environ, **({"PYENV_VERSION": version} if version else {})}
    try:
        said = subprocess.run(
            [pyenv, "prefix"], capture_output=True, text=True, timeout=LONGEST_ANSWER, cwd=root, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [f"{prefix}/bin" for prefix in said.stdout.strip().split(":") if prefix]


def uses_harness(contract: Contract, root: Path) -> bool:
    """Whether the study has to do with looptop's default harness at all."""
    texts = [contract.run, contract.verify or "", contract.sealed.run if contract.sealed is not None else ""]
    for name in contract.edit:
        try:
            texts.append((root / name).read_text(errors="replace"))
        except OSError:
            continue  # it is not there any more; a run will say so
    return any("loop.harness" in text for text in texts)


def own_harness(root: Path) -> bool:
    """Whether `loop.harness` is a module of the project itself: then nothing of looptop's is meant by that name."""
    there = any(
        (root / source / "loop" / name).exists() for source in ("", "src") for name in ("harness", "harness.py")
    )
    return there and not _is_looptop(root)


def hidden_packages(python: ProjectPython, root: Path) -> str:
    """A sentence, where a Python of looptop's own imports looptop's package in the place of one of the project's.

    A package that has an `__init__.py` comes before it; a mere folder of modules does not.
    """
    installed = next(Path(python.executable).parents[1].glob("lib/python*/site-packages/loop/__init__.py"), None)
    if installed is None or _is_looptop(root):
        return ""
    for name in ("loop", "tui"):
        for folder in (root / name, root / "src" / name):
            if next(folder.glob("*.py"), None) and not (folder / "__init__.py").exists():
                place = folder.relative_to(root)
                return (
                    f"`import {name}` in a run gives looptop's own package, not your {place}/, since that has no "
                    f"__init__.py; add {place}/__init__.py, or give the project an environment of its own (.venv)"
                )
    return ""


def _is_looptop(root: Path) -> bool:
    try:
        with (root / "pyproject.toml").open("rb") as file:
            return bool(tomllib.load(file).get("project", {}).get("name") == "looptop")
    except (OSError, ValueError, AttributeError):
        return False
