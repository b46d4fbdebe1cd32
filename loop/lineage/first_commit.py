"""What of a folder without git its first commit holds: all that runs need, no data, and nothing that looks secret.

Only looks; `init_repository` makes the commit.
"""

import os
import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from loop.lineage.git import ask_git, complaint
from loop.policy.secret_files import holds_key, is_secret_name
from loop.words import size

LARGEST = 10_000_000
"""Bytes of a file above which it is data, and not committed."""
FOLDER_FILES, FOLDER_BYTES = 1000, 100_000_000
"""A folder at the top with more than that is data, and not committed."""

_MADE = (
    "__pycache__", "node_modules", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", "wandb",
    "mlruns", "lightning_logs", ".DS_Store", ".looptop",
)  # fmt: skip
"""What programs make and can make again."""


@dataclass(frozen=True, slots=True)
class FirstCommit:
    """What to commit, and what not."""

    files: tuple[str, ...]
    left_out: dict[str, str]
    """Files and folders (with a `/` behind) that stay out, and why; not what the folder's own .gitignore names."""
    ignore: tuple[str, ...]
    """Lines for a .gitignore where there is none, so that git does not offer what was left out."""


def first_commit(folder: Path) -> FirstCommit:
    """What a first commit of `folder` should hold. Reads each small file once.

    Raises:
        LineageError: git is not installed, or cannot list the folder.
    """
    left_out: dict[str, str] = {}
    files = []
    for path in _not_ignored(folder):
        parts = path.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts))]
        if made := next((part for part in parts if part in _MADE), ""):
            left_out[made if parts[-1] == made else f"{made}/"] = "made anew when it is needed"
        elif environment := next((one for one in above if (folder / one / "pyvenv.cfg").is_file()), ""):
            left_out[f"{environment}/"] = "a virtual environment"
        elif path.endswith("/"):
            left_out[path] = "a git repository of its own"
        else:
            files.append(path)
    data = _data_folders(folder, files)
    left_out |= data
    kept = []
    for path in files:
        if path.split("/")[0] + "/" in data:
            continue
        if (why := _refused(folder / path)) is not None:
            left_out[path] = why
        else:
            kept.append(path)
    has_own = (folder / ".gitignore").exists()
    return FirstCommit(tuple(kept), left_out, () if has_own else tuple(_line(path) for path in left_out))


def _line(path: str) -> str:
    """A line for a .gitignore; what is found anywhere stands there without its place."""
    return path if path.rstrip("/") in _MADE else "/" + re.sub(r"([\\*?\[#! ])", r"\\\1", path)


def _not_ignored(folder: Path) -> list[str]:
    """The files below `folder` that its .gitignore files do not name; a repository inside ends with a `/`."""
    with tempfile.TemporaryDirectory(prefix="looptop-") as empty:
        made = ("init", "--quiet", "--bare", empty)
        if (answer := ask_git(made, folder, {})).status != 0:
            raise complaint(made, folder, answer)
        place = {"GIT_DIR": empty, "GIT_WORK_TREE": str(folder), "GIT_OPTIONAL_LOCKS": "0"}
        listing = ("ls-files", "-z", "--others", "--exclude-standard")
        if (answer := ask_git(listing, folder, place)).status != 0:
            raise complaint(listing, folder, answer)
    return sorted(os.fsdecode(path) for path in answer.out.split(b"\0") if path)


def _data_folders(folder: Path, files: list[str]) -> dict[str, str]:
    counts: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = defaultdict(int)
    for path in files:
        if "/" in path and not path.endswith((".py", ".toml", ".yaml", ".md")):
            top = path.split("/")[0] + "/"
            counts[top] += 1
            sizes[top] += _size(folder / path)
    return {
        top: f"{counts[top]:,} files, {size(sizes[top])}: data"
        for top in counts
        if counts[top] > FOLDER_FILES or sizes[top] > FOLDER_BYTES
    }


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _refused(path: Path) -> str | None:
    """Why a file stays out, or None."""
    if path.is_symlink() or not path.is_file():
        return "no plain file"
    if not path.name.isprintable() or "\n" in path.as_posix():
        return "a name that is not plain text"
    if is_secret_name(path.name):
        return "looks like a secret"
    if (bytes_ := _size(path)) > LARGEST:
        return f"{size(bytes_)}: data"
    try:
        return "holds what looks like a key" if holds_key(path.read_bytes()) else None
    except OSError:
        return "cannot be read"
