"""A recorded study."""

from pathlib import Path

import pytest

from tests.recorded import record


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of twenty experiments and more, looked at outside of tmux."""
    monkeypatch.delenv("TMUX", raising=False)
    record(tmp_path / ".looptop" / "journal.db", experiments=20)
    return tmp_path
