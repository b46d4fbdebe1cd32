"""Journals to attack, and what they are refused with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loop.journal import Journal, JournalError
from loop.journal.wal import wal_size
from loop.study import events as e

REBUILD = "nothing was changed; `looptop doctor --rebuild` saves what can be read and adds what git knows"


def fill_in(journal: Journal, count: int) -> None:
    journal.append_all([(e.NoteWritten(researcher="r", text=f"{n} " + 200 * "x"), n, None) for n in range(count)])


def killed_in_the_middle(path: Path, more: int = 0) -> None:
    """Let a process append to the journal and be killed, so that its WAL stays."""
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom loop.study import events as e\n"
        "from loop.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for _ in range(int(sys.argv[2])):\n    journal.append(e.Paused(who='ada'))\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path), str(more)])
    assert done.returncode == -signal.SIGKILL and (not more or wal_size(path) > 0)


def content(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder that this user may read."""
    return {part.name: part.read_bytes() for part in folder.iterdir() if part.is_file() and os.access(part, os.R_OK)}


def refusal(path: Path, *, check: bool = False) -> str:
    """What opening and reading the journal is refused with; nothing of it has changed then."""
    before = content(path.parent)
    with pytest.raises(JournalError) as refused, Journal(path) as journal:
        if check:
            journal.check()
        journal.read()
    after = content(path.parent)
    assert {name: after.get(name) for name in before if not name.endswith("-shm")} == {
        name: content for name, content in before.items() if not name.endswith("-shm")
    }
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)
