"""Where a project lives: in a folder of a repository, several of them in one, in unusual checkouts."""

import json
import subprocess
from pathlib import Path

from loop.lineage import tags
from tests.e2e.conftest import LOOPTOP, Bench
from tests.repositories import make_repository

QUICK = {"limits": {"experiments": 2}, "keep": {"baseline_runs": 2, "max_runs": 1}}

TRAIN = """\
import os
import random
from pathlib import Path

import helper

LEARNING_RATE = 0.02
shared = Path("../../shared.txt").read_text().strip()
print("cwd", Path.cwd().name, "shared", shared)
chance = random.Random(int(os.environ["LOOPTOP_SEED"]))
print(f"val_loss: {helper.BASE + LEARNING_RATE + chance.gauss(0, 0.001):.6f}")
"""


def project(bench: Bench, folder: str, **front: object) -> Bench:
    """A project in a folder of the bench's repository, not committed yet."""
    made = Bench(bench.root / folder, bench.environment)
    made.root.mkdir(parents=True)
    made.write("train.py", TRAIN)
    made.write("helper.py", "BASE = 1.0\n")
    made.program(**({"metric": "val_loss"} | QUICK | front))
    made.plain_python()
    return made


def commit(bench: Bench) -> None:
    (bench.root / ".gitignore").write_text(".venv\n__pycache__\n")
    bench.git("add", ".")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "all of it")


def test_a_study_of_a_folder_in_a_larger_repository(bench: Bench, sandbox: str, tmp_path: Path) -> None:
    """Its runs have the whole repository, submodules too: from what is on this disk, where these came from is gone."""
    bench.write("shared.txt", "for all\n")
    model = project(bench, "packages/model")
    library = make_repository(tmp_path / "library")
    bench.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "vendor/lib x")
    library.rename(tmp_path / "gone")
    model.write("train.py", "import sys\nsys.path.insert(0, '../../vendor/lib x/lib')\nimport data\n" + TRAIN)
    commit(bench)
    inner = Bench(model.root / "notes", bench.environment)
    inner.root.mkdir()

    inner.looptop("run", "--headless", "--sandbox", sandbox)

    study = model.consistent()
    assert not (bench.root / ".looptop").exists()
    assert study.experiments[0].verdict == "kept" and len(study.experiments) == 3
    assert study.contract.edit == ("train.py",)
    assert "cwd model shared for all" in (model.root / ".looptop/runs/0.1/log.txt").read_text()
    for number in (1, 2):
        commit_ = study.experiments[number].commit
        assert bench.git("diff", "--name-only", f"{commit_}^", f"{commit_}") == "packages/model/train.py"
    assert bench.git("status", "--porcelain") == ""
    assert inner.looptop("status").stdout.startswith(f"{study.tag}: stopped")


def test_three_studies_of_one_repository_at_once_do_not_meet(bench: Bench, tmp_path: Path) -> None:
    """Two folders and a linked worktree, begun at the same moment: names, notes and worktrees are each one's own."""
    bench.write("shared.txt", "for all\n")
    front = {"limits": {"experiments": 5}}
    model, other = project(bench, "packages/model", **front), project(bench, "packages/other", **front)
    commit(bench)
    bench.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    linked = Bench(tmp_path / "linked" / "packages" / "model", bench.environment)
    linked.plain_python()
    benches = [model, other, linked]
    command = [*LOOPTOP, "run", "--headless", "--sandbox", "off"]
    started = [
        subprocess.Popen(command, cwd=one.root, env=one.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for one in benches
    ]
    for process in started:
        _, said = process.communicate(timeout=90)
        assert (process.returncode, said) == (0, b"")

    assert tags(bench.root) == [], "what git knows is the others'"
    assert [tags(one.root) for one in benches] == [[one.study().tag] for one in benches]
    studies = [one.consistent() for one in benches]
    assert len({study.tag for study in studies}) == 3
    for one, study in zip(benches, studies, strict=True):
        assert len(study.experiments) == 6
        faults = [event.body for event in one.events("fault") if "sandbox" not in json.dumps(event.body.model_dump())]
        assert faults == []
        notes = one.git("log", "--format=%N", "--notes=looptop", *(x.commit or "" for x in study.experiments.values()))
        assert notes.count("Verdict: ") >= 6


def test_edit_names_a_folder_and_a_pattern(bench: Bench) -> None:
    """The files it stands for are the study's, and what git does not have yet begins with the baseline."""
    (bench.root / "src" / "net").mkdir(parents=True)
    bench.write("src/net/model.py", "WIDTH = 4\n")
    bench.write("src/optim.py", "LEARNING_RATE = 0.02\n")
    bench.write(
        "train.py",
        "import os, random, sys\nsys.path.insert(0, 'src')\nimport optim\nfrom net import model, extra\n"
        "chance = random.Random(int(os.environ['LOOPTOP_SEED']))\n"
        "print(f'val_loss: {optim.LEARNING_RATE + model.WIDTH + extra.MORE + chance.gauss(0, 0.001):.6f}')\n",
    )
    bench.program(edit=["src/*.py", "src/net"], run="python train.py", metric="val_loss", **QUICK)
    bench.plain_python()
    commit(bench)
    bench.write("src/net/extra.py", "MORE = 1\n")

    bench.looptop("run", "--headless", "--sandbox", "off")

    study = bench.consistent()
    assert study.contract.edit == ("src/optim.py", "src/net/extra.py", "src/net/model.py")
    baseline = study.experiments[0].commit
    assert bench.git("diff", "--name-only", f"{baseline}^", f"{baseline}") == "src/net/extra.py"
    assert bench.git("diff", "--name-only", f"{study.experiments[1].commit}^", f"{study.experiments[1].commit}") in (
        "src/optim.py",
        "src/net/model.py",
    )
    assert bench.git("status", "--porcelain") == "?? src/net/extra.py"


def test_a_checkout_with_everything_unusual(bench: Bench, tmp_path: Path) -> None:
    """A shallow, sparse clone in a folder with spaces, on no branch, with Windows' line ends and no identity."""
    bench.write("shared.txt", "for all\n")
    project(bench, "packages/my model")
    project(bench, "packages/other")
    commit(bench)
    place = Bench(tmp_path / "clone of it" / "packages" / "my model", bench.environment)
    clone = tmp_path / "clone of it"
    how = ("clone", "-q", "--depth=1", "--no-checkout", "-c", "core.autocrlf=true", f"file://{bench.root}", str(clone))
    bench.git(*how)
    inside = Bench(clone, bench.environment)
    inside.git("sparse-checkout", "set", "packages/my model")
    inside.git("checkout", "-q", "--detach", "HEAD")
    place.plain_python()
    assert b"\r\n" in (place.root / "train.py").read_bytes() and not (clone / "packages" / "other").exists()

    place.looptop("run", "--headless", "--sandbox", "off")

    study = place.consistent()
    assert len(study.experiments) == 3
    assert inside.git("status", "--porcelain") == ""
    assert "\r" not in inside.git("show", f"{study.experiments[1].commit}:packages/my model/train.py")


def test_a_file_that_was_never_added_stops_the_start(bench: Bench) -> None:
    bench.write("train.py", "import helper\nopen('baseline.json')\n" + bench_train(bench))
    commit(bench)
    bench.write("helper.py", "BASE = 1.0\n")
    bench.write("baseline.json", "{}")
    bench.program(**QUICK)
    bench.plain_python()
    for command in (("run", "--headless"), ()):
        refused = bench.looptop(*command, code=1)
        assert refused.stderr == (
            "looptop: train.py:1 needs helper.py, which git does not have, so no run would find it: `git add "
            "helper.py` and commit it, or name it in program.md: `read: [helper.py]`\n"
        )
    assert not (bench.root / ".looptop" / "journal.db").exists()
    bench.git("add", "helper.py")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "the helper")
    bench.looptop("run", "--headless", "--sandbox", "off", code=1)
    assert "train.py:2 names baseline.json, which git does not have" in str(bench.events("fault"))


def bench_train(bench: Bench) -> str:
    return (bench.root / "train.py").read_text()
