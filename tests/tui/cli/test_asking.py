"""Commands that ask for something: where it cannot be, that is said once, and nothing is recorded."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loop.errors import UserError
from loop.journal import Journal
from loop.workspace import Workspace
from tests.stories import Story
from tui.cli.main import app

COMMANDS = (
    "steer x; pause; pin x; unpin; note 1 x; submit; drain 0; validate; validate --end; ablate; without 1; promote"
)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The journal of a study with a champion, in a folder where no loop can start."""
    path = Workspace(tmp_path).journal
    path.parent.mkdir()
    story = Story().baseline().propose(1).queue(1).runs(1, [0.5, 0.5]).judge(1, "kept", 0.5)
    with Journal(path, create=True) as journal:
        journal.append_all([(event.body, event.experiment, event.run) for event in story.events])
    return path


def refused(journal: Path, command: str) -> tuple[str, str]:
    done = CliRunner().invoke(app, ["-C", str(journal.parent.parent), *command.split()])
    assert isinstance(done.exception, UserError), (command, done)
    return str(done.exception), done.output


def test_a_journal_that_can_only_be_read_is_told_once(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db:
        db.execute("PRAGMA user_version=99")
    sentence = f"{journal} was written by a newer looptop (layout 99); update looptop to ask for anything here"
    for command in COMMANDS.split("; "):
        assert refused(journal, command) == (sentence, ""), command


HOLDER = """
import fcntl, os, sys, time
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print(os.getpid(), file=lock, flush=True)
    print("at work", flush=True)
    time.sleep(60)
"""


def test_a_loop_whose_journal_takes_nothing_is_stopped_all_the_same(journal: Path) -> None:
    """As on a full disk. It is told by a signal, and only where it is to end at once."""
    with closing(sqlite3.connect(journal)) as db:
        db.execute("PRAGMA user_version=99")
    command = [sys.executable, "-c", HOLDER, str(Workspace(journal.parent.parent).lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"at work\n"
        assert "was written by a newer looptop" in refused(journal, "stop")[0]
        assert holder.poll() is None
        done = CliRunner().invoke(app, ["-C", str(journal.parent.parent), "stop", "--now"], catch_exceptions=False)
        assert f"process {holder.pid} was told to end without it\nstopped" in done.stdout
        assert holder.wait() == -signal.SIGTERM


def test_what_a_loop_is_started_for_is_not_on_record_where_none_can_start(journal: Path) -> None:
    with Journal(journal) as opened:
        before = opened.last_seq()
        for command in ("validate", "ablate"):
            assert "git" in refused(journal, command)[0], "the next start would do that and nothing else"
        assert opened.last_seq() == before
