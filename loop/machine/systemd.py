"""What systemd does to a loop: it may end it at logout, and can start it again after a reboot.

- Where logind ends what a session has started (KillUserProcesses), a loop has to live outside of the session. The
  person's own service manager has a place for it, which lasts beyond the logout only where lingering is on.
- `unit` is a user unit that goes on with a study whose loop was cut off, and with no other.

On a system without systemd all of it says "nothing", and nothing here needs any of it. It writes and starts nothing.
"""

import getpass
import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

LINGERING = Path("/var/lib/systemd/linger")
"""Where logind keeps a file for each user whose service manager outlives their sessions."""

_SESSION = re.compile(r"/session-[^/]+\.scope\b")
_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")

_UNIT = """\
# Written by `looptop service install`; `looptop service remove` takes it away.
[Unit]
Description=looptop, the loop of {root}
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
WorkingDirectory={root}
# systemd takes no interpreter with a quote in its path, so a shell starts it; the colon leaves every $ alone.
ExecStart=:/bin/sh -c {exec} {python} -P -m loop --resume {root_quoted}
Environment={path}
# The supervisor ends its runs itself, and they are run again; its guards are not to be told behind its back.
KillMode=mixed
TimeoutStopSec=30
# A run that the kernel ends for its memory is a result, no reason to end the loop.
OOMPolicy=continue
Restart=on-abnormal
RestartSec=10

[Install]
WantedBy=default.target
"""


def ends_at_logout() -> bool | None:
    """Whether logind ends what a session of this user has started once it is over; None where nobody can tell."""
    busctl = shutil.which("busctl")
    if busctl is None:
        return None
    try:
        asked = subprocess.run(
            [busctl, "get-property", *_LOGIND, "KillUserProcesses"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"b true": True, "b false": False}.get(asked.stdout.strip())


def lingers() -> bool:
    """Whether this user's service manager goes on without a session."""
    try:
        return (LINGERING / getpass.getuser()).exists()
    except (KeyError, OSError):
        return False


def outside_the_session(cgroup: str, lingering: bool) -> list[str]:
    """What to put before a command so that the end of this session does not end it; nothing where it would not anyway.

    Only with lingering: without it, the person's service manager ends at the last logout, and takes along what is in
    its care even where logind would have spared it.

    Args:
        cgroup: text of `/proc/self/cgroup`.
    """
    runner = shutil.which("systemd-run")
    if runner is None or not lingering or not _SESSION.search(cgroup):
        return []
    return [runner, "--user", "--scope", "--quiet", "--collect", "--"]


def unit_name(root: Path) -> str:
    """Name of the unit of the workspace at `root`: readable, and of this folder alone."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", root.name).strip("-.") or "study"
    return f"looptop-{plain}-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}.service"


def unit_folder(environ: Mapping[str, str]) -> Path:
    """Where a person's own units lie."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "systemd" / "user"


def unit(root: Path, python: str, path: str) -> str:
    """The text of the unit that goes on with the study at `root`.

    Args:
        python: the interpreter that has looptop.
        path: PATH for the loop and its runs; systemd's own is short.
    """
    return _UNIT.format(
        root=_escaped(str(root)),
        exec=_quoted('exec "$0" "$@"'),
        python=_quoted(python),
        root_quoted=_quoted(str(root)),
        path=_quoted(f"PATH={path}"),
    )


def _escaped(text: str) -> str:
    """Text that systemd expands nothing in; see systemd.unit(5), SPECIFIERS."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word as systemd reads it; see systemd.syntax(7), QUOTING."""
    return '"' + _escaped(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
