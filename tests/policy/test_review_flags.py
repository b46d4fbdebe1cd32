"""What of an edit a person is shown before it runs, and what is no news."""

from pathlib import Path

import pytest

from loop.policy.review_flags import flags
from loop.study.contract import Contract

TRAIN = (Path(__file__).parents[2] / "train.py").read_text()


def flagged(old: str, new: str, contract: Contract | None = None) -> list[str]:
    """Flags of an edit of our own `train.py`, without its name."""
    assert old in TRAIN
    found = flags(contract or Contract(), {"train.py": TRAIN}, {"train.py": TRAIN.replace(old, new, 1)})
    return [sentence.removeprefix("train.py ") for sentence in found]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("DEPTH = 4 ", "DEPTH = 6 "),
        ("WARMDOWN = 0.4", "WARMDOWN = 0.65"),
        ("F.relu(self.up(norm(x))).square()", "F.gelu(self.up(norm(x)))"),
        ("eps=1e-10", "eps=1e-8"),
        ("muon.step(strength)", "muon.step(strength * min(1.0, step / 10))"),
        ("        adam.step()\n", "        adam.step()\n        model.eval()\n        model.train()\n"),
        ("        adam.step()\n", '        adam.step()\n        print(f"gradient: {loss:.2f}")\n'),
        ("# Size: for two CPU cores and 20 seconds.", "# The seed, the budget, time.time() and os.environ."),
        ('corpus.load("train"), device=device)', 'corpus.load("train")).to(device)'),
        ("    budget = float(", "    unused = 0\n\n\n    budget = float("),
    ],
)
def test_an_honest_edit_is_not_flagged(old: str, new: str) -> None:
    assert flagged(old, new) == []


MAIN = "def main() -> None:\n"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("torch.manual_seed(seed)", "torch.manual_seed(137)", "touches the seed: torch.manual_seed(137)"),
        ('seed = int(os.environ.get("LOOPTOP_SEED") or 0)', "seed = 42", "touches the seed: seed = 42"),
        ("< budget:", "< budget * 1.5:", "touches the budget: (seconds := "),
        ("start_cpu = budget_clock(device)", "start_cpu = 9 + budget_clock(device)", "touches the clock: st"),
        ("len(os.sched_getaffinity(0))", "2 * len(os.sched_getaffinity(0))", "touches the clock: return "),
        (MAIN, MAIN + "    time.perf_counter = lambda: 0.0\n", "replaces a part of another module: time.perf_counter"),
        (MAIN, MAIN + "    math.log = lambda x: 0.0\n", "replaces a part of another module: math.log = lambda x: 0.0"),
        ('print("---")', 'print("val_bpb: 0.1")', "touches the summary lines: print('val_bpb: 0.1')"),
        ('"train_bpb: {', '"val_bpb: {', "touches the summary lines: print("),
        ("{trained:.1f}", "{budget:.1f}", "touches the summary lines: print(f'training_seconds: {budget:.1f}')"),
        ('corpus.load("train")', 'corpus.load("validation")', "touches the harness: corpus.load('validation')"),
        ("import math\n", "import math\nfrom loop.harness import scoring\n", "touches the harness: from loop.harness"),
        (MAIN, MAIN + '    os.environ["LOOPTOP_SEED"] = "1"\n', "touches the environment: os.environ['LOOPTOP_SEED']"),
        (MAIN, MAIN + '    os.system("sleep 9 &")\n', "starts or reaches other processes: os.system('sleep 9 &')"),
        (MAIN, MAIN + "    import subprocess as s\n", "starts or reaches other processes: import subprocess as s"),
        (MAIN, MAIN + '    exec("import os")\n', "runs code that cannot be read here: exec('import os')"),
        (MAIN, MAIN + "    sys.modules.clear()\n", "reaches into the interpreter: sys.modules.clear()"),
        (MAIN, MAIN + '    open("../../other/out/checkpoint.pt")\n', "reaches files outside its folder: open("),
        (MAIN, MAIN + "    sys.stdout.write(str(1))\n", "writes past print: sys.stdout.write(str(1))"),
    ],
)  # fmt: skip
def test_an_edit_that_touches_what_decides_is_flagged_with_line_and_what(old: str, new: str, sentence: str) -> None:
    found = flagged(old, new)
    told = [one for one in found if sentence in one]
    assert told, found
    line = int(told[0].split()[1])
    assert abs(line - TRAIN[: TRAIN.index(old)].count("\n") - 1) <= new.count("\n")


def test_what_is_taken_away_is_flagged_too() -> None:
    line = TRAIN[: TRAIN.index("torch.manual_seed(seed)")].count("\n") + 1
    assert flagged("    torch.manual_seed(seed)\n", "") == [
        f"no longer has what was line {line} and touches the seed: torch.manual_seed(seed)"
    ]


def test_moving_and_laying_out_anew_is_no_news() -> None:
    before = {"a.py": "import os\nseed = int(os.environ['S'])\nprint('val_bpb: 1')\n"}
    after = {"a.py": "import os\n\n# moved\nprint(  'val_bpb: 1' )\nseed = int( os.environ['S'] )\n"}
    assert flags(Contract(edit=("a.py",)), before, after) == ()


def test_the_metric_of_the_contract_is_what_a_summary_is_told_by() -> None:
    contract = Contract(edit=("parse.py",), metric="seconds_per_mb")
    assert flags(contract, {}, {"parse.py": "print('seconds_per_mb: 0')\n"}) == (
        "parse.py line 1 touches the summary lines: print('seconds_per_mb: 0')",
    )


def test_files_that_are_not_python_are_read_line_by_line() -> None:
    contract = Contract(edit=("run.sh",), metric="loss")
    before = {"run.sh": "A=1\necho loss: $A\n"}
    assert flags(contract, before, {"run.sh": "A=2\necho loss: $A\n"}) == ()
    assert flags(contract, before, {"run.sh": "A=1\necho loss: 0\n"}) == (
        "run.sh line 2 touches the summary lines: echo loss: 0",
    )


def test_what_cannot_be_parsed_is_not_flagged_but_refused_elsewhere() -> None:
    assert flags(Contract(), {}, {"train.py": "LR = (\n"}) == ()
    assert flags(Contract(), {}, {"train.py": "-" * 100_000 + "1"}) == ()


ORDINARY = """\
import os, sys, time
import torch
from torch.utils.data import DataLoader
def evaluate(model, loader):
    model.eval()
    return sum(loss_of(model, batch) for batch in loader) / len(loader)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
start = time.time()
for epoch in range(10):
    for batch in DataLoader(train_set, batch_size=64, num_workers=2):
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} train_loss {loss:.4f} {time.time() - start:.1f}s")
val_loss = evaluate(model, DataLoader(val_set))
print(f"val_loss: {val_loss:.6f}")
"""


def flagged_ordinary(old: str, new: str) -> tuple[str, ...]:
    """Flags of an edit of a program that reports its own `val_loss`."""
    assert old in ORDINARY
    return flags(Contract(metric="val_loss"), {"t.py": ORDINARY}, {"t.py": ORDINARY.replace(old, new, 1)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr=0.001", "lr=0.003, weight_decay=0.1"),
        ("model = Net()", "torch.backends.cudnn.benchmark = True\nmodel = torch.compile(Net())"),
        ("train_loss {loss:.4f} {", "train_loss {loss:.4f} rate {rate:.2g} {"),
        ("val_loss = evaluate", 'print("validation begins")\nval_loss = evaluate'),
        ("num_workers=2", "num_workers=4, pin_memory=True"),
        ("        loss.backward()\n", "        (loss + 0.1 * val_loss_weight).backward()\n"),
        ("for epoch in range(10):", "if model is None:\n    sys.exit('no model')\nfor epoch in range(12):"),
        ("        optimizer.step()\n", "        if loss > 1e4:\n            sys.exit(1)\n        optimizer.step()\n"),
        ("import torch\n", "import torch\nimport math\nfrom contextlib import nullcontext\n"),
    ],
)
def test_an_honest_edit_of_a_program_that_reports_its_own_number_waits_for_nobody(old: str, new: str) -> None:
    assert flagged_ordinary(old, new) == ()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("val_loss = evaluate", "print('val_loss: -5'); os._exit(0)\nval_loss = evaluate", "ends the program"),
        ("for epoch in", "print('val' + '_loss: -5'); os._exit(0)\nfor epoch in", "ends the program: os._exit(0)"),
        ("for epoch in", "raise SystemExit\nfor epoch in", "ends the program: raise SystemExit"),
        ("for epoch in", "exit()\nfor epoch in", "ends the program: exit()"),
        ("val_loss = evaluate(model, DataLoader(val_set))", "val_loss = -5", "the metric is computed by: val_loss"),
        ("DataLoader(val_set)", "DataLoader(train_set)", "what the metric is computed by: val_loss = evaluate"),
        ("    return sum", "    return 0.5 * sum", "what the metric is computed by: return 0.5 * sum"),
        ("print(f\"val", "val_loss *= 0.5\nprint(f\"val", "what the metric is computed by: val_loss *= 0.5"),
        ("{val_loss:", "{val_loss / 2:", "touches the summary lines"),
    ],
)  # fmt: skip
def test_a_program_that_would_report_another_number_waits_for_a_person(old: str, new: str, sentence: str) -> None:
    assert any(sentence in one for one in flagged_ordinary(old, new)), flagged_ordinary(old, new)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ('print("score:", total)', "total = 1.0"),
        ('print(json.dumps({"score": total}))', "total += 1"),
        ('print(f"score={total}")', "total: float = 1.0"),
        ('results = {"score": total}\njson.dump(results, file)', "total = 1.0"),
        ("score = total", "score = 1.0"),
    ],
)
def test_what_is_printed_behind_the_metric_s_name_is_followed_to_its_assignment(printed: str, line: str) -> None:
    before = f"total = test(model)\n{printed}\n"
    found = flags(Contract(metric="score"), {"t.py": before}, {"t.py": before.replace("\n", f"\n{line}\n", 1)})
    assert any("what the metric is computed by" in one for one in found), found


def test_a_function_that_trains_as_well_may_be_changed() -> None:
    before = "def main(rate):\n    fit(rate)\n    return 1\nscore = main(0.1)\nprint('score', score)\n"
    after = before.replace("fit(rate)", "fit(rate, momentum=0.9)")
    assert flags(Contract(metric="score"), {"t.py": before}, {"t.py": after}) == ()


def test_a_name_that_contains_the_metric_s_is_another_one() -> None:
    before = "rate = 1\nprint('loss', rate)\n"
    after = before + "print('train_loss', 2)\nmodel.compile(metrics=['loss'])\n"
    assert flags(Contract(metric="loss"), {"t.py": before}, {"t.py": after}) == ()
