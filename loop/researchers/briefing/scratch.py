"""A scratch run as a researcher reads of it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from loop.researchers.briefing.excerpt import fenced
from loop.researchers.protocol import Scratch
from loop.words import size

OUTPUT = 8000
"""Characters of its output that are told."""

POINTS = 10
"""Points of its curve that are told."""

VALUES = 5
"""Values of each point that are told."""


def told(scratch: Scratch) -> str:
    """What it came to: how it ended, what it took, its curve, and the end of its output."""
    took = f"It held {size(scratch.memory)} of memory at most"
    if scratch.gpu_memory is not None:
        took += f", and {size(scratch.gpu_memory)} on its GPU"
    pace = "" if scratch.per_step is None else f" A step took {scratch.per_step:.4g} s."
    printed = fenced("end of its output", scratch.output, OUTPUT) if scratch.output.strip() else "It printed nothing."
    parts = (f"It {scratch.ended}. {took}.{pace}", _curve(scratch.points), printed)
    return "\n\n".join(part for part in parts if part)


def _curve(points: Sequence[tuple[int | None, Mapping[str, float]]]) -> str:
    """Some of its points as a table: the values that it printed most often, from the first point to the last."""
    counts = Counter(name for _, values in points for name in values)
    names = [name for name, count in counts.most_common(VALUES) if count > 1]
    with_values = [(step, values) for step, values in points if any(name in values for name in names)]
    if len(with_values) < 2:
        return ""
    last = len(with_values) - 1
    places = sorted({round(at * last / (POINTS - 1)) for at in range(POINTS)})
    rows = [("step", *names)]
    for step, values in (with_values[place] for place in places):
        numbers = (f"{values[name]:.5g}" if name in values else "" for name in names)
        rows.append(("" if step is None else str(step), *numbers))
    return "\n".join(["Its course:", *("\t".join(row) for row in rows)])
