"""Whether a node can run a study's experiments, by what it says of itself."""

import platform

from loop.runs.cluster.wire import Facts, NodeInfo, Opening
from loop.words import duration, size

LEAST_DISK = 1 << 30
"""Bytes without which a node is not begun with."""

CLOCK_S = 5.0
"""Seconds by which a clock may differ without a word."""


def unfit(facts: Facts, node: NodeInfo, opening: Opening, code: str) -> str:
    """Why no run of the study can go to a node, in a sentence; empty where one can.

    Args:
        code: looptop as it is here, see `Facts.looptop`.
    """
    if not facts.looptop:
        return (
            f"looptop is not installed in its Python ({facts.executable}); install there what is installed here, {code}"
        )
    if facts.looptop != code:
        return f"its looptop is {facts.looptop}, and {code} here; install the same on both"
    if facts.python != platform.python_version():
        return (
            f"its Python is {facts.python} ({facts.executable}), and {platform.python_version()} here; install the "
            "same on both, for a program may come to another number under another"
        )
    if node.cpus < 1:
        return "its Ray was started with no processor to give (--num-cpus 0), so it is left alone"
    if not facts.token:
        return (
            "its Ray admits everybody who reaches its port; start Ray on every node with RAY_AUTH_MODE=token "
            "(docs/scale.md says how)"
        )
    if not facts.git:
        return "git is not installed there"
    if opening.sandbox == "bubblewrap" and not facts.bubblewrap:
        return (
            "bubblewrap does not work there, and beside Ray runs are confined by it or not at all, since Landlock "
            "leaves Ray's own sockets open; install it there, or start with --sandbox off"
        )
    if facts.disk_free < LEAST_DISK:
        return (
            f"its disk has {size(facts.disk_free)} left under {facts.folder}; free some, or start its Ray with "
            "LOOPTOP_NODE_FOLDER naming a folder on another disk"
        )
    return ""


def remarks(facts: Facts, asked: float, answered: float) -> list[str]:
    """What a person may want to know of a node that is fit; a sentence each.

    Args:
        asked: when it was looked at, and `answered`, by the clock here: its own must lie between the two.
    """
    found = []
    ahead = max(0.0, facts.clock - answered) or min(0.0, facts.clock - asked)
    if abs(ahead) > CLOCK_S:
        way = "ahead of" if ahead > 0 else "behind"
        found.append(f"its clock is {duration(abs(ahead))} {way} this one; looptop goes by neither, but your logs may")
    return found
