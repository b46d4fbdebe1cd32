"""The caches of a person's home that a run is given: data sets and weights, and no secrets.

A run finds each where it looks for it, below its own HOME, as a copy made of links: folders of its own, files that lead
to the originals, which it cannot write to. So what a library locks, downloads or keeps for itself there works, and is
gone with the run. What a variable such as HF_HOME says of a cache is obeyed, and the run is told its own place for it.
"""

import itertools
import os
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HUGGING_FACE = ("hub", "datasets", "modules", "xet", "assets", "evaluate", "metrics", "accelerate")
"""What of Hugging Face's folder is given. Not the folder itself: `token` and `stored_tokens` lie in it."""

# fmt: off
KNOWN = (
    *((f".cache/huggingface/{name}", "HF_HOME", name) for name in HUGGING_FACE),
    (".cache/huggingface/hub", "HF_HUB_CACHE", ""),
    (".cache/huggingface/datasets", "HF_DATASETS_CACHE", ""),
    (".cache/autoresearch", "", ""), (".cache/nanochat", "NANOCHAT_BASE_DIR", ""),
    (".cache/torch", "TORCH_HOME", ""), (".cache/clip", "", ""), (".cache/whisper", "", ""),
    (".cache/kagglehub", "", ""),
    ("nltk_data", "NLTK_DATA", ""), ("scikit_learn_data", "SCIKIT_LEARN_DATA", ""),
    ("tensorflow_datasets", "TFDS_DATA_DIR", ""), ("seaborn-data", "", ""),
    (".keras/datasets", "KERAS_HOME", "datasets"), (".keras/models", "KERAS_HOME", "models"),
    (".cache/uv", "UV_CACHE_DIR", ""),
)
"""Where each is below the home, the variable that puts it elsewhere, and where below that it then is."""
# fmt: on

LOCKS = (".lock",)
"""Endings of files that are made anew: a library opens them to write."""

SMALL = 4096
"""Bytes up to which a file is copied: a link costs as much, and a copy can be written to."""

MOST = 5000
"""Entries of all copies of a run together. Below the folder where they are used up, folders are linked as a whole."""


@dataclass(frozen=True)
class Cache:
    """One that is there."""

    source: str
    """The folder, without links on the way."""
    place: str
    """Where a run has it, below its HOME."""


def found(home: str, environment: Mapping[str, str]) -> tuple[list[Cache], dict[str, str]]:
    """The caches that are there, and the variables that a run needs to find them below its HOME, relative to that."""
    caches: dict[str, Cache] = {}
    variables: dict[str, str] = {}
    general = environment.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    for place, variable, inner in KNOWN:
        said = environment.get(variable, "") if variable else ""
        if said:
            source = os.path.join(said.replace("~", home, 1) if said.startswith("~") else said, inner)
            top = place.removesuffix(f"/{inner}") if inner else place
            variables[variable] = top
        elif place.startswith(".cache/"):
            source = os.path.join(general, place.removeprefix(".cache/"))
        else:
            source = os.path.join(home, place)
        if os.path.isdir(source) and (said or place not in caches):
            caches[place] = Cache(os.path.realpath(source), place)
    return list(caches.values()), variables


def toolchains(home: str, environment: Mapping[str, str]) -> list[str]:
    """Compilers and interpreters in the home, read as they are: uv's Pythons, rustup's compilers, the crates that Cargo
    has fetched. Not Cargo's folder itself: `credentials.toml` lies in it."""
    data = environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    cargo = environment.get("CARGO_HOME") or os.path.join(home, ".cargo")
    folders = (
        environment.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python"),
        environment.get("RUSTUP_HOME") or os.path.join(home, ".rustup"),
        *(os.path.join(cargo, name) for name in ("bin", "registry", "git")),
    )
    return [folder for folder in folders if os.path.isdir(folder)]


def plant(source: str, target: str, seen_at: str, room: int = MOST) -> int:
    """Make `target` a copy of the folder `source`, of links.

    Args:
        seen_at: the path that the run reads `source` under.
        room: how many files and folders it may have at most.

    Returns:
        How many it has.
    """
    waiting = deque([""])
    used = 0
    while waiting:
        inner = waiting.popleft()
        entries = _entries(os.path.join(source, inner), room - used)
        place = os.path.join(target, inner)
        if entries is None:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(os.path.join(seen_at, inner), place.rstrip("/"))
            continue
        os.makedirs(place, exist_ok=True)
        used += len(entries)
        for entry in entries:
            name = os.path.join(inner, entry.name)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(name)
            elif not entry.name.endswith(LOCKS):
                _bring(entry, os.path.join(target, name), os.path.join(seen_at, name))
    return used


def _entries(folder: str, room: int) -> list[os.DirEntry[str]] | None:
    """What is in the folder, nothing where it is not ours to read; None where there is no room for all of it."""
    try:
        with os.scandir(folder) as entries:
            some = list(itertools.islice(entries, room + 1))
    except OSError:
        return []
    return some if len(some) <= room else None


def _bring(entry: os.DirEntry[str], place: str, seen_at: str) -> None:
    try:
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
        elif entry.is_file() and entry.stat().st_size <= SMALL:
            shutil.copyfile(entry.path, place)
        elif entry.is_file():
            os.symlink(seen_at, place)
    except OSError:
        pass  # gone meanwhile, or not ours to read


def originals(caches: list[Cache]) -> Iterator[tuple[Cache, Path]]:
    """Each cache, and where bubblewrap shows the original, since the run's own home hides the person's."""
    for number, cache in enumerate(caches):
        yield cache, Path("/run/looptop/caches", str(number))
