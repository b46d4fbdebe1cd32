"""`digest`, `notify` and `replay` as they are typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loop.errors import UserError
from tests.recorded import record
from tui.cli.main import app


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    record(tmp_path / ".looptop" / "journal.db", experiments=12)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    return tmp_path


def run(workspace: Path, *words: str) -> tuple[int, str]:
    """The exit code and the output, or the sentence of a refusal."""
    done = CliRunner().invoke(app, ["-C", str(workspace), *words])
    if isinstance(done.exception, UserError):
        return done.exception.code, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_digest_begins_at_the_last_look_that_was_marked(workspace: Path) -> None:
    code, text = run(workspace, "digest")
    assert code == 0 and "+12 experiments" in text and "\nkept" in text
    assert "+12 experiments" in run(workspace, "digest", "--mark")[1]
    assert "+0 experiments" in run(workspace, "digest")[1], "the look was marked"
    told = json.loads(run(workspace, "digest", "--since", "2020-01-01", "--json")[1])
    assert told["judged"] == 12 and sum(map(len, told["verdicts"].values())) == 12
    code, text = run(workspace, "digest", "--since", "soon")
    assert code == 2 and "is no moment" in text


def test_a_test_message_says_what_came_back_of_each_way(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPTOP_NOTIFY", "bell")
    code, text = run(workspace, "notify")
    assert code == 2 and "no way is set that reaches you elsewhere" in text and "ntfy:TOPIC" in text
    out = workspace / "out"
    monkeypatch.setenv("LOOPTOP_NOTIFY", f"command:tee {out},command:sh -c 'exit 4'")
    code, text = run(workspace, "notify", "back", "at", "nine")
    assert code == 1 and out.read_text() == "back at nine"
    assert text.splitlines() == ["command (tee)  taken: exit 0", "command (sh)   NOT TAKEN: sh ended with 4"]
    told = json.loads(run(workspace, "notify", "--json")[1])
    assert [one["taken"] for one in told] == [True, False]


def test_a_replay_of_no_moment_is_refused_before_anything_is_drawn(workspace: Path) -> None:
    assert run(workspace, "replay", "--at", "soon")[0] == 2
    assert run(workspace, "replay", "--at", "99") == (2, "--at: experiment 99 has no verdict to go to")
    for moment in ("3", "4h", "22:14", "2026-01-31"):
        code, text = run(workspace, "replay", "--at", moment)
        assert code == 2 and "cannot show the cockpit" in text, "there is no terminal here"
