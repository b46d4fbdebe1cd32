"""What one run may reach of this machine, as plain data, and how folders with something hidden in them are split.

Everything that is not named is out of reach. `bubblewrap` makes a file system of it, `landlock` a list of rules. It
looks at folders and links, and changes nothing.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

MOST_LINKS = 40
"""Links on the way to one file, after which it is a circle; the kernel's own number."""


@dataclass(frozen=True)
class Confinement:
    """What one command may reach. Paths are absolute; one that is not there is passed over."""

    kind: str
    """`bubblewrap` or `landlock`."""
    read: tuple[str, ...] = ()
    """Files and folders to read and to start programs from."""
    write: tuple[str, ...] = ()
    """Files and folders to write to."""
    hidden: tuple[str, ...] = ()
    """Files and folders that stay out of reach although a folder above them is named; what is named below them does
    not."""
    devices: tuple[str, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    """Places, and what bubblewrap shows there, to be read, instead of what is there."""
    placed: tuple[tuple[str, str], ...] = ()
    """Places, and the folders that bubblewrap shows there instead, as the worktree in the place of the checkout; one
    that is named in `write` too may be written to."""
    network: str = "off"
    """`off`, `loopback` or `on`; see `Contract.network`."""
    tmp: str = ""
    """The folder that bubblewrap shows as /tmp; empty: one in memory, gone with the run."""
    bwrap: str = ""
    """The bubblewrap program."""

    def inside(self, path: str) -> str:
        """How the command itself names `path`."""
        for place, source in self.placed:
            if path == source or above(source, path):
                return place + path[len(source) :]
        return path


def above(path: str, inner: str) -> bool:
    """Whether `inner` lies below `path`."""
    return inner != path and inner.startswith(path.rstrip("/") + "/")


def rules(confinement: Confinement) -> list[tuple[str, str]]:
    """The rules of `landlock.confine` that grant what `confinement` names."""
    hidden = real(confinement.hidden)
    granted = [rule for path in real(confinement.read) for rule in split(path, hidden)]
    granted += [("write", path) for path in confinement.write]
    granted += [("device", path) for path in confinement.devices]
    granted += [("network", confinement.network)] if confinement.network != "off" else []
    return list(dict.fromkeys(granted))


def split(path: str, hidden: Iterable[str]) -> list[tuple[str, str]]:
    """Rules to read `path` but for what is hidden below it; neither may have links in it.

    Names can be listed there all the same: a rule cannot let a folder be listed and not the folders in it.
    """
    inside = [place for place in hidden if above(path, place)]
    if not inside:
        return [("read", path)]
    found = [("list", path)]
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                # What a link leads to is granted under its own name.
                if entry.path not in inside and not entry.is_symlink():
                    found += split(entry.path, inside)
    except OSError:
        pass  # not ours to look into, so not the run's either
    return found


def real(paths: Iterable[str]) -> list[str]:
    """Each path that is there, without links in it, once."""
    return list(dict.fromkeys(os.path.realpath(path) for path in paths if os.path.exists(path)))


def links_on_the_way(path: str) -> list[tuple[str, str]]:
    """Every link that is followed to reach `path`: where it is, itself without links before it, and what it says."""
    found: list[tuple[str, str]] = []
    at, left = "/", [part for part in path.split("/") if part]
    while left and len(found) < MOST_LINKS:
        part = left.pop(0)
        if part == "..":
            at = os.path.dirname(at)
            continue
        step = os.path.join(at, part)
        try:
            target = os.readlink(step)
        except OSError:
            at = step
            continue
        found.append((step, target))
        if target.startswith("/"):
            at = "/"
        left[:0] = [part for part in target.split("/") if part not in ("", ".")]
    return found
