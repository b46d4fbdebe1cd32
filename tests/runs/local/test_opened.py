"""Which files were opened, in this process and behind a sandbox's mounts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from loop.runs.local.opened import OpenedFiles


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("one", "two", "three")}
    for path in found.values():
        path.write_text("text")
    return found


def test_those_that_were_read_are_named(files: dict[str, Path]) -> None:
    opened = OpenedFiles(files)
    files["two"].read_text()
    files["two"].read_text()
    files["one"].stat()
    assert opened.close() == {"two"}


def test_nothing_is_told_twice(files: dict[str, Path]) -> None:
    opened = OpenedFiles(files)
    assert opened.close() == frozenset()
    assert opened.close() is None


def test_a_file_that_is_not_there_leaves_it_unknown(files: dict[str, Path], tmp_path: Path) -> None:
    assert OpenedFiles(files | {"gone": tmp_path / "gone"}).close() is None


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")
def test_through_a_read_only_mount(files: dict[str, Path], tmp_path: Path) -> None:
    opened = OpenedFiles(files)
    bwrap = ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "cat", str(files["three"])]
    if subprocess.run(bwrap, capture_output=True).returncode:
        pytest.skip("bubblewrap does not work here")
    assert opened.close() == {"three"}
