"""A study as its lists see it: each number under one name, by which it is shown, filtered and sorted. Pure.

Whoever goes on folding keeps one `Seen` and says what has changed: of ten thousand experiments the texts and the means
are made once, so that a filter answers between two keys.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loop.reporting.table import memory, values_of
from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.study.state import Study


class Seen:
    """What lists ask of a study.

    Args:
        figures: those that the caller keeps up to date; None: of their own, for a study that does not change.
        now: the moment from which ages are counted, in Unix seconds; None: the study's newest event.
    """

    def __init__(self, study: Study, figures: Figures | None = None, now: float | None = None) -> None:
        self.study, self.figures = study, Figures(study) if figures is None else figures
        self._now = now
        self._texts: dict[int, tuple[tuple[object, ...], str]] = {}
        self._printed: tuple[int, tuple[str, ...]] = (-1, ())

    @property
    def now(self) -> float:
        """The moment from which ages are counted."""
        return self.study.at if self._now is None else self._now

    @now.setter
    def now(self, moment: float) -> None:
        self._now = moment

    def text(self, experiment: Experiment) -> str:
        """What words are looked for in, without regard to case: number, title, hypothesis, expectation, verdict,
        reason, what it taught, the person's note, its researcher. Of what the researcher keeps for itself only what was
        imported counts: AutoML has every constant's name there."""
        x = experiment
        state = (x.verdict, x.phase, x.judged_seq, x.note, x.lesson)
        known = self._texts.get(x.id)
        if known is None or known[0] != state:
            verdict = x.verdict.word if x.verdict is not None else x.phase
            told = (x.title, x.hypothesis, x.expected, verdict, x.reason, x.lesson, x.note, x.researcher)
            noted = (f"{name} {value}" for name, value in x.notes.items() if x.imported)
            known = self._texts[x.id] = state, "\n".join((f"#{x.id}", *told, *noted)).casefold()
        return known[1]

    def printed(self) -> tuple[str, ...]:
        """Names of the numbers that any run has printed, in order."""
        if self._printed[0] != self.study.seq:
            found: set[str] = set()
            for x in self.study.experiments.values():
                for run in x.runs.values():
                    found.update(run.metrics)
            self._printed = self.study.seq, tuple(sorted(found))
        return self._printed[1]

    def number(self, experiment: Experiment, name: str) -> float | None:
        """One of `MEASURES`, or else a value that its runs have printed; None where it has no such number."""
        if (measure := MEASURES.get(name)) is not None:
            return measure.of(self, experiment)
        value = values_of(experiment).get(name)
        return value if isinstance(value, int | float) else None

    def known(self, name: str) -> bool:
        """Whether there is a number of that name."""
        return name in MEASURES or name in self.printed()

    def sigmas(self, experiment: Experiment) -> float | None:
        """Its effect in units of the noise of one run, as it is shown; None without one, or without a known noise."""
        effect, noise = self.figures.effect(experiment) if experiment.id else None, self.figures.noise
        return effect / noise if effect is not None and noise else None

    def least_first(self, name: str) -> bool:
        """Whether the smallest of these numbers is the one to begin with."""
        contract = self.study.contract
        return name == "age" or (name in ("metric", contract.metric) and contract.goal == "min")


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that experiments have."""

    help: str
    of: Callable[[Seen, Experiment], float | None]
    unit: str = ""
    """What it is counted in: "s" for seconds, "B" for bytes."""


def _mean(seen: Seen, experiment: Experiment) -> float | None:
    figure = seen.figures.of(experiment)
    return None if figure is None else figure.mean


def _age(seen: Seen, experiment: Experiment) -> float | None:
    since = experiment.judged_at or experiment.proposed_at
    return max(0.0, seen.now - since) if since else None


def _time(seen: Seen, experiment: Experiment) -> float | None:
    return sum(run.seconds + run.verify_seconds for run in experiment.own()) or None


MEASURES: dict[str, Measure] = {
    "effect": Measure("gain over what it was measured against, in σ: the noise of one run", Seen.sigmas),
    "metric": Measure("mean of its runs", _mean),
    "runs": Measure("runs that count", lambda seen, x: len(x.counted())),
    "age": Measure("time since its verdict, or since it was proposed", _age, "s"),
    "time": Measure("time that its runs and their verification took", _time, "s"),
    "usd": Measure("dollars that were spent on thinking of it", lambda seen, x: seen.study.costs.get(x.id)),
    "mem": Measure("peak memory: of GPUs where it used one", lambda seen, x: memory(x), "B"),
    "lines": Measure("lines added and removed", lambda seen, x: x.lines_added + x.lines_removed if x.id else 0),
    "confidence": Measure("how sure the judge was that it is better, 0 to 1", lambda seen, x: x.confidence),
    "id": Measure("its number", lambda seen, x: x.id),
    "parent": Measure("number of the experiment that it builds on", lambda seen, x: x.parent),
}
"""Every number by its name in filters and orders."""
