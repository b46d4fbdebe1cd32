"""Lets a test find every process of a run, also one that hides: each leaves its process id in the run's own folder."""

import os
from pathlib import Path

FOLDER = Path(os.environ["LOOPTOP_RUN_DIR"]) / "pids"  # looked up early: some programs wipe their environment


def here() -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / str(os.getpid())).touch()


def daemonise() -> bool:
    """Fork twice with setsid between, as a daemon does. True in the daemon, False in the process that called."""
    if child := os.fork():
        os.waitpid(child, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)
    here()
    return True
