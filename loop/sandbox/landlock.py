"""Landlock through ctypes: a process gives up, for itself and all that it starts, everything that no rule grants.

For machines that allow no namespaces, as containers on rented GPUs do not. It needs no privilege and takes no mount, so
it can only grant whole folders, and a folder with something secret in it must be granted piece by piece. What each
version of the kernel cannot hold back, `sandbox.missing` says; `seccomp` closes what is small enough to close.

There are bindings on PyPI, none of them both maintained and free of compiled code, and the warden, which applies this
between fork and exec, could not import them in its milliseconds. Constants are those of linux/landlock.h and of the
generic system call table, which all architectures share for these three.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys

from loop.sandbox import seccomp

TYPE_CHECKING = False  # as typing's own, without the 3 ms that importing typing costs
if TYPE_CHECKING:
    from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
TCP = 0b11  # bind and connect
SCOPES = 0b11  # abstract unix sockets, signals
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV, RESOLVE_UNIX = (1 << bit for bit in range(13, 17))

READ = EXECUTE | READ_FILE | READ_DIR
GRANTS = {
    "list": READ_DIR,
    "read": READ,
    "write": READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
    | REFER | TRUNCATE,
    "device": READ_FILE | READ_DIR | WRITE_FILE | IOCTL_DEV,
}  # fmt: skip
"""What a rule of each kind allows, of a file or of everything below a folder. Nothing may make a device."""

OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a file can have; the others are a folder's, and refused in a rule for a file."""

_FS_SINCE = ((1, (1 << 13) - 1), (2, REFER), (3, TRUNCATE), (5, IOCTL_DEV), (9, RESOLVE_UNIX))
"""Version of the interface, and the rights that it brought."""

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Version of the kernel's Landlock interface; 0 where it has none or has it switched off."""
    try:
        return _call(CREATE_RULESET, None, 0, VERSION)
    except OSError:
        return 0


def rights(version: int) -> int:
    """Every right over files that this version can take away."""
    return sum(bits for since, bits in _FS_SINCE if since <= version)


def confine(rules: Iterable[tuple[str, str]]) -> None:
    """Keep this process, and all that it starts, to what `rules` grant; for good, and root's capabilities are gone too.

    TCP, signals to others and abstract unix sockets of others are taken away where the kernel knows how.

    Args:
        rules: a kind of `GRANTS` and an absolute path each; a path that is not there grants nothing. And `network` with
            `loopback`, which grants all of TCP, since a rule can name ports but no addresses, or `on`.

    Raises:
        OSError: the kernel refuses; the process is then to end and not to go on unconfined.
    """
    version = abi()
    handled = rights(version)
    rules = list(rules)
    network = next((granted for kind, granted in rules if kind == "network"), "off")
    closed = TCP if version >= 4 and network == "off" else 0
    # struct landlock_ruleset_attr: rights over files, the network and other processes
    ruleset = (ctypes.c_uint64 * 3)(handled, closed, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    descriptor = _call(CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    for kind, path in rules:
        if kind != "network":
            _grant(descriptor, path, GRANTS[kind] & handled)
    _drop_privileges()
    _call(RESTRICT_SELF, descriptor, 0)
    os.close(descriptor)
    if seccomp.available():
        seccomp.apply(network)


def _grant(ruleset: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            allowed &= OF_FILES
        if allowed:
            # struct landlock_path_beneath_attr, which is packed: eight bytes of rights, four of the descriptor
            rule = allowed.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
            _call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _drop_privileges() -> None:
    """No privilege can be gained by starting a program, and what root has beyond a plain user is given up."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)  # and of this process
    none = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice, for capabilities past the 32nd
    if _libc.capset(ctypes.byref(header), none):
        raise OSError(ctypes.get_errno(), "capset")


def _call(number: int, *arguments: object) -> int:
    _libc.syscall.restype = ctypes.c_long
    answer: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
