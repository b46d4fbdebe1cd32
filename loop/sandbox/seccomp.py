"""The few system calls that Landlock leaves open, closed by a seccomp filter: networks, and what outlives a run.

Landlock knows files, TCP and signals. Past it a process could still send UDP, start an io_uring that opens sockets
behind any filter, or leave bytes in the kernel (System V memory, message queues, keyrings) for a later run to find. The
filter answers those with EACCES and lets everything else pass: it is no list of what a program may do.

It is applied in a process that is about to become the run, so it imports only what costs next to nothing.
"""

import ctypes
import errno
import os
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2  # linux/prctl.h, linux/seccomp.h
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO and the number

AF_UNIX, AF_NETLINK = 1, 16
"""What is left of `socket`: pipes between a run's own processes, and asking the kernel which interfaces there are."""
AF_INET, AF_INET6, SOCK_STREAM, SOCK_KIND = 2, 10, 1, 0xF
"""What `network: loopback` adds: TCP. The kind of a socket is in the low bits of its type (linux/net.h)."""

# linux/bpf_common.h: load a word at an absolute offset, jump if equal, jump if greater or equal, and, return
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
NUMBER, ARCHITECTURE = 0, 4  # in struct seccomp_data
FIRST_ARGUMENT, SECOND_ARGUMENT = 16, 24  # their low halves, little-endian

# fmt: off
# AUDIT_ARCH of linux/audit.h, `socket`, and the calls refused outright: io_uring_setup; add_key, request_key, keyctl;
# shmget, semget, msgget, mq_open. From asm/unistd_64.h and asm-generic/unistd.h.
_CALLS = {
    "x86_64": (0xC000003E, 41, (425, 248, 249, 250, 29, 64, 68, 240)),
    "aarch64": (0xC00000B7, 198, (425, 217, 218, 219, 194, 190, 186, 180)),
}
# fmt: on
X32 = 0x40000000  # on x86_64 the same calls again under other numbers


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def available() -> bool:
    """Whether this machine's processor is one that the filter is written for."""
    return sys.platform == "linux" and os.uname().machine in _CALLS


def program(network: str = "off") -> bytes:
    """The filter as the kernel takes it: eight bytes an instruction (code, two jumps, a number).

    Args:
        network: `off`, `loopback` or `on`, as in `Contract.network`.
    """
    architecture, socket, refused = _CALLS[os.uname().machine]
    numbers = [*refused, *([] if network == "on" else [socket])]
    tests = len(numbers) + 1
    # Behind the tests of the number stand allow, refuse, and what `socket` is asked further.
    lines = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, NUMBER)]
    lines += [(AT_LEAST, tests, 0, X32)]
    for place, number in enumerate(numbers):
        lines.append((EQUAL, tests - place - (number != socket), 0, number))
    lines += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, FIRST_ARGUMENT)]
    if network == "loopback":
        lines += [(EQUAL, 6, 0, AF_UNIX), (EQUAL, 5, 0, AF_NETLINK), (EQUAL, 1, 0, AF_INET), (EQUAL, 0, 4, AF_INET6)]
        lines += [(LOAD, 0, 0, SECOND_ARGUMENT), (AND, 0, 0, SOCK_KIND), (EQUAL, 0, 1, SOCK_STREAM)]
        lines += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    else:
        lines += [(EQUAL, 2, 0, AF_UNIX), (EQUAL, 1, 0, AF_NETLINK), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return b"".join(
        code.to_bytes(2, "little") + bytes((yes, no)) + number.to_bytes(4, "little") for code, yes, no, number in lines
    )


def apply(network: str) -> None:
    """Put the filter over this process and all that it starts; `no_new_privs` must be set.

    Args:
        network: as for `program`.

    Raises:
        OSError: the kernel has no seccomp filters.
    """
    code = program(network)
    filter_ = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
