"""Which files anything has opened, as the kernel tells (inotify): whether a run has so much as looked at its code.

It sees through mounts and sandboxes, since it goes by the file and not by its name, and it costs a run nothing. The
access times of files would need no ctypes, but do not change below read-only mounts and `noatime`; watchfiles, which
follows the program, hears of changes only, and the bindings on PyPI are no shorter than the three calls here.
"""

import ctypes
import os
import struct
from collections.abc import Mapping
from pathlib import Path

IN_OPEN = 0x20  # linux/inotify.h
FLAGS = os.O_NONBLOCK | os.O_CLOEXEC  # IN_NONBLOCK and IN_CLOEXEC are the same bits

_HEAD = struct.Struct("iIII")
"""struct inotify_event: the watch, what happened, a cookie, and how long the name behind it is."""

_READ_BYTES = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class OpenedFiles:
    """Files that are watched from its making on. Made and asked in any thread.

    Args:
        paths: the files, by the names that `close` tells.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._watches: dict[int, str] = {}
        self._descriptor = -1
        try:
            self._descriptor = _libc.inotify_init1(FLAGS)
            for name, path in paths.items():
                watch = _libc.inotify_add_watch(self._descriptor, os.fsencode(path), IN_OPEN)
                if watch < 0:
                    self._give_up()  # a file that is not there, or no watch left to this user
                    break
                self._watches[watch] = name
        except AttributeError:
            pass  # not Linux

    def close(self) -> frozenset[str] | None:
        """Stop watching; the names of those that were opened, None where nobody can tell."""
        if self._descriptor < 0:
            return None
        found = set()
        try:
            while data := os.read(self._descriptor, _READ_BYTES):
                at = 0
                while at < len(data):
                    watch, _, _, length = _HEAD.unpack_from(data, at)
                    found.add(self._watches.get(watch, ""))  # -1: more than the kernel keeps
                    at += _HEAD.size + length
        except BlockingIOError:
            pass  # that was all
        self._give_up()
        return frozenset(found - {""})

    def _give_up(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
