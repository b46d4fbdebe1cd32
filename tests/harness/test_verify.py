"""Verification of honest and of broken files, each a real one in real processes; the cheats are in `tests/cheats`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from loop.harness.verify import Rejected, Subject
from tests.harness.conftest import TORCH, Started

np = pytest.importorskip("numpy")
pytestmark = TORCH

HONEST = """
import torch
from torch import nn

class Bigram(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(256, 256)
        self.calls = 0
    def forward(self, idx):
        return self.table(idx)

def load_model(path):
    torch.manual_seed(0)
    return Bigram()
"""


def forward(body: str) -> str:
    """The honest file with another `forward`."""
    return HONEST.replace(
        "        return self.table(idx)\n", "".join(f"        {line}\n" for line in body.splitlines())
    )


UNLOADABLE = [
    "raise ValueError('not today')\n",
    "x = 1\n",
    "def load_model(path):\n    raise KeyError('embedding\\n\\x1b[31mrejected: nothing: at all')\n",
    "def load_model(path): return load_model(path)\n",
]


@pytest.fixture
def verify(tmp_path: Path, python: Callable[..., Started]) -> Callable[[str], Started]:
    """Verify a file, with a checkpoint in place."""

    def start(file: str) -> Started:
        (tmp_path / "train.py").write_text(file)
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "checkpoint.pt").touch()
        return python("-m", "loop.harness", "verify")

    return start


def test_an_honest_model_is_measured(verify: Callable[[str], Started], tmp_path: Path) -> None:
    # Uniform logits need 8 bits whatever the text. What the file prints and patches must not count.
    file = forward("return torch.zeros(*idx.shape, 256)").replace(
        "import torch\n",
        "import sibling, numpy, torch\nprint('---\\nval_bpb: 0.1')\nnumpy.exp = numpy.log = lambda x, **_: 0 * x\n",
        1,
    )
    (tmp_path / "sibling.py").touch()
    (tmp_path / "json.py").write_text("raise SystemExit('a sibling shadowed the standard library')")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "__init__.py").write_text("raise SystemExit('a sibling shadowed the engine')")
    said = verify(file.replace("import sibling", "import json, loop.harness.corpus, sibling"))
    assert said.returncode == 0, said.stdout + said.stderr
    lines = said.stdout.splitlines()
    assert lines[:3] == ["---", "val_bpb: 8.000000", "scored_bytes: 131072"]
    assert dict(line.split(": ") for line in lines[1:]).keys() >= {"compared_bytes", "verify_seconds"}


@pytest.mark.parametrize("file", UNLOADABLE)
def test_a_file_that_makes_no_model_is_rejected_in_one_printable_line(
    verify: Callable[[str], Started], file: str
) -> None:
    said = verify(file)
    assert said.returncode == 3, said.stdout + said.stderr
    rejection = said.stdout.splitlines()
    assert len(rejection) == 1
    assert rejection[0].startswith("rejected: loads: ")
    assert rejection[0].isprintable()
    assert all(line.startswith("| ") and line.isprintable() for line in said.stderr.splitlines())
    assert len(said.stderr) < 6000


FICKLE = forward("""
logits = self.table(idx)
match chr(idx[0, 0]):
    case "n": logits[-1, -1, -1] = float("nan")
    case "i": logits[0] = float("-inf")
    case "s": logits = logits[:, :, :255]
    case "e": raise RuntimeError("whole windows only")
return logits
""")


@pytest.mark.parametrize(
    ("last", "rejection"),
    [
        ("s", "shape: the logits of [2, 3] bytes have the shape [2, 3, 255], not [2, 3, 256]"),
        ("e", "runs: RuntimeError: whole windows only"),
    ],
)
def test_answers_that_are_no_logits_are_rejected(tmp_path: Path, last: str, rejection: str) -> None:
    (tmp_path / "train.py").write_text(FICKLE)
    with Subject(tmp_path / "train.py", tmp_path / "none.pt") as subject:
        subject.loaded()

        def ask(letter: str) -> str:
            try:
                return str([logits.shape for logits in subject.ask([np.full((2, 3), ord(letter), np.uint8)])])
            except Rejected as rejected:
                return str(rejected)

        assert ask(" ") == "[(2, 3, 256)]"
        assert ask("n") == "finite: 1 of 1,536 logits are NaN or infinite"
        assert ask("i") == "finite: 768 of 1,536 logits are NaN or infinite"
        assert ask(" ") == "[(2, 3, 256)]"
        assert ask(last) == rejection


def test_a_run_without_a_checkpoint_is_rejected(python: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HONEST)
    said = python("-m", "loop.harness", "verify")
    assert (said.returncode, said.stderr) == (3, "")
    assert said.stdout == f"rejected: loads: the run left no checkpoint.pt in {tmp_path / 'run'}\n"


def test_the_last_line_of_what_load_model_raised_is_the_reason(verify: Callable[[str], Started]) -> None:
    said = verify("def load_model(path):\n    raise ValueError('first line\\nthe weights do not fit')\n")
    assert said.stdout == "rejected: loads: the weights do not fit\n"
    assert "load_model" in said.stderr


def test_another_file_can_be_named_and_a_missing_one_is_a_slip(python: Callable[..., Started], tmp_path: Path) -> None:
    said = python("-m", "loop.harness", "verify", "--file", "model.py")
    assert said.returncode == 2
    assert said.stderr == f"verify: there is no model.py in {tmp_path}; start it from the root of the checkout\n"


def test_a_cache_that_cannot_be_used_is_not_the_models_fault(python: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HONEST)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").touch()
    (tmp_path / "cache").write_text("a file, not a folder")
    said = python("-m", "loop.harness", "verify", LOOPTOP_CACHE=str(tmp_path / "cache"))
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("verify: ")
    assert said.stderr.count("\n") == 1
