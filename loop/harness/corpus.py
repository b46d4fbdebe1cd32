"""The default corpus: the Python source text of the running interpreter's own standard library.

Every machine that runs looptop has it (about 30 MB, or 12 MB where the distribution leaves the tests out), so nothing
is ever downloaded. Each file goes to the training or the validation text by a hash of its path, so that a file keeps
its side when others come and go. The two texts lie in folders of their own:

    <cache>/corpus/<digest>/train/text.bin            raw bytes, a zero byte after each file
    <cache>/corpus/<digest>/train/files.txt           the files in it, in order
    <cache>/corpus/<digest>/validation/...            the same

because a sandbox hides the whole validation folder: reading the training text never looks at it. Not even a
verification can open it, since the model that is examined lives in the same sandbox; it is given the text as an open
file. What is built is never changed afterwards, and a half-built corpus is never seen: it is built beside its place and
renamed into it.
"""

import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from loop.harness import cache_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Split = Literal["train", "validation"]

PR_SET_DUMPABLE = 4  # linux/prctl.h

BUILDER = 1
"""Raised whenever the rules below change, so that an old corpus is never taken for a new one."""

VALIDATION_ONE_IN = 20
"""One file in 20 is held out: 1.5 MB of text, six times what `scoring` reads, so that its windows never overlap."""

SEPARATOR = b"\0"
"""Ends each file; a byte that source text does not use, so a model can tell where the next file begins."""

GIVEN = "LOOPTOP_VALIDATION_FD"
"""Variable with the number of the open file that a verification reads the validation text from."""

LEFT_OUT = frozenset({"site-packages", "dist-packages", "__pycache__"})
"""Folders that are no part of the standard library: other people's packages, and compiled files."""


def load(split: Split, *, source: Path | None = None) -> "NDArray[np.uint8]":
    """Map one text into memory, building the corpus first if this is the first run on this machine.

    Args:
        split: which text.
        source: the folder whose `.py` files are the corpus; the standard library unless told.

    Returns:
        A read-only memory map, shape (bytes,), uint8.

    Raises:
        OSError: the text is neither there nor can it be built (no source files, no room, a read-only cache).
    """
    import numpy as np

    if split == "validation" and source is None and (given := os.environ.get(GIVEN)):
        _keep_to_itself()
        with os.fdopen(os.dup(int(given)), "rb") as file:
            return np.memmap(file, dtype=np.uint8, mode="r")
    source = source or standard_library()
    text = place(source) / split / "text.bin"
    if not text.exists():
        text = build(source) / split / "text.bin"
    return np.memmap(text, dtype=np.uint8, mode="r")


def _keep_to_itself() -> None:
    """Nothing that this process starts may look into it from now on: at its open files, its memory, its output.

    Whoever reads the held-out text then starts a stranger's model, of the same user and in the same sandbox.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def standard_library() -> Path:
    """The folder of the running interpreter's standard library, outside any virtual environment."""
    return Path(sysconfig.get_path("stdlib"))


def sample(most: int) -> str:
    """The beginning of the training text, `most` bytes of the newest corpus here; empty where none has been built."""
    built = sorted((cache_folder() / "corpus").glob("*/train/text.bin"), key=lambda path: path.stat().st_mtime)
    if not built:
        return ""
    with built[-1].open("rb") as file:
        return file.read(most).decode("utf-8", "replace").replace("\0", "\n")


def place(source: Path) -> Path:
    """Where the corpus of `source` lies, built or not: named by the Python version, the builder, each path and size."""
    recipe = hashlib.sha256(f"{BUILDER} {VALIDATION_ONE_IN} {sys.version_info[:3]}\n".encode())
    for path in _files(source):
        recipe.update(f"{_name(path, source)} {path.stat().st_size}\n".encode(errors="surrogateescape"))
    return cache_folder() / "corpus" / recipe.hexdigest()[:16]


def build(source: Path) -> Path:
    """Build the corpus of `source` unless it is there; however many processes ask at once, one of them does it.

    Returns:
        The corpus's folder, whole.

    Raises:
        OSError: nothing to build from, no room, or a cache that cannot be written.
    """
    from filelock import FileLock

    target = place(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if all((target / split / "text.bin").exists() for split in get_args(Split)):
            return target
        # We hold the lock, so whoever left a half-built corpus here was killed.
        for left_over in target.parent.glob(f"{target.name}-*"):
            shutil.rmtree(left_over)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
        try:
            _write(source, unfinished)
            if target.exists():  # somebody removed a part of it by hand
                shutil.rmtree(target)
            unfinished.chmod(0o755)
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return target


def split_of(name: str) -> Split:
    """The side that the file of this relative path (with forward slashes) is on, on every machine, for ever."""
    hashed = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
    return "validation" if int.from_bytes(hashed[:8], "big") % VALIDATION_ONE_IN == 0 else "train"


def _write(source: Path, folder: Path) -> None:
    """Write both texts and their lists of files into `folder`, flushed to the disk."""
    texts: dict[Split, list[bytes]] = {split: [] for split in get_args(Split)}
    names: dict[Split, list[str]] = {split: [] for split in get_args(Split)}
    seen = set()
    for path in _files(source):
        content = path.read_bytes()
        fingerprint = hashlib.sha256(content).digest()
        if not content or fingerprint in seen:  # a copy on the other side would be a leak
            continue
        seen.add(fingerprint)
        name = _name(path, source)
        texts[split_of(name)] += [content, SEPARATOR]
        names[split_of(name)].append(name)
    for split in get_args(Split):
        if not names[split]:
            raise FileNotFoundError(f"{source} has too little Python source for a {split} text: install a full Python")
        (folder / split).mkdir()
        listing = "".join(f"{name}\n" for name in names[split]).encode(errors="surrogateescape")
        for name, content in (("text.bin", b"".join(texts[split])), ("files.txt", listing)):
            with (folder / split / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())


def _files(source: Path) -> Iterator[Path]:
    """The `.py` files under `source`, in an order that is the same on every machine."""
    for folder, subfolders, files in os.walk(source):
        subfolders[:] = sorted(set(subfolders) - LEFT_OUT)
        for file in sorted(files):
            path = Path(folder, file)
            if file.endswith(".py") and path.is_file():
                yield path


def _name(path: Path, source: Path) -> str:
    return path.relative_to(source).as_posix()
