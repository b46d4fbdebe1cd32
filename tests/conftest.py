"""What every test has: a state folder of its own, so that none notes its workspaces among a person's.

And compiled modules: where `PYTHONDONTWRITEBYTECODE` is set, as in many containers, each of the thousand processes that
the tests start would compile all of looptop anew, which is a third of what a supervisor's start takes.
"""

import os
import sys
from collections.abc import Iterator

import pytest

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
