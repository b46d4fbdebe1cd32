"""A short name for a run's temporary folder, which lies deep below the checkout.

The path of a unix socket has 107 bytes, and multiprocessing, torch and their like put theirs below TMPDIR. Where that
is too long, it is named through a link in the system's own temporary folder. Nobody else can replace one there: the
folder is sticky.
"""

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

LONGEST = 60
"""Bytes of a TMPDIR that leave enough of the 107: multiprocessing adds 33, torch's workers 40."""

NAME = "looptop-"
TRIES = 3


def shortened(folder: Path) -> Path:
    """The folder's path, or a link's that leads there; the folder's own where no link can be made."""
    system = Path(tempfile.gettempdir())
    if len(os.fsencode(folder)) <= LONGEST or not _is_safe(system):
        return folder
    for _ in range(TRIES):
        link = system / f"{NAME}{secrets.token_hex(4)}"
        try:
            link.symlink_to(folder)
            return link
        except FileExistsError:
            continue
        except OSError:
            break
    return folder


def forget(folder: Path) -> None:
    """Remove every link of ours that leads to `folder` or to something below it."""
    for link in _links():
        try:
            if link.readlink().is_relative_to(folder):
                link.unlink()
        except OSError:
            continue  # removed meanwhile


def _links() -> Iterator[Path]:
    for link in Path(tempfile.gettempdir()).glob(f"{NAME}*"):
        try:
            if link.is_symlink() and link.lstat().st_uid == os.getuid():
                yield link
        except OSError:
            continue


def _is_safe(folder: Path) -> bool:
    """Whether nobody else can replace what is ours in it, and its own name is short."""
    try:
        found = folder.stat()
    except OSError:
        return False
    alone = found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return len(os.fsencode(folder)) < LONGEST // 2 and (alone or bool(found.st_mode & stat.S_ISVTX))
