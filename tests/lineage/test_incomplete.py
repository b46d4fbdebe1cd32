"""What a checkout lacks of its repository is named, with the command that brings it."""

import os
import shutil
from pathlib import Path

import pytest

from loop.lineage import LineageError, incomplete
from tests.repositories import git, make_repository

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A project in a folder, with a file that git-lfs keeps, cloned without git-lfs."""
    top = make_repository(tmp_path / "repo")
    root = top / "model"
    root.mkdir()
    (root / "data.bin").write_text(POINTER)
    git(root, "add", ".")
    (root / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    git(root, "add", ".gitattributes")
    git(root, "commit", "-q", "-m", "data")
    return root


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git-lfs that says its version, and gives out what it is given."""
    program = tmp_path / "bin" / "git-lfs"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = version ] && echo git-lfs/3 || exec cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_plain_checkout_lacks_nothing(tmp_path: Path) -> None:
    assert incomplete(make_repository(tmp_path / "repo")) == []


@pytest.fixture
def no_lfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with git and without git-lfs, whatever this one has."""
    folder, found = tmp_path / "git alone", shutil.which("git")
    assert found
    folder.mkdir()
    (folder / "git").symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("no_lfs")
def test_git_lfs_is_not_installed(large: Path, tmp_path: Path) -> None:
    assert incomplete(large) == [
        "data.bin: kept with git-lfs, which is not installed here, so runs find a pointer of some 130 bytes there; "
        "install it, then: git lfs install && git lfs pull"
    ]
    assert incomplete(tmp_path / "repo")[0].startswith("model/data.bin: kept with git-lfs")


@pytest.mark.usefixtures("no_lfs")
def test_git_lfs_is_not_installed_and_git_will_not_do_without(large: Path, tmp_path: Path) -> None:
    git(large, "config", "filter.lfs.required", "true")
    with pytest.raises(
        LineageError, match=r"^data\.bin: kept with git-lfs, which is not installed here, so no worktree"
    ):
        incomplete(large)


def test_git_lfs_is_there_and_was_not_set_up_or_has_not_fetched(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    assert "which is not set up here" in incomplete(large)[0]
    git(large, "config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    assert incomplete(large) == ["data.bin: a pointer of git-lfs still, so runs find no more: git lfs pull"]
    (large / "data.bin").write_text("contents" * 1000)
    assert incomplete(large) == []


def test_a_submodule_that_was_never_fetched(tmp_path: Path) -> None:
    library = make_repository(tmp_path / "library")
    origin = make_repository(tmp_path / "origin")
    git(origin, "submodule", "--quiet", "add", str(library), "vendor/lib")
    git(origin, "commit", "-q", "-m", "a submodule")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    (said,) = incomplete(tmp_path / "clone")
    assert said.startswith(
        "submodule vendor/lib: never fetched, so it is an empty folder to runs; if they need it: git"
    )
    git(tmp_path / "clone", "submodule", "--quiet", "update", "--init")
    assert incomplete(tmp_path / "clone") == []
