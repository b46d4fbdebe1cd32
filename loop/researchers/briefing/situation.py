"""The state of a search in sentences: champion, noise, machine, limits, and what the newest verdicts call for.

Pure. It says what can be measured, by the thresholds of the judge, and never what to try.
"""

from collections.abc import Sequence
from itertools import takewhile
from statistics import fmean

from loop.policy.changes import CONSTANTS
from loop.policy.judge import keep_threshold, repeat_threshold
from loop.policy.noise import QUIET, Noise
from loop.policy.pairs import Alike
from loop.researchers.briefing import course
from loop.researchers.briefing.excerpt import one_line
from loop.researchers.briefing.kinds import ELSEWHERE, elsewhere, most_touched
from loop.researchers.briefing.row import comparable, figure
from loop.researchers.protocol import Briefing
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.words import decimal_size, listed, size

BARREN, PLATEAU = 5, 12
"""Experiments in a row without a new champion, after which another kind of idea is asked for, and after which also what
was wrong with these is said."""

UNSURE = 5.0
"""Sigmas of the keep threshold, above which it says more about how little is known than about what to aim for."""

OBSERVED, DISTURBED = 12, 0.9
"""Newest runs that tell how busy the machine is, and the share of its time that one of them must have got less than."""

STUMBLES = 3
"""Failures in a row, after which something simpler is asked for."""


def situation(briefing: Briefing) -> str:
    """Champion, noise, machine, limits, and what the newest results say about how to go on."""
    lines = ["# Where it stands", _gain(briefing), _noise(briefing), *_vitals(briefing), *_machine(briefing)]
    lines += [briefing.worths] if briefing.worths else []
    lines += [f"Mind that {notice}." for notice in briefing.notices]
    lines += [briefing.held] * bool(briefing.held)
    if briefing.ladder:
        lines.append(f"On a larger scale, where a change has to hold in the end: {'; '.join(briefing.ladder)}.")
    if briefing.left:
        lines.append(f"Used so far: {'; '.join(_limit(x.name, x.used, x.limit) for x in briefing.left)}.")
    return "\n".join([*lines, *_hints(briefing)])


def _gain(briefing: Briefing) -> str:
    champion, contract = briefing.champion, briefing.contract
    first = next((x for x in briefing.experiments if x.id == 0), None)
    name = "the baseline" if champion.id == 0 else f"#{champion.id}"
    metric = _metric(champion, briefing)
    if metric is None:
        return f"The champion is {name}."
    text = f"The champion is {name}, with {contract.metric} {figure(metric)}"
    text += f" on {one_line(briefing.kind, 60)}" if briefing.kind else ""
    text += _runs(champion, briefing)
    same = comparable(champion, contract.protocol_id) and first is not None and comparable(first, contract.protocol_id)
    before = None if first is None else _metric(first, briefing)
    if first is None or before is None or champion.id == 0 or not same:
        return f"{text}."
    gain = contract.better_by(metric, before)
    return (
        f"{text}; the baseline had {figure(before)}{_runs(first, briefing)}, so {abs(gain):.3g} is "
        f"{'gained' if gain >= 0 else 'lost'}."
    )


def _runs(experiment: Experiment, briefing: Briefing) -> str:
    """The number of each run, where there are several."""
    values = experiment.measured(briefing.contract.protocol_id, briefing.kind)
    return f" (its runs: {', '.join(map(figure, values))})" if len(values) > 1 else ""


def _metric(experiment: Experiment, briefing: Briefing) -> float | None:
    """The mean of its runs, on the kind of slot that most are of; the number of its verdict where none compares."""
    values = experiment.measured(briefing.contract.protocol_id, briefing.kind)
    return fmean(values) if values else experiment.metric


def _noise(briefing: Briefing) -> str:
    """What the noise means for a proposal, by the thresholds of the judge."""
    contract, noise = briefing.contract, briefing.noise
    if noise is None:
        return "The noise is not known yet: nothing has been repeated. Aim for large effects."
    if briefing.floor is not None and noise.sd <= QUIET * abs(briefing.champion.metric or 0.0):
        return (
            "Repeated runs agree to the last digit because the program fixes its seed, and any edit may draw other "
            f"numbers: a gain of up to {briefing.floor.bound:.2g} proves nothing, so aim for more."
        )
    if noise.sd == 0:
        return "Repeated runs agree to the last digit: there is no noise, and any difference counts."
    text = f"Noise: the metric of one run varies by {noise.sd:.2g} (1 sigma) when the same file runs again"
    champion = len(briefing.champion.measured(contract.protocol_id, briefing.kind))
    if not champion:
        return f"{text}. Aim for several times that."
    text += f", as far as {noise.dof} {'repetition tells' if noise.dof == 1 else 'repetitions tell'}"
    if noise.before is not None:
        text += f" (of the newest champions alone; before them it was {noise.before.sd:.2g})"
    if briefing.alike is not None:
        return f"{text}. {_bars(briefing, briefing.alike, noise, champion)}"
    once, again = keep_threshold(contract.keep, champion, 1, noise), repeat_threshold(champion, 1, noise)
    rule = f"A first run is kept if it is better by {once:.2g}, run again from {again:.2g} on, else discarded at once."
    if once > UNSURE * noise.sd:
        return (
            f"{text}. {rule} That is a lot, because so few repetitions say little about the noise; each further one "
            f"lowers it. Aim for 3 sigma, {3 * noise.sd:.2g}, and more."
        )
    return f"{text}. {rule} Aim for {once:.2g} and more."


def _bars(briefing: Briefing, alike: Alike, noise: Noise, champion: int) -> str:
    """What a first run has to show where runs are compared at equal seeds."""
    keep = briefing.contract.keep
    close, apart = (
        repeat_threshold(champion, 1, noise, alike.correlation(kind, noise, [])) for kind in (CONSTANTS, "")
    )
    seeds = min(keep.baseline_runs, keep.max_runs)
    bars = f"{close:.2g} on where only constants differ, from {apart:.2g} on where more does"
    if f"{close:.2g}" == f"{apart:.2g}":
        bars = f"{apart:.2g} on"
    return (
        "Runs are compared with the champion's of the same seed, whose luck they share. A first run is run again from "
        f"{bars}, else discarded at once; a gain is kept once {seeds} seeds have shown it. Aim for {2 * apart:.2g} and "
        "more."
    )


def _vitals(briefing: Briefing) -> list[str]:
    """What the champion's newest run used, and what it reported about itself."""
    lines = []
    run = max(briefing.champion.counted(), key=lambda run: run.number, default=None)
    if run is not None and run.seconds:
        gpu = f", {size(run.peak_gpu_memory)} of GPU memory" if run.peak_gpu_memory else ""
        busy = f", kept {run.cpu_seconds / run.seconds:.1f} CPU cores busy" if run.cpu_seconds else ""
        checked = f" Its verification took {run.verify_seconds:.0f} s." if run.verify_seconds else ""
        lines.append(
            f"The champion's newest run took {run.seconds:.0f} s in total{busy}, and used "
            f"{size(run.peak_memory)} of main memory{gpu} at its peak.{checked}"
        )
    if briefing.vitals:
        said = ", ".join(f"{one_line(name, 40)} {reading(value)}" for name, value in list(briefing.vitals.items())[:24])
        lines.append(f"It reported about itself: {said}.")
    lines += [said for said in (course.step_time(briefing.vitals), course.curve(*briefing.curve)) if said]
    return lines


def reading(value: float) -> str:
    """A number that a run printed, for reading."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.6g}"


def _machine(briefing: Briefing) -> list[str]:
    gauge = briefing.gauge
    if gauge is None:
        return []
    gpus = [
        one_line(gpu.name, 60) + (f" ({size(gpu.memory_total)})" if gpu.memory_total else "") for gpu in gauge.gpus[:16]
    ]
    counted = [f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)]
    processors = f"{gauge.cpus} CPU cores, " if gauge.cpus else ""
    memory = f"{size(gauge.ram_total)} of main memory"
    busy = f" Its processors are {gauge.cpu:.0f}% busy now." if gauge.cpus else ""
    said = f"The machine: {', '.join(counted) or 'no GPU'}; {processors}{memory}.{busy}"
    return [said, *filter(None, [_neighbours(briefing)])]


def _neighbours(briefing: Briefing) -> str:
    """What other programs take from the runs, where that is enough to be seen in the numbers."""
    every = sorted((run for x in briefing.experiments for run in x.counted()), key=lambda run: run.started_at)
    shares = [run.had for run in every if run.waited is not None and run.outcome is not None][-OBSERVED:]
    if len(shares) < 2 or min(shares) >= DISTURBED:
        return ""
    low, high = (f"{share:.0%}" for share in (min(shares), max(shares)))
    span = low if low == high else f"between {low} and {high}"
    return (
        f"It is busy with other programs: the newest {len(shares)} runs had {span} of the time they wanted on its "
        "processors. So runs get less done in the budget than on a quiet machine, some more so than others, and a part "
        "of the noise is that. Compare results with the champion's of the same hours, and do not take a lower count of "
        "steps for the doing of a change."
    )


def _limit(name: str, used: float, limit: float) -> str:
    match name:
        case "usd":
            return f"${used:.2f} of ${limit:g}"
        case "hours":
            return f"{used:.1f} of {limit:g} hours"
        case "disk":
            return f"{size(used)} of {decimal_size(limit)} of disk"
        case "failures":
            return f"{used:.0f} failures in a row, at {limit:.0f} the loop stops"
        case _:
            return f"{used:,.0f} of {limit:,.0f} {one_line(name, 40)}"


def _hints(briefing: Briefing) -> list[str]:
    """What the newest verdicts say about how to go on."""
    ideas = [x for x in briefing.experiments if "sampler" not in x.notes]  # what AutoML breaks teaches no idea anything
    judged = sorted((x for x in ideas if x.id and x.judged_seq is not None), key=lambda x: x.judged_seq or 0)
    newest = [(x, x.verdict) for x in reversed(judged) if x.verdict and (x.verdict.has_number or x.verdict.is_failure)]
    stumbles = [verdict for _, verdict in takewhile(lambda pair: pair[1].is_failure, newest)]
    barren = [x for x, _ in takewhile(lambda pair: pair[1] != Outcome.KEPT, newest)]
    hints = []
    if len(stumbles) >= STUMBLES:
        hints.append(
            f"The last {len(stumbles)} experiments all ended without a number. Propose something simpler, and "
            "follow every shape, type and name through the file before you hand it over."
        )
    if len(stumbles) > 1 and set(stumbles) == {Outcome.OUT_OF_MEMORY}:
        hints.append(
            f"The last {len(stumbles)} experiments ran out of memory; their reasons say how much was used. Propose "
            "something that needs less of it: a smaller batch or model, fewer activations kept."
        )
    if len(barren) >= BARREN:
        hints.append(_another_kind(briefing, barren))
    if len(barren) >= PLATEAU:
        near = sum(x.effect is not None and bool(x.noise) and abs(x.effect) <= 2 * (x.noise or 0.0) for x in barren)
        small = sum(x.lines_added + x.lines_removed <= 4 for x in barren)
        hints.append(
            f"Of these {len(barren)}, {near} came out within 2 sigma of the champion, and {small} changed two lines or "
            "fewer. More of the same will not help: propose something larger and of another kind (the structure, the "
            "method, where the time goes), or two near misses together."
        )
    return hints


def _another_kind(briefing: Briefing, barren: Sequence[Experiment]) -> str:
    """That the newest experiments brought nothing, what they have in common, and where else there is something."""
    text = f"The last {len(barren)} experiments brought no new champion"
    if (most := most_touched(barren)) is not None and most[1] > 1:
        text += f", and {most[1]} of them touched {most[0]}"
    places = elsewhere(briefing.files, briefing.experiments)
    where = f": what the fewest ideas have touched is {listed(places, ELSEWHERE)}" if places else ""
    return f"{text}. Propose another kind of idea{where}."


def in_seconds(value: float) -> str:
    return f"{value / 60:g} min" if value >= 120 and value % 60 == 0 else f"{value:g} s"
