"""How a run ended, in one word and one sentence. Pure, except that it looks whether a script exists."""

import errno
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from loop.runs.output import crash_line
from loop.runs.spec import RunSpec
from loop.study.outcomes import Outcome

REASON_CHARS = 300

MACHINE = frozenset({"fork", "enter", "confine", "limit"})
"""What may fail before a command starts through no fault of its own."""


@dataclass(frozen=True)
class Ending:
    """The warden's last report; the defaults stand where there was none."""

    why: str = ""
    """exited, budget, deadline, memory, processes, file, disk, kill, orphaned or terminated."""
    code: int | None = None
    """Exit code of the command itself; negative: the signal that ended it."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak: int = 0
    """Bytes of memory."""
    leftovers: int = 0
    stuck: int = 0
    """Processes that survived SIGKILL."""


def exited(ending: Ending, tail: str) -> tuple[Outcome, str]:
    """The outcome of a command that ended by itself or with its budget, with the line at its end that says most."""
    if ending.why == "terminated":
        return Outcome.CRASHED, "the process that guards the run was told to end (SIGTERM), and ended the run"
    if ending.code == 0 or ending.why == "budget":
        return Outcome.FINISHED, ""
    said = crash_line(tail)[:REASON_CHARS]
    return Outcome.CRASHED, _code_sentence(ending.code or 0) + (f": {said}" if said else "")


def over_limit(why: str, spec: RunSpec) -> str:
    """What a run did that was ended for it, where that is a limit of its processes or of what it wrote."""
    told = {
        "processes": f"had more than its {spec.process_cap} processes at once",
        "file": f"wrote a file of more than its {spec.file_cap / 1e9:g} GB",
        "disk": f"wrote more than its {spec.disk_cap / 1e9:g} GB into its folders",
    }
    return told.get(why, "")


def cannot_start(program: str, folder: Path, what: str, number: int) -> str:
    """Why a command did not start, and what to do.

    Args:
        program: the first word of the command.
        what: what failed: `fork`, `enter` (the folder) or `start` (the program).
        number: the system's error number.
    """
    if what == "fork":
        return f"cannot start the process that guards the run: {os.strerror(number)}"
    if what == "give":
        return f"a file that the run is to be given cannot be opened: {os.strerror(number)}"
    if what in ("confine", "limit"):
        return f"the run could not be confined ({os.strerror(number)}), so it was not started; see `looptop doctor`"
    if what == "enter":
        return f"cannot start the run in {folder}: {os.strerror(number)}"
    if number == errno.ENOENT and "/" in program and (folder / program).exists():
        return f"cannot start {program!r}: the interpreter that its first line names is not there"
    if number == errno.ENOENT:
        return f"cannot start {program!r}: no such program; check `run:` in program.md, and PATH"
    if number == errno.EACCES and "/" in program and os.access(folder / program, os.X_OK):
        return f"cannot start {program!r}: its sandbox does not let it be read; name it under `read:` in program.md"
    if number == errno.EACCES:
        return f"cannot start {program!r}: it is not executable; `chmod +x` it, or name its interpreter in `run:`"
    if number == errno.ENOEXEC:
        return f"cannot start {program!r}: it is no program; give it a first line like `#!/bin/sh`"
    return f"cannot start {program!r}: {os.strerror(number)}"


def _code_sentence(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"ended by {name}" + (", which nothing here has sent" if -code == signal.SIGKILL else "")
