"""`looptop doctor --mend` and `--rebuild` on the command line: what they print, and what they refuse."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loop.errors import UserError
from loop.journal import Journal
from loop.lineage import LineageError, find_root
from loop.workspace import Workspace, supervise
from tests.recovery.test_recovery import Hurt, hurt, ran
from tui.cli import checks
from tui.cli.main import app
from tui.cli.open_study import Refused, open_journal

__all__ = ["hurt", "ran"]


def looptop(root: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["-C", str(root), "doctor", *arguments], catch_exceptions=False)
    return done.stdout


def refused(root: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["-C", str(root), "doctor", *arguments])
    assert isinstance(done.exception, Refused | UserError)
    return str(done.exception)


def test_a_mending_tells_what_it_found_and_a_second_one_nothing(hurt: Hurt) -> None:
    hurt.git("update-ref", "-d", "refs/looptop/test/2")
    (line,) = (check.line() for check in checks.study(hurt.root) if check.what == "recovery")
    assert line == (
        "– recovery    the ref of experiment 2 is gone; the next start mends that, or `looptop doctor --mend`"
    )
    assert json.loads(looptop(hurt.root, "--mend", "--json")) == [
        {
            "kind": "ref",
            "said": "the ref of experiment 2 is gone",
            "then": "put back",
            "experiments": [2],
            "mended": True,
        }
    ]
    assert looptop(hurt.root, "--mend") == "nothing disagrees\n"


def test_a_rebuild_prints_what_came_back_and_names_what_did_not(hurt: Hurt) -> None:
    for path in (hurt.root / ".looptop").glob("journal.db*"):
        path.unlink()
    (check,) = checks.study(hurt.root)
    assert check.said == f"there is no journal in {hurt.root}, and git knows test"
    assert "`looptop doctor --rebuild`" in check.remedy
    with pytest.raises(Refused, match="git knows test; `looptop doctor --rebuild` brings one back"):
        open_journal(hurt.root)
    assert "there is no study here yet" in refused(hurt.root, "--mend"), "and no empty journal is in the way now"
    Journal(
        Workspace(hurt.root).journal, create=True
    ).close()  # as a start leaves it that ended before it began a study
    lines = looptop(hurt.root, "--rebuild").splitlines()
    assert lines[0] == ("the journal of test was made anew: experiments 0 to 4 from git; experiment 4 is the champion")
    assert "not restored: the notebook" in lines
    assert "is whole, so there is nothing to rebuild" in refused(hurt.root, "--rebuild")


def test_what_is_no_journal_and_what_is_no_folder_are_named(hurt: Hurt) -> None:
    for path in (hurt.root / ".looptop").glob("journal.db*"):
        path.unlink()
    Workspace(hurt.root).journal.symlink_to("nowhere")
    (check,) = checks.study(hurt.root)
    assert check.needed and check.said.endswith("is no file that could be a journal; move it away")
    shutil.rmtree(hurt.root / ".looptop")
    (hurt.root / ".looptop").touch()
    (check,) = checks.study(hurt.root)
    assert check.needed and check.said.endswith("is no folder, and looptop keeps a study in it; move it away")
    with pytest.raises(UserError, match="is no folder"):
        hurt.lineage.prepare()
    assert "is no folder" in refused(hurt.root, "--rebuild")


def test_what_a_start_would_be_refused_for_is_found(hurt: Hurt) -> None:
    with closing(sqlite3.connect(Workspace(hurt.root).journal)) as db:
        db.execute("PRAGMA user_version=99")
    (check,) = checks.study(hurt.root)
    assert check.needed and not check.good and "was written by a newer looptop" in check.said
    shutil.rmtree(hurt.root / ".git")
    (hurt.root / ".git").write_text("gitdir: /gone/.git/worktrees/copy")  # its repository was moved
    with pytest.raises(LineageError, match=r"not a git repository: /gone/\.git/worktrees/copy"):
        find_root(hurt.root)


def test_beside_a_loop_at_work_it_mends_and_rebuilds_nothing(hurt: Hurt) -> None:
    with supervise(hurt.root):
        for flag in ("--mend", "--rebuild"):
            assert "a supervisor is already at work here" in refused(hurt.root, flag)
    assert Workspace(hurt.root).journal.exists()


def test_flags_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    assert "not both" in refused(tmp_path, "--mend", "--rebuild")
    assert "it goes with --rebuild" in refused(tmp_path, "--tag", "test")


def test_an_option_in_front_of_a_command_is_the_command_s_own_where_it_has_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["-C", str(tmp_path), "--tag", "test", "doctor"])
    assert isinstance(done.exception, Refused) and "it goes with --rebuild" in str(done.exception)
    done = CliRunner().invoke(app, ["-C", str(tmp_path), "--hours", "2", "doctor"])
    assert isinstance(done.exception, Refused) and "--hours in front of `doctor` has no effect" in str(done.exception)
