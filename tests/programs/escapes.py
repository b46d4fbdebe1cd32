"""Tries to get out of its sandbox in every way it knows, and writes down what came of each.

Its argument is JSON: `victim` (a process of the same user with a secret in its environment and memory), `secrets` and
`writes` (paths by name), `tcp`, `udp` (ports that listen), `unix` (a socket by path), `abstract` (one by name),
`marker` (the secret). What it got is in `told.json`: an answer that holds the marker, or `got it`, is an escape.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

ASKED = json.loads(sys.argv[1])
VICTIM, MARKER = ASKED["victim"], ASKED["marker"]
LIBC = ctypes.CDLL(None, use_errno=True)
GOT = "got it"


def called(answer: int) -> str:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return GOT


def reads(path: str) -> str:
    found = Path(path)
    text = "\n".join(map(str, found.rglob("*"))) if found.is_dir() else found.read_bytes().decode(errors="replace")
    return text if MARKER in text else f"nothing of it: {text[:100]!r}"


def writes(path: str) -> str:
    Path(path).write_text("I was here")
    return GOT


def empties(path: str) -> str:
    os.truncate(path, 0)
    return GOT


def links(path: str) -> str:
    there = Path(os.environ["LOOPTOP_RUN_DIR"], "link")
    there.unlink(missing_ok=True)
    os.link(path, there)
    return there.read_text()


def every_environment() -> str:
    """Of any process that is to be seen here."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            found.append(place.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return next((text for text in found if MARKER in text), f"in none of {len(found)}")


def guards_environment() -> str:
    return Path(f"/proc/{os.getppid()}/environ").read_text() and "read" if os.getppid() else "there is no parent here"


def memory() -> str:
    """Where the victim keeps the secret, by its own maps."""
    for line in Path(f"/proc/{VICTIM}/maps").read_text().splitlines():
        if "[stack]" in line or "[heap]" in line:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            with Path(f"/proc/{VICTIM}/mem").open("rb") as file:
                file.seek(start)
                if MARKER.encode() in file.read(end - start):
                    return MARKER
    return "nothing of it"


def vm_readv() -> str:
    class Piece(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    here = ctypes.create_string_buffer(8)
    local, remote = Piece(ctypes.addressof(here), 8), Piece(ASKED["address"], 8)
    return called(LIBC.process_vm_readv(VICTIM, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0))


def ptrace() -> str:
    return called(LIBC.ptrace(0x4206, ctypes.c_long(VICTIM), None, None))  # PTRACE_SEIZE


def pidfd() -> str:
    descriptor = os.pidfd_open(VICTIM)
    return called(LIBC.syscall(438, descriptor, 0, 0))  # pidfd_getfd


def kill() -> str:
    os.kill(VICTIM, signal.SIGTERM)
    return GOT


def kill_everybody() -> str:
    """What the system lets this process signal, itself and its own left out."""
    ours = {os.getpid(), 1 if os.getppid() == 1 else 0}
    hit = []
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if pid in ours or parent in ours:
            continue
        try:
            os.kill(pid, 0)
            hit.append(pid)
        except OSError:
            continue
    return f"{GOT}: {hit}" if hit else "nobody"


def tcp() -> str:
    with socket.create_connection(("127.0.0.1", ASKED["tcp"]), timeout=5) as there:
        there.sendall(b"I was here")
    return GOT


def udp() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.sendto(b"I was here", ("127.0.0.1", ASKED["udp"]))
    return "sent"  # whether it arrived, the listener knows


def unix(address: str) -> Callable[[], str]:
    def connect() -> str:
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(address)
        return GOT

    return connect


def io_uring() -> str:
    parameters = ctypes.create_string_buffer(120)
    return called(LIBC.syscall(425, 1, parameters))


def shared_memory() -> str:
    """System V memory outlives the run, unless it is of an IPC namespace that does not."""
    return called(LIBC.shmget(0x10071057, 4096, 0o1666))


def device() -> str:
    path = Path(os.environ["LOOPTOP_RUN_DIR"], "disk")
    os.mknod(path, 0o60600, os.makedev(*ASKED["disk"]))
    with path.open("rb"):
        return GOT


def mounts() -> str:
    """Root of a namespace of its own might take away what hides things."""
    CLONE_NEWUSER, CLONE_NEWNS, MNT_DETACH = 0x10000000, 0x00020000, 2
    called(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    return called(LIBC.umount2(ASKED["hidden"].encode(), MNT_DETACH))


ATTEMPTS: dict[str, Callable[[], str]] = {
    **{f"read {name}": (lambda path=path: reads(path)) for name, path in ASKED["secrets"].items()},
    **{f"write {name}": (lambda path=path: writes(path)) for name, path in ASKED["writes"].items()},
    "empty the journal": lambda: empties(ASKED["secrets"]["the journal"]),
    "link the journal": lambda: links(ASKED["secrets"]["the journal"]),
    "read its own environment": lambda: repr(dict(os.environ)),
    "read the environment of its guard's supervisor": lambda: reads(f"/proc/{VICTIM}/environ"),
    "read any environment": every_environment,
    "read the supervisor's memory": memory,
    "read the supervisor's memory by process_vm_readv": vm_readv,
    "see the file system as the supervisor does": lambda: reads(
        f"/proc/{VICTIM}/root{ASKED['secrets']['a file of the home folder']}"
    ),
    "trace the supervisor": ptrace,
    "take an open file from the supervisor": pidfd,
    "signal the supervisor": kill,
    "signal anybody": kill_everybody,
    "reach a port": tcp,
    "send a datagram": udp,
    "open an io_uring": io_uring,
    "reach a socket by path": unix(ASKED["unix"]),
    "reach a socket by name": unix("\0" + ASKED["abstract"]),
    "leave shared memory": shared_memory,
    "make a device": device,
    "take a mount away": mounts,  # last: it changes the namespace where it can
}

told = {}
for name, attempt in ATTEMPTS.items():
    try:
        told[name] = attempt()
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
Path(os.environ["LOOPTOP_RUN_DIR"], "told.json").write_text(json.dumps(told))
print("val_bpb: 0.5")
