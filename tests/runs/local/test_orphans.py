"""Nothing of a run outlives its supervisor, and what an accident left is found and ended at the next start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from loop.runs.local import process_tree
from loop.runs.local.orphans import reap_strangers, sweep_leftovers
from tests.runs.conftest import PROGRAMS, Place


def supervise(place: Place, program: str) -> tuple[subprocess.Popen[str], int]:
    """A real supervisor process of a run; returns it and the process id of the run's keeper."""
    command = [sys.executable, str(PROGRAMS / "supervises.py"), str(place.folder), str(PROGRAMS / program)]
    supervisor = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout
    return supervisor, int(supervisor.stdout.readline())


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


async def test_killing_the_supervisor_leaves_no_process_of_its_run(place: Place):
    supervisor, keeper = supervise(place, "stubborn.py")
    await place.until(lambda: len(place.alive()) == 4)
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    await place.until(lambda: not place.alive() and not is_alive(keeper))


async def test_killing_supervisor_and_guards_at_once_is_cleaned_up_at_the_next_start(place: Place):
    supervisor, keeper = supervise(place, "leaves_daemons.py")
    await place.until(lambda: len(place.alive()) == 2)
    (warden,) = psutil.Process(keeper).children()
    os.kill(supervisor.pid, signal.SIGSTOP)  # else whoever is killed last has time to clean up after the others
    for pid in (keeper, warden.pid, supervisor.pid):
        os.kill(pid, signal.SIGKILL)
    supervisor.wait()
    assert len(place.alive()) == 2
    ended = sweep_leftovers(place.folder)
    assert place.alive() == set()
    assert {one.pid for one in ended} >= place.marked()
    assert {one.run_dir for one in ended} == {place.out}
    assert any("leaves_daemons.py" in one.command for one in ended)


async def test_guards_found_at_the_next_start_end_even_what_hides_its_environment(place: Place):
    supervisor, keeper = supervise(place, "stubborn.py")
    await place.until(lambda: len(place.alive()) == 4)
    os.kill(supervisor.pid, signal.SIGSTOP)  # it hangs, so the warden knows of nothing
    sweep_leftovers(place.folder)
    assert place.alive() == set() and not is_alive(keeper)
    supervisor.kill()
    supervisor.wait()


async def test_another_workspace_and_this_process_itself_are_left_alone(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = Place(tmp_path / "elsewhere")
    ours = Place(tmp_path / "ours")
    monkeypatch.setenv("LOOPTOP_RUN_DIR", str(ours.out))  # as in a looptop that a run of ours has started
    run = await elsewhere.start("trains.py")
    assert sweep_leftovers(ours.folder) == []
    assert (await run.wait()).outcome == "finished"


def test_a_sweep_of_nothing_finds_nothing(tmp_path: Path):
    assert sweep_leftovers(tmp_path / "never-made") == []


async def test_after_runs_that_leave_zombies_and_daemons_no_dead_child_is_left(place: Place):
    before = set(process_tree.children(os.getpid()))
    for program in ("leaves_zombies.py", "leaves_daemons.py", "kills_its_warden.py"):
        await place.run(program, *(("kill", "both") if program.startswith("kills") else ()))
    assert place.alive() == set() and len(place.marked()) > 4
    reap_strangers()
    assert set(process_tree.children(os.getpid())) <= before


async def test_an_orphan_is_collected_and_a_process_of_ours_is_left_to_who_waits_for_it(place: Place):
    process_tree.become_subreaper()
    before = set(process_tree.children(os.getpid()))
    exits = [sys.executable, "-c", "import sys; sys.exit(7)"]
    ours = subprocess.Popen(exits, start_new_session=True)  # noqa: ASYNC220 - nothing waits meanwhile
    forks = "import os, time\nif os.fork() == 0:\n    time.sleep(0.2)\n"
    subprocess.run([sys.executable, "-c", forks], check=True)  # noqa: ASYNC221 - its child outlives it, and is ours now
    (orphan,) = set(process_tree.children(os.getpid())) - before - {ours.pid}
    await place.until(lambda: set(process_tree.zombies(process_tree.children(os.getpid()))) >= {orphan, ours.pid})
    assert reap_strangers() >= 1
    assert set(process_tree.children(os.getpid())) - before == {ours.pid}
    assert ours.wait() == 7
