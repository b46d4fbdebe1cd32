"""Optuna's tree-structured Parzen estimator, which gets every trial and is asked for a few constants at a time.

Here each constant is a number between 0 and 1, its place in its range. The estimator is the univariate one: it samples
one constant independently of the others, so it can be asked for any few. Open trials count as bad ones ("constant
liar"), so that two slots do not get the same idea; failed ones rank behind the worst metric.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from loop.researchers.automl.ranges import Range
from loop.researchers.automl.trials import Trial

if TYPE_CHECKING:
    import optuna


class Tpe:
    """One study under one protocol and one set of ranges."""

    def __init__(self, goal: Literal["min", "max"], ranges: Mapping[str, Range], seed: int) -> None:
        # Imported late: optuna takes 0.2 s, and only this process needs it.
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._goal = goal
        self._ranges = dict(ranges)
        self._seed = seed
        self._clear()

    def _clear(self) -> None:
        self._study = self._optuna.create_study(direction="minimize" if self._goal == "min" else "maximize")
        self._numbers: dict[int, int] = {}
        self._told: dict[int, Trial] = {}

    def tell(self, trials: Sequence[Trial]) -> None:
        """Add what is new. If an earlier trial has changed since, start over (0.1 s for 700 trials)."""
        known = {trial.id: trial for trial in trials if trial.state != "void"}
        for id, told in self._told.items():
            now = known.get(id)
            settled = told.state != "open" or (now is not None and now.behind is not None)
            if now is None or now.values != told.values or (settled and _result(now) != _result(told)):
                self._clear()
                break
        for trial in known.values():
            told_as = self._told.get(trial.id)
            if told_as is None:
                self._study.add_trial(self._frozen(trial))
                self._numbers[trial.id] = len(self._study.get_trials(deepcopy=False)) - 1
            elif told_as.state == "open" != trial.state:
                state, value = self._outcome(trial)
                self._study.tell(self._numbers[trial.id], values=value, state=state)
            self._told[trial.id] = trial

    def ask(self, names: Sequence[str], number: int) -> dict[str, float]:
        """Places for these constants. The same history, names and number give the same places."""
        # A new sampler for each question: its randomness then depends on nothing that a restart would lose.
        sampler = self._optuna.samplers.TPESampler(
            seed=self._seed + number,
            n_startup_trials=0,
            multivariate=False,
            constant_liar=True,
        )
        span = self._optuna.distributions.FloatDistribution(0.0, 1.0)
        # For a trial outside the study: near its end a search asks thirty times for one proposal, and each `study.ask`
        # would leave a trial behind that every later question looks at.
        trial = self._optuna.trial.create_trial(state=self._optuna.trial.TrialState.RUNNING)
        return {name: float(sampler.sample_independent(self._study, trial, name, span)) for name in names}

    def _frozen(self, trial: Trial) -> "optuna.trial.FrozenTrial":
        state, value = self._outcome(trial)
        places = {name: span.place(trial.values[name]) for name, span in self._ranges.items() if name in trial.values}
        return self._optuna.trial.create_trial(
            params=places,
            distributions={name: self._optuna.distributions.FloatDistribution(0.0, 1.0) for name in places},
            value=value,
            state=state,
            intermediate_values=self._so_far(trial),
        )

    def _so_far(self, trial: Trial) -> dict[int, float]:
        """What a run that was stopped early had shown by then: TPE ranks it before those that failed, and by how far
        it came and how far behind it was."""
        if trial.state == "measured" or trial.behind is None:
            return {}
        share, gap = trial.behind
        return {share: gap if self._goal == "min" else -gap}

    def _outcome(self, trial: Trial) -> "tuple[optuna.trial.TrialState, float | None]":
        states = self._optuna.trial.TrialState
        match trial.state:
            case "measured":
                return states.COMPLETE, trial.metric
            case "open":
                return states.RUNNING, None
            case _:
                return states.PRUNED, None  # without a value, TPE ranks it last, by what it had shown until then


def _result(trial: Trial) -> tuple[str, float | None]:
    return trial.state, trial.metric
