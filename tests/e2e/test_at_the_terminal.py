"""The whole path at a real terminal: a real loop started, watched, steered, left and come back to, in tmux."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Bench
from tests.terminals import Tmux, needs_tmux, whole
from tui.screens.experiment import second_study

pytestmark = needs_tmux


@pytest.fixture
def tmux(tmp_path: Path, bench: Bench) -> Iterator[Tmux]:
    """A terminal in the workspace, with `looptop` on its path and nothing of ours in its environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{bench.environment.get('PATH', '')}"
    folders = {name: bench.environment[name] for name in ("HOME", "XDG_CONFIG_HOME")}
    server = Tmux(tmp_path, PATH=path, PYTHONPATH="", **folders)
    server.start(100, 30)
    server.line(f"cd '{bench.root}'")
    yield server
    server.close()


def test_a_loop_is_started_steered_left_and_come_back_to(bench: Bench, tmux: Tmux) -> None:
    bench.program(budget="1s", limits={"experiments": 99}, keep={"baseline_runs": 2, "max_runs": 1})
    tmux.line("looptop --researcher automl; echo rc=$?")
    tmux.wait("baseline")
    tmux.type("s")
    tmux.wait("steer ▸")
    tmux("send-keys", "-l", "look at DEPTH first")
    tmux.type("Enter")
    tmux.wait("▸ look at DEPTH first")
    tmux.wait(lambda text: "run 1.1" in text or "run 2.1" in text)
    tmux.type("9")
    tmux.wait("tok/sec")
    tmux.type("x")
    tmux.wait("counts as killed")
    tmux.type("y")
    bench.until(lambda: "killed" in [x.verdict for x in bench.study().experiments.values()])
    tmux.type("6")
    tmux.wait("killed: killed by")
    for width, height in ((200, 50), (60, 18), (100, 30)):
        tmux.resize(width, height)
    tmux.type("q")
    text = tmux.wait("rc=0")
    assert "the loop goes on in the background" in text and "Come back with `looptop" in text
    assert whole(tmux)

    pid, judged = bench.pid, bench.study().judged()
    assert pid is not None, "leaving the screen ends no loop"
    bench.until(lambda: bench.study().judged() > judged)

    tmux.line("clear; looptop attach --read-only; echo rc=$?")
    tmux.wait("read-only")
    tmux.type("p")
    tmux.wait("only watches")
    tmux.type("q")
    tmux.wait("rc=0")
    tmux.line("clear; looptop; echo rc=$?")
    tmux.wait(lambda text: f"exp {judged + 1}" in text or " live" in text)
    assert bench.pid == pid, "the same loop as before"
    tmux.type("6")
    tmux.type("g")
    tmux.wait("▸ look at DEPTH first")
    tmux.type("X")
    tmux.wait("Stop the loop?")
    tmux.type("y")
    bench.until_stopped()
    tmux.wait("a person stopped it")
    tmux.type("q")
    tmux.wait("rc=0")
    assert whole(tmux)
    tmux.close()
    bench.consistent()


def test_a_closed_terminal_leaves_the_loop_alone(bench: Bench, tmux: Tmux) -> None:
    bench.program(budget="1s", limits={"experiments": 99})
    tmux.line("looptop --researcher automl")
    tmux.wait("baseline")
    tmux.close()
    pid = bench.pid
    assert pid is not None
    count = len(bench.events())
    bench.until(lambda: len(bench.events()) > count + 3)
    assert bench.pid == pid
    bench.looptop("stop", "--now")
    assert bench.pid is None


def test_the_command_for_a_second_study_works_as_it_is_pasted(bench: Bench, tmux: Tmux) -> None:
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1})
    bench.looptop("run", "--headless", "--researcher", "automl", "--tag", "one")
    study = bench.study()
    bench.program(limits={"experiments": 1}, keep={"baseline_runs": 2, "max_runs": 1}, goal="max")
    tmux.line(second_study(study, study.experiments[1], bench.root))
    tmux.wait(lambda text: "one-from-1  " in text and "exp 1" in text)
    second = Bench(bench.root.parent / f"{bench.root.name}-one-from-1", bench.environment)
    second.until(lambda: second.study().judged() == 1)
    begun = second.study()
    assert begun.base == study.experiments[1].commit
    assert begun.contract.goal == "max", "the program as it stands, committed or not"
    assert begun.options["researcher"] == ["automl"]
    tmux.type("q")
    tmux.wait("detached from one-from-1")
    second.until_stopped()
    assert bench.study().experiments.keys() == study.experiments.keys(), "the first study is as it was"
    assert {"looptop/one", "looptop/one-from-1"} <= set(bench.git("branch", "--format=%(refname:short)").split())
