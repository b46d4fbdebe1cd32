"""A supervisor that looks around as often as a test can wait for."""

import pytest


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_BUSY", 0.05)
    monkeypatch.setattr("loop.supervisor.heartbeat.HEARTBEAT_IDLE", 0.05)
