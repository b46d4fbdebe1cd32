"""What the command `looptop` starts: the command line of `tui.cli`, and not what else is called `loop` or `tui`.

A project that trains with a `loop.py`, and has its own folder on PYTHONPATH, would otherwise have that run here, and in
every process that is started from here. Runs are another matter: they have an environment of their own.
"""

import os
import sys
from pathlib import Path

NAMES = ("loop", "tui")


def main() -> None:
    """Run the command line; never returns."""
    leave_out_namesakes()
    from tui.cli.main import main as command_line

    command_line()


def leave_out_namesakes() -> None:
    """Take the folders off PYTHONPATH in which something else has a name of ours, also for the processes we start."""
    given = [name for name in os.environ.get("PYTHONPATH", "").split(os.pathsep) if name]
    others = {name for name in given if _holds_another(Path(name))}
    if not others:
        return
    os.environ["PYTHONPATH"] = os.pathsep.join(name for name in given if name not in others)
    resolved = {Path(name).resolve() for name in others}
    sys.path[:] = [place for place in sys.path if not place or Path(place).resolve() not in resolved]


def _holds_another(folder: Path) -> bool:
    """Whether an import finds one of our names there; a mere folder of modules comes after every package."""
    if folder.resolve() == Path(__file__).resolve().parent:
        return False
    return any((folder / name / "__init__.py").exists() or (folder / f"{name}.py").exists() for name in NAMES)
