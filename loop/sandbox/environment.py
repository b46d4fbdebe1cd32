"""What a run may know of this machine, and how the command line of `program.md` is started.

An allow-list: a variable that nobody named, here or in `program.md`, does not reach the run, so neither does tomorrow's
secret. It starts nothing, and looks only for a shell and at the first bytes of a script.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from loop.sandbox.project_python import ProjectPython, own_harness
from loop.study import command_line

# fmt: off
# Passed on as they are. What is left out on purpose: PYTHONPATH, since one that points into the person's checkout would
# have a run import that instead of the experiment's own worktree; LD_PRELOAD; http_proxy and its like, which may carry
# a password; SSH_*, DISPLAY and every agent's socket.
ALLOWED = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ",
    "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "CC", "CXX",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_EXE", "MAMBA_EXE", "MAMBA_ROOT_PREFIX", "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_HOME",
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
# fmt: off
THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "TORCH_NUM_THREADS", "RAYON_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
)
# fmt: on
"""Where each library reads how many threads to start."""
# Stronger than the lists above: NVIDIA_API_KEY is in a family, and a secret all the same.
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|WEBHOOK", re.IGNORECASE)


def child_environment(
    parent: Mapping[str, str],
    *,
    budget_s: float,
    budget_clock: str = "wall",
    seed: int,
    run_dir: Path,
    tmp_dir: Path,
    cache_dir: Path,
    devices: str | None = None,
    gpus: int = 0,
    threads: int | None = None,
    workspace: Path | None = None,
    home: Path | None = None,
    texts: Path | None = None,
    python: ProjectPython | None = None,
    path: str = "",
    named: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment of one run.

    Args:
        parent: the supervisor's environment, of which the allowed part is passed on.
        budget_s: training time (seconds), as LOOPTOP_BUDGET_S.
        budget_clock: what that counts, "wall" or "cpu", as LOOPTOP_BUDGET_CLOCK.
        seed: as LOOPTOP_SEED.
        run_dir: the run's only writable place, as LOOPTOP_RUN_DIR.
        tmp_dir: the run's own temporary folder, as TMPDIR.
        cache_dir: shared by all runs: what torch.compile and Triton built once is not built again.
        devices: the slot's GPUs as CUDA_VISIBLE_DEVICES (`0`, `0,1`, a UUID; empty: none). None leaves the parent's.
        gpus: how many those are, as LOOPTOP_GPUS; 0 without any.
        threads: how many the numeric libraries are told to use, where a run has a part of the machine; None: nothing.
        workspace: where it has a `.venv`, `uv run` uses that one, as it is, instead of making one in each worktree.
        home: a folder of the run's own, where the person's home is out of its reach.
        texts: looptop's cache, which a run of another home would look for elsewhere.
        python: the project's own, by which VIRTUAL_ENV names its environment.
        path: PATH; empty leaves the parent's.
        named: what `env:` of the program gives. It stands above all else here: who names a secret means it.
    """
    child = {name: value for name, value in parent.items() if _allowed(name)}
    child |= {
        "LOOPTOP_BUDGET_S": f"{budget_s:g}",
        "LOOPTOP_BUDGET_CLOCK": budget_clock,
        "LOOPTOP_SEED": str(seed),
        "LOOPTOP_RUN_DIR": str(run_dir),
        "LOOPTOP_GPUS": str(gpus),
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
    if threads is not None:
        child |= dict.fromkeys(THREADS, str(threads))
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
    if path:
        child["PATH"] = path
    if python is not None:
        child.pop("VIRTUAL_ENV", None)
        if python.environment and Path(python.environment, "pyvenv.cfg").exists():
            child["VIRTUAL_ENV"] = python.environment
    return {**child, **(named or {})}


def withheld(parent: Mapping[str, str], named: Mapping[str, str | None]) -> set[str]:
    """Names of the parent's variables that no run gets."""
    ours = ("LOOPTOP_", "GIT_PYTHON_")  # the second are of the library by which looptop itself uses git
    return {name for name in parent if not _allowed(name) and name not in named and not name.startswith(ours)}


def resolve_command(line: str, root: Path, python: ProjectPython, parent: Mapping[str, str] = os.environ) -> list[str]:
    """A command line of `program.md` as the argument list to start.

    A line that takes a shell (see `command_line`) goes to bash, where a pipe fails with any part of it: of
    `python train.py | tee run.log` a plain `sh` would tell how `tee` ended. Any other is started as it is.

    `python` and `python3` are the project's own. `python -m loop.harness` is ours, unless the project has a module of
    that name: it gets `-P`, so that a `loop/` in the worktree cannot shadow the engine, and an interpreter that has it.

    Args:
        line: with its places filled, see `command_line.fill`.
        root: the folder of `program.md`.
        parent: the supervisor's environment, by which conda is found.

    Raises:
        ValueError: the line is empty or its quotes do not match, in one sentence.
    """
    line = line.strip()
    argv = [] if command_line.takes_a_shell(line) else command_line.split(line)
    if not argv or ("/" in argv[0] and _has_no_interpreter(root / argv[0])):
        bash = shutil.which("bash")
        line = _conda_hook(line, parent) + command_line.for_shell(line)
        return [*((bash, "-o", "pipefail") if bash else ("/bin/sh",)), "-c", line]
    if argv[0] not in ("python", "python3"):
        return argv
    ours = len(argv) > 2 and argv[1] == "-m" and re.fullmatch(r"loop\.harness(\..+)?", argv[2]) is not None
    if ours and not own_harness(root):
        return [python.executable if python.has_looptop else sys.executable, "-P", *argv[1:]]
    return [python.executable, *argv[1:]]


def _conda_hook(line: str, parent: Mapping[str, str]) -> str:
    """What a person's own shell has read before `conda activate` means anything to it."""
    if not re.search(r"\b(?:conda|mamba)\s+activate\b", line):
        return ""
    conda = parent.get("CONDA_EXE") or shutil.which("conda", path=parent.get("PATH", os.defpath))
    hook = Path(conda).resolve().parents[1] / "etc" / "profile.d" / "conda.sh" if conda else None
    return f". {shlex.quote(str(hook))} && " if hook is not None and hook.exists() else ""


def _has_no_interpreter(program: Path) -> bool:
    """Whether it is a script that begins with no `#!`: the system does not start it, a shell does."""
    if not os.access(program, os.X_OK) or program.is_dir():
        return False
    try:
        with program.open("rb") as file:
            begin = file.read(512)
    except OSError:
        return False
    return not begin.startswith((b"#!", b"\x7fELF")) and b"\0" not in begin


def _allowed(name: str) -> bool:
    return (name in ALLOWED or name.startswith(ALLOWED_PREFIXES)) and not SECRET.search(name)
