"""Counts the system calls of a supervisor, and of the gits that it starts, and ends them at the n-th: Linux's ptrace.

Only calls that change something are counted: files written, made, renamed and deleted, locks, processes, signals. The
chosen call is stopped at its entry, so it does not happen. Runs are not followed; as in life they go on when the
supervisor has died.
"""

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

Whose = Literal["supervisor", "git"]

CALLS = {
    1: "write", 18: "pwrite64", 20: "writev", 2: "open", 85: "creat", 257: "openat", 82: "rename", 264: "renameat",
    316: "renameat2", 87: "unlink", 263: "unlinkat", 86: "link", 265: "linkat", 88: "symlink", 266: "symlinkat",
    83: "mkdir", 258: "mkdirat", 84: "rmdir", 76: "truncate", 77: "ftruncate", 74: "fsync", 75: "fdatasync",
    73: "flock", 72: "fcntl", 56: "clone", 435: "clone3", 57: "fork", 58: "vfork", 59: "execve", 62: "kill",
    90: "chmod", 91: "fchmod", 268: "fchmodat", 231: "exit_group",
}  # fmt: skip
"""System calls of x86-64 that change something outside of the process."""

_FLAGS = {"open": 1, "openat": 2}  # the argument that says whether a file is made
_FCNTL_LOCKS = {6, 7, 37, 38}  # F_SETLK, F_SETLKW and the same for open file descriptions

_CONT, _DETACH, _SYSCALL, _SETOPTIONS, _SEIZE, _INTERRUPT, _LISTEN, _INFO = (
    7,
    17,
    24,
    0x4200,
    0x4206,
    0x4207,
    0x4208,
    0x420E,
)
_SYSGOOD, _FORK, _VFORK, _CLONE, _EXEC = 1, 2, 4, 8, 16
_EVENT_EXEC, _EVENT_STOP = 4, 128
_WALL = 0x40000000


class _SyscallInfo(ctypes.Structure):
    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
        ("more", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, address: int | None = None, data: int | None = None) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def cannot_trace() -> str:
    """Why nothing can be traced here; empty where it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "system calls are counted on Linux on x86-64 only"
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        _ptrace(_SEIZE, pid)
        return ""
    except OSError as error:
        return f"ptrace is not allowed here ({error.strerror})"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, _WALL)


class Tracer:
    """Follows one supervisor, from before its first step to its end.

    Args:
        pid: a child of this process that waits to be followed.
        whose: whose calls count; all of them where it is only to count (`at` is 0).
        at: the call at which `strike` is called, which ends whoever is to be ended.
        strike: gets the process that makes the call, and what call it is.
    """

    def __init__(self, pid: int, whose: Whose, at: int, strike: Callable[[int, str], None]) -> None:
        self._pid, self._whose, self._at, self._strike = pid, whose, at, strike
        self._gits: set[int] = set()
        self.counts: dict[Whose, int] = {"supervisor": 0, "git": 0}

    def follow(self) -> None:
        """Count until the supervisor has ended."""
        options = _SYSGOOD | _CLONE
        if self._whose == "git" or not self._at:
            options |= _FORK | _VFORK | _EXEC
        _ptrace(_SEIZE, self._pid, None, options)
        _ptrace(_INTERRUPT, self._pid)
        while True:
            pid, status = os.waitpid(-1, _WALL)
            if os.WIFSTOPPED(status):
                try:
                    self._resume(pid, os.WSTOPSIG(status), status >> 16)
                except ProcessLookupError:
                    pass  # ended meanwhile
            elif pid == self._pid:
                return

    def _resume(self, pid: int, number: int, event: int) -> None:
        deliver = 0
        if number == signal.SIGTRAP | 0x80:
            self._called(pid)
        elif event == _EVENT_EXEC:
            if Path(f"/proc/{pid}/exe").readlink().name == "git":
                self._gits.add(pid)
            elif pid not in self._gits:
                _ptrace(_DETACH, pid)  # a warden or a shell: with its children it is left alone
                return
        elif event == _EVENT_STOP and number != signal.SIGTRAP:
            _ptrace(_LISTEN, pid)
            return
        elif not event:
            deliver = number
        ours = pid in self._gits if self._whose == "git" else pid not in self._gits
        _ptrace(_SYSCALL if ours or not self._at else _CONT, pid, None, deliver)

    def _called(self, pid: int) -> None:
        info = _SyscallInfo()
        if _libc.ptrace(_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info)) < 0 or info.op != 1:
            return  # the exit of a call
        name = CALLS.get(info.number)
        if name is None or not self._changes(pid, name, info.arguments):
            return
        whose: Whose = "git" if pid in self._gits else "supervisor"
        self.counts[whose] += 1
        if whose == self._whose and self.counts[whose] == self._at:
            self._strike(pid, name)

    def _changes(self, pid: int, name: str, arguments: "ctypes.Array[ctypes.c_uint64]") -> bool:
        if name in _FLAGS:
            return bool(arguments[_FLAGS[name]] & os.O_CREAT)
        if name == "fcntl":
            return arguments[1] in _FCNTL_LOCKS
        if name == "write":
            try:  # what a thread writes to wake the event loop up is not counted
                return str(Path(f"/proc/{pid}/fd/{arguments[0]}").readlink()).startswith(("/", "pipe:"))
            except OSError:
                return False
        return True
