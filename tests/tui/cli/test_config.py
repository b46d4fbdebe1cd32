"""`looptop config`: what is in force and where it comes from, without a key in it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loop.journal import Journal
from loop.study import events as e
from tui.cli.main import app


def test_each_setting_is_told_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study" / ".looptop").mkdir(parents=True)
    file = tmp_path / "home" / "looptop" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('theme = "light"\nmodel = "of-the-file"\n[prices]\nread = 1\nwritten = 2\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marker-0815")
    monkeypatch.setenv("LOOPTOP_MODEL", "of-the-variable")
    with Journal(tmp_path / "study" / ".looptop" / "journal.db", create=True) as journal:
        journal.append(e.SupervisorStarted(pid=1, host="h", version="1", options={"base_url": "http://localhost:1/v1"}))
    words = ["-C", str(tmp_path / "study"), "config"]
    told = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)
    assert (told["file"], told["exists"]) == (str(file), True)
    settings = told["settings"]
    assert settings["theme"] == {"value": "light", "from": str(file)}
    assert settings["model"] == {"value": "of-the-variable", "from": "LOOPTOP_MODEL"}
    assert settings["base_url"] == {"value": "http://localhost:1/v1", "from": "--base-url"}
    assert settings["api_key"] == {"value": "set", "from": "OPENAI_API_KEY"}
    assert settings["prices"]["value"] == {"read": 1, "written": 2, "cached": None}
    assert settings["ascii"] == {"value": False, "from": "default"}
    printed = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert "sk-marker" not in printed + json.dumps(told)
    assert any(line.split() == ["model", "of-the-variable", "LOOPTOP_MODEL"] for line in printed.splitlines())
