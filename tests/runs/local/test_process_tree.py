"""The process tree, seen through /proc and, where that has no lists of children, through psutil."""

import os
import subprocess
import sys

import pytest

from loop.runs.local import process_tree as tree

TWO_DEEP = (
    "import subprocess, sys; held = bytearray(b'x' * (50 << 20));"
    "subprocess.run([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'])"
)


@pytest.fixture(params=[True, False], ids=["proc", "psutil"])
def family(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """A process with a child, seen in one way and in the other."""
    if request.param and not tree.LISTS_CHILDREN:
        pytest.skip("this kernel has no lists of children in /proc")
    monkeypatch.setattr(tree, "LISTS_CHILDREN", request.param)
    process = subprocess.Popen([sys.executable, "-c", TWO_DEEP], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    yield process
    tree.freeze_and_kill(lambda: [process.pid, *tree.descendants(process.pid)])
    process.wait()
    process.stdout.close()


def test_descendants_are_found_parents_first(family: subprocess.Popen[bytes]):
    (child,) = tree.children(family.pid)
    assert tree.descendants(family.pid) == [child]
    below_us = tree.descendants(os.getpid())
    assert below_us.index(family.pid) < below_us.index(child)
    assert tree.living([family.pid, child]) == [family.pid, child]


def test_memory_is_summed_over_the_tree(family: subprocess.Popen[bytes]):
    pids = [family.pid, *tree.descendants(family.pid)]
    resident, proportional = tree.resident_memory(pids), tree.proportional_memory(pids)
    assert resident > tree.resident_memory(pids[1:]) + (50 << 20)
    assert 50 << 20 < proportional <= resident


def test_the_dead_are_not_counted(family: subprocess.Popen[bytes]):
    (child,) = tree.children(family.pid)
    tree.freeze_and_kill(lambda: [family.pid, child])
    family.wait()
    assert tree.living([family.pid]) == [] and tree.children(family.pid) == []
    assert tree.resident_memory([family.pid]) == 0 and tree.proportional_memory([family.pid]) == 0
    tree.send([family.pid, 0, 1], tree.SIGKILL)  # nothing there, a whole group, init: each is passed over


def test_a_stopped_process_can_be_asked_to_end():
    process = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"])
    os.waitpid(process.pid, os.WUNTRACED)
    tree.ask_to_end([process.pid])
    assert process.wait() == -15
