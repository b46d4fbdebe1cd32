"""What a run may know of this machine, and which interpreter it runs with.

An allow-list: a variable that nobody named here does not reach the run, so neither does tomorrow's secret. It starts
nothing and reads no file but to see whether the workspace has a virtual environment.
"""

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

# fmt: off
# Passed on as they are. What is left out on purpose: PYTHONPATH, since one that points into the person's checkout would
# have a run import that instead of the experiment's own worktree; LD_PRELOAD; http_proxy and its like, which may carry
# a password; SSH_*, DISPLAY and every agent's socket.
ALLOWED = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ",
    "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "CC", "CXX",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR",
    "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_HUB_OFFLINE", "TORCH_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "LOOPTOP_CACHE",
})
# Families of settings of the numeric libraries: how many threads, which kernels, which devices.
ALLOWED_PREFIXES = (
    "LC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "VECLIB_", "NUMEXPR_",
    "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "ROCM_", "ROCR_", "HIP_", "HSA_", "MIOPEN_",
    "TORCH_", "TORCHINDUCTOR_", "TORCHDYNAMO_", "PYTORCH_", "TRITON_", "JAX_", "XLA_",
)
# fmt: on
# Stronger than the lists above: NVIDIA_API_KEY is in a family, and a secret all the same.
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|WEBHOOK", re.IGNORECASE)


def child_environment(
    parent: Mapping[str, str],
    *,
    budget_s: float,
    seed: int,
    run_dir: Path,
    tmp_dir: Path,
    cache_dir: Path,
    devices: str | None = None,
    workspace: Path | None = None,
    home: Path | None = None,
    texts: Path | None = None,
) -> dict[str, str]:
    """The whole environment of one run.

    Args:
        parent: the supervisor's environment, of which the allowed part is passed on.
        budget_s: training time (seconds), as LOOPTOP_BUDGET_S.
        seed: as LOOPTOP_SEED.
        run_dir: the run's only writable place, as LOOPTOP_RUN_DIR.
        tmp_dir: the run's own temporary folder, as TMPDIR.
        cache_dir: shared by all runs: what torch.compile and Triton built once is not built again.
        devices: the slot's GPUs as CUDA_VISIBLE_DEVICES (`0`, `0,1`, a UUID; empty: none). None leaves the parent's.
        workspace: where it has a `.venv`, `uv run` uses that one, as it is, instead of making one in each worktree.
        home: a folder of the run's own, where the person's home is out of its reach.
        texts: looptop's cache, which a run of another home would look for elsewhere.
    """
    child = {name: value for name, value in parent.items() if _allowed(name)}
    child |= {
        "LOOPTOP_BUDGET_S": f"{budget_s:g}",
        "LOOPTOP_SEED": str(seed),
        "LOOPTOP_RUN_DIR": str(run_dir),
        "TMPDIR": str(tmp_dir),
        "TERM": "dumb",
        "PYTHONUNBUFFERED": "1",  # step lines arrive when they are printed
        "PYTHONFAULTHANDLER": "1",  # a segmentation fault leaves a traceback, so that the verdict can say where
        "TORCHINDUCTOR_CACHE_DIR": str(cache_dir / "inductor"),
        "TRITON_CACHE_DIR": str(cache_dir / "triton"),
    }
    if devices is not None:
        # CUDA counts the fastest first unless told otherwise; NVML, and so our gauges, count by bus.
        child |= {"CUDA_VISIBLE_DEVICES": devices, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if home is not None:
        # Python looks below it for what `pip install --user` has put there; the two caches would be out of reach.
        child["PYTHONUSERBASE"] = str(Path(parent.get("HOME", "/"), ".local"))
        child["HOME"] = str(home)
        for elsewhere in ("XDG_CACHE_HOME", "UV_CACHE_DIR"):
            child.pop(elsewhere, None)
    if texts is not None:
        child["LOOPTOP_CACHE"] = str(texts)
    if workspace is not None and (workspace / ".venv").is_dir():
        child |= {"UV_PROJECT_ENVIRONMENT": str(workspace / ".venv"), "UV_NO_SYNC": "1"}
    return child


def resolve_command(command: str, workspace: Path) -> list[str]:
    """A command of `program.md` as the argument list to start.

    `python` and `python3` become the workspace's own interpreter (`.venv`) where there is one, else the one that runs
    looptop. `python -m loop...` is ours: it gets `-P`, so that a `loop/` in the worktree cannot shadow the engine, and
    needs an interpreter that has looptop.

    Raises:
        ValueError: the command is empty or its quotes do not match, in one sentence.
    """
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"the command {command!r} cannot be read: {error} (check its quotes)") from None
    if not argv:
        raise ValueError("the command is empty: say what to run, for example `python train.py`")
    if argv[0] not in ("python", "python3"):
        return argv
    ours = len(argv) > 2 and argv[1] == "-m" and re.fullmatch(r"loop(\..+)?", argv[2]) is not None
    return [_interpreter(workspace, ours), *(["-P"] if ours else []), *argv[1:]]


def _interpreter(workspace: Path, needs_looptop: bool) -> str:
    venv = workspace / ".venv"
    python = venv / "bin" / "python"
    if not python.exists():
        return sys.executable
    if needs_looptop and not any(venv.glob("lib/python*/site-packages/looptop-*.dist-info")):
        return sys.executable
    return str(python)


def _allowed(name: str) -> bool:
    return (name in ALLOWED or name.startswith(ALLOWED_PREFIXES)) and not SECRET.search(name)
