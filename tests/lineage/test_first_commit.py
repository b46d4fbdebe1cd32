"""What the first commit of a folder without git holds."""

from pathlib import Path

import pytest

from loop.lineage import init_repository
from loop.lineage.first_commit import first_commit
from tests.repositories import git


def put(root: Path, name: str, content: str | bytes = "x\n") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_all_that_runs_need_and_nothing_secret_made_or_large(tmp_path: Path) -> None:
    for name in ("train.py", "src/net/a.py", "conf/base.yaml", "tokenizer.json", "secret_sauce.py", ".env.example"):
        put(tmp_path, name)
    for name in (".env", "deploy/id_rsa", "kaggle.json", "my_token.txt", "src/__pycache__/a.pyc", "wandb/run-1/x"):
        put(tmp_path, name)
    put(tmp_path, "tools/.venv/pyvenv.cfg")
    put(tmp_path, "tools/.venv/lib/x.py")
    put(tmp_path, "notes.txt", "the key is hf_" + "a" * 34 + "\n")
    put(tmp_path, "train.bin", b"\1" * 10_000_001)
    for number in range(1001):
        put(tmp_path, f"images/{number}.png", "")
    (tmp_path / "linked").symlink_to("/usr/share")
    put(tmp_path, "third/x.py")
    git(tmp_path / "third", "init", "-q")

    found = first_commit(tmp_path)

    assert found.files == (
        ".env.example",
        "conf/base.yaml",
        "secret_sauce.py",
        "src/net/a.py",
        "tokenizer.json",
        "train.py",
    )
    assert found.left_out == {
        "__pycache__/": "made anew when it is needed",
        "wandb/": "made anew when it is needed",
        "third/": "a git repository of its own",
        "tools/.venv/": "a virtual environment",
        "images/": "1,001 files, 0 B: data",
        ".env": "looks like a secret",
        "deploy/id_rsa": "looks like a secret",
        "kaggle.json": "looks like a secret",
        "linked": "no plain file",
        "my_token.txt": "looks like a secret",
        "notes.txt": "holds what looks like a key",
        "train.bin": "9.5 MB: data",
    }
    put(tmp_path, ".gitignore", "".join(f"{line}\n" for line in found.ignore))
    init_repository(tmp_path, [tmp_path / name for name in (*found.files, ".gitignore")])
    assert git(tmp_path, "status", "--porcelain") == ""


def test_a_gitignore_that_is_there_is_obeyed_and_stays(tmp_path: Path) -> None:
    put(tmp_path, ".gitignore", "/data/\n")
    put(tmp_path, "train.py")
    put(tmp_path, "data/x.bin")
    put(tmp_path, ".env")
    found = first_commit(tmp_path)
    assert found.files == (".gitignore", "train.py") and list(found.left_out) == [".env"]
    assert found.ignore == ()


@pytest.mark.parametrize("name", ["odd [x]*.bin", "#x.key", "!.pem", "a b.key", "end .key"])
def test_names_are_ignored_to_the_letter(tmp_path: Path, name: str) -> None:
    put(tmp_path, name, b"\1" * 10_000_001)
    put(tmp_path, "odd xx.bin")
    found = first_commit(tmp_path)
    put(tmp_path, ".gitignore", "".join(f"{line}\n" for line in found.ignore))
    git(tmp_path, "init", "-q")
    assert git(tmp_path, "status", "--porcelain", "--untracked-files=all").splitlines() == [
        "?? .gitignore",
        '?? "odd xx.bin"',
    ]
