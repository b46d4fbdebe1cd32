"""What a machine says of itself. It travels to a node as text, so it imports the standard library alone."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path


def environment() -> dict[str, str]:
    """The environment that this node's Ray was started with. A worker's own has been changed: it is told of no GPU,
    and to use one thread."""
    try:
        parent = Path(f"/proc/{os.getppid()}/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (os.fsdecode(one).partition("=") for one in parent.split(b"\0") if one)
    return {name: value for name, _, value in pairs}


def code() -> str:
    """Version of looptop here and a digest of its files; empty where there is none."""
    found = importlib.util.find_spec("loop")
    if found is None or not found.submodule_search_locations:
        return ""
    folder = Path(next(iter(found.submodule_search_locations)))
    said = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        said.update(f"{path.relative_to(folder)}\n".encode())
        said.update(path.read_bytes())
    try:
        import loop

        version = str(loop.VERSION)
    except (ImportError, AttributeError):
        version = "of an unknown version"
    return f"{version} ({said.hexdigest()[:8]})"


def folder(environ: dict[str, str]) -> Path:
    """Where looptop keeps what it needs on a node: LOOPTOP_NODE_FOLDER, else in the cache of the user."""
    if named := environ.get("LOOPTOP_NODE_FOLDER"):
        return Path(named)
    home = environ.get("HOME") or "/tmp"
    return Path(environ.get("XDG_CACHE_HOME") or f"{home}/.cache") / "looptop" / "nodes"


def lock_of(environ: dict[str, str], node: str) -> Path:
    """The file that a study has locked, and has its name in, for as long as its runs are on this node."""
    return folder(environ) / f"{hashlib.sha256(node.encode()).hexdigest()[:8]}.lock"


def holder(environ: dict[str, str], node: str) -> str:
    """The study that has this node; empty where none has. To try the lock would be to have it for a moment."""
    path = lock_of(environ, node)
    try:
        number, locks = path.stat().st_ino, Path("/proc/locks").read_text()
        held = any(" FLOCK " in line and f":{number} " in line for line in locks.splitlines())
        return (path.read_text().strip().rpartition("-")[0] or "another") if held else ""
    except OSError:
        return ""


def facts(
    environ: dict[str, str] | None = None,
    paths: tuple[str, ...] = (),
    python: str = "",
    modules: tuple[str, ...] = (),
    node: str = "",
) -> dict[str, object]:
    """See `Facts`.

    Args:
        paths: as in `Needs`, like the next two.
        node: the node's name.
    """
    environ = environment() if environ is None else environ
    place = folder(environ)
    there = next(path for path in (place, *place.absolute().parents) if path.is_dir())
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "looptop": code(),
        "ray": _version("ray"),
        "clock": time.time(),
        "disk_free": shutil.disk_usage(there).free,
        "folder": str(place),
        "bubblewrap": _bubblewrap(environ),
        "git": shutil.which("git", path=environ.get("PATH")) or "",
        "torch": _version("torch"),
        "driver": _driver(),
        "processor": _processor(),
        "lacking": tuple(path for path in paths if not os.path.exists(path)),  # noqa: PTH110 - as they are spelled
        "runs_in": (runs_in := python if python and os.access(python, os.X_OK) else sys.executable),
        "modules_lacking": _lacking(runs_in, modules),
        "study": holder(environ, node),
        "token": environ.get("RAY_AUTH_MODE") == "token",
    }


def _lacking(python: str, modules: tuple[str, ...]) -> tuple[str, ...]:
    """Those modules that a Python does not find; none where it does not answer. No process where none is asked for."""
    if not modules:
        return ()
    asked = "import importlib.util as u, sys; print(*(m for m in sys.argv[1:] if u.find_spec(m) is None))"
    command = [python, "-c", asked, *modules]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd="/", check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(said.stdout.split())


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _bubblewrap(environ: dict[str, str]) -> str:
    """The program, where it works here."""
    program = shutil.which("bwrap", path=environ.get("PATH"))
    if program is None:
        return ""
    command = [program, "--ro-bind", "/", "/", "--unshare-user", "--unshare-pid", "--unshare-net", "true"]
    try:
        return program if subprocess.run(command, capture_output=True, timeout=10).returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _driver() -> str:
    try:
        return Path("/sys/module/nvidia/version").read_text().strip()
    except OSError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
