"""A language model at a real terminal: its reasoning streams onto the screen, and what is typed there reaches it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Bench
from tests.endpoint import Answer, Endpoint
from tests.terminals import Tmux, needs_tmux

pytestmark = needs_tmux

LOOKS = Answer(reasoning="A model that sees further may learn more. ", calls=(("read_file", {"path": "train.py"}),))
SLOW = Answer(reasoning="on and on " * 3000, rate=60, pieces=12)


@pytest.fixture
def tmux(tmp_path: Path, bench: Bench) -> Iterator[Tmux]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{bench.environment.get('PATH', '')}"
    folders = {name: bench.environment[name] for name in ("HOME", "XDG_CONFIG_HOME")}
    server = Tmux(tmp_path, PATH=path, PYTHONPATH="", OPENAI_API_KEY="sk-marker-0815", **folders)
    server.start(100, 30)
    server.line(f"cd '{bench.root}'")
    yield server
    server.close()


def test_what_it_thinks_streams_and_what_is_typed_is_in_its_next_request(bench: Bench, tmux: Tmux) -> None:
    bench.program(keep={"baseline_runs": 2, "max_runs": 2})
    with Endpoint(LOOKS, SLOW, SLOW) as endpoint:
        tmux.line(f"looptop --model test-model --base-url {endpoint.url}; echo rc=$?")
        tmux.wait("A model that sees further may learn more.")
        tmux.wait("read train.py")
        tmux.wait("on and on on and on")
        tmux.type("s")
        tmux.wait("steer ▸")
        tmux("send-keys", "-l", "!mind the depth")
        tmux.type("Enter")
        tmux.wait("▸ mind the depth")
        bench.until(lambda: len(endpoint.requests) == 3)
        cut, again = endpoint.requests[1:3]
        assert "mind the depth" not in cut.text and "mind the depth" in again.text
        bench.until(lambda: cut.gone_at is not None)  # the endpoint may notice a moment after the next request
        tmux.wait("heard before experiment 1")
        tmux.type("q")
        tmux.wait("rc=0")
        assert "0815" not in tmux("capture-pane", "-p", "-S", "-")
        bench.looptop("stop", "--now")
