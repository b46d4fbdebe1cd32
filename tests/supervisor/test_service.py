"""Starting a supervisor in the background."""

import os
from pathlib import Path

import pytest

from loop.config.overrides import Overrides
from loop.supervisor.service import start_in_background
from loop.workspace import AlreadySupervised, supervise
from tests.supervisor.house import House


def test_who_is_second_to_start_a_loop_learns_whose_it_is(tmp_path: Path) -> None:
    House(tmp_path)
    with supervise(tmp_path), pytest.raises(AlreadySupervised) as told:
        start_in_background(tmp_path, Overrides(researcher=("automl",), sandbox="off"))
    assert told.value.pid == os.getpid()
