"""AutoML tunes other people's programs where they keep their numbers: each study runs for real."""

import shutil

import pytest

from loop.study.outcomes import Outcome
from tests.e2e.conftest import Bench

OPTIONS = """\
import argparse, random
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=1e-3)
p.add_argument("--optimizer", choices=["sgd", "adamw"], default="sgd")
args = p.parse_args()
bonus = 0.5 if args.optimizer == "adamw" else 0.0
print(f"val_loss: {2 + args.lr - bonus + random.gauss(0, 1e-4):.6f}")
"""
SETTINGS = """\
import json, random, tomllib
with open("config.json") as file: a = json.load(file)
with open("model.toml", "rb") as file: b = tomllib.load(file)
print(f"val_loss: {a['optimizer']['lr'] * 100 + b['model']['width'] + random.gauss(0, 1e-4):.6f}")
"""
COMPILED = """\
#include <stdio.h>
#include <unistd.h>
#define BLOCK 64 // bytes
int main(void) { printf("METRIC val_loss=%.6f\\n", 100.0 / BLOCK + (getpid() % 7) * 1e-5); return 0; }
"""

PROJECTS = {
    "argparse": ({"train.py": OPTIONS}, ["train.py"], "python train.py", {"lr", "optimizer"}),
    "settings": (
        {
            "train.py": SETTINGS,
            "config.json": '{"optimizer": {"lr": 1e-3}, "seed": 1}\n',
            "model.toml": "# the model\n[model]\nwidth = 64 # units\nepochs = 3\n",
        },
        ["config.json", "model.toml"],
        "python train.py",
        {"optimizer.lr", "model.width"},
    ),
    "compiled": (
        {"main.c": COMPILED, "Makefile": 'bench:\n\tcc -o "$(TMPDIR)/main" main.c && "$(TMPDIR)/main"\n'},
        ["main.c"],
        "make -s bench",
        {"BLOCK"},
    ),
}


@pytest.mark.parametrize("kind", PROJECTS)
def test_numbers_are_found_and_changed_where_they_stand(bench: Bench, kind: str) -> None:
    files, edit, run, names = PROJECTS[kind]
    if kind == "compiled" and not (shutil.which("cc") and shutil.which("make")):
        pytest.skip("there is no compiler here")
    bench.plain_python()
    for name, text in files.items():
        bench.write(name, text)
    bench.program(edit=edit, run=run, metric="val_loss", keep={"baseline_runs": 2, "max_runs": 2})
    bench.git("add", "-A", ".", ":!.venv")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "a project")
    bench.looptop("run", "--headless", "--researcher", "automl", "--experiments", "1", "--sandbox", "off")
    study = bench.consistent()
    tried = [one for one in study.experiments.values() if one.id]
    assert len(tried) == 1
    for one in tried:
        assert one.verdict in (Outcome.KEPT, Outcome.DISCARDED), one.reason
        assert isinstance(params := one.notes["params"], dict) and set(params) == names
        assert one.lines_added == one.lines_removed >= 1


def test_with_nothing_to_tune_it_says_so(bench: Bench) -> None:
    bench.plain_python()
    bench.write("train.py", 'SEED = 3\nEPOCHS = 4\nprint("val_bpb:", 1.0 + SEED * 0)\n')
    bench.program(keep={"baseline_runs": 2})
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qam", "bare")
    done = bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", "off", code=None)
    assert "AutoML finds nothing to tune in train.py" in done.stdout + done.stderr
