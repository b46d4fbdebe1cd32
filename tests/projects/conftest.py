"""Other people's projects, each a small workspace: the real command line on them, in every sandbox of this machine."""

import pytest

from tests.e2e.conftest import bench
from tests.sandbox.cells import KINDS, found

__all__ = ["bench"]


@pytest.fixture(params=[*KINDS, "off"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """A sandbox's name, for `--sandbox`."""
    if isinstance(missing := found(request.param), str):
        pytest.skip(missing)
    return str(request.param)
