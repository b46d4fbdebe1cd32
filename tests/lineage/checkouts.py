"""Checkouts of every kind that a person may have."""

from pathlib import Path

from tests.repositories import TRAIN, git, make_dirty, make_repository


def clean(tmp: Path) -> Path:
    return make_repository(tmp / "repo")


def dirty(tmp: Path) -> Path:
    root = make_repository(tmp / "repo")
    make_dirty(root)
    return root


def detached(tmp: Path) -> Path:
    root = make_repository(tmp / "repo")
    git(root, "checkout", "--quiet", "--detach")
    return root


def odd_path(tmp: Path) -> Path:
    root = make_repository(tmp / "mes études à moi" / "трен 训练")
    make_dirty(root)
    return root


def linked_worktree(tmp: Path) -> Path:
    main = make_repository(tmp / "repo")
    git(main, "worktree", "add", "--quiet", str(tmp / "linked"))
    make_dirty(tmp / "linked")
    return tmp / "linked"


def worktree_of_bare(tmp: Path) -> Path:
    git(tmp, "clone", "--quiet", "--bare", str(make_repository(tmp / "origin")), str(tmp / "bare.git"))
    git(tmp / "bare.git", "worktree", "add", "--quiet", str(tmp / "linked"), "main")
    return tmp / "linked"


def signing(tmp: Path) -> Path:
    root = make_repository(tmp / "repo")
    git(root, "config", "commit.gpgsign", "true")
    git(root, "config", "gpg.program", "/does/not/exist")
    return root


def windows_line_ends(tmp: Path) -> Path:
    root = make_repository(tmp / "repo")
    git(root, "config", "core.autocrlf", "true")
    (root / "train.py").write_bytes(TRAIN.replace("\n", "\r\n").encode())
    return root


def odd_settings(tmp: Path) -> Path:
    root = make_repository(tmp / "repo")
    for key, value in {
        "core.fsmonitor": "/does/not/exist",
        "diff.noprefix": "true",
        "diff.external": "/does/not/exist",
        "color.ui": "always",
        "core.pager": "/does/not/exist",
        "log.showSignature": "true",
        "status.showUntrackedFiles": "all",
        "core.splitIndex": "true",
        "fastimport.unpackLimit": "1",
        "notes.displayRef": "refs/notes/*",
        "i18n.logOutputEncoding": "ISO-8859-1",
        "user.useConfigOnly": "true",
    }.items():
        git(root, "config", key, value)
    return root


def submodule(tmp: Path) -> Path:
    inner = make_repository(tmp / "inner")
    root = make_repository(tmp / "repo")
    git(root, "submodule", "--quiet", "add", str(inner), "vendor/inner lib")
    git(root, "commit", "--quiet", "-m", "A submodule")
    (root / "vendor" / "inner lib" / "train.py").write_text("half done\n")
    git(root / "vendor" / "inner lib", "add", "train.py")
    return root


def inside_submodule(tmp: Path) -> Path:
    root = submodule(tmp) / "vendor" / "inner lib"
    (root / "train.py").write_text(TRAIN.replace("0.1", "0.4"))
    return root


CHECKOUTS = [
    clean,
    dirty,
    detached,
    odd_path,
    linked_worktree,
    worktree_of_bare,
    signing,
    windows_line_ends,
    odd_settings,
    submodule,
    inside_submodule,
]
