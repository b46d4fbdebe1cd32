"""Measures `train.py` on the surface: what our recorded runs of the real one say of it, within milliseconds.

Nothing is trained. The file is read, never run: constants are plain numbers, `PARTS` is a tuple of names. Not to be
edited. The noise is drawn by the run's seed and the file, as a training's is: two files share most of it under one seed
where they differ in constants, and less where they differ in parts.
"""

import ast
import bisect
import json
import os
import random
import sys
from pathlib import Path

HERE = Path(__file__).parent
ALIKE, IN_PARTS = 0.9, 0.4
"""Correlation of two files under one seed, where constants differ and where parts do, as measured on the real one."""


class Wrong(Exception):
    """The file is not as it may be; the message is a sentence."""


def read(text):
    """The constants, and the parts with their numbers (None: a part without one)."""
    constants, parts = {}, None
    for node in ast.parse(text).body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
            continue
        name = node.targets[0].id
        if name == "PARTS":
            parts = node.value
            continue
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            constants[name] = float(value)
    if not isinstance(parts, ast.Tuple):
        raise Wrong("train.py needs PARTS, a tuple of names")
    found = {}
    for part in parts.elts:
        number = None
        if isinstance(part, ast.Tuple) and len(part.elts) == 2:
            part, given = part.elts
            if isinstance(given, ast.Name):
                if given.id not in constants:
                    raise Wrong(f"name {given.id!r} is not defined")
                number = constants[given.id]
            else:
                number = float(ast.literal_eval(given))
        name = ast.literal_eval(part)
        if name in found:
            raise Wrong(f"{name!r} is in PARTS twice")
        found[name] = number
    return constants, found


def between(knots, value):
    """What is at `value`: straight lines between the knots, flat beyond the last."""
    values = [knot[0] for knot in knots]
    at = bisect.bisect_right(values, value)
    if at in (0, len(knots)):
        return knots[0][1] if at == 0 else knots[-1][1]
    (x0, y0), (x1, y1) = knots[at - 1], knots[at]
    return y0 + (y1 - y0) * (value - x0) / (x1 - x0)


def level(text, surface):
    """Bits per byte of a file, without noise.

    Raises:
        Wrong: the file is not as it may be.
    """
    constants, parts = read(text)
    total = surface["level"]
    for name, knots in surface["constants"].items():
        if name not in constants:
            raise Wrong(f"name {name!r} is not defined")
        total += between(knots, constants[name])
    left = dict(parts)
    for group, members in surface["groups"].items():
        has = [name for name in members if name in left]
        if len(has) != 1:
            raise Wrong(f"PARTS needs exactly one {group} of {', '.join(members)}")
        total += members[has[0]]
        del left[has[0]]
    for name, effect in surface["without"].items():
        total += 0.0 if name in left else effect
        left.pop(name, None)
    for name, number in left.items():
        if name in surface["more"]:
            total += surface["more"][name]
        elif name in surface["numbers"]:
            if number is None:
                raise Wrong(f"{name!r} needs a number: ({name!r}, NUMBER)")
            total += between(surface["numbers"][name], number)
        else:
            raise Wrong(f"there is no part {name!r}")
    return total


def best(surface):
    """The lowest level that any file has."""
    total = surface["level"]
    for knots in (*surface["constants"].values(), *surface["numbers"].values()):
        total += min(0.0, *(effect for _, effect in knots))
    for members in surface["groups"].values():
        total += min(members.values())
    for effect in (*surface["without"].values(), *surface["more"].values()):
        total += min(0.0, effect)
    return total


def luck(text, surface, seed, study):
    """What one run's number is off by."""
    constants, parts = read(text)

    def draw(*what):
        return random.Random(repr((study, seed, *what))).gauss(0, 1)

    shape = sorted((name, number is not None) for name, number in parts.items())
    every = sorted(constants.items()), shape, sorted((k, v) for k, v in parts.items() if v is not None)
    shares = (IN_PARTS, ALIKE - IN_PARTS, 1 - ALIKE)
    draws = (draw(), draw(shape), draw(every))
    return surface["sd"] * sum(share**0.5 * one for share, one in zip(shares, draws, strict=True))


def main():
    surface = json.loads((HERE / "surface.json").read_text())
    text = (HERE / "train.py").read_text()
    seed, study = os.environ.get("LOOPTOP_SEED", "0"), os.environ.get("YARDSTICK", "0")
    try:
        print(f"val_bpb: {level(text, surface) + luck(text, surface, seed, study):.6f}")
    except (Wrong, ValueError, SyntaxError) as error:
        sys.exit(f"measure.py: {error}")


if __name__ == "__main__":
    main()
