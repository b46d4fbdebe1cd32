"""What the studies of a bench come to: gains with intervals, and methods held against one another. Pure.

A gain is by the true level, so that luck of a study's own numbers is not in it. Intervals are Student's, over seeds;
two methods are compared seed by seed, by Wilcoxon's signed-rank test, as arXiv 2603.24647 does.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

BESIDE = "automl"
"""The method that the others are held against."""

LEAST_PAIRS = 6
"""Seeds from which a p-value is given: with fewer none below 0.05 is possible."""

POINTS = 120
"""Places on the x axis of a curve."""


@dataclass(frozen=True)
class StudyResult:
    """One study of a bench, measured."""

    problem: str
    method: str
    slots: int
    seed: int
    given: float
    """Run lengths that it was given."""
    lengths: float
    """That it has had: fewer where it ended by itself."""
    runs: int
    experiments: int
    seconds: float
    busy: float
    at: tuple[float, ...]
    """Run lengths at which each champion became one, the baseline first."""
    levels: tuple[float, ...]
    """Their true levels."""
    goal: str = "min"
    """The better direction of a level, or "max"."""
    ended: str = ""

    @property
    def gain(self) -> float:
        """How much better the last champion truly is than the baseline."""
        return self._better_by(self.levels[0], self.levels[-1])

    @property
    def kept(self) -> int:
        return len(self.levels) - 1

    @property
    def no_better(self) -> int:
        """Kept, and truly no better than the champion before."""
        return sum(self._better_by(*both) <= 0 for both in pairwise(self.levels))

    def _better_by(self, before: float, after: float) -> float:
        return before - after if self.goal == "min" else after - before

    def level_at(self, x: float) -> float:
        """The true level of who was champion at `x` run lengths; that of the baseline before there was one."""
        known = [level for at, level in zip(self.at, self.levels, strict=True) if at <= x]
        return known[-1] if known else self.levels[0]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "gain": self.gain, "kept": self.kept, "no_better": self.no_better}

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "StudyResult":
        """From its JSON.

        Raises:
            KeyError, TypeError, ValueError: something is missing or of another kind.
        """
        names = cls.__dataclass_fields__
        values = {name: found[name] for name in names}
        return cls(**{**values, "at": tuple(values["at"]), "levels": tuple(values["levels"])})


@dataclass(frozen=True)
class Row:
    """One method on one problem, with so many slots."""

    problem: str
    method: str
    slots: int
    seeds: int
    lengths: float
    experiments: float
    kept: float
    no_better: float
    gain: float
    """Mean of the true gains, in the metric's units; with its 95% interval, None with one seed."""
    low: float | None
    high: float | None
    share: float | None
    """Of the gain that is possible, where that is known."""
    percent: float
    """The gain, of the baseline's level."""
    beyond: float | None
    """Mean gain over `BESIDE` with as many slots, seed by seed; None for itself, and where it has not run."""
    p: float | None
    """Wilcoxon's, two-sided; None with fewer than `LEAST_PAIRS` seeds."""
    seconds: float
    """Mean wall clock of a study."""


@dataclass(frozen=True)
class Curve:
    """The mean true level over run lengths, with its 95% interval."""

    problem: str
    method: str
    slots: int
    x: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Mean and Student's 95% interval; None with one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None, None
    from scipy.stats import t

    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def wilcoxon(apart: Sequence[float]) -> float | None:
    """The two-sided p-value of paired differences; None with too few of them."""
    if len(apart) < LEAST_PAIRS:
        return None
    if not any(apart):
        return 1.0
    from scipy.stats import wilcoxon as test

    return float(test(list(apart)).pvalue)


def groups(found: Sequence[StudyResult]) -> dict[tuple[str, str, int], list[StudyResult]]:
    """The studies of each problem, method and number of slots, as they come; by seed in each."""
    together: dict[tuple[str, str, int], list[StudyResult]] = {}
    for one in found:
        together.setdefault((one.problem, one.method, one.slots), []).append(one)
    return {key: sorted(some, key=lambda one: one.seed) for key, some in together.items()}


def rows(found: Sequence[StudyResult], best: Mapping[str, float | None]) -> list[Row]:
    """The table.

    Args:
        best: of each problem the best level there is, where that is known.
    """
    together = groups(found)
    made = []
    for (problem, method, slots), some in together.items():
        gain, low, high = interval([one.gain for one in some])
        possible = None if best.get(problem) is None else statistics.fmean(x.levels[0] for x in some) - best[problem]  # type: ignore[operator]
        beside = {one.seed: one.gain for one in together.get((problem, BESIDE, slots), ())}
        apart = [one.gain - beside[one.seed] for one in some if one.seed in beside and method != BESIDE]
        made.append(
            Row(
                problem=problem,
                method=method,
                slots=slots,
                seeds=len(some),
                lengths=statistics.fmean(one.lengths for one in some),
                experiments=statistics.fmean(one.experiments for one in some),
                kept=statistics.fmean(one.kept for one in some),
                no_better=statistics.fmean(one.no_better for one in some),
                gain=gain,
                low=low,
                high=high,
                share=gain / possible if possible else None,
                percent=100 * gain / abs(statistics.fmean(one.levels[0] for one in some)),
                beyond=statistics.fmean(apart) if apart else None,
                p=wilcoxon(apart) if apart else None,
                seconds=statistics.fmean(one.seconds for one in some),
            )
        )
    return made


def curves(found: Sequence[StudyResult]) -> list[Curve]:
    """The lines of the chart."""
    made = []
    for (problem, method, slots), some in groups(found).items():
        most = max(one.given for one in some)
        x = tuple(most * index / POINTS for index in range(POINTS + 1))
        points = [interval([one.level_at(at) for one in some]) for at in x]
        mean = tuple(point[0] for point in points)
        low = tuple(point[0] if point[1] is None else point[1] for point in points)
        high = tuple(point[0] if point[2] is None else point[2] for point in points)
        made.append(Curve(problem, method, slots, x, mean, low, high))
    return made


HEAD = ("problem", "proposes", "slots", "seeds", "run lengths", "experiments", "kept", "no better", "true gain", "95%",
        "of possible", "beyond automl", "p")  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    apart = "" if row.low is None or row.high is None else f"{row.low:.3g} to {row.high:.3g}"
    share = f"{row.percent:.1f}% of the baseline" if row.share is None else f"{row.share:.0%}"
    beyond = "" if row.beyond is None else f"{row.beyond:+.3g}"
    p = "" if row.p is None else f"{row.p:.2g}"
    return (
        row.problem, row.method, str(row.slots), str(row.seeds), f"{row.lengths:.0f}", f"{row.experiments:.1f}",
        f"{row.kept:.1f}", f"{row.no_better:.1f}", f"{row.gain:.3g}", apart, share, beyond, p,
    )  # fmt: skip


def plain(table: Sequence[Row], metrics: Mapping[str, str], best: Mapping[str, float | None]) -> str:
    """The table for a terminal, a block for each problem.

    Args:
        metrics: names of their numbers.
        best: as in `rows`.
    """
    lines: list[str] = []
    for problem in dict.fromkeys(row.problem for row in table):
        mine = [row for row in table if row.problem == problem]
        known = best.get(problem)
        there = "" if known is None else f"; the best there is has {known:.4g}"
        lines.append(f"{problem}: true gain in {metrics.get(problem, 'its number')}, mean and 95% over seeds{there}")
        head = ("proposes", "slots", "seeds", "experiments", "kept", "no better", "true gain", "share", BESIDE)
        grid = [head]
        for row in mine:
            gain = f"{row.gain:.3g}"
            if row.low is not None and row.high is not None:
                gain += f" ({row.low:.2g} to {row.high:.2g})"
            share = f"{row.percent:.1f}%" if row.share is None else f"{row.share:.0%}"
            beyond = "" if row.beyond is None else f"{row.beyond:+.3g}" + ("" if row.p is None else f", p {row.p:.2g}")
            grid.append((row.method[:24], str(row.slots), str(row.seeds), f"{row.experiments:.1f}", f"{row.kept:.1f}",
                         f"{row.no_better:.1f}", gain, share, beyond))  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        for line in grid:
            cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            lines.append("  " + "  ".join(cells).rstrip())
        of = "of the baseline's level" if known is None else "of the gain that is possible"
        lines.append(f"  share: {of}; {BESIDE}: gain beyond it, seed by seed\n")
    return "\n".join(lines)


def markdown(table: Sequence[Row]) -> str:
    """The table for a page."""
    lines = [HEAD, ("---",) * len(HEAD), *map(cells, table)]
    return "".join(f"| {' | '.join(text.replace('|', '¦') for text in line)} |\n" for line in lines)
