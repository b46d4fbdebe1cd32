"""`looptop doctor --try`: what is in a project's way is named with what mends it, before there is a study."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bench
from tests.repositories import fingerprint

TRAIN = """\
import os, random
LEARNING_RATE = 0.01
chance = random.Random(int(os.environ["LOOPTOP_SEED"]))
budget = float(os.environ["LOOPTOP_BUDGET_S"])
{body}
print(f"loss: {1 + chance.random() / 100:.4f}")
"""


def tried(bench: Bench, body: str = "", code: int = 1, sandbox: str = "off", **front: object) -> dict[str, Any]:
    """Try a project whose program does `body`; returns what was found, by what it is about."""
    bench.plain_python()
    bench.write("train.py", TRAIN.replace("{body}", body))
    bench.write(".gitignore", ".venv\ndata/\n")
    bench.program(**({"metric": "loss", "edit": "train.py"} | front))
    bench.git("add", "-A")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "mine")
    bench.environment["LOOPTOP_SANDBOX"] = sandbox
    before = fingerprint(bench.root)
    found = bench.json_of("doctor", "--try", code=code)
    assert fingerprint(bench.root) == before, "nothing of the person's has changed"
    left = {path.name for path in (bench.root / ".looptop").iterdir()}
    assert left <= {"cache", "etc", "supervisor.lock", "trees"} and not [*bench.root.glob(".looptop/trees/*")]
    assert not bench.processes()
    return {one["what"]: one for one in found}


def test_a_project_that_works(bench: Bench, sandbox: str) -> None:
    found = tried(bench, code=0, sandbox=sandbox)
    assert all(one["good"] for one in found.values()), found
    assert found["run"]["said"].startswith("loss 1.00")
    assert "own train.py" in found["edit"]["said"] and "LEARNING_RATE" in found["automl"]["said"]
    assert bench.looptop("doctor", "--try").stdout.startswith("✓ python")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("open('data/train.bin').read()", "`read: [data]`"),
        ("open(os.path.expanduser('~/sets/x')).read()", "~/sets/x is nowhere on this machine"),
        ("import nobody_has_this", "has no module nobody_has_this"),
        ("os.environ['DATA_ROOT']", "`env: [DATA_ROOT]`"),
        ("input()", "nobody is at a run's keyboard"),
        ("raise SystemExit(0)", "its output has no loss and no other numbers"),
    ],
)
def test_what_is_in_the_way(bench: Bench, body: str, says: str) -> None:
    (bench.root / "data").mkdir()
    (bench.root / "data" / "train.bin").touch()
    found = tried(bench, body)
    assert says in found["run"]["said"] and not found["run"]["good"]
    assert "edit" not in found, "what fails anyway proves nothing"
    assert found["try"]["said"].startswith("a loop would stop at its start here")


def test_a_server_out_of_reach_is_told_with_the_key_that_opens_the_network(bench: Bench, sandbox: str) -> None:
    if sandbox == "off":
        pytest.skip("nothing is refused without a sandbox")
    found = tried(bench, "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')", sandbox=sandbox)
    assert "`network: on`" in found["run"]["said"]


def test_a_seed_and_a_budget_that_nothing_reads_and_nothing_to_tune(bench: Bench) -> None:
    bench.git("rm", "-q", "train.py")
    bench.plain_python()
    bench.write("main.py", 'import random\nprint("loss:", random.random())\n')
    bench.program(metric="loss", edit="main.py", run="python main.py")
    bench.write("config.yaml", "lr: 0.1\n")
    bench.git("add", "main.py", "program.md", "config.yaml")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "mine")
    found = {one["what"]: one for one in bench.json_of("doctor", "--try", code=0)}
    assert "write `{seed}` in `run:`" in found["seed"]["said"]
    assert "write `{budget}` in `run:`" in found["budget"]["said"]
    assert "nothing to tune in main.py; config.yaml has values: name it under" in found["automl"]["said"]
    assert found["run"]["good"], "none of that stops a loop"


@pytest.mark.parametrize(
    ("metric", "prints", "says"),
    [
        ("loss", "| set | loss |\\n|---|---|\\n| train | 0.2 |\\n| valid | 0.3 |", 'has "train loss" and "valid loss"'),
        ({"name": "loss", "file": "out.json"}, "loss: 0.2", "it has not written out.json"),
    ],
)
def test_a_number_on_the_way_that_no_run_would_take_is_no_success(
    bench: Bench, metric: object, prints: str, says: str
) -> None:
    bench.plain_python()
    bench.write("main.py", f"print('{prints}')\n")
    bench.program(metric=metric, edit="main.py", run="python main.py")
    found = {one["what"]: one for one in bench.json_of("doctor", "--try", code=1)}
    assert says in found["run"]["said"] and not found["run"]["good"]


def test_a_loop_at_work_is_left_alone(bench: Bench) -> None:
    bench.program(budget="20s")
    bench.looptop()
    assert "tries all of this when it starts" in bench.looptop("doctor", "--try", code=1).stderr
    bench.looptop("stop", "--now")


def test_a_study_that_is_there_stays_as_it_is(bench: Bench) -> None:
    bench.plain_python()
    bench.looptop("run", "--headless", "--researcher", "automl", "--experiments", "1")
    events = bench.events()
    bench.looptop("doctor", "--try")
    assert bench.events() == events
    bench.consistent()


def test_no_workspace_is_a_sentence(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = bench.looptop("-C", str(tmp_path / "empty"), "doctor", "--try", code=1)
    assert "looptop init" in done.stdout + done.stderr
