"""bubblewrap: the run in namespaces of its own, with a file system made of nothing but what it may reach.

New user, process, IPC, mount, host name and cgroup namespaces, and a network one unless the program asks for the
network; no capability, not even root's; the end of the warden ends it. The warden itself stays outside: it sees every
process in here under its outer number, and the two of bubblewrap's own above them.
"""

import os
from collections.abc import Iterable

from loop.sandbox import worktree
from loop.sandbox.confinement import Confinement, above, links_on_the_way, real

NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent",
    "--cap-drop", "ALL",
)  # fmt: skip

SIGNALLED = 128
"""bubblewrap ends with this and the number of the signal that ended the command, as a shell does."""


def command(confinement: Confinement, argv: list[str], cwd: str) -> list[str]:
    """`argv` in the sandbox, started in `cwd`, as a command line of bubblewrap.

    The order is the file system's, parents first, so that what is named below something hidden, or below the worktree
    in the checkout's place, comes back on top of it.
    """
    tmp = os.path.realpath(confinement.tmp) if confinement.tmp else ""
    mounts: dict[str, list[str]] = {}
    for path in real(confinement.read):
        mounts[path] = ["--ro-bind", path, path]
    places = {os.path.realpath(place): source for place, source in confinement.placed}
    for path in real(confinement.hidden):
        over = max((other for other in (*mounts, *places) if above(other, path)), key=len, default="")
        if path not in mounts and over in mounts and over not in places:
            mounts[path] = ["--tmpfs", path] if os.path.isdir(path) else ["--ro-bind", os.devnull, path]
    own = ("--ro-bind", "--bind")
    mounts |= {place: [own[source in confinement.write], source, place] for place, source in places.items()}
    masked = [path for path, mount in mounts.items() if mount[0] == "--tmpfs"]
    for path in real(path for path in confinement.write if path not in places.values()):
        mounts[path] = ["--bind", path, path]
    for path in real(confinement.devices):
        mounts[path] = ["--dev-bind", path, path]
    mounts = _needed(mounts)
    mounts |= {"/proc": ["--proc", "/proc"], "/dev": ["--dev", "/dev"]}
    mounts["/tmp"] = ["--bind", tmp, "/tmp"] if tmp else ["--tmpfs", "/tmp"]
    for path, source in confinement.shown:
        mounts[path] = ["--ro-bind", source, path]
    words = [confinement.bwrap, *NAMESPACES, *([] if confinement.network == "on" else ["--unshare-net"])]
    for path in sorted(mounts, key=lambda path: path.split("/")):
        words += mounts[path]
    named = (*confinement.read, *confinement.write, *(place for place, _ in confinement.placed))
    for place, target in _links(named, mounts):
        words += ["--symlink", target, place]
    for path in ("/", *(path for path in masked if path in mounts)):
        words += ["--remount-ro", path]
    return [*words, "--chdir", confinement.inside(cwd), "--", *argv]


def make_room(confinement: Confinement) -> None:
    """Make the places and the links in the placed folders that `command` shows something through.

    bubblewrap makes places itself, but not in a folder that is only to be read, and no links in any.
    """
    views = [(os.path.realpath(place), source) for place, source in confinement.placed]
    inner_first = sorted(views, key=lambda view: -len(view[0]))
    places = [place for place, _ in (*confinement.shown, *confinement.placed)]
    for path in (*confinement.read, *confinement.write, *places):
        for at, target in (*links_on_the_way(path), (os.path.realpath(path), "")):
            view = next((view for view in inner_first if above(view[0], at)), None)
            if view is not None and target:
                worktree.link(target, view[1] + at[len(view[0]) :], view[1])
            elif view is not None and os.path.exists(at):
                worktree.reserve(at, view[1] + at[len(view[0]) :], view[1])


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
