"""The surface of `looptop bench`: fitted to our own recorded runs of `train.py` (`bench.curves`).

    python -m bench.surface [--into loop/yardsticks/problems/surface/surface.json]

Each recorded change was run from one seed, so its effect is its bits per byte minus those of the untouched file from
that seed. Changes of constants give a function of each constant, on AutoML's own places (0 to 1): two parabolas that
meet at the file's value, fitted by ridge regression to all of them together, written as knots (value, effect), and
flat beyond what was recorded. Edits by hand give an effect each; `GROUPS`, `WITHOUT`, `MORE` and `NUMBERS` say what
they are called in the problem's file. Everything adds up. The noise is the scatter of the untouched file over its
seeds. Printed is how much of the effects of constants the fit tells when each change in turn is left out.
"""

import argparse
import gzip
import json
import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.curves import FILE, source
from loop.policy.scheduler import FIRST_SEED
from loop.researchers.automl import ranges
from loop.researchers.automl.python_source import find

INTO = Path(__file__).parents[1] / "loop" / "yardsticks" / "problems" / "surface" / "surface.json"
RIDGE = 0.02
WORST = 0.4
"""Effects beyond this are taken for this: the fit is to tell good from bad, and not how bad a ruin is."""

KNOTS = 17

MOST_MOVED = 3
"""Constants of a change that counts: where all are moved at once, what each did is not told apart."""

NAMES = {"AdamW.weight_decay": "ADAM_DECAY"}
"""What the problem's file calls a constant that has no name of its own in `train.py`."""

GROUPS: dict[str, dict[str, str]] = {
    "activation": {"squared relu": "", "gelu": "gelu for squared relu", "relu": "relu", "silu": "silu", "tanh": "tanh",
                   "cubed relu": "cubed relu"},
    "muon": {"five rounds of newton-schulz": "", "three rounds of newton-schulz": "three rounds of Newton-Schulz",
             "eight rounds of newton-schulz": "eight rounds of Newton-Schulz", "signs": "sign instead of orthogonal",
             "plain gradients": "plain SGD for the matrices"},
    "schedule": {"straight decay": "", "cosine decay": "cosine", "decay to a tenth": "decay to a tenth",
                 "rates fall as a square root": "rates that fall as a square root",
                 "rates rise first": "rates that rise first",
                 "rates twice as high, decay longer": "rates twice as high, decay longer"},
    "warm-up": {"no warm-up": "", "warm-up of a tenth": "warm-up of a tenth",
                "warm-up of a third": "warm-up of a third"},
}  # fmt: skip
"""Parts of which a file has exactly one each, the file's own first, and the recorded edit of each."""

WITHOUT = {
    "norm of queries and keys": "no norm on queries and keys", "norm before attention": "no norm before attention",
    "norm before feed-forward": "no norm before the feed-forward part", "norm of embeddings": "no norm of embeddings",
    "last norm": "no last norm", "nesterov": "no Nesterov", "clipping": "no clipping",
    "memory in muon": "no memory in Muon", "decay of matrices": "matrices without decay",
}  # fmt: skip
"""Parts that the file has, and the recorded edit that takes each away."""

MORE = {
    "half-size branches": "half-size branches", "large beginnings": "large beginnings",
    "smoothed labels": "loss with smoothed labels", "two passes over each batch": "one pass more over each batch",
    "a tenth dropped": "a tenth dropped", "half as many heads": "attention in every other layer's size",
    "embedding added at the end": "embedding added again at the end", "eps 1e-8": "eps 1e-8",
}  # fmt: skip
"""Parts that it has not, and the recorded edit that brings each."""

NUMBERS: dict[str, dict[float, str]] = {
    "rotary base": {100.0: "fast positions", 1000.0: "", 10000.0: "slow positions"},
    "attention scale": {1.0: "", 1.2: "sharper attention"},
    "logit cap": {5.0: "logits capped low", 15.0: "capped logits", 60.0: ""},
}
"""Parts with a number, which it has not either, and the recorded edits at some values of it."""

_PAIR = re.compile(r"([\w.]+) (-?[\d.e-]+)$")


def recorded() -> dict[str, Any]:
    with gzip.open(FILE, "rt") as file:
        return {(one["name"], one["seed"]): one.get("bpb") for one in json.load(file)["runs"]}


def moved(name: str, places: dict[str, ranges.Range]) -> dict[str, float] | None:
    """Place of each constant that a recorded change sets; None for an edit by hand."""
    found = [_PAIR.fullmatch(part) for part in name.split(", ")]
    if not all(match and match[1] in places for match in found):
        return None
    return {match[1]: places[match[1]].place(float(match[2])) for match in found if match}


def features(values: dict[str, float], at: dict[str, float], names: list[str]) -> NDArray[np.float64]:
    row = np.zeros(4 * len(names))
    for name, place in values.items():
        index, away = 4 * names.index(name), place - at[name]
        side = 0 if away > 0 else 2
        row[index + side : index + side + 2] = abs(away), away**2
    return row


def solved(rows: NDArray[np.float64], effects: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.solve(rows.T @ rows + RIDGE * np.eye(rows.shape[1]), rows.T @ effects))


def _knots(
    name: str,
    places: ranges.Range,
    at: dict[str, float],
    reach: list[float],
    fitted: NDArray[np.float64],
    names: list[str],
) -> list[list[float]]:
    """Values of a constant and what each adds, in order."""
    found = dict[float, float]()
    for place in [*np.linspace(*reach, KNOTS), at[name]]:
        value = places.value(float(place))
        assert not isinstance(value, str)
        row = features({name: places.place(value)}, at, names)
        found[value] = round(float(row @ fitted), 5)
    return [[value, found[value]] for value in sorted(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=INTO)
    asked = parser.parse_args()
    runs = recorded()
    untouched = runs["", FIRST_SEED]
    constants = {one.name: one for one in find(source()) if not one.choices}
    places = {name: ranges.around(one) for name, one in constants.items()}
    at = {name: places[name].place(one.value) for name, one in constants.items()}
    rows, effects, reach = [], [], {name: [place, place] for name, place in at.items()}
    names = list(constants)
    for (name, seed), level in runs.items():
        if level is None or not name or seed != FIRST_SEED or (values := moved(name, places)) is None:
            continue
        if len(values) > MOST_MOVED:
            continue
        rows.append(features(values, at, names))
        effects.append(min(WORST, level - untouched))
        for one, place in values.items():
            reach[one] = [min(reach[one][0], place), max(reach[one][1], place)]
    x, y = np.array(rows), np.array(effects)
    errors = []
    for left in range(len(y)):
        others = np.arange(len(y)) != left
        errors.append(y[left] - x[left] @ solved(x[others], y[others]))
    told = 1 - np.square(errors).sum() / np.square(y - y.mean()).sum()
    fitted = solved(x, y)
    levels = [level for (name, _), level in runs.items() if not name]

    def effect(edit: str) -> float:
        return round(runs[edit, FIRST_SEED] - untouched, 5) if edit else 0.0

    surface = {
        "from": f"bench/curves.json.gz: {len(y)} changes of constants, 50 edits by hand, {len(levels)} seeds",
        "level": round(statistics.fmean(levels), 6),
        "sd": round(statistics.stdev(levels), 6),
        "constants": {
            NAMES.get(name, name): _knots(name, places[name], at, reach[name], fitted, names) for name in names
        },
        "groups": {group: {part: effect(edit) for part, edit in parts.items()} for group, parts in GROUPS.items()},
        "without": {part: effect(edit) for part, edit in WITHOUT.items()},
        "more": {part: effect(edit) for part, edit in MORE.items()},
        "numbers": {part: [[value, effect(edit)] for value, edit in at.items()] for part, at in NUMBERS.items()},
    }
    asked.into.write_text(json.dumps(surface, separators=(",", ":")).replace("},", "},\n") + "\n")
    print(f"{surface['from']}; left out one by one the fit tells {told:.0%} of the effects; noise {surface['sd']:.4f}")
    for name in names:
        low, high = reach[name]
        print(
            f"  {name} {constants[name].value}: recorded from {places[name].value(low)} to {places[name].value(high)}"
        )


if __name__ == "__main__":
    main()
