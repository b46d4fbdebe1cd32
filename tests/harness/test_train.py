"""`train.py` as it is shipped: a real run of two seconds, and what researchers may rely on."""

import re
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.conftest import ROOT, TORCH, Started

pytestmark = TORCH

SOURCE = (ROOT / "train.py").read_text()
STEP = re.compile(
    r"step \d{5} \(\d+\.\d%\) \| loss: \d+\.\d{4} \| lrm: [01]\.\d\d \| tok/sec: [\d,]+ \| seconds: \d+\.\d\d"
)


def small(source: str) -> str:
    """The same file with steps of a few milliseconds, so that two seconds on a busy machine hold many."""
    for name, value in {"DEPTH": 2, "WIDTH": 32, "BATCH_ROWS": 1, "CONTEXT": 128}.items():
        source, times = re.subn(rf"^{name} = \S+", f"{name} = {value}", source, flags=re.MULTILINE)
        assert times == 1
    return source


@pytest.fixture
def train(tmp_path: Path, python: Callable[..., Started]) -> Callable[..., Started]:
    """Run a training script for two seconds without a GPU."""

    def start(source: str, **variables: str) -> Started:
        (tmp_path / "train.py").write_text(source)
        defaults = {"LOOPTOP_BUDGET_S": "2", "CUDA_VISIBLE_DEVICES": ""}
        return python("train.py", **(defaults | variables))

    return start


def test_a_run_learns_reports_and_is_verified(
    train: Callable[..., Started], python: Callable[..., Started], tmp_path: Path
) -> None:
    seconds = 2  # on however busy a machine, enough to learn something
    ran = train(small(SOURCE), LOOPTOP_SEED="3", LOOPTOP_BUDGET_S=str(seconds), LOOPTOP_BUDGET_CLOCK="cpu")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    report, summary = ran.stdout.split("---\n")
    head, *steps = report.splitlines()
    assert head.startswith(f"cpu, seed 3, {seconds} s, ")
    assert str(tmp_path / "run") in head
    assert 1 <= len(steps) <= 2 * seconds  # at most two a second
    assert all(STEP.fullmatch(line) for line in steps), steps
    numbers = {key: float(value) for key, value in (line.split(": ") for line in summary.splitlines())}
    assert list(numbers) == [
        "train_bpb", "training_seconds", "total_seconds", "cpu_share", "peak_memory_mb", "total_tokens_M",
        "num_steps", "num_params_M", "depth",
    ]  # fmt: skip
    assert seconds <= numbers["training_seconds"] and 0 < numbers["cpu_share"] <= 1.01, "it counts what it had"
    assert numbers["depth"] == 2
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.pt"]

    # Constants changed since the run do not matter: the checkpoint knows its own shape.
    (tmp_path / "train.py").write_text(SOURCE)
    verified = python("-m", "loop.harness", "verify", CUDA_VISIBLE_DEVICES="")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    bits_per_byte = float(re.search(r"^val_bpb: (.+)$", verified.stdout, re.MULTILINE)[1])
    assert bits_per_byte < 7  # it has learnt something: 8 is where it began


def test_a_loss_that_is_no_number_ends_the_run(train: Callable[..., Started], tmp_path: Path) -> None:
    ran = train(
        re.sub(r"^MATRIX_RATE = \S+", "MATRIX_RATE = 1e30", small(SOURCE), flags=re.MULTILINE), LOOPTOP_BUDGET_S="60"
    )
    assert ran.returncode == 1
    assert re.fullmatch(r"train.py: the loss became (nan|inf) at step \d+; a lower rate may help\n", ran.stderr)
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_importing_it_does_nothing(python: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SOURCE)
    said = python(
        "-c",
        "import sys, threading; sys.path.append('.')\nimport train\n"
        "print(threading.active_count(), callable(train.load_model))",
        LOOPTOP_CACHE=str(tmp_path / "cache"),
        LOOPTOP_BUDGET_S="no number",
    )
    assert (said.stdout, said.stderr) == ("1 True\n", "")
    assert {path.name for path in tmp_path.iterdir()} <= {"train.py", "__pycache__"}


def test_the_seed_decides_weights_and_data(python: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SOURCE)
    program = """
import sys; sys.path.append(".")
import torch, train
def made(seed):
    torch.manual_seed(seed)
    model = train.GPT(2, 32, 16, 4, 0.0)
    text = torch.arange(100_000) % 251
    batch = train.draw(text, 4, torch.Generator().manual_seed(seed))
    return [*model.parameters(), batch]
same = lambda a, b: all(map(torch.equal, a, b))
print(same(made(1), made(1)), same(made(1), made(2)), made(1)[-1].shape == (4, train.CONTEXT + 1))
"""
    assert python("-c", program).stdout == "True False True\n"


def test_it_stays_one_short_file_whose_every_constant_has_a_reason() -> None:
    lines = SOURCE.splitlines()
    assert len(lines) <= 350
    with (ROOT / "train.py").open("rb") as file:
        reasons = {token.start[0] for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT}
    constants = [number for number, line in enumerate(lines, 1) if re.match(r"[A-Z][A-Z0-9_]+ = ", line)]
    assert len(constants) >= 12
    assert all(number in reasons for number in constants), [lines[n - 1] for n in constants if n not in reasons]
