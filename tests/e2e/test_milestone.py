"""A milestone of a real study: kept checkpoints measured on data that its runs cannot read."""

from pathlib import Path

from loop.reporting.sealed import as_data
from tests.e2e.conftest import Bench

TRAIN = """\
import math, os, random
LEARNING_RATE = 0.02
value = 1.0 + 0.05 * math.log10(LEARNING_RATE / 0.005) ** 2
value += random.Random(int(os.environ["LOOPTOP_SEED"])).gauss(0, 0.001)
with open(os.environ["LOOPTOP_RUN_DIR"] + "/model", "w") as file:
    file.write(str(value))
try:
    leaked = float(open(os.environ["SEALED"]).read())
except OSError:
    leaked = 0.0
print("---")
print(f"val_bpb: {value:.6f}")
print(f"leaked: {leaked}")
"""

MEASURE = """\
import os, sys
value = float(open(os.environ["LOOPTOP_RUN_DIR"] + "/model").read())
share = float(open(sys.argv[1]).read())
print("---")
print(f"val_bpb: {value * (1 - share) + share * 1.05:.6f}")
"""


def test_a_milestone_reads_what_no_run_can(bench: Bench, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "share.txt"
    hidden.parent.mkdir()
    hidden.write_text("0.3")
    bench.plain_python()
    bench.write("train.py", TRAIN)
    bench.write("measure.py", MEASURE)
    bench.program(
        budget="0.05s",
        report=["leaked"],
        env={"SEALED": str(hidden)},
        sealed={"run": f"python measure.py '{hidden}'", "read": [str(hidden)]},
        limits={"experiments": 4},
        validation=0,
    )
    bench.git("add", ".")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "it measures")
    assert "there is no study here yet" in bench.looptop("milestone", code=1).stderr
    assert not (bench.root / ".looptop" / "journal.db").exists()
    bench.looptop("run", "--headless", "--researcher", "automl")
    study = bench.study()
    assert study.champion, "the search has found something"
    printed = [run.metrics["leaked"] for x in study.experiments.values() for run in x.runs.values() if run.metrics]
    assert set(printed) == {0.0}, "no run has read it"
    (told,) = bench.json("milestone")
    assert abs(told["sealed_gain"] - 0.7 * told["search_gain"]) < 1e-4 and told["low"] > 0
    assert as_data(bench.consistent()) == [told]
