"""Whatever a project keeps its numbers in, they are found there, and what must not be tuned is left alone."""

import ast
import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loop.researchers.automl.focus import Focus, interpret
from loop.researchers.automl.ranges import around
from loop.researchers.automl.sites import find, replace, tunable

ARGUMENTS = """\
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=1e-3, help="the rate")
p.add_argument("--weight-decay", "-w", type=float, default=0.1)
p.add_argument("--optimizer", choices=["adamw", "sgd"], default="adamw")
p.add_argument("--layers", type=int, choices=(2, 4, 8), default=4)
p.add_argument("--width", type=int, default=64, help="fixed by the tokenizer")
p.add_argument("--epochs", type=int, default=10)
p.add_argument("--seed", type=int, default=1337)
p.add_argument("--data", default="data/train.bin")
p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
p.add_argument("--nesterov", action=argparse.BooleanOptionalAction, default=False)
"""

NANOGPT = """\
eval_interval = 2000
eval_iters = 200
log_interval = 1
eval_only = False # if True, script exits right after the first eval
always_save_checkpoint = True
wandb_log = False # disabled by default
dataset = 'openwebtext'
gradient_accumulation_steps = 5 * 8 # used to simulate larger batch sizes
batch_size = 12
n_layer = 12
dropout = 0.0 # for pretraining 0 is good
bias = False # do we use bias inside LayerNorm and Linear layers?
learning_rate = 6e-4 # max learning rate
max_iters = 600000 # total number of training iterations
weight_decay = 1e-1
beta1 = 0.9
decay_lr = True
warmup_iters = 2000
backend = 'nccl'
device = 'cuda'
compile = True
config_keys = [k for k, v in globals().items() if isinstance(v, (int, float, bool, str))]
iter_num = 0
best_val_loss = 1e9
while iter_num < max_iters:
    lr = learning_rate
    iter_num += 1
    best_val_loss = min(best_val_loss, 1.0)
"""

FIELDS = """\
from dataclasses import dataclass, field
from typing import Literal

@dataclass
class Model:
    depth: int = 8
    heads: int = 4
    norm: Literal["rms", "layer"] = "rms"
    lr: float = field(default=1e-3)
    vocab_size: int = 50257
    out_dir: str = "out"

class TrainConfig:
    rows = 2**4
    weight_decay = 0.1
    random_state = 42

class Trainer:
    count = 7

model = Model(heads=6)
"""

ENTRIES = """\
import click, typer
from typing import Annotated

def main(lr: float = 3e-4, *, depth: int = 6, seed: int = 1, name: str = "x"):
    hidden_size = 128
    best = 1.5
    best = 2.5

@click.command()
@click.option("--gamma", default=0.9)
@click.option("--kind", type=click.Choice(["a", "b"]), default="a")
def tool(gamma, kind): ...

def helper(alpha=0.5): ...

if __name__ == "__main__":
    rate = 0.02
"""

TABLES = """\
config = {"lr": 1e-3, "optimizer": {"momentum": 0.9, "name": "sgd"}, "seed": 3, "epochs": 10}
cfg = dict(depth=4, use_bias=True)
LABELS = {"cat": 1, "dog": 2}
IMAGE_SHAPE = (224, 224)
MEAN = (0.485, 0.456)
ADAM_BETAS = (0.8, 0.95)
WINDOW = "SSSL"
beta1, beta2 = 0.9, 0.95
"""

OBJECTS = """\
import ml_collections

def get_config():
    config = ml_collections.ConfigDict()
    config.learning_rate = 3e-4
    config.model = ml_collections.ConfigDict(dict(width=128, seed=3))
    config.optimizer["momentum"] = 0.9
    config.batch = 32
    config.batch = 64
    return config

def experiment_7():
    optimizer = "adamw"  # adamw | sgd
    width = 64  # one of: 32, 64 or 128
    note = "plain"  # a fast, simple way
    self.width = 3

class Net(Module):
    def __init__(self, dropout=0.1, hidden_dim=64, size=3):
        self.dropout = dropout

net = Net(0.2)
lgb.train({"learning_rate": 0.1, "num_leaves": 31, "seed": 1}, data)

if __name__ == "__main__":
    experiment_7()
"""

CALLS = """\
from sklearn.ensemble import GradientBoostingClassifier
plt.plot(alpha=0.3)
model = SVC(C=2.0)
model = GradientBoostingClassifier(learning_rate=0.1, max_depth=3, random_state=0, n_iter_no_change=5)
optimizer = AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.99), eps=1e-8)
"""


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (ARGUMENTS, ["lr", "weight_decay", "optimizer", "layers", "nesterov"]),
        (
            NANOGPT,
            [
                *("gradient_accumulation_steps", "batch_size", "n_layer", "dropout", "bias", "learning_rate"),
                *("weight_decay", "beta1", "decay_lr", "warmup_iters"),
            ],
        ),
        (
            FIELDS,
            ["Model.depth", "Model.norm", "Model.lr", "TrainConfig.rows", "TrainConfig.weight_decay", "Model.heads"],
        ),
        (ENTRIES, ["main.lr", "main.depth", "hidden_size", "gamma", "kind", "rate"]),
        (
            TABLES,
            [
                *("config.lr", "config.optimizer.momentum", "cfg.depth", "cfg.use_bias"),
                *("ADAM_BETAS[0]", "ADAM_BETAS[1]", "beta1", "beta2"),
            ],
        ),
        (
            OBJECTS,
            [
                *("config.learning_rate", "config.model.width", "config.optimizer.momentum", "optimizer", "width"),
                *("Net.hidden_dim", "train.learning_rate", "train.num_leaves"),
            ],
        ),
        (
            CALLS,
            ["SVC.C", "GradientBoostingClassifier.learning_rate", "GradientBoostingClassifier.max_depth", "AdamW.lr"],
        ),
    ],
    ids=["argparse", "lower case", "classes", "functions", "tables", "objects", "calls"],
)
def test_python_in_every_style(source: str, names: list[str]) -> None:
    assert [constant.name for constant in find(source)] == names


YAML = """\
# a study
optimizer:
  lr: 0.001   # the rate
  weight_decay: 1e-4
  nesterov: true
  betas: [0.9, 0.999]
  eps: 1e-8
training: {epochs: 3, rows: 32, warmup_steps: 1_00}
seed: 3
name: "résumé"
width: 64  # do not change
checkpoint_every: 10
"""
JSON = (
    '{\n\t"optimizer": {"lr": 1e-3, "name": "a: [1, {", "use_bias": true},\r\n'
    '\t"dims": [0.5, [7]], "seed": 1, "é": 3.5}\n'
)
TOML = """\
title = "x = 4"
[opt]
lr = 0.01 # the rate
seed = 4
[opt.sub]
depth = 4
use_bias=false
text = '''
width = 5
'''
"""
CUDA = """\
// #define OLD 3
#define BLOCK 64 // threads
#define TILE (16)
#define SCALE 0.5f
#define SEED 3
#define FIXED 9 // fixed: the warp
#define GUARD
static const int rows = 1, depth = 4;
constexpr float decay = 1e-3f;
const char *text = "const int wrong = 4;";
#if X
#define SHARED 4
#else
#define SHARED 8
#endif
int work() { return BLOCK * TILE * SCALE; }
"""


@pytest.mark.parametrize(
    ("path", "source", "names"),
    [
        (
            "conf/base.yaml",
            YAML,
            [
                *("optimizer.lr", "optimizer.weight_decay", "optimizer.nesterov", "optimizer.betas[0]"),
                *("optimizer.betas[1]", "training.rows", "training.warmup_steps"),
            ],
        ),
        ("c.json", JSON, ["optimizer.lr", "optimizer.use_bias", "dims[0]", "dims[1][0]", "é"]),
        ("c.toml", TOML, ["opt.lr", "opt.sub.depth", "opt.sub.use_bias"]),
        ("kernel.cu", CUDA, ["BLOCK", "TILE", "SCALE", "decay"]),
        ("broken.json", "{1: }", []),
        ("broken.yaml", "a: [", []),
        ("broken.toml", "a = ", []),
        ("notes.txt", "lr = 4", []),
    ],
)
def test_files_that_are_no_python(path: str, source: str, names: list[str]) -> None:
    assert [constant.name for constant in find(source, path)] == names


def _parses(path: str, source: str) -> None:
    match path.rpartition(".")[2]:
        case "py":
            ast.parse(source)
        case "yaml":
            yaml.safe_load(source)
        case "json":
            json.loads(source)
        case "toml":
            tomllib.loads(source)


@given(
    st.sampled_from(
        [
            *(("t.py", source) for source in (ARGUMENTS, NANOGPT, FIELDS, ENTRIES, TABLES, OBJECTS, CALLS)),
            *(("c.yaml", YAML), ("c.json", JSON), ("c.toml", TOML), ("k.cu", CUDA)),
        ]
    ),
    st.lists(st.floats(0, 1), min_size=12, max_size=12),
)
def test_an_edit_changes_its_values_and_no_other_byte(file: tuple[str, str], places: list[float]) -> None:
    path, source = file
    constants = find(source, path)
    values = {one.name: around(one).value(place) for one, place in zip(constants, places, strict=False)}
    changed = replace(source, values, path)
    _parses(path, changed)
    after = find(changed, path)
    assert {one.name: one.value for one in after} == {one.name: values.get(one.name, one.value) for one in constants}
    raw, now = source.encode(), changed.encode()
    for one, other in zip(reversed(constants), reversed(after), strict=True):
        raw, now = raw[: one.start] + raw[one.end :], now[: other.start] + now[other.end :]
    assert raw == now


PIECES = st.sampled_from(
    (
        *(
            "lr = 0.1",
            "lr: 0.1",
            '{"lr": 1e-3',
            "}",
            "[a]",
            "[[b]]",
            "[",
            "]",
            "- ",
            "&a ",
            "*a",
            "<<: *a",
            "\t",
            " # fixed",
        ),
        *(
            "#define N 4",
            "const int N = 4;",
            "/*",
            "*/",
            '"',
            "9" * 5000,
            "1_",
            "1e999",
            "0x1F",
            ".",
            "é",
            "\0",
            "\u2028",
        ),
        *(
            "config = {",
            "'lr': 1",
            "p.add_argument('--lr', default=",
            ", choices=",
            ")",
            "def main(lr=",
            "\r",
            "\x85",
            "\ufeff",
        ),
    )
)


@given(st.lists(PIECES | st.text(max_size=8) | st.just("\n"), max_size=14).map("".join))
def test_any_text_is_searched_and_only_its_values_change(text: str) -> None:
    for path in ("t.py", "c.yaml", "c.json", "c.toml", "k.cu"):
        found = find(text, path)
        raw = text.encode(errors="surrogatepass")
        assert all(raw[one.start : one.end].decode() == one.text for one in found)
        values = {one.name: around(one).value(0.7) for one in found}
        after = find(replace(text, values, path), path)
        assert {one.name: one.value for one in after} == values


def test_a_large_file_takes_no_longer_than_its_length_asks_for() -> None:
    """Looking through all calls for each call would take an hour here."""
    source = "".join(f"def f{number}(lr=0.1): ...\nf{number}(lr=0.2)\n" for number in range(3000))
    assert len(find(source)) == 3000


def test_a_table_of_a_list_is_left_alone() -> None:
    found = find("[a]\nlr = 0.1\n[[b]]\nlr = 0.1\n[c]\ndepth = 4\n", "c.toml")
    assert [constant.name for constant in found] == ["a.lr", "c.depth"]


def test_what_the_command_gives_itself_is_not_tuned() -> None:
    files = {"train.py": ARGUMENTS}
    assert "lr" in {site.name for site in tunable(files, "python train.py --warmup 3")}
    for run in ("python train.py --lr 0.1", "python train.py --lr=0.1 --x", "python train.py --weight_decay 3 --lr .1"):
        assert "lr" not in {site.name for site in tunable(files, run)}
    names = {site.name for site in tunable({"c.yaml": YAML}, "python train.py optimizer.lr=0.1")}
    assert "optimizer.lr" not in names and "optimizer.weight_decay" in names


def test_what_nothing_reads_is_left_out_where_something_is_read() -> None:
    used = "lr = 0.1\nwidth = 3\nprint(lr)\n"
    assert [site.name for site in tunable({"train.py": used}, "python train.py")] == ["lr"]
    assert [site.name for site in tunable({"settings.py": used}, "python train.py")] == ["lr", "width"]
    assert [site.name for site in tunable({"train.py": "lr = 0.1\n"}, "python train.py")] == ["lr"]


def test_a_name_that_stands_in_two_files_or_twice_says_which() -> None:
    files = {"a.py": "lr = 0.1\n", "b.py": "lr = 0.2\noptimizer = SGD(lr=0.3)\noptimizer = SGD(lr=0.4)\n"}
    assert [site.name for site in tunable(files)] == ["a.py:lr", "b.py:lr", "SGD.lr", "SGD.lr#2"]


def test_a_person_may_name_the_last_part_only() -> None:
    names = ["optimizer.lr", "model.depth", "head.depth", "ADAM_BETAS[0]"]
    assert interpret("focus on lr", names, Focus())[0] == Focus(only=frozenset({"optimizer.lr"}))
    assert interpret("freeze adam_betas[0]", names, Focus())[0] == Focus(frozen=frozenset({"ADAM_BETAS[0]"}))
    assert interpret("more depth", names, Focus())[0] == Focus()
