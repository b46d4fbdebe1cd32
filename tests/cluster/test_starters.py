"""`looptop cluster`: nodes over SSH and Slurm. The programs that they start are small shells here."""

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tui.cli.main import app

SSH = """#!/bin/sh
# As the real one: the rest of the line is a command there, and the script comes on its standard input.
host="$1"; shift
if [ "$host" = gone ]; then echo "ssh: connect to host gone port 22: No route to host" >&2; exit 255; fi
HOME={home} PATH="{bin}:$PATH" "$@"
"""

RAY = """#!/bin/sh
echo "$RAY_AUTH_MODE $*" > "$HOME/started"
"""

SBATCH = """#!/bin/sh
cat > {there}/job; echo "Submitted batch job 42"
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["cluster", *arguments])
    return result.exit_code, result.output + (f"{result.exception}" if result.exception else "")


def test_a_machine_joins_over_ssh_and_the_token_is_in_no_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    program(tmp_path / "bin" / "ssh", SSH.format(home=there, bin=tmp_path / "bin"))
    program(tmp_path / "venv" / "bin" / "ray", RAY)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "s3cret")
    python = str(tmp_path / "venv" / "bin" / "python")
    code, said = call("ssh", "gpu1", "--address", "10.0.0.1:6379", "--python", python)
    assert code == 0 and "gpu1 joined" in said, said
    started = (there / "started").read_text()
    assert started.startswith("token start --address 10.0.0.1:6379 --node-name ") and "s3cret" not in started
    token = there / ".ray" / "auth_token"
    assert token.read_text() == "s3cret" and token.stat().st_mode & 0o077 == 0
    code, said = call("ssh", "gone", "--address", "10.0.0.1:6379", "--python", python)
    assert code == 1 and "gone: ssh: connect to host gone port 22: No route to host (exit code 255)" in said


def test_a_job_for_slurm_is_a_script_that_bash_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "sbatch", SBATCH.format(there=tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    options = ("slurm", "--address", "login1:6379", "--nodes", "2", "--gpus", "8", "--partition", "gpu")
    code, script = call(*options)
    assert code == 0
    for option in ("--nodes=2", "--gpus-per-node=8", "--partition=gpu", "--time=12:00:00", "--ntasks-per-node=1"):
        assert f"#SBATCH {option}\n" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert call(*options, "--submit") == (0, "Submitted batch job 42\n")
    assert (tmp_path / "job").read_text() == script


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("slurm", "--address", "nowhere"), "--address must be HOST:PORT"),
        (("slurm", "--address", "a;b:1"), "--address must be HOST:PORT"),
        (("slurm", "--address", "a:1", "--time", "$(x)"), "--time is as Slurm has it"),
        (("slurm", "--address", "a:1", "--partition", "a b"), "is no name of Slurm's"),
        (("ssh", "--address", "a:1", "--", "-oProxyCommand=x"), "is no name of a machine"),
        (("check", "no address"), "it must be auto, HOST:PORT, ray://HOST:PORT, or off"),
        (("check", "ray://head"), "it must be auto, HOST:PORT, ray://HOST:PORT, or off"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments: tuple[str, ...], said: str) -> None:
    code, answer = call(*arguments)
    assert code and said in answer


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, said = call("check", "auto")
    assert code == 1 and "pip install 'looptop[ray]'" in said
