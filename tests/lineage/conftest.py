"""A study in a repository of its own, where nobody has settings for git."""

from pathlib import Path

import pytest

from loop.lineage import Lineage
from tests.repositories import make_repository


@pytest.fixture
def lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    made = Lineage(make_repository(tmp_path / "repo"), "study")
    made.prepare()
    return made
