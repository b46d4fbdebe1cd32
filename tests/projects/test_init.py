"""`looptop init` in other people's folders: it finds what is there, changes nothing that exists, and the loop runs."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import LOOPTOP, Bench
from tests.repositories import fingerprint, git

TRAIN = """\
import os
import random
from model import WIDTH

LEARNING_RATE = 6e-4
for step in range(3):
    print(f"step {step}: train loss {3 - step / 9:.4f}")
chance = random.Random(os.environ["LOOPTOP_SEED"])
print(f"val_loss: {2.0 + WIDTH * LEARNING_RATE + chance.gauss(0, 0.001):.4f}")
"""


@pytest.fixture
def folder(bench: Bench, tmp_path: Path) -> Bench:
    """A folder that git knows nothing of."""
    made = Bench(tmp_path / "my folder", bench.environment)
    made.root.mkdir()
    made.write("train.py", TRAIN)
    made.write("model.py", "WIDTH = 4\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made.root / ".venv")], check=True)
    made.write(".env", "OPENAI_API_KEY=abc\n")
    return made


def contents(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_folder_without_git_becomes_a_workspace_that_runs(folder: Bench) -> None:
    before = contents(folder.root)
    said = folder.looptop("init", "--yes").stdout
    for line in (
        "  edit:   train.py         by its name\n",
        "  run:    python train.py  with the Python of .venv/\n",
        "  metric: val_loss         train.py:9; or train loss\n",
        "  goal:   min              lower is better, by its name\n",
        "not sure of `budget:`: look at it\n",
        "made a git repository with a first commit of model.py, train.py, .gitignore and program.md\n",
        "left out .env: looks like a secret\n",
    ):
        assert line in said, said
    written = contents(folder.root)
    assert {name: written[name] for name in before} == before
    assert written.keys() - before.keys() == {"program.md", ".gitignore"}
    assert "metric: val_loss  # train.py:9; or train loss\n" in (folder.root / "program.md").read_text()
    assert folder.git("status", "--porcelain") == "" and folder.git("ls-files").split() == [
        ".gitignore",
        "model.py",
        "program.md",
        "train.py",
    ]

    folder.looptop("run", "--headless", "--sandbox", "off", "--budget", "1s", "--experiments", "1")
    assert folder.consistent().contract.metric == "val_loss"

    again = folder.looptop("init", "--yes").stdout
    assert "exists already and stays as it is\nit says: edit train.py; run `python train.py`; val_loss, lower" in again
    assert contents(folder.root).items() >= written.items()


def test_who_says_no_or_has_nothing_to_edit_keeps_the_folder_as_it_is(folder: Bench) -> None:
    before = contents(folder.root)
    asked = subprocess.run(
        [*LOOPTOP, "init"], cwd=folder.root, env=folder.environment, input="n\n", capture_output=True, text=True
    )
    # Since Python 3.13 an environment has git ignore it.
    assert re.search(r"make it one, with a first commit of 2 files, without (.venv/ and )?.env\? \[y/N\]", asked.stdout)
    assert (asked.returncode, asked.stderr) == (
        1,
        "looptop: looptop keeps every experiment in git, so it needs a repository; nothing was changed\n",
    )
    for name in ("train.py", "model.py"):
        (folder.root / name).unlink()
    folder.write("my model.ipynb", "{}")
    refused = folder.looptop("init", "--yes", code=1)
    assert "`jupyter nbconvert --to script 'my model.ipynb'` makes my model.py of it" in refused.stderr
    assert contents(folder.root).keys() == (before.keys() - {"train.py", "model.py"}) | {"my model.ipynb"}
    assert not (folder.root / ".git").exists()


def test_in_a_folder_of_a_repository_with_data_that_git_ignores(bench: Bench) -> None:
    root = bench.root / "packages" / "model"
    (root / "data").mkdir(parents=True)
    (root / "train.py").write_text("import model\nopen('data/train.bin')\nprint(f'accuracy: {x}')\n")
    (root / "model.py").write_text("")
    (root / ".gitignore").write_text("data/\n")
    (root / "data" / "train.bin").write_text("x")
    git(root, "add", "train.py", ".gitignore")
    git(root, "commit", "-q", "-m", "model")
    (bench.root / "program.md").unlink()
    before = fingerprint(bench.root)

    model = Bench(root, bench.environment)
    found = model.json("init")

    assert found["program"] == str(root / "program.md") and found["wrote"]
    assert (found["found"]["metric"]["value"], found["found"]["goal"]["value"]) == ("accuracy", "max")
    text = (root / "program.md").read_text()
    assert "read: [data]  # train.py:2 names it, and git does not have it\n" in text
    assert any("train.py:1 needs model.py, which git does not have" in line for line in found["said"])
    assert "accuracy` as high as you can" in text
    (root / "program.md").unlink()
    assert fingerprint(bench.root) == before


def test_a_folder_that_is_none_is_refused(bench: Bench) -> None:
    for name in ("gone", "train.py"):
        refused = bench.looptop("-C", name, "init", code=1)
        assert refused.stderr == f"looptop: {bench.root / name} is no folder; make it first\n"


def test_a_program_without_front_matter_is_one_already(bench: Bench) -> None:
    bench.write("program.md", "# autoresearch\n\nLower val_bpb.\n\n```\n---\nval_bpb: 0.99\n---\n```\n")
    bench.write("uv.lock", "")
    said = bench.looptop("init").stdout
    assert "it says: edit train.py; run `uv run train.py`; val_bpb, lower is better\n" in said
