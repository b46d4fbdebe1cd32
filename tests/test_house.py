"""The house itself: modules short enough to be read, and all of them in git."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("loop", "tui", "tests", "bench")
LONGEST = 400
"""Lines of a module."""


def modules() -> Iterator[str]:
    """Every Python file of the rooms, as git names it."""
    return (path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def git(*arguments: str) -> str:
    """What git answers in the root; the test is skipped where there is no git, or this is no checkout."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout of git's")


def test_no_module_is_too_long_to_be_read() -> None:
    lengths = {name: len((ROOT / name).read_bytes().splitlines()) for name in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_is_in_git() -> None:
    """One that is here and not there works for whoever wrote it, and for nobody who clones."""
    if not Path(git("rev-parse", "--show-toplevel").rstrip("\n")).samefile(ROOT):
        pytest.skip("this is a folder of somebody else's repository")
    tracked = set(git("ls-files", "-z", "--", *ROOMS).split("\0"))
    assert sorted(set(modules()) - tracked) == []
