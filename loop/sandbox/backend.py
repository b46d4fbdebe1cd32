"""Which sandbox confines the runs here, what it cannot do, and a command made ready for it.

bubblewrap where it really works (it is tried, flags and all), else Landlock, else nothing. Nothing is weakened in
silence: a sandbox that was asked for by name and does not work is refused, and `missing` says in so many words what the
one in force leaves open.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from loop.sandbox import bubblewrap, landlock, seccomp
from loop.sandbox.confinement import Confinement, rules

Wanted = Literal["auto", "bubblewrap", "landlock", "off"]
Kind = Literal["bubblewrap", "landlock", "off"]

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sys",
    "/nix/store", "/gnu/store", "/run/opengl-driver", "/run/current-system",
)  # fmt: skip
"""What programs are made of. /proc, /dev, /etc and /tmp are each a matter of their own."""

LONGEST_TRIAL = 10.0
"""Seconds to wait for bubblewrap; it takes 0.01."""


class NoSandbox(Exception):
    """The sandbox that was asked for does not work here; the message is a sentence that says why."""


@dataclass(frozen=True)
class Sandbox:
    """The sandbox in force."""

    kind: Kind
    why: str = ""
    """Why none, or not bubblewrap; a sentence without its end."""
    bwrap: str = ""
    """The bubblewrap program."""

    def sentence(self) -> str:
        """The sandbox and what it leaves open, for `doctor` and for the screen."""
        if self.kind == "off":
            return f"runs are not confined ({self.why}): they can read what you can read, and use the network"
        version = landlock.abi() if self.kind == "landlock" else 0
        said = f"{self.kind}; not covered: {'; '.join(missing(self.kind, version, seccomp.available()))}"
        return f"{said} ({self.why})" if self.why else said

    def opened(self, network: str) -> str:
        """What a program's `network:` opens beyond the run's own loopback, as a sentence; empty where that is nothing.

        Landlock has rules for ports and none for addresses, so a loopback there is all of TCP.
        """
        if self.kind == "off" or network == "off" or (network == "loopback" and self.kind == "bubblewrap"):
            return ""
        what = "the network" if network == "on" else "all of TCP, since Landlock cannot tell loopback from the rest,"
        return f"runs may use {what} (`network: {network}`): they can send away what they can read"


def missing(kind: Kind, version: int, filtered: bool) -> tuple[str, ...]:
    """What a sandbox does not hold back, in words that fit behind "not covered: ".

    Args:
        kind: which one.
        version: of the kernel's Landlock interface.
        filtered: whether the seccomp filter goes with it.
    """
    if kind == "off":
        return ("anything",)
    found = ["the GPUs of other slots"]
    if kind == "bubblewrap":
        return tuple(found)
    if version < 3:
        found.append("emptying a file that you may write (Linux 6.2)")
    if not filtered:
        found.append("networks other than TCP" if version >= 4 else "the network (Linux 6.7)")
    if version < 6:
        found.append("signals to your other processes and abstract unix sockets (Linux 6.12)")
    if version < 9:
        found.append("unix sockets by path, such as Docker's (Linux 7.1)")
    found += [
        "the command lines of other processes",
        "names, dates and modes of your files",
        "/dev/shm, which all share",
    ]
    return tuple(found)


def choose(wanted: Wanted) -> Sandbox:
    """The sandbox for this machine.

    Raises:
        NoSandbox: it was asked for by name and does not work.
    """
    if wanted == "off":
        return Sandbox("off", "switched off")
    reasons = []
    for kind, attempt in _ATTEMPTS.items():
        if wanted not in ("auto", kind):
            continue
        try:
            found = attempt()
        except NoSandbox as error:
            reasons.append(str(error))
            continue
        return Sandbox(found.kind, "; ".join(reasons), found.bwrap)
    if wanted != "auto":
        others = " or ".join(kind for kind in get_args(Kind) if kind != wanted)
        raise NoSandbox(f"{reasons[0]}; choose another with --sandbox {others}")
    return Sandbox("off", "; ".join(reasons))


def on_nodes(wanted: Wanted) -> Sandbox:
    """The sandbox for machines where others' services run beside the runs, such as Ray's: bubblewrap or none.

    Raises:
        NoSandbox: another was asked for by name.
    """
    if wanted == "landlock":
        raise NoSandbox(
            "Landlock leaves the sockets of Ray open to the runs beside it; on a cluster choose --sandbox bubblewrap, "
            "or --sandbox off"
        )
    return Sandbox("off", "switched off") if wanted == "off" else Sandbox("bubblewrap", bwrap="bwrap")


def confine(confinement: Confinement | None, argv: list[str], cwd: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The command line that starts `argv` in its sandbox, and the Landlock rules to start it under, empty for none."""
    if confinement is None:
        return argv, []
    if confinement.kind == "bubblewrap":
        bubblewrap.make_room(confinement)
        return bubblewrap.command(confinement, argv, cwd), []
    return argv, rules(confinement)


def _bubblewrap() -> Sandbox:
    program = shutil.which("bwrap")
    if program is None:
        raise NoSandbox("bubblewrap is not installed (Debian and Ubuntu: apt install bubblewrap)")
    trial = Confinement("bubblewrap", read=SYSTEM, hidden=("/sys/kernel",), bwrap=program)
    try:
        tried = subprocess.run(
            bubblewrap.command(trial, ["true"], "/"), capture_output=True, text=True, timeout=LONGEST_TRIAL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSandbox(f"bubblewrap does not start: {error}") from None
    if tried.returncode:
        said = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
        raise NoSandbox(f"bubblewrap does not work here: {said.removeprefix('bwrap: ')}")
    return Sandbox("bubblewrap", bwrap=program)


def _landlock() -> Sandbox:
    if sys.platform != "linux":
        raise NoSandbox("Landlock is Linux's")
    if not landlock.abi():
        raise NoSandbox("this kernel has no Landlock (it came with Linux 5.13, and can be switched off)")
    return Sandbox("landlock")


_ATTEMPTS: dict[Kind, Callable[[], Sandbox]] = {"bubblewrap": _bubblewrap, "landlock": _landlock}
