"""What `looptop doctor` checks: the machine, the workspace, the study and the researcher. Changes nothing."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loop.config import settings as personal
from loop.config.overrides import Overrides
from loop.config.program import ProgramError, load
from loop.errors import UserError
from loop.journal import Journal, JournalError, exists
from loop.lineage import LineageError, find_root, matching
from loop.machine.disk import lacking
from loop.machine.gauges import MachineGauges, cores
from loop.machine.systemd import ends_at_logout, lingers
from loop.recovery import doctor
from loop.researchers import registry
from loop.researchers.agents.checkup import examine as agent
from loop.researchers.agents.command_line import UnknownResearcher
from loop.runs.local.slots import CannotDivide, divide, refuse_rungs
from loop.sandbox.backend import NoSandbox, choose
from loop.sandbox.project_python import ProjectPython
from loop.sandbox.project_python import choose as choose_python
from loop.study.contract import Contract
from loop.study.folding import fold
from loop.study.team import TUNERS
from loop.supervisor import trial
from loop.words import size
from loop.workspace import Workspace, supervisor_alive
from tui.cli.open_study import without_journal

_TORCH = """
import json, torch
gpu = torch.cuda.is_available()
print(json.dumps([torch.__version__, torch.cuda.get_device_name(0) if gpu else None]))
"""


@dataclass(frozen=True)
class Check:
    """One thing that was checked."""

    what: str
    good: bool
    said: str
    remedy: str = ""
    """What to do where it is not good."""
    needed: bool = False
    """The loop cannot do without it."""

    def line(self) -> str:
        """Such as `✓ git         2.39.5`; the remedy follows what is not good."""
        sign = "✓" if self.good else ("✗" if self.needed else "–")
        return f"{sign} {self.what:<11} {self.said}" + (f"; {self.remedy}" if self.remedy and not self.good else "")


def examine(folder: Path, flags: Overrides) -> list[Check]:
    """Check the machine, and the workspace around `folder`, as a start with these flags would find them."""
    return [*_machine(folder, flags), *_workspace(folder, flags), *_researcher(folder, flags)]


def rehearse(folder: Path) -> list[Check]:
    """Start the program of the workspace around `folder` for a few seconds, as the loop would.

    Raises:
        AlreadySupervised: a loop is at work there.
    """
    return [Check(one.what, one.good, one.said, needed=one.needed) for one in trial.try_out(folder)]


def _machine(folder: Path, flags: Overrides) -> Iterator[Check]:
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 14)
    yield Check("python", supported, f"{version} at {sys.executable}", "looptop is tested on 3.11 to 3.14")
    git = shutil.which("git")
    said = subprocess.run([git, "--version"], capture_output=True, text=True).stdout.split()[2] if git else "not found"
    yield Check("git", git is not None, said, "install git 2.30 or newer", needed=True)
    gpus = MachineGauges(folder).read().gpus
    names = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in gpus)
    yield Check("GPU", bool(gpus), names or "none that NVML sees", "runs use the CPU")
    python = _project_python(_root(folder) or folder)
    yield Check("runs", True, f"`python` is {python.executable} ({python.why})")
    if not shutil.which("bash"):
        remedy = "install bash: with it a pipe in a command line fails with any part of it"
        yield Check("shell", False, "/bin/sh, which tells only how the last part of a pipe ended", remedy)
    yield _torch(python.executable)
    free = shutil.disk_usage(folder).free
    short = lacking(folder)
    yield Check("disk", short is None, short or f"{size(free)} free", "free some space", needed=True)
    yield _sandbox(folder, flags)
    multiplexer = next((name for name in ("TMUX", "STY", "ZELLIJ") if os.environ.get(name)), None)
    yield Check("terminal", True, f"TERM={os.environ.get('TERM', '')}" + (f", in {multiplexer}" if multiplexer else ""))
    if (ends := ends_at_logout()) is not None:
        yield _logout(ends, lingers())


def _logout(ends: bool, lingering: bool) -> Check:
    """Whether the loop survives a logout."""
    if not ends:
        return Check("logout", True, "systemd leaves alone what you have started")
    if lingering:
        return Check("logout", True, "systemd ends what a session has started; the loop starts outside it")
    said = "systemd ends everything you have started when you log out (KillUserProcesses), tmux and the loop included"
    return Check("logout", False, said, "`loginctl enable-linger`, then restart the loop")


def _sandbox(folder: Path, flags: Overrides) -> Check:
    """What would confine the runs here, and what it leaves open."""
    try:
        found = choose(_options(_root(folder), flags).over_settings(personal.read()).sandbox)
    except NoSandbox as error:
        return Check("sandbox", False, str(error), needed=True)
    except (personal.SettingsError, JournalError):
        return Check("sandbox", True, choose("auto").sentence())  # what is wrong there is said below
    remedy = "install bubblewrap, or run looptop as a user who owns nothing else worth reading"
    return Check("sandbox", found.kind != "off", found.sentence(), remedy)


def _project_python(root: Path) -> ProjectPython:
    """The Python that runs would use."""
    try:
        contract = load(root, matching).contract
    except ProgramError:
        contract = None  # what is wrong there is said below
    return choose_python(root, os.environ, contract)


def _torch(python: str) -> Check:
    """Torch in the interpreter that runs would use."""
    try:
        answer = subprocess.run([python, "-c", _TORCH], capture_output=True, text=True, timeout=60)
        version, gpu = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return Check("torch", False, f"not in {python}", "for the example: pip install 'looptop[train]'")
    return Check("torch", True, f"{version}, on {gpu or 'the CPU'}, in {python}")


def _workspace(folder: Path, flags: Overrides) -> Iterator[Check]:
    try:
        root = find_root(folder)
    except LineageError as error:
        yield Check("repository", False, str(error), needed=True)
        return
    yield Check("repository", True, str(root))
    try:
        contract = _options(root, flags).applied(load(root, matching).contract)
        said = f"edit {', '.join(contract.edit)}; {contract.metric}, goal {contract.goal}; {contract.budget:g} s a run"
        yield Check("program.md", True, said)
        yield Check(
            "verify", contract.verify is not None, contract.verify or "the metric is self-reported",
            "name a `verify:` command that measures it where the edited file cannot reach",
        )  # fmt: skip
        if said := _undivided(root, flags, contract):
            yield Check("slots", False, said, needed=True)
    except ProgramError as error:
        yield Check("program.md", False, str(error), needed=True)
    except JournalError:
        pass  # said below
    yield from study(root)


def _undivided(root: Path, flags: Overrides, contract: Contract) -> str:
    """Why this machine cannot be divided as `slots:` and `scales:` ask; empty where it can."""
    options = _options(root, flags)
    try:
        settings = options.over_settings(personal.read())
        if settings.cluster not in (None, "off"):
            return ""  # its nodes say so
        plan = options.slot_plan(contract, settings)
        refuse_rungs(contract.scales, divide(MachineGauges(root).devices(), cores(), plan, os.environ).slots)
    except personal.SettingsError:
        return ""  # said below
    except CannotDivide as error:
        return str(error)
    return ""


def study(root: Path) -> Iterator[Check]:
    """The study of the checkout at `root`: its journal, and whether journal, git and disk agree."""
    workspace = Workspace(root)
    pid = supervisor_alive(root)
    try:
        workspace.refuse_stranger()
        if not exists(workspace.journal):
            yield _without_journal(root)
            return
        with Journal(workspace.journal) as journal:
            journal.check()
            if journal.refusal:
                raise JournalError(journal.refusal)
            at_work = f"process {pid} is at work" if pid else "no loop runs"
            said = f"{journal.last_seq()} events, {size(workspace.journal.stat().st_size)}; {at_work}"
        yield Check("study", True, said)
        yield from _disagreements(root)
    except UserError as error:
        yield Check("study", False, str(error), needed=True)


def _without_journal(root: Path) -> Check:
    if (lost := without_journal(root)) is None:
        return Check("study", True, "none yet; `looptop` begins one")
    return Check("study", False, *lost)


def _disagreements(root: Path) -> Iterator[Check]:
    """A check for each disagreement, or one that says there is none."""
    try:
        found = doctor.examine(root)
    except LineageError as error:
        yield Check("recovery", False, str(error), needed=True)
        return
    for one in found:
        remedy = "the next start mends that, or `looptop doctor --mend`" if one.mends else ""
        yield Check("recovery", one.ordinary, one.said, remedy, needed=one.stops)
    if not found:
        yield Check("recovery", True, "journal, git and disk agree")


def _researcher(folder: Path, flags: Overrides) -> Iterator[Check]:
    """Who would propose here, and whether it can."""
    try:
        settings = personal.read()
        root = _root(folder)
        options = _options(root, flags)
        settings = options.over_settings(settings)
        team = registry.team(options, load(root, matching).contract if root is not None else None, settings)
        for member in team:
            registry.check(member.kind)
    except (personal.SettingsError, UnknownResearcher) as error:
        yield Check("researcher", False, str(error), needed=True)
        return
    except (ProgramError, JournalError):
        return  # said already
    for member in team:
        if member.kind != "llm":
            how = "" if member.kind != "automl" or len(team) > 1 else _FOR_A_MODEL
            called = "" if member.kind == "automl" or len(team) == 1 else f"{member.name}: "
            yield Check("researcher", True, f"{called}{member.kind}{how}")
            if member.kind not in TUNERS:
                yield from (Check(one.question, one.good, one.said, one.remedy) for one in agent(member.kind))
            continue
        own = settings.model_copy(update={"model": member.model or settings.model})
        yield Check("researcher", True, f"{member.name}: {own.model or 'the only model'}")
        from loop.researchers.llm.checkup import examine as ask

        for answer in asyncio.run(ask(own)):
            needed = answer.question != "tools"
            yield Check(answer.question, answer.good, answer.said, answer.remedy, needed)


_FOR_A_MODEL = "; for a language model: --model NAME, and --base-url URL or OPENAI_API_KEY"


def _options(root: Path | None, flags: Overrides) -> Overrides:
    """The flags given, and those of earlier starts that stay in force here."""
    if root is None or not Workspace(root).journal.exists():
        return flags
    with Journal(Workspace(root).journal) as journal:
        return flags.over(fold(journal.read(kinds={"supervisor_started"})).options)


def _root(folder: Path) -> Path | None:
    try:
        return find_root(folder)
    except LineageError:
        return None
