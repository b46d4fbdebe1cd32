"""The user unit under a real systemd user manager, in namespaces of its own; and what is said where there is none."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loop.machine import systemd
from tests.e2e.conftest import LOOPTOP, Bench

PROGRAMS = Path(__file__).parents[1] / "programs"
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]


def _manager_works() -> bool:
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or not Path("/run/systemd").is_dir():
        return False
    if shutil.which("systemctl") is None or shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode == 0


@pytest.fixture
def cut_off(bench: Bench) -> Iterator[Bench]:
    """A workspace whose supervisor was killed at its work, with a unit to be written for it."""
    bench.program(budget="1s", limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop()
    bench.until(lambda: bench.events("run_started"))
    pid = bench.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    bench.until(lambda: bench.pid is None and not bench.processes())
    yield bench


@pytest.mark.soak
@pytest.mark.skipif(not _manager_works(), reason="needs root, systemd and namespaces")
def test_systemd_goes_on_with_a_loop_that_was_cut_off_and_with_no_other(cut_off: Bench, tmp_path: Path) -> None:
    bench, unit = cut_off, systemd.unit_name(cut_off.root)
    script = f"""
        looptop service install
        systemctl --user is-enabled {unit}
        systemctl --user start {unit}
        sleep 1.5
        systemctl --user stop {unit}
        systemctl --user start {unit}
        while systemctl --user is-active --quiet {unit}; do sleep 0.2; done
        systemctl --user start {unit}
        systemctl --user show --property=Result {unit}
        looptop service remove
    """
    environment = bench.environment | {"PATH": f"{Path(LOOPTOP[0]).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*NAMESPACES, PROGRAMS / "manager.sh", tmp_path / "manager", "sh", "-c", script],
        cwd=bench.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    said = done.stdout + done.stderr
    assert "after a reboot, or when it was killed, the loop here goes on" in said, said
    assert "\nenabled\n" in said and "Result=success" in said and "removed" in said, said
    study = bench.consistent()
    assert study.judged() == 1 and study.limit is not None
    ends = [event.body for event in bench.events("supervisor_stopped")]
    assert [end.signal for end in ends] == ["SIGTERM", ""], "stopped by systemd once, then at its limit"  # type: ignore[union-attr]
    assert len(bench.events("supervisor_started")) == 3, "started once more after the limit, it does nothing"


def test_without_a_manager_it_says_what_is_left_to_do(bench: Bench, tmp_path: Path) -> None:
    only_git = tmp_path / "only git"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git") or "git")
    bench.environment["PATH"] = str(only_git)
    bench.environment["OPENAI_API_KEY"] = "sk-of-this-shell"
    said = bench.looptop("service", "install").stdout
    name = systemd.unit_name(bench.root)
    unit = tmp_path / "config" / "systemd" / "user" / name
    assert f"wrote {unit}" in said and f"systemctl --user enable {name}" in said
    assert "the unit does not see OPENAI_API_KEY from this shell" in said
    assert f"WorkingDirectory={bench.root}\n" in unit.read_text() and "sk-of" not in unit.read_text()
    assert f"removed {unit}" in bench.looptop("service", "remove").stdout and not unit.exists()
    assert "there is no unit of this workspace" in bench.looptop("service", "remove", code=1).stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("name", ["plain", 'a "quoted" one', "50%h of $HOME", "back\\slash"])
def test_systemd_takes_a_unit_of_any_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    python = root / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    unit = tmp_path / systemd.unit_name(root)
    unit.write_text(systemd.unit(root, str(python), "/usr/bin:/opt/$x"))
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", unit]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kills", [True, False])
def test_doctor_warns_of_a_logout_that_ends_the_loop(bench: Bench, tmp_path: Path, kills: bool) -> None:
    """What logind says is said by a program in its place: there is one logind, and it is not ours to set."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "busctl").write_text(f"#!/bin/sh\ntest $5 = KillUserProcesses && echo b {str(kills).lower()}\n")
    (programs / "busctl").chmod(0o755)
    bench.environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "USER": "nobody-at-all",
        "LOGNAME": "nobody-at-all",
    }
    bench.plain_python()
    found = {finding["what"]: finding for finding in bench.json("doctor")}["logout"]
    assert found["good"] is not kills
    assert ("KillUserProcesses" in found["said"] and "loginctl enable-linger" in found["remedy"]) is kills


def test_a_loop_leaves_its_session_only_where_lingering_keeps_it() -> None:
    session = "0::/user.slice/user-1000.slice/session-3.scope\n"
    manager = "0::/user.slice/user-1000.slice/user@1000.service/tmux.slice\n"
    runner = shutil.which("systemd-run")
    assert systemd.outside_the_session(session, lingering=False) == []
    assert systemd.outside_the_session(manager, lingering=True) == []
    moved = systemd.outside_the_session(session, lingering=True)
    assert moved == ([runner, "--user", "--scope", "--quiet", "--collect", "--"] if runner else [])
