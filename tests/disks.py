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
        for less in range(leave, leave + (4 << 20), 64 << 10):  # others take of it meanwhile
            free = os.statvfs(disk)
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_bsize - less))
                break
            except OSError:
                continue
        try:
            while not leave:
                os.pwrite(file.fileno(), bytes(4096), os.fstat(file.fileno()).st_size)
        except OSError:
            pass  # that was the last page
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


class Ext4:
    """A small ext4 in a file, mounted at `at`, that can fail as a disk does."""

    def __init__(self, image: Path, at: Path) -> None:
        self.image, self.at = image, at

    def make(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("a disk can only be mounted by root")
        self.at.mkdir()
        with self.image.open("wb") as file:
            file.truncate(64 << 20)
        try:
            subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], capture_output=True, check=True)
            self.mount()
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this machine mounts no file as a disk")

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.at)], capture_output=True, check=True)

    def fail(self) -> None:
        """What ext4 does at an error of the disk: from now on nothing can be written, whoever has files open."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.at)], capture_output=True, check=True)

    def mend(self) -> None:
        """What a person does then: unmount, check, mount."""
        self.remove()
        subprocess.run(["fsck.ext4", "-y", str(self.image)], capture_output=True)
        self.mount()

    def remove(self) -> None:
        subprocess.run(["umount", str(self.at)], capture_output=True)
