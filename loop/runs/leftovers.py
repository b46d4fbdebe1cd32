"""Finds and ends what a run left behind when its warden, or the supervisor, could not.

A process of a run is known by LOOPTOP_RUN_DIR in its environment, which it inherited from the supervisor that started
it. Only the user's own processes are looked at, never this process or one that it descends from.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from loop.runs import tree
from loop.runs.warden import GRACE_S

STARTED_BY_US: set[int] = set()
"""Processes that this process itself started in sessions of their own, wardens above all: they are nobody's orphans.
Whoever starts another one here that way adds it, and takes it out when it has ended."""


@dataclass(frozen=True)
class Leftover:
    """A process of an earlier supervisor's run, found and ended."""

    pid: int
    run_dir: Path
    """Which run it was of: its LOOPTOP_RUN_DIR."""
    command: str
    """Its command line."""


def sweep_leftovers(state_dir: Path) -> list[Leftover]:
    """End every process of a run whose LOOPTOP_RUN_DIR lies under `state_dir`, and all their children.

    For the start of a supervisor that holds the workspace's lock: then whatever is found there is left over. Wardens
    among them end their own runs when asked to, down to daemons that hide their environment. Blocks for up to six
    seconds where something has to be killed, a few milliseconds where there is nothing.

    Args:
        state_dir: the workspace's `.looptop`.
    """
    root = state_dir.resolve()
    found: dict[int, Leftover] = {}
    until = time.monotonic() + GRACE_S + 0.5

    def walk() -> list[int]:
        here = _processes_under(root)
        found.update({process.pid: process for process in here if process.pid not in found})
        below = [pid for process in here for pid in tree.descendants(process.pid)]
        return tree.living({*(process.pid for process in here), *below})

    alive = walk()
    tree.ask_to_end(alive)
    while alive and time.monotonic() < until:
        time.sleep(0.02)
        alive = walk()
    for _ in range(50):  # a second in all; what survives that hangs in the kernel
        if not alive:
            break
        tree.freeze_and_kill(walk)
        time.sleep(0.02)
        alive = walk()
    return list(found.values())


def sweep_orphans(run_dir: str, since: float) -> int:
    """End what a run whose warden was killed has left to this process, its subreaper.

    An orphan is a child that carries the run's `run_dir` in its environment, or, since a run can hide that, one that
    lives in a session of its own, appeared after the run began, and is not in STARTED_BY_US. Blocks, a few milliseconds
    as a rule, five seconds where something hangs in the kernel.

    Args:
        run_dir: LOOPTOP_RUN_DIR of that run.
        since: when the run began, on psutil's clock of creation times (epoch seconds).

    Returns:
        How many orphans it ended.
    """
    ended: set[int] = set()

    def walk() -> list[int]:
        below_us = [pid for pid in tree.children(os.getpid()) if pid not in STARTED_BY_US]
        orphans = [pid for pid in below_us if pid in ended or _is_orphan(pid, run_dir, since)]
        ended.update(orphans)
        return tree.living([*orphans, *(pid for orphan in orphans for pid in tree.descendants(orphan))])

    for _ in range(500):
        tree.freeze_and_kill(walk)
        for pid in ended:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass  # reaped at an earlier turn
        if not walk():
            break
        time.sleep(0.01)
    return len(ended)


def _processes_under(root: Path) -> list[Leftover]:
    """The user's processes whose LOOPTOP_RUN_DIR lies under `root`, without this one and its ancestors."""
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


def _is_orphan(pid: int, run_dir: str, since: float) -> bool:
    try:
        process = psutil.Process(pid)
        if run_dir and process.environ().get("LOOPTOP_RUN_DIR") == run_dir:
            return True
        return os.getsid(pid) != os.getsid(0) and process.create_time() >= since
    except (psutil.Error, OSError):
        return False
