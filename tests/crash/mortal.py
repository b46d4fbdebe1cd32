"""A supervisor that dies at its n-th step: statements of its journal, and events that change something in the system.

The steps are counted from inside by Python's audit hooks and SQLite's trace, so it works on every machine and the
product knows nothing of it. At the chosen step the process stops dead, before the step is taken.
"""

import gc
import itertools
import os
import re
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGING = {
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.truncate", "os.kill",
    "os.killpg", "os.fork", "os.posix_spawn", "fcntl.flock", "fcntl.lockf", "shutil.rmtree", "subprocess.Popen",
}  # fmt: skip
"""Audit events that change something outside of the process; `open` does where it is for writing."""

READING = ("SELECT", "PRAGMA", "--")


class Mortal:
    """Counts the steps of this process, from `watch` on.

    Args:
        at: the step at which it ends; 0 is never.
        what: the name of the steps that are counted for it; empty for all.
        root: the workspace, so that steps can be named by where they happen.
        tell: gets what is known of the step, just before the end.
        how: SIGKILL, or SIGSTOP where somebody outside is to end more than this process.
    """

    def __init__(self, at: int, what: str, root: Path, tell: Callable[[str], None], how: signal.Signals) -> None:
        self._at, self._what, self._root, self._tell, self._how = at, what, root, tell, how
        self._count = itertools.count(1)
        self._dying = False
        self.steps: Counter[str] = Counter()
        """How often each step was taken, by its name."""

    def watch(self) -> None:
        """Begin to count; there is no way back."""
        connect = sqlite3.connect

        def traced(*arguments: Any, **named: Any) -> sqlite3.Connection:
            made = connect(*arguments, **named)
            made.set_trace_callback(self._traced)
            return made

        sqlite3.connect = traced
        sys.addaudithook(self._audited)

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGING:
            self._step(self._named(event, arguments))
        elif event == "open" and _writes(*arguments) and not str(arguments[0]).startswith("/dev"):
            self._step(f"open {self._place(arguments[0])}")

    def _traced(self, statement: str) -> None:
        if statement.startswith(READING):
            return
        kind = re.search(r"VALUES \([\d.e+]+, ?'(\w+)'", statement)
        self._step(f"{statement.split(' ', 1)[0]} {kind[1]}" if kind else statement.split(" ", 1)[0])

    def _named(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event == "subprocess.Popen":
            words = [os.fsdecode(word) if isinstance(word, str | bytes | Path) else "" for word in arguments[1]]
            while "-c" in words[1:-1]:
                del words[words.index("-c") : words.index("-c") + 2]
            program = Path(words[0]).name if words else ""
            return f"start {program} {words[1]}" if program == "git" and len(words) > 1 else f"start {program}"
        named = isinstance(arguments[0], str | bytes | os.PathLike) if arguments else False
        return f"{event} {self._place(arguments[0])}" if named else event

    def _place(self, path: Any) -> str:
        """A path by its first two names in the workspace, numbers left out."""
        try:
            inside = Path(os.fsdecode(path)).relative_to(self._root)
        except (TypeError, ValueError):
            return "elsewhere"
        return re.sub(r"\d+", "N", "/".join(inside.parts[:2]))

    def _step(self, what: str) -> None:
        if self._dying:
            return
        self.steps[what] += 1
        if self._what in ("", what) and next(self._count) == self._at:
            self._dying = True
            self._tell(f"{what}\t{self._disagreement()}")
            os.kill(os.getpid(), self._how)
            threading.Event().wait()  # nothing more happens in this thread

    def _disagreement(self) -> str:
        """Whether this process remembers the study as the journal tells it so far; empty where it does."""
        if threading.current_thread() is not threading.main_thread():
            return ""  # the main thread may be in the midst of folding
        from loop.journal.recorder import Recorder
        from loop.study.folding import FOLDED, fold

        for recorder in [found for found in gc.get_objects() if isinstance(found, Recorder)]:
            if not hasattr(recorder, "study"):
                continue
            from tests.consistency import Row

            journal = recorder._journal.path
            db = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
            found = db.execute(
                "SELECT seq, at, kind, experiment, run, body FROM events WHERE seq <= ? ORDER BY seq", (recorder._seen,)
            ).fetchall()
            db.close()
            study = fold(row.event() for row in (Row(*values) for values in found) if row.kind in FOLDED)
            if study != recorder.study:
                return "what the supervisor had in mind is not what the journal says"
        return ""


def _writes(path: object, mode: object, flags: object) -> bool:
    """Whether a file is opened for writing, from what `open` tells of it."""
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
