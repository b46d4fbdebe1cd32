"""A recorded study, and one time zone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recorded import record


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of twenty experiments and more, looked at outside of tmux."""
    monkeypatch.delenv("TMUX", raising=False)
    record(tmp_path / ".looptop" / "journal.db", experiments=20)
    return tmp_path


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
