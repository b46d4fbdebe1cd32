"""A journal, and somebody who holds it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loop.journal import Journal
from tests.journal.journals import fill_in

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(sys.argv[2])
db.execute("SELECT count(*) FROM events").fetchone()
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of 400 events in 40 pages or so, closed cleanly."""
    with Journal(tmp_path / "journal.db", create=True) as journal:
        fill_in(journal, 400)
    return tmp_path / "journal.db"


@pytest.fixture
def hold(path: Path) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Have another process begin a transaction and never end it."""
    holders = []

    def start(begin: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", HOLDER, str(path), begin]
        holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert holders[-1].stdout is not None
        assert holders[-1].stdout.readline() == b"holds\n"
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()
