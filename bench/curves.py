"""Curves of real runs of our own `train.py`, one for each of many changes to it: recorded, for `bench.early_stop`.

    python -m bench.curves [--changes 240] [--steps 80] [--into bench/curves.json.gz]

Each change is an edit of the file as somebody makes them: model, optimiser and schedule by hand (`EDITS`), one to three
constants moved within AutoML's own ranges (far, and nearer by), and every constant of model and optimiser at once,
anywhere in its range, which is how a random search and the first trials of TPE go about it. All run from the study's
first seed, which is how first runs are compared; the file as it stands also runs from others, which gives the noise.
Kept is the loss of every step and the bits per byte at the end, measured as the harness measures them, on an eighth of
its windows.

Time is counted in arithmetic, not by the clock: a step costs a fixed part (`FIXED`) and the rest by its operations, so
that a larger model makes fewer steps and a busy machine changes nothing. Small batches keep it short (`ROWS`).

It takes a quarter of an hour of one core, writes as it goes, and goes on where it was ended.
"""

import argparse
import contextlib
import gzip
import io
import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loop.harness import corpus, scoring
from loop.policy.scheduler import FIRST_SEED
from loop.researchers.automl import constants, ranges
from loop.researchers.automl.python_source import find

FILE = Path(__file__).with_name("curves.json.gz")
SOURCE = Path(__file__).parents[1] / "train.py"
ROWS = "BATCH_ROWS = 1"
SEEDS = 10
"""Runs of the file as it stands."""
SOME_MOVED = 160
"""Changes until every further one moves all constants."""
SCHEDULE = "WARMDOWN"
"""The constant of the schedule: what moves it is never ended, and would teach nothing of when others are."""
FIXED = 0.25
"""Share of an unchanged step's time that does not depend on the size of the model or of the batch."""
WINDOWS = slice(None, None, 8)

EDITS: tuple[tuple[str, str, str], ...] = (
    ("gelu for squared relu", "F.relu(self.up(norm(x))).square()", "F.gelu(self.up(norm(x)))"),
    ("relu", "F.relu(self.up(norm(x))).square()", "F.relu(self.up(norm(x)))"),
    ("silu", "F.relu(self.up(norm(x))).square()", "F.silu(self.up(norm(x)))"),
    ("tanh", "F.relu(self.up(norm(x))).square()", "torch.tanh(self.up(norm(x)))"),
    ("cubed relu", "F.relu(self.up(norm(x))).square()", "F.relu(self.up(norm(x))).pow(3)"),
    ("no norm on queries and keys", "q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)",
     "q, k = rotate(q, cos, sin), rotate(k, cos, sin)"),
    ("sharper attention", "rotate(norm(q), cos, sin)", "rotate(norm(q) * 1.2, cos, sin)"),
    ("softer attention", "rotate(norm(q), cos, sin)", "rotate(norm(q) * 0.5, cos, sin)"),
    ("no positions", "q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)", "q, k = norm(q), norm(k)"),
    ("fast positions", "1000.0 **", "100.0 **"),
    ("slow positions", "1000.0 **", "10000.0 **"),
    ("no norm before attention", "normed = norm(x)", "normed = x"),
    ("no norm before the feed-forward part", "self.up(norm(x))", "self.up(x)"),
    ("no norm of embeddings", "x = norm(self.embedding(idx))", "x = self.embedding(idx)"),
    ("no last norm", "self.head(norm(x)).float()", "self.head(x).float()"),
    ("capped logits", "return self.head(norm(x)).float()",
     "return 15 * torch.tanh(self.head(norm(x)).float() / 15)"),
    ("logits capped low", "return self.head(norm(x)).float()",
     "return 5 * torch.tanh(self.head(norm(x)).float() / 5)"),
    ("half-size branches", "x = x + self.drop(self.mix(", "x = x + 0.5 * self.drop(self.mix("),
    ("parallel feed-forward", "x = x + self.drop(self.mix(seen.transpose(1, 2).flatten(2)))",
     "normed = x; x = x + self.drop(self.mix(seen.transpose(1, 2).flatten(2)))"),
    ("matrices begin random", '("mix.weight", "down.weight", "head.weight")', '("head.weight",)'),
    ("the head begins random", '("mix.weight", "down.weight", "head.weight")', '("mix.weight", "down.weight")'),
    ("small beginnings", "std=width**-0.5", "std=0.3 * width**-0.5"),
    ("large beginnings", "std=width**-0.5", "std=2 * width**-0.5"),
    ("three rounds of Newton-Schulz", "for _ in range(5):", "for _ in range(3):"),
    ("eight rounds of Newton-Schulz", "for _ in range(5):", "for _ in range(8):"),
    ("no Nesterov", "orthogonal(gradient.lerp(momentum, MATRIX_MOMENTUM))", "orthogonal(momentum)"),
    ("sign instead of orthogonal", "orthogonal(gradient.lerp(momentum, MATRIX_MOMENTUM))",
     "0.12 * gradient.lerp(momentum, MATRIX_MOMENTUM).sign()"),
    ("no memory in Muon", "momentum.lerp_(gradient, 1 - MATRIX_MOMENTUM)", "momentum.copy_(gradient)"),
    ("plain SGD for the matrices", "orthogonal(gradient.lerp(momentum, MATRIX_MOMENTUM))",
     "gradient.lerp(momentum, MATRIX_MOMENTUM)"),
    ("weight decay for embeddings", "weight_decay=0.0", "weight_decay=0.1"),
    ("eps 1e-8", "eps=1e-10", "eps=1e-8"),
    ("eps 1e-4", "eps=1e-10", "eps=1e-4"),
    ("no clipping", "nn.utils.clip_grad_norm_(model.parameters(), CLIP)", "pass"),
    ("loss with smoothed labels", "part[:, 1:].flatten())", "part[:, 1:].flatten(), label_smoothing=0.02)"),
    ("cosine", "strength = min(1.0, (1 - progress) / WARMDOWN) if WARMDOWN > 0 else 1.0",
     "strength = 0.5 * (1 + math.cos(math.pi * progress))"),
    ("straight to zero", "WARMDOWN = 0.4", "WARMDOWN = 1.0"),
    ("late decay", "WARMDOWN = 0.4", "WARMDOWN = 0.2"),
    ("very late decay", "WARMDOWN = 0.4", "WARMDOWN = 0.1"),
    ("no decay", "WARMDOWN = 0.4", "WARMDOWN = 0.0"),
    ("decay to a tenth", "min(1.0, (1 - progress) / WARMDOWN)", "max(0.1, min(1.0, (1 - progress) / WARMDOWN))"),
    ("warm-up of a tenth", "strength = min(1.0, (1 - progress) / WARMDOWN)",
     "strength = min(1.0, progress / 0.1 + 0.02, (1 - progress) / WARMDOWN)"),
    ("warm-up of a third", "strength = min(1.0, (1 - progress) / WARMDOWN)",
     "strength = min(1.0, progress / 0.33 + 0.02, (1 - progress) / WARMDOWN)"),
    ("rates that fall as a square root", "(1 - progress) / WARMDOWN)", "((1 - progress) / WARMDOWN) ** 0.5)"),
    ("rates twice as high, decay longer", "strength = min(1.0, (1 - progress) / WARMDOWN)",
     "strength = 2 * min(1.0, (1 - progress) / 0.7)"),
    ("rates that rise first", "strength = min(1.0, (1 - progress) / WARMDOWN)",
     "strength = min(0.3 + 2 * progress, (1 - progress) / WARMDOWN)"),
    ("a tenth dropped", '"cpu": (1, 1, 1, 1, 0.0)', '"cpu": (1, 1, 1, 1, 0.1)'),
    ("a third dropped", '"cpu": (1, 1, 1, 1, 0.0)', '"cpu": (1, 1, 1, 1, 0.33)'),
    ("shorter rows, more of them", "CONTEXT = 512", "CONTEXT = 256"),
    ("sums of squares forgotten fast", "betas=(BETA1, BETA2)", "betas=(BETA1, 0.8)"),
    ("twice the batch", ROWS, "BATCH_ROWS = 2"),
    ("one pass more over each batch", "adam.step()", "adam.step(); adam.step()"),
    ("untouched, another comment", "# layers", "# the layers"),
    ("untouched, another order of sums", "return total", "return total * 1.0"),
    ("head and embedding at one rate", '"lr": HEAD_RATE', '"lr": EMBEDDING_RATE'),
    ("matrices without decay", "matrix.mul_(1 - rate * MATRIX_DECAY)", "pass"),
    ("tall matrices move as wide ones", "max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5", "1.0"),
    ("attention in every other layer's size", "self.heads = max(1, width // head_size)",
     "self.heads = max(1, width // head_size // 2)"),
    ("values normed", "q, k = rotate(norm(q)", "v = norm(v); q, k = rotate(norm(q)"),
    ("embedding added again at the end", "return self.head(norm(x)).float()",
     "return self.head(norm(x + 0.5 * norm(self.embedding(idx)))).float()"),
    ("gradients of the sign", "loss.backward()", "loss.backward(); [w.grad.sign_() for w in model.parameters()]"),
)  # fmt: skip
"""Name, what is replaced (found once in the file), and by what."""


def source() -> str:
    """The file that everything is compared with."""
    text = SOURCE.read_text()
    return text.replace("BATCH_ROWS = 4", ROWS)


def changes(count: int) -> list[tuple[str, str]]:
    """Names and whole files: edits by hand, some constants moved, and then every constant anywhere; always the same
    ones in the same order, so that a longer list begins with a shorter one.

    Raises:
        ValueError: an edit does not fit the file any more.
    """
    text = source()
    found = [constant for constant in find(text) if not constant.choices]
    rng, anywhere = np.random.default_rng(17), np.random.default_rng(19)
    made: dict[str, str] = {}
    for name, old, new in EDITS:
        if text.count(old) != 1:
            raise ValueError(f"the edit {name!r} fits {text.count(old)} places of train.py")
        made[name] = text.replace(old, new)
    while len(made) < count:
        values = moved(found, rng) if len(made) < SOME_MOVED else all_moved(found, anywhere)
        if any(values[one.name] != one.value for one in found if one.name in values):
            made.setdefault(", ".join(f"{name} {value}" for name, value in values.items()),
                            constants.put(text, found, values))  # fmt: skip
    return list(made.items())[:count]


def moved(found: Sequence[constants.Constant], rng: np.random.Generator) -> dict[str, constants.Value]:
    """One to three constants, half the time anywhere in their ranges, else nearer by."""
    some = rng.choice(len(found), size=rng.integers(1, 4), replace=False)
    far, values = rng.random() < 0.5, dict[str, constants.Value]()
    for constant in (found[index] for index in some):
        place = ranges.around(constant)
        at = rng.random() if far else place.place(constant.value) + rng.normal(0, 0.1)
        values[constant.name] = place.value(float(at))
    return values


def all_moved(found: Sequence[constants.Constant], rng: np.random.Generator) -> dict[str, constants.Value]:
    """Every constant of model and optimiser anywhere in its range; those of the schedule stay."""
    return {one.name: ranges.around(one).value(float(rng.random())) for one in found if one.name != SCHEDULE}


class Clock:
    """Stands in for `budget_clock`: each look at it is a step further, by so much."""

    def __init__(self, cost: float) -> None:
        self.cost, self.looks = cost, -1

    def __call__(self, *_: object) -> float:
        self.looks += 1
        return self.looks * self.cost


def operations(program: dict[str, Any]) -> float:
    """Operations of one step of a program, as it counts them itself."""
    model = program["GPT"](
        program["DEPTH"], program["WIDTH"], program["HEAD_SIZE"], program["EXPANSION"], 0.0
    )  # fmt: skip
    multiplied = sum(weight.numel() for weight in model.parameters()) - model.embedding.weight.numel()
    per_byte = 6 * multiplied + 12 * program["DEPTH"] * program["WIDTH"] * program["CONTEXT"]
    return float(per_byte * program["BATCH_ROWS"] * program["CONTEXT"])


def load(text: str) -> dict[str, Any]:
    """A version of train.py, not run yet."""
    program: dict[str, Any] = {"__name__": "train_version"}
    exec(compile(text, "train.py", "exec"), program)
    return program


def run(text: str, seed: int, steps: float, usual: float) -> dict[str, Any]:
    """Train one version and score it.

    Args:
        steps: the budget, in steps of the unchanged file.
        usual: operations of one of these.

    Returns:
        "loss" of every step (nats a byte), "cost" of a step in those of the unchanged file, and "bpb"; or "crashed".
    """
    import torch

    torch.set_num_threads(1)
    program = load(text)
    program["usable_cores"] = lambda: 1
    clock = Clock(FIXED + (1 - FIXED) * operations(program) / usual)
    losses: list[float] = []
    backward: Callable[..., Any] = program["backward"]

    def recorded(*given: Any) -> Any:
        loss = backward(*given)
        if clock.looks >= 1:  # else it is the warm-up
            losses.append(round(float(loss), 4))
        return loss

    program["backward"], program["budget_clock"] = recorded, clock
    os.environ |= {"LOOPTOP_BUDGET_S": str(steps), "LOOPTOP_SEED": str(seed)}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.environ["LOOPTOP_RUN_DIR"] = folder
        try:
            program["main"]()
        except (SystemExit, RuntimeError, ValueError) as error:
            return {"crashed": str(error)[:100], "cost": clock.cost, "loss": losses}
        model = program["load_model"](next(Path(folder).glob("*")))
        texts = scoring.windows(corpus.load("validation"))[WINDOWS]
        bits = []
        with torch.inference_mode():
            for some in np.array_split(texts, 4):
                logits = model(torch.tensor(some[:, :-1], dtype=torch.int64)).numpy()
                bits.append(scoring.bits(logits, some[:, 1:]).mean())
    return {"loss": losses, "cost": round(clock.cost, 4), "bpb": round(float(np.mean(bits)), 6)}


def _one(work: tuple[str, str, int, float, float]) -> dict[str, Any]:
    name, text, seed, steps, usual = work
    return {"name": name, "seed": seed} | run(text, seed, steps, usual)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=240)
    parser.add_argument("--steps", type=int, default=80, help="steps of the unchanged file in a run (default 80)")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--into", type=Path, default=FILE)
    asked = parser.parse_args()
    known: dict[str, Any] = {"steps": asked.steps, "runs": []}
    if asked.into.exists():
        with gzip.open(asked.into, "rt") as file:
            known = json.load(file)
    usual = operations(load(source()))
    untouched = [("", source(), FIRST_SEED + more) for more in range(SEEDS)]
    wanted = [*untouched, *((name, text, FIRST_SEED) for name, text in changes(asked.changes))]
    done = {(one["name"], one["seed"]) for one in known["runs"]}
    left = [(*one, known["steps"], usual) for one in wanted if (one[0], one[2]) not in done]
    with multiprocessing.get_context("spawn").Pool(asked.processes, maxtasksperchild=40) as pool:
        for found in pool.imap_unordered(_one, left):
            known["runs"].append(found)
            partial = asked.into.with_suffix(".partial")
            with gzip.open(partial, "wt") as file:
                json.dump(known, file, separators=(",", ":"))
            partial.replace(asked.into)
            print(f"{len(known['runs'])} of {len(wanted)}: {found['name'] or 'untouched'}, seed {found['seed']}, "
                  f"{found.get('bpb', found.get('crashed'))}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
