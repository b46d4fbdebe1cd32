"""How a run went: its curve in ten points, how the time of a step divides, and what it had of its processors. Pure."""

import re
from collections.abc import Mapping, Sequence

from loop.researchers.briefing.excerpt import one_line
from loop.study.curves import Point
from loop.study.experiment import Run

_UNIT = re.compile(r"^(?P<name>.+?)[_ .-](?P<unit>ms|us|µs|milliseconds|microseconds|seconds|secs?|s)$")
_SECONDS = {
    "ms": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "microseconds": 1e-6,
    "seconds": 1.0, "secs": 1.0, "sec": 1.0, "s": 1.0,
}  # fmt: skip
_WHOLE = re.compile(r"^(?:step|iter|iteration|batch|step_time|iter_time|time_per_step|per_step)$", re.IGNORECASE)
_TOTAL = re.compile(
    r"(?:^|[_ .-])per$|total|train|elapsed|wall|budget|startup|start_up|compile|eval|valid|remaining|eta", re.IGNORECASE
)
"""Names of times that are no part of a step, and of rates, such as `tokens_per_s`; `tok/s` has no unit of time."""

HARDLY = 0.8
"""Share of its time on the processors, from which a run counts as undisturbed."""

SHOWN = 8
"""Parts of a step that are named, the longest first."""


def curve(name: str, points: Sequence[Point], unit: str) -> str:
    """A curve as a sentence; empty where there are fewer than two points.

    Args:
        unit: of where the points lie: "%" of the training, or "s".
    """
    if len(points) < 2:
        return ""
    digits, apart = (0, "") if unit == "%" else (int(points[-1][0] < 20), " ")
    told = ", ".join(f"{value:.4g} at {x:.{digits}f}{apart}{unit}" for x, value in points)
    return f"Its {one_line(name, 40)} over that run: {told}."


def step_time(values: Mapping[str, float]) -> str:
    """How the time of a step divides, by what a run printed under names with a unit of time, such as `forward_ms`.

    Times that are no part of a step (start-up, the whole training) are left out. Empty where there are not two parts.
    """
    parts: dict[str, float] = {}
    whole = 0.0
    for name, value in values.items():
        found = _UNIT.match(name)
        if found is None or not 0 < value < 1e6 or _TOTAL.search(found["name"]):
            continue
        seconds = value * _SECONDS[found["unit"]]
        if _WHOLE.search(found["name"]):
            whole = max(whole, seconds)
        else:
            parts[found["name"]] = seconds
    if len(parts) < 2:
        return ""
    whole = max(whole, sum(parts.values()))
    longest = sorted(parts, key=lambda name: -parts[name])[:SHOWN]
    told = [f"{one_line(name, 40)} {_short(parts[name])} ({parts[name] / whole:.0%})" for name in longest]
    if (rest := whole - sum(parts.values())) > 0.02 * whole:
        told.append(f"the rest {_short(rest)} ({rest / whole:.0%})")
    return f"The {_short(whole)} of its step divide into {', '.join(told)}."


def processors(run: Run) -> str:
    """Such as "1.9 CPU cores busy for 43 s"; empty where that is not known."""
    return f"{run.cpu_seconds / run.seconds:.1f} CPU cores busy for {run.seconds:.0f} s" if run.seconds else ""


def disturbed(runs: Sequence[Run]) -> str:
    """What others on the machine took from some runs; empty where that is too little to be seen in a number."""
    if not runs or min(run.had for run in runs) >= HARDLY:
        return ""
    shares = ", ".join(f"{run.had:.0%}" for run in runs)
    return (
        f"had {shares} of the time {'it' if len(runs) == 1 else 'they'} wanted on the processors; others had the rest"
    )


def _short(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"
