"""What a run may know, and how its command line is started."""

import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.sandbox.environment import child_environment, resolve_command
from loop.sandbox.project_python import ProjectPython, choose

PLACES = {"run_dir": Path("/w/out"), "tmp_dir": Path("/w/tmp"), "cache_dir": Path("/w/cache")}


def environment(parent: dict[str, str], **more: object) -> dict[str, str]:
    return child_environment(parent, **{"budget_s": 300.0, "seed": 3, **PLACES, **more})  # type: ignore[arg-type]


def test_a_run_gets_what_it_needs_to_train():
    parent = {"PATH": "/bin", "HOME": "/home/ada", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "8", "TRITON_X": "1"}
    child = environment(parent)
    assert parent.items() <= child.items()
    assert child["LOOPTOP_BUDGET_S"] == "300" and child["LOOPTOP_SEED"] == "3"
    assert child["LOOPTOP_RUN_DIR"] == "/w/out" and child["TMPDIR"] == "/w/tmp"
    assert child["PYTHONUNBUFFERED"] == "1" and child["TERM"] == "dumb"
    assert child["TORCHINDUCTOR_CACHE_DIR"] == "/w/cache/inductor" and child["TRITON_CACHE_DIR"] == "/w/cache/triton"


@pytest.mark.parametrize(
    "name",
    """OPENAI_API_KEY ANTHROPIC_API_KEY NVIDIA_API_KEY HF_TOKEN AWS_SECRET_ACCESS_KEY AWS_PROFILE SSH_AUTH_SOCK
    GITHUB_TOKEN TORCH_AUTH CUDA_PASSWORD LC_SECRET LD_PRELOAD PYTHONPATH PYTHONSTARTUP http_proxy HTTPS_PROXY
    OPENAI_BASE_URL LOOPTOP_MODEL KUBECONFIG DISPLAY DBUS_SESSION_BUS_ADDRESS TMUX""".split(),  # noqa: SIM905
)
def test_nothing_that_is_secret_or_leads_astray_reaches_a_run(name: str):
    assert name not in environment({name: "marker"})
    assert "marker" not in environment({name: "marker"}).values()


@given(
    st.dictionaries(st.from_regex(r"[A-Z_]{1,12}(KEY|TOKEN|SECRET|PASSWORD)[A-Z_]{0,5}", fullmatch=True), st.just("m"))
)
def test_no_name_that_sounds_like_a_secret_passes(parent: dict[str, str]):
    assert "m" not in environment(parent).values()


def test_a_slot_gives_its_devices_counted_as_the_gauges_count():
    child = environment({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, devices="2")
    assert child["CUDA_VISIBLE_DEVICES"] == "2" and child["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment({}, devices="")["CUDA_VISIBLE_DEVICES"] == ""
    unchanged = environment({"CUDA_VISIBLE_DEVICES": "0,1"})
    assert unchanged["CUDA_VISIBLE_DEVICES"] == "0,1" and "CUDA_DEVICE_ORDER" not in unchanged


def test_uv_uses_the_workspaces_own_environment_and_leaves_it_as_it_is(tmp_path: Path):
    assert "UV_PROJECT_ENVIRONMENT" not in environment({}, workspace=tmp_path)
    (tmp_path / ".venv").mkdir()
    child = environment({}, workspace=tmp_path)
    assert child["UV_PROJECT_ENVIRONMENT"] == str(tmp_path / ".venv") and child["UV_NO_SYNC"] == "1"


def test_what_the_program_names_comes_before_every_rule(tmp_path: Path):
    parent = {"HOME": "/home/ada", "WANDB_API_KEY": "k", "LANG": "C", "PATH": "/bin"}
    named = {"WANDB_API_KEY": "k", "LANG": "de_DE.UTF-8", "HOME": "/mine", "PATH": "/opt/bin"}
    assert environment(parent, named=named, home=tmp_path, path="/usr/bin").items() >= named.items()


def test_the_active_environment_that_a_run_hears_of_is_the_one_that_it_has(tmp_path: Path):
    parent = {"VIRTUAL_ENV": "/somewhere/else"}
    assert "VIRTUAL_ENV" not in environment(parent, python=ProjectPython("/usr/bin/python3", "the system's"))
    (tmp_path / "pyvenv.cfg").touch()
    chosen = ProjectPython(str(tmp_path / "bin/python"), "the project's", str(tmp_path))
    assert environment(parent, python=chosen)["VIRTUAL_ENV"] == str(tmp_path)


def make_venv(workspace: Path, *, looptop: bool = False) -> str:
    python = workspace / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    if looptop:
        (workspace / ".venv/lib/python3.12/site-packages/looptop-0.1.0.dist-info").mkdir(parents=True)
    return str(python)


def resolved(line: str, root: Path) -> list[str]:
    return resolve_command(line, root, choose(root, {}))


SHELL = [shutil.which("bash"), "-o", "pipefail", "-c"]


def test_python_is_the_projects_own(tmp_path: Path):
    assert resolved("python train.py --depth 8", tmp_path) == [sys.executable, "train.py", "--depth", "8"]
    python = make_venv(tmp_path)
    assert resolved("python3 'my train.py'", tmp_path) == [python, "my train.py"]


def test_other_programs_stay_as_they_are(tmp_path: Path):
    make_venv(tmp_path)
    assert resolved("uv run train.py", tmp_path) == ["uv", "run", "train.py"]
    assert resolved("./run.sh python", tmp_path) == ["./run.sh", "python"]
    assert resolved("python3.12 -m loop.harness", tmp_path) == ["python3.12", "-m", "loop.harness"]


def test_what_only_a_shell_understands_goes_to_one(tmp_path: Path):
    line = "FOO=1 python train.py | tee run.log"
    assert resolved(line, tmp_path) == [*SHELL, line]


def test_a_script_without_a_first_line_is_a_shells(tmp_path: Path):
    script = tmp_path / "train.sh"
    script.write_text("python train.py\n")
    script.chmod(0o755)
    assert resolved("./train.sh", tmp_path) == [*SHELL, "./train.sh"]
    script.write_text("#!/bin/sh\npython train.py\n")
    assert resolved("./train.sh", tmp_path) == ["./train.sh"]


def test_our_own_harness_cannot_be_shadowed_by_the_worktree(tmp_path: Path):
    assert resolved("python -m loop.harness verify", tmp_path) == [
        *(sys.executable, "-P", "-m", "loop.harness", "verify")
    ]


def test_a_package_of_the_projects_own_that_is_called_like_ours_is_theirs(tmp_path: Path):
    for module in ("loopy", "loop.train", "tui"):
        assert resolved(f"python -m {module}", tmp_path) == [sys.executable, "-m", module]
    (tmp_path / "src" / "loop").mkdir(parents=True)
    (tmp_path / "src" / "loop" / "harness.py").touch()
    assert resolved("python -m loop.harness", tmp_path) == [sys.executable, "-m", "loop.harness"]
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "looptop"\n')
    assert resolved("python -m loop.harness", tmp_path) == [sys.executable, "-P", "-m", "loop.harness"]


def test_our_own_harness_runs_where_looptop_is_installed(tmp_path: Path):
    make_venv(tmp_path / "without")
    python = make_venv(tmp_path / "with", looptop=True)
    assert resolved("python -m loop.harness", tmp_path / "without")[0] == sys.executable
    assert resolved("python -m loop.harness", tmp_path / "with")[0] == python


@pytest.mark.parametrize(("command", "said"), [("python 'train.py", "check its quotes"), ("   ", "say what to run")])
def test_a_command_that_is_none_is_refused_in_a_sentence(command: str, said: str, tmp_path: Path):
    with pytest.raises(ValueError, match=said):
        resolved(command, tmp_path)
