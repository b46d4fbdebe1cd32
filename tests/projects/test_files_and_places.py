"""Projects that look for their files where a person's shell has them, and write beside themselves."""

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Bench

QUICK = {"limits": {"experiments": 1}, "keep": {"baseline_runs": 2, "max_runs": 1}, "budget": "1s"}


def commit(bench: Bench, ignored: str) -> None:
    bench.write(".gitignore", f".venv\n__pycache__\n{ignored}")
    bench.git("add", ".")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "all of it")


def log(bench: Bench, run: str) -> str:
    return (bench.root / ".looptop" / "runs" / run / "log.txt").read_text()


PREPARE = """
import os
CACHE = os.path.join(os.path.expanduser("~"), ".cache", "autoresearch")
TIME_BUDGET = 0.2
def tokens():
    with open(os.path.join(CACHE, "data", "train.txt")) as file:
        return file.read()
if __name__ == "__main__":
    os.makedirs(os.path.join(CACHE, "data"))
    with open(os.path.join(CACHE, "data", "train.txt"), "w") as file:
        file.write("the quick brown fox " * 500)
"""

ORIGINAL = """
import random, time
from prepare import TIME_BUDGET, tokens
MATRIX_LR = 0.04
text = tokens()
spent = 0.0
step = 0
while spent < TIME_BUDGET:
    time.sleep(0.02)
    spent += 0.02
    print(f"\\rstep {step:05d} ({100 * spent / TIME_BUDGET:.1f}%) | loss: {3 - spent:.4f}", end="", flush=True)
    step += 1
print("\\n---")
print(f"val_bpb:          {0.99 + abs(MATRIX_LR - 0.05) + random.gauss(0, 0.0005):.6f}")
print(f"training_seconds: {spent:.1f}")
"""


def test_an_original_that_nobody_has_touched(bench: Bench, sandbox: str) -> None:
    """Prose for a program, `uv run` for a command, and data that its own preparation put below the home."""
    bench.write("train.py", ORIGINAL)
    bench.write("prepare.py", PREPARE)
    bench.write("pyproject.toml", '[project]\nname = "original"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n')
    subprocess.run([Path(sys.executable).with_name("uv"), "lock", "--offline", "-q"], cwd=bench.root, check=True)
    bench.write("program.md", "# autoresearch\n\nLaunch with `uv run train.py`. The goal is the lowest val_bpb.\n")
    commit(bench, "")
    subprocess.run([sys.executable, "prepare.py"], cwd=bench.root, env=bench.environment, check=True)
    bench.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    bench.looptop("run", "--headless", "--researcher", "automl", "--experiments", "1", "--sandbox", sandbox)
    study = bench.consistent()
    assert study.contract.run == "uv run train.py"
    assert study.experiments[0].verdict == "kept" and study.experiments[1].verdict in ("kept", "discarded")
    assert bench.git("status", "--porcelain") == ""


WRITES = """
import multiprocessing, os, random
LEARNING_RATE = 0.01
data = open("data/set/train.bin").read()
os.makedirs("out", exist_ok=True)
open("out/ckpt.pt", "w").write("weights")
open("results.json", "w").write("{}")
open("kept/runs.txt", "a").write("one\\n")
with multiprocessing.get_context("fork").Manager() as manager:
    said = manager.list([data])[0]
print("data", said, "in out", os.listdir("out"))
print(f"val_loss: {1 + LEARNING_RATE + random.gauss(0, 0.001):.5f}")
"""


def test_data_that_git_ignores_and_output_beside_the_program(bench: Bench, sandbox: str) -> None:
    bench.write("train.py", WRITES)
    bench.program(metric="val_loss", read=["data"], write=["kept"], **QUICK)
    for folder in ("data/set", "kept"):
        (bench.root / folder).mkdir(parents=True)
    bench.write("data/set/prepare.py", "")
    bench.write("data/set/train.bin", "tokens")
    bench.plain_python()
    commit(bench, "*.bin\nkept/\n")
    bench.looptop("run", "--headless", "--sandbox", sandbox)
    study = bench.consistent()
    assert study.experiments[1].verdict in ("kept", "discarded"), study.experiments[1].reason
    for run in ("0.1", "0.2", "1.1"):
        assert "data tokens in out ['ckpt.pt']" in log(bench, run)
    assert not (bench.root / "out").exists() and not (bench.root / "results.json").exists()
    assert (bench.root / "kept" / "runs.txt").read_text().count("one") >= 3
    assert bench.git("status", "--porcelain") == ""


MODULE = """
import random
from mypkg import model
print("WIDTH", model.WIDTH, "of", model.__file__)
print(f"val_loss: {abs(model.WIDTH - 128) / 64 + random.gauss(0, 0.001):.4f}")
"""


def test_a_package_installed_editable_is_the_experiments_own(bench: Bench, sandbox: str) -> None:
    """The install's `.pth` file names the checkout: without more, every experiment would measure the same code."""
    bench.git("rm", "-q", "train.py")
    source = bench.root / "src" / "mypkg"
    source.mkdir(parents=True)
    bench.write("src/mypkg/__init__.py", "")
    bench.write("src/mypkg/train.py", MODULE)
    bench.write("src/mypkg/model.py", "WIDTH = 64\n")
    bench.program(metric="val_loss", edit="src/mypkg/model.py", run="python -m mypkg.train", **QUICK)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bench.root / ".venv"], check=True)
    packages = next((bench.root / ".venv").glob("lib/python3*/site-packages"))
    (packages / "__editable__.mypkg-0.1.0.pth").write_text(f"{source.parent}\n")
    commit(bench, "")
    bench.looptop("run", "--headless", "--sandbox", sandbox)
    study = bench.consistent()
    width = study.experiments[1].title.split()[-1]
    assert "WIDTH 64 of" in log(bench, "0.1") and width != "64"
    assert f"WIDTH {width} of" in log(bench, "1.1")


TALKS = """
import random, socket
LEARNING_RATE = 0.01
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
    server.accept()[0].close()
print(f"val_loss: {1 + LEARNING_RATE + random.gauss(0, 0.001):.5f}")
"""


def test_processes_of_a_run_that_talk_to_each_other(bench: Bench, sandbox: str) -> None:
    """As torchrun's do. Landlock opens more than that for it, and says so at the start."""
    bench.write("train.py", TALKS)
    bench.program(metric="val_loss", network="loopback", **QUICK)
    bench.plain_python()
    commit(bench, "")
    bench.looptop("run", "--headless", "--sandbox", sandbox)
    assert bench.consistent().experiments[1].verdict in ("kept", "discarded")
    told = [event.body.message for event in bench.events("fault")]
    assert any("runs may use all of TCP" in message for message in told) == (sandbox == "landlock")
