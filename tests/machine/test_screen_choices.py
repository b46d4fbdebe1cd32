"""What a person has chosen on a screen is there in the next one, and nothing of a broken file is."""

from pathlib import Path

import pytest

from loop.machine import screen_choices


def test_columns_are_kept_and_a_broken_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert screen_choices.columns() == ()
    screen_choices.keep_columns(("effect", "time"))
    assert screen_choices.columns() == ("effect", "time")
    for text in ("{", "[]", '{"columns": 3}', '{"columns": [1, "age"]}'):
        (tmp_path / "state" / "looptop" / "screen.json").write_text(text)
        assert screen_choices.columns() == (("age",) if "age" in text else ())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    screen_choices.keep_columns(("effect",))  # cannot be written: nobody is told
    assert screen_choices.columns() == ()
