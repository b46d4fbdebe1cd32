"""Everything that may be tuned in a study's editable files, by names that tell them apart. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from loop.researchers.automl import c_source, config_files, python_source
from loop.researchers.automl.constants import Constant, Value, put

_CONFIGURATION = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_C_SOURCES = frozenset({".c", ".cc", ".cpp", ".cxx", ".cu"})
_C = _C_SOURCES | frozenset({".h", ".hpp", ".cuh"})


class Site(NamedTuple):
    """A constant and where it stands."""

    name: str
    """Its name in its file, or `path:NAME` where two files have a constant of that name."""
    path: str
    constant: Constant


def find(source: str, path: str = "train.py") -> list[Constant]:
    """The searchable constants of one file, in order; an empty list for a kind of file that is not known."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in _CONFIGURATION:
        return config_files.find(source, _CONFIGURATION[suffix])
    if suffix in _C:
        return c_source.find(source)
    return python_source.find(source) if suffix in (".py", ".pyw", "") else []


def replace(source: str, values: Mapping[str, Value], path: str = "train.py") -> str:
    """The file with new values for some of its constants.

    Raises:
        ValueError: a name is not a searchable constant of this file.
    """
    return put(source, find(source, path), values)


def tunable(files: Mapping[str, str], run: str = "") -> list[Site]:
    """What AutoML may tune, in the order of the files.

    Left out is what the command gives itself (`--lr 0.1`, `optimizer.lr=0.1`), since the file's value is not used then.
    A constant that nothing in its file reads is left out where others are read, as changing it would waste a run.

    Args:
        files: text of the editable files, by path.
        run: the command line of one run.
    """
    found = [(path, constant) for path, source in files.items() for constant in find(source, path)]
    found = [(path, constant) for path, constant in found if not _given(run, constant.name)]
    used = [(path, constant) for path, constant in found if constant.read or _is_shared(path, run)]
    found = used or found
    times = Counter(constant.name for _, constant in found)
    return [
        Site(constant.name if times[constant.name] == 1 else f"{path}:{constant.name}", path, constant)
        for path, constant in found
    ]


def idle(sites: Sequence[Site], values: Mapping[str, Value]) -> set[str]:
    """Constants that do nothing under these values: those that are read under a switch only, and it is set otherwise.

    Where the switch is no constant that is known, or there are two of its name, they count as doing something.
    """
    ends = Counter(site.name.rpartition(".")[2].rpartition(":")[2] for site in sites)
    by_end = {site.name.rpartition(".")[2].rpartition(":")[2]: site.name for site in sites}
    found = set()
    for site in sites:
        if site.constant.under is None:
            continue
        switch, wanted, holds = site.constant.under
        name = by_end.get(switch, "")
        if ends[switch] == 1 and name in values and name != site.name and (str(values[name]) == wanted) != holds:
            found.add(site.name)
    return found


def _given(run: str, name: str) -> bool:
    """Whether a command line gives a value for this name."""
    word = re.escape(name).replace("_", "[_-]")
    last = re.escape(name.rpartition(".")[2]).replace("_", "[_-]")
    return bool(re.search(rf"(?:^|\s)(?:--{last}(?:[=\s]|$)|\+{{0,2}}{word}=)", run))


def _is_shared(path: str, run: str) -> bool:
    """Whether other files may read a file's constants: it is neither what the command runs nor a source of C."""
    file = PurePosixPath(path)
    return file.suffix not in _C_SOURCES and file.name not in re.split(r"[\s/]+", run)
