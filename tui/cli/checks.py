"""What `looptop doctor` finds on the machine and in the workspace, and how to get what is missing. Looks only."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from loop import researchers
from loop.config import settings as personal
from loop.config.overrides import Overrides
from loop.config.program import ProgramError, load
from loop.journal import Journal, JournalError
from loop.lineage import LineageError, find_root
from loop.machine.disk import lacking
from loop.machine.gauges import MachineGauges
from loop.machine.systemd import ends_at_logout, lingers
from loop.sandbox.backend import NoSandbox, choose
from loop.sandbox.environment import resolve_command
from loop.study.state import fold
from loop.words import size
from loop.workspace import Workspace
from tui.cli import study_checks
from tui.cli.finding import Finding

_TORCH = """
import json, torch
gpu = torch.cuda.is_available()
print(json.dumps([torch.__version__, torch.cuda.get_device_name(0) if gpu else None]))
"""


def examine(folder: Path) -> list[Finding]:
    """Everything worth looking at around `folder`."""
    return [*_machine(folder), *_workspace(folder), *_researcher(folder)]


def _machine(folder: Path) -> Iterator[Finding]:
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("python", supported, f"{version} at {sys.executable}", "looptop is tested on 3.11 to 3.13")
    git = shutil.which("git")
    said = subprocess.run([git, "--version"], capture_output=True, text=True).stdout.split()[2] if git else "not found"
    yield Finding("git", git is not None, said, "install git 2.30 or newer", needed=True)
    gpus = MachineGauges(folder).read().gpus
    names = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in gpus)
    yield Finding("GPU", bool(gpus), names or "none that NVML sees", "runs use the processors")
    yield _torch(folder)
    free = shutil.disk_usage(folder).free
    short = lacking(folder)
    yield Finding("disk", short is None, short or f"{size(free)} free", "free some space", needed=True)
    yield _sandbox(folder)
    multiplexer = next((name for name in ("TMUX", "STY", "ZELLIJ") if os.environ.get(name)), None)
    yield Finding(
        "terminal", True, f"TERM={os.environ.get('TERM', '')}" + (f", in {multiplexer}" if multiplexer else "")
    )
    if (ends := ends_at_logout()) is not None:
        yield _logout(ends, lingers())


def _logout(ends: bool, lingering: bool) -> Finding:
    """What becomes of the loop when its person logs out."""
    if not ends:
        return Finding("logout", True, "systemd leaves alone what you have started")
    if lingering:
        return Finding("logout", True, "systemd ends what a session has started; the loop begins outside of it")
    said = "systemd ends all that you have started when you log out (KillUserProcesses), tmux and the loop included"
    return Finding("logout", False, said, "`loginctl enable-linger`, then start the loop anew")


def _sandbox(folder: Path) -> Finding:
    """What would confine the runs here, and what it leaves open."""
    try:
        found = choose(_options(_root(folder)).over_settings(personal.read()).sandbox)
    except NoSandbox as error:
        return Finding("sandbox", False, str(error), needed=True)
    except (personal.SettingsError, JournalError):
        return Finding("sandbox", True, choose("auto").sentence())  # what is wrong there is said below
    remedy = "install bubblewrap, or run looptop as a user who owns nothing else worth reading"
    return Finding("sandbox", found.kind != "off", found.sentence(), remedy)


def _torch(folder: Path) -> Finding:
    """Torch in the interpreter that runs would use."""
    python = resolve_command("python", _root(folder) or folder)[0]
    try:
        answer = subprocess.run([python, "-c", _TORCH], capture_output=True, text=True, timeout=60)
        version, gpu = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return Finding("torch", False, f"not in {python}", "for the example: pip install 'looptop[train]'")
    return Finding("torch", True, f"{version}, on {gpu or 'the processors'}, in {python}")


def _workspace(folder: Path) -> Iterator[Finding]:
    root = _root(folder)
    if root is None:
        remedy = "run `looptop init` there"
        yield Finding("repository", False, f"{folder} is in no git repository with a commit", remedy, needed=True)
        return
    yield Finding("repository", True, str(root))
    try:
        contract = load(root).contract
        said = f"edit {', '.join(contract.edit)}; {contract.metric}, goal {contract.goal}; {contract.budget:g} s a run"
        yield Finding("program.md", True, said)
        yield Finding(
            "verify", contract.verify is not None, contract.verify or "the metric is self-reported",
            "name a `verify:` command that measures it where the edited file cannot reach",
        )  # fmt: skip
    except ProgramError as error:
        yield Finding("program.md", False, str(error), needed=True)
    yield from study_checks.examine(root)


def _researcher(folder: Path) -> Iterator[Finding]:
    """Who would propose here, and whether they could."""
    try:
        settings = personal.read()
        root = _root(folder)
        options = _options(root)
        settings = options.over_settings(settings)
        name = researchers.named(options, load(root).contract if root is not None else None, settings)
        researchers.check(name)
    except (personal.SettingsError, researchers.UnknownResearcher) as error:
        yield Finding("researcher", False, str(error), needed=True)
        return
    except (ProgramError, JournalError):
        return  # said already
    if name != "llm":
        how = "" if name != "automl" else "; for a language model: --model NAME, and --base-url URL or OPENAI_API_KEY"
        yield Finding("researcher", True, name + how)
        return
    yield Finding("researcher", True, f"llm: {settings.model or 'the only model'}")
    from loop.researchers.llm.checkup import examine as ask

    for answer in asyncio.run(ask(settings)):
        needed = answer.question != "tools"
        yield Finding(answer.question, answer.good, answer.said, answer.remedy, needed)


def _options(root: Path | None) -> Overrides:
    """Flags that stay in force here."""
    if root is None or not Workspace(root).journal.exists():
        return Overrides()
    with Journal(Workspace(root).journal) as journal:
        return Overrides.model_validate(fold(journal.read(kinds={"supervisor_started"})).options)


def _root(folder: Path) -> Path | None:
    try:
        return find_root(folder)
    except LineageError:
        return None
