"""The one number of an experiment: the mean of its runs, how sure it is, and how far it is from another's. Pure.

An experiment's `metric` is what its verdict was based on. A champion is measured again after that, and a first number
flatters a winner, so screens, tables and texts show the mean of all runs so far, taken from here and nowhere else:
two of them never show different numbers.
"""

import math
from dataclasses import dataclass

from loop.study.experiment import Experiment
from loop.study.state import Study


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean of runs, in the metric's units."""

    mean: float
    error: float | None
    """Standard error of the mean; None while nothing was repeated, and for another loop's number."""
    runs: int
    """0 for the number of an imported experiment, and of one measured under an earlier contract."""


class Figures:
    """The figures of a study as it is now. They are remembered: whoever goes on folding says what has changed."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._means: dict[int, dict[str, tuple[float, int] | None]] = {}
        """By number, and by kind of slot."""
        self.changed(None)

    def changed(self, number: int | None) -> None:
        """Something of the experiment of that number has changed; None: anything may have."""
        if number is None:
            self._means.clear()
        else:
            self._means.pop(number, None)
        self._noise: tuple[float | None] | None = None

    @property
    def noise(self) -> float | None:
        """Standard deviation of one run by the newest verdict that tells; None while no verdict does."""
        if self._noise is None:
            newest = (self._study.experiments[closed].noise for closed in reversed(self._study.closed))
            self._noise = (next((noise for noise in newest if noise), None),)
        return self._noise[0]

    def of(self, experiment: Experiment | None) -> Figure | None:
        """The mean of an experiment's runs; its verdict's number where no run of today's contract has one."""
        if experiment is None:
            return None
        if (known := self._mean(experiment)) is None:
            return None
        mean, runs = known
        error = None if self.noise is None or not runs else self.noise / math.sqrt(runs)
        return Figure(mean, error, runs)

    def _mean(self, experiment: Experiment, kind: str | None = None) -> tuple[float, int] | None:
        """Mean, and the number of runs, on one kind of slot."""
        kind = self._study.kind_of(experiment) if kind is None else kind
        known = self._means.setdefault(experiment.id, {})
        if kind not in known:
            values = self._study.measured(experiment, kind)
            told = None if experiment.metric is None else (experiment.metric, 0)
            known[kind] = (sum(values) / len(values), len(values)) if values else told
        return known[kind]

    @property
    def best(self) -> Figure | None:
        """The champion's."""
        return self.of(self._study.best)

    def effect(self, experiment: Experiment) -> float | None:
        """How much better an experiment is than what it was measured against; negative is worse, whatever the goal. By
        its verdict, which knows which runs had equal seeds, until either has run again: then by the means of today.
        None where either has no number, and for the baseline."""
        if experiment.effect is None or experiment.imported or experiment.judged_at is None:
            return experiment.effect
        other = self._study.experiments.get(-1 if experiment.champion is None else experiment.champion)
        since = experiment.judged_at
        runs = [*experiment.runs.values(), *(other.runs.values() if other is not None else ())]
        if all(run.started_at <= since or run.validates for run in runs):
            return experiment.effect
        kind = self._study.kind_of(experiment)
        mine, theirs = self._mean(experiment), None if other is None else self._mean(other, kind)
        if mine is None or theirs is None or not (mine[1] and theirs[1]):
            return experiment.effect
        return self._study.contract.better_by(mine[0], theirs[0])

    def gain(self, experiment: Experiment | None) -> float | None:
        """How much better it is than the baseline on the same kind of slot, in the metric's units."""
        if experiment is None or (base := self._study.baseline) is None:
            return None
        mine, theirs = self._mean(experiment), self._mean(base, self._study.kind_of(experiment))
        return None if mine is None or theirs is None else self._study.contract.better_by(mine[0], theirs[0])
