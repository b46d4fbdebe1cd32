"""What a run has written into its folder, as an archive that travels in pieces. Blocks.

The archive is a stranger's: it is unpacked with Python's `data` filter, so that no file of it lands outside of the
folder, no link leads out of it, and no device or socket is made.
"""

import os
import shutil
import tarfile
from pathlib import Path

from loop.errors import UserError

PIECE = 4 << 20
"""Bytes that travel at once."""


def pack(folder: Path, archive: Path) -> int:
    """Put all that is in `folder` into `archive`; bytes of it, 0 where the folder is empty and none was made.

    Raises:
        UserError: it cannot be read, or the disk is full.
    """
    archive.unlink(missing_ok=True)
    if not folder.is_dir() or not any(folder.iterdir()):
        return 0
    try:
        with tarfile.open(archive, "w") as tar:
            tar.add(folder, ".")
        return archive.stat().st_size
    except OSError as error:
        archive.unlink(missing_ok=True)
        raise UserError(f"{folder} cannot be packed: {error.strerror or error}") from error


def piece(archive: Path, offset: int) -> bytes:
    """The next piece of an archive."""
    with archive.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE)


def add(archive: Path, offset: int, data: bytes) -> None:
    """Write the next piece of an archive that arrives; the first begins it anew.

    Raises:
        UserError: a piece is missing, or the disk is full.
    """
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with archive.open("r+b" if offset else "wb") as file:
            if file.seek(0, os.SEEK_END) < offset:
                raise UserError(f"a piece of {archive.name} has been lost on its way")
            file.seek(offset)
            file.write(data)
    except OSError as error:
        archive.unlink(missing_ok=True)
        raise UserError(f"{archive} cannot be written: {error.strerror or error}") from error


def unpack(archive: Path, folder: Path) -> None:
    """Put what is in `archive` into `folder`, in the place of what is there, and remove the archive.

    Raises:
        UserError: it is damaged, holds what no run's folder may, or the disk is full. The folder is empty then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        raise UserError(f"what the run wrote cannot be brought here: {error}") from error
    finally:
        archive.unlink(missing_ok=True)
