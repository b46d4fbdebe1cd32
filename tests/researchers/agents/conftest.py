"""A workspace with a place for agents' scripts."""

from pathlib import Path

import pytest

from tests.researchers.agents.scripts import Agents


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agents:
    monkeypatch.setattr("loop.pipeline.pool.PATIENCE", (0.01, 0.02))
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.3)  # a limit is noticed with the next beat
    return Agents(tmp_path)
