"""Small real disks for tests: mounted where root may mount, a skip with its reason elsewhere."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """A file system in memory of `size` (such as "64m") at `at`, gone with everything on it afterwards."""
    if os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root")
    at.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine allows no mounts")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(disk: Path, leave: int = 0, name: str = "ballast") -> Path:
    """Put a file there that leaves `leave` bytes, to the last page where it is 0."""
    ballast = disk / name
    with ballast.open("wb") as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - leave))
    return ballast


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written in `folder` meanwhile."""
    if os.geteuid() != 0:
        pytest.skip("a folder can only be mounted by root")
    commands = [["mount", "--bind", str(folder), str(folder)], ["mount", "-o", "remount,bind,ro", str(folder)]]
    try:
        for command in commands:
            if subprocess.run(command, capture_output=True).returncode:
                pytest.skip("this machine allows no mounts")
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)
