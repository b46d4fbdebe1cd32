"""The process tree, seen through /proc and, where that has no lists of children, through psutil."""

import os
import subprocess
import sys

import pytest

from loop.runs.local import process_tree

TWO_DEEP = (
    "import subprocess, sys; held = bytearray(b'x' * (50 << 20));"
    "subprocess.run([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'])"
)


@pytest.fixture(params=[True, False], ids=["proc", "psutil"])
def family(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """A process with a child, seen in one way and in the other."""
    if request.param and not process_tree.LISTS_CHILDREN:
        pytest.skip("this kernel has no lists of children in /proc")
    monkeypatch.setattr(process_tree, "LISTS_CHILDREN", request.param)
    process = subprocess.Popen([sys.executable, "-c", TWO_DEEP], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield process
    process_tree.freeze_and_kill(lambda: [process.pid, *process_tree.descendants(process.pid)])
    process.wait()
    process.stdout.close()


def test_descendants_are_found_parents_first(family: subprocess.Popen[bytes]):
    (child,) = process_tree.children(family.pid)
    assert process_tree.descendants(family.pid) == [child]
    below_us = process_tree.descendants(os.getpid())
    assert below_us.index(family.pid) < below_us.index(child)
    assert process_tree.living([family.pid, child]) == [family.pid, child]


def test_memory_is_summed_over_the_tree(family: subprocess.Popen[bytes]):
    pids = [family.pid, *process_tree.descendants(family.pid)]
    resident, proportional = process_tree.resident_memory(pids), process_tree.proportional_memory(pids)
    assert resident > process_tree.resident_memory(pids[1:]) + (50 << 20)
    assert 50 << 20 < proportional <= resident


def test_the_dead_are_not_counted(family: subprocess.Popen[bytes]):
    (child,) = process_tree.children(family.pid)
    process_tree.freeze_and_kill(lambda: [family.pid, child])
    family.wait()
    assert process_tree.living([family.pid]) == [] and process_tree.children(family.pid) == []
    assert process_tree.resident_memory([family.pid]) == 0 and process_tree.proportional_memory([family.pid]) == 0
    process_tree.send([family.pid, 0, 1], process_tree.SIGKILL)  # nothing there, a group, init: passed over


def test_a_stopped_process_can_be_asked_to_end():
    process = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"])
    os.waitpid(process.pid, os.WUNTRACED)
    process_tree.ask_to_end([process.pid])
    assert process.wait() == -15
