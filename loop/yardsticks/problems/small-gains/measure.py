"""Measures `train.py`: what its switches are worth together, plus the luck of the run. Not to be edited.

The luck follows from the seed and from the whole file, so no two files share any of it: small gains are then hardest to
see. The file is read, never run.
"""

import ast
import json
import os
import random
import sys
from pathlib import Path

HERE = Path(__file__).parent


class Wrong(Exception):
    """The file is not as it may be; the message is a sentence."""


def read(text):
    """The switches and their values."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = float(ast.literal_eval(node.value))
    return found


def level(text, surface):
    """The loss of a file, without luck.

    Raises:
        Wrong: a switch is missing.
    """
    switches = read(text)
    if missing := surface["worth"].keys() - switches.keys():
        raise Wrong(f"name {min(missing)!r} is not defined")
    return surface["level"] - sum(worth for name, worth in surface["worth"].items() if switches[name])


def best(surface):
    """The lowest loss that any file has."""
    return surface["level"] - sum(max(0.0, worth) for worth in surface["worth"].values())


def main():
    surface = json.loads((HERE / "surface.json").read_text())
    text = (HERE / "train.py").read_text()
    seed, study = os.environ.get("LOOPTOP_SEED", "0"), os.environ.get("YARDSTICK", "0")
    try:
        switches = read(text)
        luck = random.Random(repr((study, seed, sorted(switches.items())))).gauss(0, surface["sd"])
        print(f"loss: {level(text, surface) + luck:.6f}")
    except (Wrong, ValueError, SyntaxError) as error:
        sys.exit(f"measure.py: {error}")


if __name__ == "__main__":
    main()
