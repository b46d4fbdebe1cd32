"""Git locks that other programs hold: a command of the person's is running, or one that died has left its lock behind.

Our command is retried until it gets through; it has changed nothing by then, since git takes its locks first. The
caller decides how long to retry, and is told of the wait. A lock is never removed here: it may be the only thing that
protects somebody's half-written index.

`Turns` is a lock of ours, between the loops of one repository.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
from filelock import FileLock, Timeout
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_random_exponential
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

LONGEST_S = 10.0
"""Seconds that a command waits by default, such as in a person's own terminal."""

LONGEST_TURN_S = 60.0
"""Seconds that a loop waits for its turn at the worktrees' records; whoever takes longer hangs, and holds nobody up."""

TOLD_AFTER_S = 1.0
"""Seconds after which the wait is reported: most locks are gone within milliseconds."""

TOLD_AGAIN_S = 60.0
"""Seconds after which it is reported again, with the present holder."""

FIRST_WAIT_S, MOST_WAIT_S = 0.05, 2.0

# git writes the path of a lock that it could not take between quotes, in whatever language it speaks.
_LOCK = re.compile(r"'([^'\n]+\.lock)'")
_CONFIG = re.compile(r"could not lock config file (.+?): ")

T = TypeVar("T")


class Turns:
    """One at a time, among the threads of this process and among all loops of a repository.

    Args:
        path: the file to lock, in the git folder that they share. Where it cannot be made, as by somebody who may only
            read the repository, the threads of this process are kept apart all the same.
    """

    def __init__(self, path: Path) -> None:
        self._threads = threading.Lock()
        self._file = FileLock(path, timeout=LONGEST_TURN_S, poll_interval=0.01, thread_local=False)

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if Path(self._file.lock_file).parent.is_dir():  # else the lock would make a git folder that was moved away
                self._file.acquire()
        except (OSError, Timeout):
            pass

    def __exit__(self, *_: object) -> None:
        self._file.release()
        self._threads.release()


class Patience:
    """How long to wait for locks, and who is told. For one checkout and any number of threads."""

    def __init__(self) -> None:
        self._longest: float | None = LONGEST_S  # None: for ever
        self._hear: Callable[[str | None], None] = lambda _: None
        self._over = threading.Event()

    def for_ever(self, hear: Callable[[str | None], None]) -> None:
        """Wait as long as it takes, until `end`.

        Args:
            hear: called with a sentence when a wait begins, and with None when it is over; from any thread.
        """
        self._longest, self._hear = None, hear

    def end(self) -> None:
        """Stop waiting: every waiting command gives up now."""
        self._over.set()

    def through(
        self,
        command: Callable[[], T],
        blocked: Callable[[T], bool],
        why: Callable[[T], str],
        again: Callable[[], None] = lambda: None,
    ) -> T:
        """The result of `command` as soon as nothing blocks it; its last result if that takes too long.

        Args:
            blocked: whether a result says that something blocked the command.
            why: what blocked it, in a sentence.
            again: prepares the next attempt.
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
    """Which lock blocks us, since when and by whom, and what to do if no living process holds it."""
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
    """The git process that probably holds a lock; it need not have the file open."""
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
