"""What a run may know, and which interpreter it runs with."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.sandbox.environment import child_environment, resolve_command

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


def make_venv(workspace: Path, *, looptop: bool = False) -> str:
    python = workspace / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    if looptop:
        (workspace / ".venv/lib/python3.12/site-packages/looptop-0.1.0.dist-info").mkdir(parents=True)
    return str(python)


def test_python_is_the_workspaces_own_where_there_is_one(tmp_path: Path):
    assert resolve_command("python train.py --depth 8", tmp_path) == [sys.executable, "train.py", "--depth", "8"]
    python = make_venv(tmp_path)
    assert resolve_command("python3 'my train.py'", tmp_path) == [python, "my train.py"]


def test_other_commands_stay_as_they_are(tmp_path: Path):
    make_venv(tmp_path)
    assert resolve_command("uv run train.py", tmp_path) == ["uv", "run", "train.py"]
    assert resolve_command("./run.sh python", tmp_path) == ["./run.sh", "python"]
    assert resolve_command("python3.12 -m loop.harness", tmp_path) == ["python3.12", "-m", "loop.harness"]


def test_our_own_modules_cannot_be_shadowed_by_the_worktree(tmp_path: Path):
    assert resolve_command("python -m loop.harness verify", tmp_path) == [
        *(sys.executable, "-P", "-m", "loop.harness", "verify")
    ]
    assert resolve_command("python -m loopy", tmp_path) == [sys.executable, "-m", "loopy"]


def test_our_own_modules_run_where_looptop_is_installed(tmp_path: Path):
    make_venv(tmp_path / "without")
    python = make_venv(tmp_path / "with", looptop=True)
    assert resolve_command("python -m loop.harness", tmp_path / "without")[0] == sys.executable
    assert resolve_command("python -m loop.harness", tmp_path / "with")[0] == python


@pytest.mark.parametrize(("command", "said"), [("python 'train.py", "check its quotes"), ("   ", "say what to run")])
def test_a_command_that_is_none_is_refused_in_a_sentence(command: str, said: str, tmp_path: Path):
    with pytest.raises(ValueError, match=said):
        resolve_command(command, tmp_path)
