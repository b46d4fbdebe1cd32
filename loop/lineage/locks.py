"""Git's locks in other hands: a command of the person's is at work, or one that died has left its lock behind.

A command of ours that meets one is tried again until it gets through; none of them has changed anything by then, since
git takes its locks first. Whoever calls says how long that may take, and hears of it. A lock is never removed here: it
may be the only thing that keeps somebody's half-written index whole.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_random_exponential
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

LONGEST_S = 10.0
"""Seconds that a command waits where nobody has said otherwise, such as on a person's own terminal."""

TOLD_AFTER_S = 1.0
"""Seconds after which it is told: most locks are gone within some milliseconds."""

TOLD_AGAIN_S = 60.0
"""Seconds after which it is looked anew who holds it."""

FIRST_WAIT_S, MOST_WAIT_S = 0.05, 2.0

# git writes the path of a lock that it could not take between quotes, in whatever language it speaks.
_LOCK = re.compile(r"'([^'\n]+\.lock)'")
_CONFIG = re.compile(r"could not lock config file (.+?): ")

T = TypeVar("T")


class Patience:
    """How long locks are waited for, and who hears of it. For one checkout; for any number of threads."""

    def __init__(self) -> None:
        self._longest: float | None = LONGEST_S  # None: for ever
        self._hear: Callable[[str | None], None] = lambda _: None
        self._over = threading.Event()

    def for_ever(self, hear: Callable[[str | None], None]) -> None:
        """Wait as long as it takes, until `end`.

        Args:
            hear: gets a sentence when something is waited for, and None when it is over; from any thread.
        """
        self._longest, self._hear = None, hear

    def end(self) -> None:
        """Wait for nothing any more: who waits gives up now."""
        self._over.set()

    def through(
        self,
        command: Callable[[], T],
        blocked: Callable[[T], bool],
        why: Callable[[T], str],
        again: Callable[[], None] = lambda: None,
    ) -> T:
        """What `command` gives as soon as nothing is in its way; what it gave last where that takes too long.

        Args:
            blocked: whether what it gave says that something was in its way.
            why: what that is, in a sentence.
            again: makes ready for the next try.
        """
        told = 0.0

        def tell(state: RetryCallState) -> None:
            nonlocal told
            waited = state.seconds_since_start or 0.0
            if waited >= TOLD_AFTER_S and (not told or waited - told >= TOLD_AGAIN_S) and state.outcome is not None:
                told = waited
                self._hear(why(state.outcome.result()))

        stop = stop_when_event_set(self._over)
        trying = Retrying(
            retry=retry_if_result(blocked),
            wait=wait_random_exponential(FIRST_WAIT_S, MOST_WAIT_S),
            stop=stop if self._longest is None else stop | stop_after_delay(self._longest),
            sleep=sleep_using_event(self._over),
            before=lambda state: again() if state.attempt_number > 1 else None,
            before_sleep=tell,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else None,
        )
        given: T = trying(command)
        if told and not blocked(given):
            self._hear(None)
        return given


def lock_in(complaint: str, root: Path) -> Path | None:
    """The lock that git says it could not take, if that is what it says.

    Args:
        complaint: what git wrote to its standard error.
        root: the folder that it ran in.
    """
    if found := _LOCK.search(complaint):
        return root / found[1]
    if found := _CONFIG.search(complaint):
        return root / f"{found[1]}.lock"
    return None


def sentence(lock: Path, root: Path, common_dir: Path) -> str:
    """Which lock is in the way, since when and by whom, and what to do where nobody alive holds it."""
    try:
        since = time.strftime("%H:%M", time.localtime(lock.stat().st_mtime))
    except OSError:
        return f"git's lock {lock} is taken again and again by other commands; this goes on between two of them"
    if (holder := _holder(lock, root, common_dir)) is not None:
        return f"git's lock {lock} is held since {since} by {holder}; this goes on when that ends"
    return (
        f"git's lock {lock} is there since {since} and no git command is at work here, so one that died has left it; "
        f"if no other program works on this repository, remove it: rm '{lock}'"
    )


def _holder(lock: Path, root: Path, common_dir: Path) -> str | None:
    """The git command of somebody else's that holds a lock, as far as that can be seen: it need not have it open."""
    likely: psutil.Process | None = None
    for process in psutil.process_iter(["name", "ppid"]):
        if not (process.info["name"] or "").startswith("git"):
            continue
        try:
            if process.info["ppid"] == os.getpid() and os.getsid(process.pid) == process.pid:
                continue  # ours, in a session of its own
            if any(Path(file.path) == lock for file in process.open_files()):
                return _named(process)
            folder = Path(process.cwd())
            if folder.is_relative_to(root) or folder.is_relative_to(common_dir):
                likely = likely or process
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or not ours to look at
    try:
        return None if likely is None else _named(likely)
    except psutil.Error:
        return None


def _named(process: psutil.Process) -> str:
    words = " ".join([Path(process.cmdline()[0]).name, *process.cmdline()[1:]]) if process.cmdline() else process.name()
    return f"`{words[:80]}` of {process.username()} (process {process.pid})"
