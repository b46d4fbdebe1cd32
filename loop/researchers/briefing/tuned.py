"""What tuning has found about the constants, for whoever has other ideas: what matters, where the best values lie, and
what is exhausted.

Pure: everything comes from a briefing, as AutoML itself reads it. Empty where AutoML has measured nothing.
"""

import math
from collections.abc import Sequence

from loop.researchers.automl.constants import Value
from loop.researchers.automl.narration import amount, number
from loop.researchers.automl.ranges import Range, around
from loop.researchers.automl.sites import tunable
from loop.researchers.automl.trials import Notes, Trial, importance, read, starts
from loop.researchers.briefing.excerpt import one_line
from loop.researchers.protocol import Briefing
from loop.words import listed

SHOWN, NAMED = 10, 12
"""Constants with a line of their own, those that moved the metric most; and names in a list of others."""

GOOD, FEWEST = 0.25, 4
"""Share of the measured values of a constant that count as its best ones, and measured values below which none do."""

HEADING = """\
# What tuning has found
AutoML tunes the named numbers by itself, so leave their values to it and propose what it cannot: structure, methods,
where the time goes. Give a new number that may matter a name, such as WARMUP_SHARE = 0.1: it is tuned then."""


def findings(briefing: Briefing) -> str:
    """The section of a briefing; empty where no change of AutoML has a number yet."""
    if not any(x.verdict is not None and Notes.of(x) is not None for x in briefing.experiments):
        return ""
    constants = {site.name: site.constant for site in tunable(briefing.files, briefing.contract.run)}
    present = {name: constant.value for name, constant in constants.items()}
    trials = read(briefing.experiments, briefing.champion.id, present, briefing.contract)
    first = starts(briefing.experiments, present)
    moved = importance(trials, present)
    noise = briefing.noise.sd if briefing.noise is not None else 0.0
    ranked = sorted(((size, name) for name, size in moved.items() if size is not None), reverse=True)
    if not ranked:
        return ""
    strong = [(size, name) for size, name in ranked if size > noise][:SHOWN]
    lines = [HEADING]
    for size, name in strong:
        span = around(constants[name], first[name]).holding(present[name])
        lines.append(_line(name, size, present[name], span, trials, briefing))
    rest = [one_line(name, 60) for size, name in ranked if size > noise][SHOWN:]
    if rest:
        lines.append(f"Moved it less, and by more than the noise: {listed(rest, NAMED)}.")
    weak = [one_line(name, 60) for size, name in ranked if size <= noise]
    if weak:
        lines.append(f"Inside the noise so far: {listed(weak, NAMED)}.")
    if unmeasured := [one_line(name, 60) for name, size in moved.items() if size is None]:
        lines.append(f"Not changed yet: {listed(unmeasured, NAMED)}.")
    return "\n".join(lines)


def _line(name: str, size: float, now: Value, span: Range, trials: Sequence[Trial], briefing: Briefing) -> str:
    """One constant: its value, what its changes moved, where the best values lie, and whether more is to be had."""
    text = f"- {one_line(name, 60)} = {number(now)}: its changes moved {briefing.contract.metric} by {amount(size)}"
    having = [trial for trial in trials if name in trial.values]
    measured = [(trial.metric, trial.values[name]) for trial in having if trial.metric is not None]
    if len(measured) >= FEWEST and span.scale != "choice":
        best = sorted(measured, key=lambda one: one[0], reverse=briefing.contract.goal == "max")
        good = [value for _, value in best[: max(2, math.ceil(GOOD * len(best)))]]
        low, high = min(good, key=span.place), max(good, key=span.place)
        where = number(low) if low == high else f"{number(low)} to {number(high)}"
        text += f" on average; the best quarter of {len(best)} values: {where}"
    if _exhausted(name, now, span, trials):
        text += "; both ways from here were worse"
    return text


def _exhausted(name: str, now: Value, span: Range, trials: Sequence[Trial]) -> bool:
    """Whether steps up and down from the present value have been measured, and none of them was kept."""
    steps = [trial for trial in trials if trial.alone == name and trial.before[name] == now]
    ways = {span.place(trial.values[name]) > span.place(now) for trial in steps if (trial.effect or 0.0) < 0}
    return len(ways) == 2 and not any(trial.kept for trial in steps)
