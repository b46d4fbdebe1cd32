"""Finds and ends the processes that a run left behind when neither its warden nor the supervisor could end them.

A process of a run is known by LOOPTOP_RUN_DIR in its environment, which it inherited from the supervisor that started
it. Only the user's own processes are looked at, never this process or one that it descends from.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from loop.runs.local import process_tree
from loop.runs.local.warden import ORPHANED_GRACE_S


@dataclass(frozen=True)
class Leftover:
    """A process of an earlier supervisor's run."""

    pid: int
    run_dir: Path
    """Which run it was of: its LOOPTOP_RUN_DIR."""
    command: str
    """Its command line."""


def sweep_leftovers(state_dir: Path) -> list[Leftover]:
    """End every process of a run whose LOOPTOP_RUN_DIR lies under `state_dir`, and all their children.

    For the start of a supervisor that holds the workspace's lock: then whatever is found there is left over. Wardens
    among them end their own runs when asked to, down to daemons that hide their environment. Blocks for up to three
    seconds where something has to be killed, a few milliseconds where there is nothing.

    Args:
        state_dir: the workspace's `.looptop`.
    """
    found: dict[int, Leftover] = {}
    until = time.monotonic() + ORPHANED_GRACE_S + 1  # a warden takes its own grace, and then a moment

    def walk() -> list[int]:
        here = find_leftovers(state_dir)
        found.update({process.pid: process for process in here if process.pid not in found})
        below = [pid for process in here for pid in process_tree.descendants(process.pid)]
        return process_tree.living({*(process.pid for process in here), *below})

    alive = walk()
    process_tree.ask_to_end(alive)
    while alive and time.monotonic() < until:
        time.sleep(0.02)
        alive = walk()
    for _ in range(50):  # a second in all; what survives that hangs in the kernel
        if not alive:
            break
        process_tree.freeze_and_kill(walk)
        time.sleep(0.02)
        alive = walk()
    return list(found.values())


def sweep_orphans(run_dir: str, warden: int) -> int:
    """End what a run has left to this process, its subreaper, after it got the better of its guards.

    Orphans are known by `run_dir` in their environment, and everything below them goes with them. A daemon that wiped
    its environment and outlived both guards is not told apart from a child of our own, and stays. Blocks for a few
    milliseconds as a rule, five seconds where something hangs in the kernel.

    Args:
        run_dir: LOOPTOP_RUN_DIR of that run.
        warden: its warden's process id; it is one of the orphans when the run has ended its keeper.

    Returns:
        How many processes it ended.
    """
    ended: set[int] = set()

    def orphans() -> list[int]:
        return [
            pid for pid in process_tree.children(os.getpid()) if pid == warden or pid in ended or _is_of(pid, run_dir)
        ]

    def walk() -> list[int]:
        first = orphans()
        found = [*first, *(pid for orphan in first for pid in process_tree.descendants(orphan))]
        ended.update(found)
        return process_tree.living(found)

    for _ in range(500):
        if not orphans():  # not even dead ones: as each is collected, its own children become ours
            break
        process_tree.freeze_and_kill(walk)
        for pid in ended:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass  # not ours yet, or no longer
        time.sleep(0.01)
    return len(ended)


def reap_strangers() -> int:
    """Collect the dead children of this process that it did not start: orphans that came to it as their subreaper.

    What the loop starts itself leads a session of its own, and is waited for by whoever started it; its status must
    not be taken from them. Returns how many were collected.
    """
    collected = 0
    for pid in process_tree.zombies(process_tree.children(os.getpid())):
        try:
            if os.getsid(pid) != pid:
                collected += os.waitpid(pid, os.WNOHANG)[0] == pid
        except (ChildProcessError, ProcessLookupError):
            pass  # collected by somebody else meanwhile
    return collected


def find_leftovers(state_dir: Path) -> list[Leftover]:
    """The processes that `sweep_leftovers` would end first, without this one and its ancestors; ends nothing."""
    root = state_dir.resolve()
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in spared:
            continue
        try:
            run_dir = process.environ().get("LOOPTOP_RUN_DIR", "")
            if run_dir and process.uids().real == os.getuid() and Path(run_dir).resolve().is_relative_to(root):
                found.append(Leftover(process.pid, Path(run_dir), " ".join(process.cmdline())))
        except (psutil.Error, OSError):
            pass  # gone meanwhile, a zombie, or not ours to look at
    return found


def _is_of(pid: int, run_dir: str) -> bool:
    try:
        return bool(run_dir) and psutil.Process(pid).environ().get("LOOPTOP_RUN_DIR") == run_dir
    except (psutil.Error, OSError):
        return False
