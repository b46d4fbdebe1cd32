"""bubblewrap: the run in namespaces of its own, with a file system made of nothing but what it may reach. Pure but for
looks at links.

New user, process, IPC, network, mount, host name and cgroup namespaces; no capability, not even root's; the end of the
warden ends it. The warden itself stays outside: it sees every process in here under its outer number, and the two of
bubblewrap's own above them.
"""

import os
from collections.abc import Iterable

from loop.sandbox.confinement import Confinement, above, links_on_the_way, real

NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
    "--die-with-parent", "--cap-drop", "ALL",
)  # fmt: skip

SIGNALLED = 128
"""bubblewrap ends with this and the number of the signal that ended the command, as a shell does."""


def command(confinement: Confinement, argv: list[str], cwd: str) -> list[str]:
    """`argv` in the sandbox, as a command line of bubblewrap.

    The order is the file system's, parents first, so that what is named below something hidden comes back on top of it.
    """
    tmp = os.path.realpath(confinement.tmp) if confinement.tmp else ""
    mounts: dict[str, list[str]] = {}
    for path in real(confinement.read):
        mounts[path] = ["--ro-bind", path, path]
    for path in real(confinement.hidden):
        if path not in mounts and any(above(other, path) for other in mounts):
            mounts[path] = ["--tmpfs", path] if os.path.isdir(path) else ["--ro-bind", os.devnull, path]
    masked = [path for path, mount in mounts.items() if mount[0] == "--tmpfs"]
    for path in real(confinement.write):
        mounts[path] = ["--bind", path, path]
    for path in real(confinement.devices):
        mounts[path] = ["--dev-bind", path, path]
    mounts = _needed(mounts)
    mounts |= {"/proc": ["--proc", "/proc"], "/dev": ["--dev", "/dev"]}
    mounts["/tmp"] = ["--bind", tmp, "/tmp"] if tmp else ["--tmpfs", "/tmp"]
    for path, source in confinement.shown:
        mounts[path] = ["--ro-bind", source, path]
    words = [confinement.bwrap, *NAMESPACES]
    for path in sorted(mounts, key=lambda path: path.split("/")):
        words += mounts[path]
    for place, target in _links((*confinement.read, *confinement.write), mounts):
        words += ["--symlink", target, place]
    for path in ("/", *(path for path in masked if path in mounts)):
        words += ["--remount-ro", path]
    return [*words, "--chdir", cwd, "--", *argv]


def _needed(mounts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without those that a mount above them already shows just so: each costs half a millisecond."""
    needed: dict[str, list[str]] = {}
    for path in sorted(mounts, key=lambda path: path.split("/")):
        over = max((other for other in needed if above(other, path)), key=len, default=None)
        if over is None or mounts[path] != [needed[over][0], path, path] or needed[over][1:] != [over, over]:
            needed[path] = mounts[path]
    return needed


def _links(paths: Iterable[str], mounts: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Links that lead to what is named and that no mount brings along."""
    found = dict(link for path in paths for link in links_on_the_way(path))
    return [(place, target) for place, target in found.items() if not any(above(other, place) for other in mounts)]
