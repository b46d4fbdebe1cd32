"""Many at once: four slots, and researchers of every kind beside each other."""

import asyncio
from pathlib import Path

import pytest

from tests import many


@pytest.mark.parametrize("experiments", [20, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])])
def test_a_study_with_four_slots_and_four_researchers(tmp_path: Path, experiments: int) -> None:
    end, endpoint = asyncio.run(many.study(tmp_path, experiments))
    assert not end.failed, end.reason
    assert many.wrong(tmp_path, endpoint, experiments) == []
