"""A workspace whose supervisor runs in this process."""

from pathlib import Path

import pytest

from tests.supervisor.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
