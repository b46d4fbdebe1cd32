"""Experiments side by side: their numbers, how far each is from the first, their runs by seed, what they printed. Pure.

Means, errors and noise are those of every other screen (`Figures`). A difference is said only where the numbers may be
compared: measured here, under today's contract, and on the same kind of slot.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from loop.reporting.seen import Seen
from loop.reporting.table import values_of
from loop.sanitize import one_line
from loop.study.curves import Sample, curve_of, stretches, value_at
from loop.study.curves import values_of as values_at
from loop.study.experiment import Experiment
from loop.study.queries import by_seed
from loop.words import duration, size

POINTS = 10
"""Places at which curves are set side by side as numbers."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one experiment is than another, in the metric's units; negative is worse."""

    better: float | None
    error: float | None
    """Standard error; None where the noise is not known."""
    sigmas: float | None
    """In units of the noise of one run."""
    seeds: int = 0
    """Seeds that both have run with."""
    paired: float | None = None
    """The mean of the differences at those seeds."""
    paired_error: float | None = None
    """Its standard error; None with fewer than two."""
    why: str = ""
    """Why there is no difference; empty where there is one."""


def difference(seen: Seen, one: Experiment, other: Experiment) -> Difference:
    """How much better `other` is than `one`."""
    study, figures = seen.study, seen.figures
    a, b = figures.of(one), figures.of(other)
    if a is None or b is None:
        return Difference(None, None, None, why=f"{one.id if a is None else other.id} has no number")
    for x, figure in ((one, a), (other, b)):
        if not figure.runs:
            where = "imported" if x.imported else "of an earlier program"
            return Difference(None, None, None, why=f"the number of {x.id} is {where}")
    kind, there = study.kind_of(one), study.kind_of(other)
    if kind != there:
        return Difference(None, None, None, why=f"measured on {one_line(kind)} and on {one_line(there)}")
    better, noise = study.contract.better_by(b.mean, a.mean), figures.noise
    error = noise * math.sqrt(1 / a.runs + 1 / b.runs) if noise else None
    first, second = by_seed(study, one, kind), by_seed(study, other, kind)
    pairs = [study.contract.better_by(second[seed], first[seed]) for seed in first if seed in second]
    return Difference(
        better,
        error,
        better / noise if noise else None,
        len(pairs),
        sum(pairs) / len(pairs) if pairs else None,
        stdev(pairs) / math.sqrt(len(pairs)) if len(pairs) > 1 else None,
    )


def numbers(seen: Seen, found: Sequence[Experiment]) -> list[tuple[str, list[str]]]:
    """The table: what each row is, and a cell for each experiment. A row that would be empty is left out."""
    study, first = seen.study, found[0]
    metric = study.contract.metric
    rows: list[tuple[str, list[str]]] = [
        ("verdict", [_verdict(seen, x) for x in found]),
        ("by", [one_line(x.researcher) for x in found]),
        ("built on", ["" if x.parent is None else str(x.parent) for x in found]),
        (metric, [_mean(seen, x) for x in found]),
        (f"against {first.id}", ["", *(_difference(difference(seen, first, x)) for x in found[1:])]),
        ("in σ", ["", *(_sigmas(difference(seen, first, x)) for x in found[1:])]),
        ("at equal seeds", ["", *(_paired(difference(seen, first, x)) for x in found[1:])]),
        ("when judged", [_judged(x) for x in found]),
    ]
    kinds = {x.id: study.kind_of(x) for x in found}
    runs = {x.id: by_seed(study, x, kinds[x.id]) for x in found}
    seeds = sorted({seed for values in runs.values() for seed in values})
    rows += [(f"seed {seed}", [_figure(runs[x.id].get(seed)) for x in found]) for seed in seeds]
    rows += [
        ("runs took", [_measure(seen, x, "time", duration) for x in found]),
        ("memory", [_measure(seen, x, "mem", size) for x in found]),
        ("thinking", [_measure(seen, x, "usd", lambda value: f"${value:.2f}") for x in found]),
        ("lines", [f"+{x.lines_added} -{x.lines_removed}" if x.id and x.commit else "" for x in found]),
    ]
    printed = [values_of(x) for x in found]
    names = sorted({name for values in printed for name in values} - {metric})
    rows += [(one_line(name), [_printed(values.get(name)) for values in printed]) for name in names]
    rows += [("learnt", [one_line(x.lesson) for x in found]), ("note", [one_line(x.note) for x in found])]
    return [row for row in rows if any(row[1])]


def curves(metric: str, samples: Sequence[Sequence[Sample]], points: int = POINTS) -> tuple[str, list[list[str]]]:
    """Curves as numbers: the name of the value, and rows of a time and a cell for each experiment; no rows where
    nothing was reported.

    Args:
        metric: of the study; a loss is taken before it, where the runs report one.
        samples: of one run of each experiment.
    """
    name = next((found for one in samples if (found := curve_of(one, metric)[0])), "")
    lines = [values_at(one, name) for one in samples]
    end = max((line[-1][0] for line in lines if line), default=0.0)
    rows = []
    for place in range(points):
        low, high = end * place / points, end * (place + 1) / points
        means = []
        for line in lines:
            inside = [y for x, y in line if low < x <= high]
            means.append(_figure(sum(inside) / len(inside) if inside else value_at(line, high)))
        rows.append([duration(high), *means])
    return name, [row for row in rows if any(row[1:])]


def as_data(seen: Seen, found: Sequence[Experiment], samples: Sequence[Sequence[Sample]]) -> dict[str, Any]:
    """What `looptop compare --json` prints, without the diffs: numbers as they are, times in seconds."""
    study, first = seen.study, found[0]
    told = []
    for x, own in zip(found, samples, strict=True):
        figure, name = seen.figures.of(x), curve_of(own, study.contract.metric)[0]
        apart = None if x is first else difference(seen, first, x)
        told.append(
            {
                "id": x.id,
                "title": x.title,
                "verdict": x.verdict,
                "parent": x.parent,
                "metric": None if figure is None else figure.mean,
                "error": None if figure is None else figure.error,
                "runs": None if figure is None else figure.runs,
                "difference": None if apart is None else {key: getattr(apart, key) for key in apart.__slots__},
                "seeds": {str(seed): value for seed, value in by_seed(study, x, study.kind_of(x)).items()},
                "seconds": seen.number(x, "time"),
                "memory_bytes": seen.number(x, "mem"),
                "usd": seen.number(x, "usd"),
                "lines_added": x.lines_added,
                "lines_removed": x.lines_removed,
                "values": values_of(x),
                "note": x.note or None,
                "curve": {"name": name, "points": stretches(values_at(own, name), POINTS)},
            }
        )
    return {"metric": study.contract.metric, "goal": study.contract.goal, "first": first.id, "experiments": told}


def _verdict(seen: Seen, x: Experiment) -> str:
    if x.id == seen.study.champion:
        return "champion"
    return "baseline" if not x.id else x.verdict.word if x.verdict is not None else x.phase


def _mean(seen: Seen, x: Experiment) -> str:
    figure = seen.figures.of(x)
    if figure is None:
        return "no number"
    error = "" if figure.error is None else f" ±{figure.error:.2g}"
    return f"{figure.mean:.6g}{error}" + (f" ({figure.runs})" if figure.runs else "")


def _difference(found: Difference) -> str:
    if found.better is None:
        return found.why
    error = "" if found.error is None else f" ±{found.error:.2g}"
    word = "better" if found.better > 0 else "worse"
    return f"{word} by {abs(found.better):.3g}{error}" if found.better else "the same"


def _sigmas(found: Difference) -> str:
    return "" if found.sigmas is None else f"{found.sigmas:+.1f}σ"


def _paired(found: Difference) -> str:
    if found.paired is None:
        return ""
    error = "" if found.paired_error is None else f" ±{found.paired_error:.2g}"
    seeds = f"({found.seeds} seed{'s' if found.seeds > 1 else ''})"
    word = "better" if found.paired > 0 else "worse"
    return f"{word} by {abs(found.paired):.3g}{error} {seeds}" if found.paired else f"the same {seeds}"


def _judged(x: Experiment) -> str:
    if x.effect is None or not x.noise or not x.id:
        return ""
    sure = "" if x.confidence is None else f", {x.confidence:.1%} sure"
    return f"{x.effect / x.noise:+.1f}σ on {x.champion}{sure}"


def _measure(seen: Seen, x: Experiment, name: str, written: Any) -> str:
    value = seen.number(x, name)
    return "" if value is None else str(written(value))


def _printed(value: float | str | None) -> str:
    return "" if value is None else one_line(value) if isinstance(value, str) else f"{value:.6g}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
