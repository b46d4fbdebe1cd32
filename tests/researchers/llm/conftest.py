"""Waits that a test can wait for."""

import pytest
from tenacity import wait_random_exponential


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not answer is asked again within hundredths of a second."""
    monkeypatch.setattr("loop.researchers.llm.endpoint._growing", wait_random_exponential(multiplier=0.01, max=0.02))
