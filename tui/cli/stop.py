"""`looptop stop`: ask the supervisor to stop, wait, and kill it if it does not answer."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from loop.journal import Journal, JournalError
from loop.study import events as e
from loop.study.folding import FOLDED, fold
from loop.words import clock
from loop.workspace import supervisor_alive

PATIENCE = 20.0
"""Seconds that a supervisor has to stop with --now; ending a run takes six at most."""


def stop_loop(root: Path, journal: Journal, who: str, *, now: bool, wait: bool) -> Iterator[str]:
    """Stop the loop of the workspace at `root`; yields lines for the person."""
    pid = supervisor_alive(root)
    try:
        journal.append(e.Stopped(who=who, now=now))
    except JournalError as error:  # such as a full disk: the loop waits for room, and would for an hour
        if not now or not pid:
            raise
        os.kill(pid, signal.SIGTERM)
        yield f"{error}; process {pid} was told to end without it"
    study = fold(journal.read(kinds=FOLDED))
    in_flight = study.running()
    if not now and in_flight:
        experiment, run = in_flight[0]
        left = clock(max(0.0, run.budget - (time.time() - run.started_at)))
        yield f"stopping after run {experiment.id}.{run.number}, in about {left}; `looptop stop --now` does not wait"
    if not wait:
        return
    deadline = time.monotonic() + (PATIENCE if now else float("inf"))
    while (supervisor_alive(root) is not None or _lives(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if pid and supervisor_alive(root) is not None:
        yield f"the supervisor (process {pid}) does not answer; killing it"
        os.kill(pid, signal.SIGKILL)  # the wardens end their runs when it is gone
        time.sleep(1)
    yield "stopped; everything is kept, and `looptop` goes on from here"


def _lives(pid: int | None) -> bool:
    """Whether the process still runs: it releases the workspace a moment before it ends."""
    try:
        return bool(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
