"""Which studies a machine has."""

from pathlib import Path

import pytest

from loop.machine import studies
from tests.recorded import record


def test_a_workspace_is_known_once_and_for_as_long_as_it_has_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert studies.known() == []
    for name in ("one", "two ü", "gone"):
        record(tmp_path / name / ".looptop" / "journal.db", experiments=1)
        studies.note(tmp_path / name)
    studies.note(tmp_path / "one")
    (tmp_path / "gone" / ".looptop" / "journal.db").unlink()
    (tmp_path / "state" / "looptop" / "workspaces" / "x.json").write_text("{")
    assert [one.root.name for one in studies.known()] == ["one", "two ü"]


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    studies.note(tmp_path)
    assert studies.known() == []
