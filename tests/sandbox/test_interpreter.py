"""What a command needs to read in order to start."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loop.sandbox.interpreter import needs, programs

SYSTEM = ("/usr", "/bin")


def program(path: Path, text: str = "#!/bin/sh\n") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def named(argv: list[str], project: Path) -> set[str]:
    """Programs outside of the system that a command may start, by name."""
    path = f"{project.parent}/tools:/usr/bin:/bin"
    found = programs(argv, str(project), path, SYSTEM)
    return {Path(one).name for one in found if not one.startswith(SYSTEM)}


def test_every_program_that_is_named_in_a_line_counts(project: Path):
    for name in ("trainer", "filter", "other"):
        program(project.parent / "tools" / name)
    assert named(["bash", "-c", "FOO=1 trainer x | filter > log"], project) == {"trainer", "filter"}


def test_and_in_the_scripts_that_it_names_and_that_those_name(project: Path):
    for name in ("trainer", "helper", "other"):
        program(project.parent / "tools" / name)
    program(project / "scripts" / "all.sh", "set -e\nbash scripts/one.sh\nhelper")
    program(project / "scripts" / "one.sh", "trainer")
    assert named(["bash", "scripts/all.sh"], project) == {"all.sh", "one.sh", "trainer", "helper"}


def test_and_in_the_makefile(project: Path):
    program(project.parent / "tools" / "trainer")
    (project / "Makefile").write_text("train:\n\ttrainer\n")
    assert named(["make", "train"], project) == {"trainer"}
    assert named(["true"], project) == set()


def test_an_environment_of_conda_that_is_named_counts(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(project.parent))
    for name in ("mine", "other"):
        (project.parent / ".conda" / "envs" / name / "bin").mkdir(parents=True)
        (project.parent / ".conda" / "envs" / name / "bin" / "python").symlink_to(sys.executable)
    found = programs(["conda", "run", "-n", "mine", "x"], str(project), "/usr/bin", SYSTEM)
    assert [one for one in found if "/.conda/" in one] == [f"{project.parent}/.conda/envs/mine/bin/python"]


def test_a_data_file_and_a_program_of_the_system_are_none(project: Path):
    (project / "data.bin").write_bytes(b"\0" * 10)
    assert named(["cat", "data.bin", "./data.bin"], project) == set()
    assert shutil.which("cat") in programs(["cat"], str(project), "/usr/bin:/bin", SYSTEM)


@pytest.mark.parametrize("first", ["#!{python}\n", "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"])
def test_a_console_script_needs_the_environment_that_it_begins_with(tmp_path: Path, first: str):
    venv = tmp_path / "an environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    script = program(tmp_path / "launch", first.format(python=venv / "bin" / "python"))
    if " " in str(venv) and "exec" not in first:
        assert needs(script, ()) == [script]  # the system would not start it either
    else:
        assert str(venv) in needs(script, ())


def test_what_is_installed_with_a_program_is_read_and_a_folder_of_secrets_is_not(tmp_path: Path):
    node = tmp_path / ".nvm" / "v20"
    npm = program(node / "lib" / "npm" / "bin" / "npm-cli.js", "#!/usr/bin/env node\n")
    (node / "bin").mkdir()
    (node / "bin" / "npm").symlink_to(npm)
    read = needs(str(node / "bin" / "npm"), [str(tmp_path)])
    assert {str(node / "bin"), str(node / "lib")} <= {*read} and str(node) not in read
    mine = program(tmp_path / ".local" / "bin" / "mine", "#!/bin/sh\n")
    assert needs(mine, [str(tmp_path)]) == [mine]
    assert needs("/usr/bin/env", [str(tmp_path)]) == ["/usr/bin/env"]
