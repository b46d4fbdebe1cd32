"""Several who start at the same moment, or one beside a loop at work: there is one supervisor and one study."""

import subprocess

import pytest

from tests.e2e.conftest import LOOPTOP, Bench


def start(bench: Bench) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*LOOPTOP, "run", "--headless"],
        cwd=bench.root,
        env=bench.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_three_that_start_at_the_same_moment_one_works_and_the_others_say_so(bench: Bench) -> None:
    bench.program(limits={"experiments": 1}, budget="1s", keep={"baseline_runs": 2, "max_runs": 1})
    starting = [start(bench) for _ in range(3)]
    ended = [(process, *process.communicate(timeout=60)) for process in starting]
    assert sorted(process.returncode for process, _, _ in ended) == [0, 1, 1]
    (winner,) = (process for process, _, _ in ended if process.returncode == 0)
    for process, _, said in ended:
        if process is not winner:
            assert said == f"looptop: a supervisor is already at work here (process {winner.pid})\n"
    bench.consistent()
    assert len(bench.events("study_started")) == len(bench.events("supervisor_started")) == 1
    branches = bench.git("branch", "--list", "looptop/*").split()
    assert len(branches) == 1


@pytest.mark.soak
def test_a_second_one_beside_a_loop_at_work_says_who_is_there_and_changes_nothing(bench: Bench) -> None:
    bench.program(limits={"experiments": 400}, keep={"baseline_runs": 2, "max_runs": 1})
    first = start(bench)
    bench.until(lambda: bench.study().running())
    said = bench.looptop("run", "--headless", code=1).stderr
    assert said == f"looptop: a supervisor is already at work here (process {first.pid})\n"
    first.terminate()
    first.communicate(timeout=30)
    assert len(bench.events("supervisor_started")) == 1
