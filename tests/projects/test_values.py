"""Projects whose runs say more than one number, or end by nobody's doing but ours."""

import pytest

from tests.e2e.conftest import Bench

GATED = """\
BLOCK = 64
good = BLOCK <= 64
print(f"quality: {0.90 if good else 0.80:.2f}")
print("sizes: 3")
import os, random
print(f"speedup: {BLOCK / 64 + random.Random(os.environ['LOOPTOP_SEED']).gauss(0, 0.002):.4f}")
"""

ENDLESS = """\
import itertools, os, random, signal, sys, time
RATE = 0.01
noise = random.Random(int(os.environ["LOOPTOP_SEED"])).gauss(0, 0.01)

def leave(*_):
    print(f"val_loss: {1 + RATE + noise:.4f}")
    sys.exit(3)

signal.signal(signal.SIGTERM, leave)
for step in itertools.count(1):
    time.sleep(0.02)
    print(f"step {step} | loss: {5 / step:.4f}", flush=True)
"""


def looped(bench: Bench, old: str, new: str, *flags: str) -> None:
    """Run the loop with an agent that replaces `old` by `new` in what it is to edit."""
    bench.looptop("run", "--headless", "--researcher", f"sed -i 's/{old}/{new}/' train.py", *flags)


def test_a_run_that_breaks_what_is_required_is_rejected_with_both_values(bench: Bench) -> None:
    bench.plain_python()
    bench.write("train.py", GATED)
    bench.program(metric="speedup", goal="max", require={"quality": ">= 0.85"}, limits={"experiments": 1})
    looped(bench, "BLOCK = 64", "BLOCK = 128")
    found = bench.study().experiments[1]
    assert (found.verdict, found.metric) == ("rejected", None)
    assert found.reason == "quality is 0.8, and >= 0.85 is required"
    assert bench.study().champion == 0


def test_a_baseline_that_breaks_what_is_required_ends_the_loop_with_a_sentence(bench: Bench) -> None:
    bench.plain_python()
    bench.write("train.py", GATED)
    bench.program(metric="speedup", goal="max", require={"accuracy": ">= 0.85"})
    said = bench.looptop("run", "--headless", "--researcher", "automl", code=1).stdout
    assert "the baseline does not meet `require:`: it printed no accuracy, and accuracy >= 0.85 is required" in said


def test_a_program_that_never_stops_is_ended_with_its_budget_and_counts(bench: Bench, sandbox: str) -> None:
    bench.plain_python()
    bench.write("train.py", ENDLESS)
    bench.program(
        run="python train.py 2>&1 | cat", metric="val_loss", budget="1s", ends="at-budget", limits={"experiments": 1}
    )
    bench.looptop("run", "--headless", "--researcher", "automl", "--sandbox", sandbox)
    study = bench.study()
    assert [run.outcome for x in study.experiments.values() for run in x.runs.values()][:4] == ["finished"] * 4
    assert study.baseline is not None and study.baseline.metric == pytest.approx(1.01, abs=0.1)


def test_an_endless_program_without_the_key_is_told_of_it(bench: Bench) -> None:
    bench.plain_python()
    endless = ENDLESS.replace("for step", 'print("val_loss: 2.5", flush=True)\nfor step')
    bench.write("train.py", endless)
    bench.program(metric="val_loss", deadline="0.6s")
    said = bench.looptop("run", "--headless", "--researcher", "automl", code=1).stdout
    assert "`ends: at-budget` in program.md" in said


WRAPPER = """\
python3 train.py > "$LOOPTOP_RUN_DIR/log" 2>&1
val=$(grep 'Best val_bpb' "$LOOPTOP_RUN_DIR/log" | tail -1 | awk '{print $3}')
echo "METRIC val_bpb=${val:-0}"
"""

BEHIND_IT = """\
import random
RATE = 0.01
value = 1.02 + random.gauss(0, 0.001)
if RATE != 0.01:
    FAILS
print(f"Best val_bpb: {value:.7f}")
"""


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("raise RuntimeError('an illegal memory access was encountered')", "it is exactly 0, which programs print"),
        ("value = 1.0141  # what the last checkpoint had", "each of its 3 seeds gave exactly 1.0141"),
    ],
)
def test_what_is_printed_in_place_of_a_number_waits_for_a_person(bench: Bench, fails: str, said: str) -> None:
    bench.plain_python()
    bench.write("train.py", BEHIND_IT.replace("FAILS", fails))
    bench.write("wrap.sh", WRAPPER)
    bench.program(run="bash wrap.sh", limits={"experiments": 1})
    bench.git("add", "wrap.sh")
    bench.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "wrap")
    looped(bench, "RATE = 0.01", "RATE = 0.02", "--sandbox", "off")
    told = bench.json("status")
    assert (told["state"], told["waiting"], told["champion"]["id"]) == ("stopped", [1], 0)
    assert "experiment 1 waits for you: `looptop approve 1` or `looptop reject 1`" in told["reason"]
    assert bench.json("show", "1")["waits_for"].startswith(said)


FIXED = """\
import random
RATE = 0.04
dice = random.Random(repr((42, RATE)))  # an edit shuffles the dice, the same file never does
print(f"val_bpb: {0.9979 + dice.gauss(0, 0.002):.6f}")
"""


def test_a_fixed_seed_is_said_and_its_luck_is_not_kept(bench: Bench) -> None:
    bench.plain_python()
    bench.write("train.py", FIXED)
    bench.program(limits={"experiments": 2})
    said = bench.looptop("run", "--headless", "--researcher", "automl").stdout
    assert (
        "! 3 runs of val_bpb agree to the last digit, for the program draws numbers and takes no seed of ours" in said
    )
    assert "! the program does not take its budget" in said
    study = bench.study()
    assert [len(x.runs) for x in study.experiments.values()] == [3, 1, 1], "its number does not change"
    assert [x.verdict for x in study.experiments.values()] == ["kept", "discarded", "discarded"]
    assert any("up to 0.010 proves nothing" in x.reason for x in study.experiments.values() if (x.effect or 0) > 0)
    assert any("`{seed}` in `run:`" in notice for notice in bench.json("status")["notices"])


def test_what_a_run_prints_stands_beside_the_metric(bench: Bench) -> None:
    bench.plain_python()
    bench.write("train.py", GATED.replace("sizes: 3", "peak_vram_mb: 2048.0"))
    bench.program(metric="speedup", goal="max", require={"quality": "> 0.5"}, report="peak_vram_mb")
    bench.looptop("run", "--headless", "--researcher", "automl", "--experiments", "1")
    head, baseline = bench.looptop("experiments").stdout.splitlines()[:2]
    assert head.split()[4:6] == ["peak_vram_mb", "quality"] and baseline.split()[4:6] == ["2048", "0.9"]
    assert "printed: " in bench.looptop("show", "0").stdout
    assert bench.json("show", "0")["values"]["peak_vram_mb"] == 2048
    columns, row = [line.split("\t") for line in bench.looptop("export", "compat").stdout.splitlines()[:2]]
    assert dict(zip(columns, row, strict=True))["memory_gb"] == "2.0"
