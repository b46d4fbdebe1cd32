"""Which Python is the project's own, and where its runs look for programs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loop.sandbox.project_python import choose, hidden_packages, search_path
from loop.study.contract import Contract

CONTRACT = Contract()


def environment(folder: Path, *, venv: bool = False) -> Path:
    """An environment with a Python in it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    if venv:
        (folder / "pyvenv.cfg").touch()
    return folder


@pytest.mark.parametrize("name", [".venv", "venv", "env"])
def test_the_projects_own_environment_comes_first(tmp_path: Path, name: str):
    environment(tmp_path / name, venv=True)
    active = environment(tmp_path / "elsewhere", venv=True)
    found = choose(tmp_path, {"VIRTUAL_ENV": str(active)})
    assert found.executable == str(tmp_path / name / "bin" / "python") and found.why == f"the project's {name}"


def test_a_folder_that_is_only_called_env_is_none(tmp_path: Path):
    environment(tmp_path / "env")
    assert choose(tmp_path, {}).executable == sys.executable


def test_a_package_of_a_workspace_has_the_environment_at_its_top(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    venv = environment(tmp_path / ".venv", venv=True)
    (tmp_path / "packages" / "model").mkdir(parents=True)
    assert choose(tmp_path / "packages" / "model", {}).environment == str(venv)


def test_else_the_active_environment_the_one_that_path_has_first(tmp_path: Path):
    root, conda, venv = tmp_path / "project", environment(tmp_path / "conda"), environment(tmp_path / "v", venv=True)
    environ = {"CONDA_PREFIX": str(conda), "VIRTUAL_ENV": str(venv)}
    assert choose(root, environ | {"PATH": f"{conda}/bin:{venv}/bin:/bin"}).why == "the active conda environment"
    assert choose(root, environ | {"PATH": f"/bin:{venv}/bin:{conda}/bin"}).why == "the active virtual environment"


def test_else_the_one_that_runs_looptop(tmp_path: Path):
    (tmp_path / "conda" / "bin").mkdir(parents=True)  # made without a Python
    assert choose(tmp_path, {"CONDA_PREFIX": str(tmp_path / "conda")}).executable == sys.executable


def test_a_program_that_imports_the_harness_needs_a_python_that_has_it(tmp_path: Path):
    active = environment(tmp_path / "active", venv=True)
    (tmp_path / "train.py").write_text("from loop.harness import corpus\n")
    environ = {"VIRTUAL_ENV": str(active)}
    assert choose(tmp_path, environ, CONTRACT).executable == sys.executable
    (active / "lib" / "python3.12" / "site-packages" / "looptop-1.dist-info").mkdir(parents=True)
    assert choose(tmp_path, environ, CONTRACT).environment == str(active)


def test_a_path_that_the_program_names_has_its_own(tmp_path: Path):
    named = Contract.model_validate({"env": {"PATH": f"{environment(tmp_path / 'opt')}/bin:/bin"}})
    found = choose(tmp_path, {"PATH": os.defpath}, named)
    assert found.executable == str(tmp_path / "opt" / "bin" / "python")
    assert search_path(found, tmp_path, {"PATH": os.defpath}, named) == named.env["PATH"]


def test_path_begins_with_its_folder(tmp_path: Path):
    environment(tmp_path / ".venv")
    environ = {"PATH": "/usr/bin:/bin", "CONDA_EXE": "/home/ada/miniconda3/bin/conda"}
    path = search_path(choose(tmp_path, environ), tmp_path, environ, CONTRACT)
    assert path == f"{tmp_path}/.venv/bin:/usr/bin:/bin:/home/ada/miniconda3/bin"


def test_the_shims_of_pyenv_give_way_to_the_versions_that_they_stand_for(tmp_path: Path):
    pyenv = tmp_path / "pyenv" / "libexec" / "pyenv"
    pyenv.parent.mkdir(parents=True)
    pyenv.write_text('#!/bin/sh\n[ "$1" = prefix ] && echo "/versions/3.12.1:/versions/3.11.9"\n')
    pyenv.chmod(0o755)
    environ = {"PATH": f"{tmp_path}/pyenv/shims:/bin"}
    path = search_path(choose(tmp_path, environ), tmp_path, environ, CONTRACT)
    assert path.split(":")[1:] == ["/versions/3.12.1/bin", "/versions/3.11.9/bin", "/bin"]


def test_a_folder_of_modules_that_looptops_own_package_hides_is_told(tmp_path: Path):
    """Python itself is asked whether it is so."""
    root, python = tmp_path / "project", tmp_path / "looptop"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python], check=True)
    (site,) = python.glob("lib/python*/site-packages")
    for package in (root / "loop", site / "loop"):
        package.mkdir(parents=True)
    (site / "loop" / "__init__.py").touch()
    (root / "loop" / "train.py").write_text("print('theirs')\n")
    chosen = choose(root, {"VIRTUAL_ENV": str(python)})

    def starts() -> bool:
        return subprocess.run([chosen.executable, "-m", "loop.train"], cwd=root, capture_output=True).returncode == 0

    assert not starts() and "add loop/__init__.py" in hidden_packages(chosen, root)
    (root / "loop" / "__init__.py").touch()
    assert starts() and hidden_packages(chosen, root) == ""


def test_what_env_gives_is_expanded_no_further_than_the_home():
    environ = {"HOME": "/home/ada", "HF_TOKEN": "k", "DATA": "/mnt"}
    named = Contract.model_validate({"env": {"HF_TOKEN": None, "GONE": None, "CACHE": "~/cache:~/b", "X": "$DATA/y"}})
    assert named.variables(environ) == {"HF_TOKEN": "k", "CACHE": "/home/ada/cache:~/b", "X": "$DATA/y"}


def test_an_environment_that_the_program_names_is_taken(tmp_path: Path):
    environment(tmp_path / "envs" / "mine", venv=True)
    named = Contract.model_validate({"env": {"VIRTUAL_ENV": "~/envs/mine"}})
    found = choose(tmp_path / "project", {"HOME": str(tmp_path), "PATH": os.defpath}, named)
    assert found.environment == str(tmp_path / "envs" / "mine")
