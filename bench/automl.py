"""Is AutoML a fair baseline? AutoML, random search and Optuna's default TPE, on scripts whose optimum is known.

    python -m bench.automl [--studies 20]

Each study is a script of 14 constants with a hidden optimum (`tests/researchers/automl/landscape.py`), judged by
the real judge with the runs that it asks for. Printed is the share of the possible gain that the champion still misses,
as the geometric mean over studies, after 30 and 60 experiments, and its ratio to random search and to plain TPE: lower
is better. All three know the same ranges and get every result; they differ only in what they try.
"""

import argparse
import asyncio
import logging
import random
import warnings
from collections.abc import Callable
from math import exp, log
from statistics import fmean

import optuna

from loop.researchers.automl.automl import AutoML
from loop.researchers.automl.ranges import Range, around
from loop.researchers.automl.sites import find, replace
from loop.researchers.protocol import Briefing, Proposal, Researcher, Sink
from loop.study.experiment import Experiment
from tests.researchers.automl.landscape import SOURCE, Desk, Landscape

MARKS = (30, 60)
_RANGES: dict[str, Range] = {constant.name: around(constant) for constant in find(SOURCE)}


class Everything:
    """Proposes new values for all constants at once."""

    ahead = 0
    about = "for comparison"

    def __init__(self, name: str) -> None:
        self.name = name

    def places(self, briefing: Briefing) -> dict[str, float]:
        raise NotImplementedError

    async def prepare(self, sink: Sink) -> None:
        pass

    async def close(self) -> None:
        pass

    async def propose(self, briefing: Briefing, sink: Sink) -> Proposal:
        values = {name: _RANGES[name].value(place) for name, place in self.places(briefing).items()}
        return Proposal("everything", "", {"train.py": replace(briefing.files["train.py"], values)}, notes=dict(values))


class RandomSearch(Everything):
    def __init__(self, seed: int) -> None:
        super().__init__("random")
        self._rng = random.Random(seed)

    def places(self, briefing: Briefing) -> dict[str, float]:
        return {name: self._rng.random() for name in _RANGES}


class PlainTpe(Everything):
    """Optuna's TPE with its defaults, which gets the baseline first."""

    def __init__(self, seed: int) -> None:
        super().__init__("tpe")
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        self._spans = dict.fromkeys(_RANGES, optuna.distributions.FloatDistribution(0.0, 1.0))
        self._told = 0

    def places(self, briefing: Briefing) -> dict[str, float]:
        start = {constant.name: constant.value for constant in find(SOURCE)}
        for experiment in briefing.experiments[self._told :]:
            self._tell(
                experiment, {**start, **{name: experiment.notes.get(name, start[name]) for name in start}}, briefing
            )
        self._told = len(briefing.experiments)
        trial = self._study.ask(self._spans)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return {name: float(trial.params[name]) for name in _RANGES}

    def _tell(self, experiment: Experiment, values: dict, briefing: Briefing) -> None:
        metrics = experiment.measured(briefing.contract.protocol_id)
        states = optuna.trial.TrialState
        self._study.add_trial(
            optuna.trial.create_trial(
                params={name: _RANGES[name].place(value) for name, value in values.items()},
                distributions=dict(self._spans),
                value=fmean(metrics) if metrics else None,
                state=states.COMPLETE if metrics else states.PRUNED,
            )
        )


async def _left(make: Callable[[int], Researcher], seed: int, noise: float) -> tuple[list[float], int]:
    desk = Desk(Landscape(seed, noise), seed)
    course = await desk.study(make(seed), max(MARKS))
    return [course[mark] for mark in MARKS], sum(len(x.runs) for x in desk.experiments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20)
    studies = parser.parse_args().studies
    optuna.logging.set_verbosity(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    rivals: dict[str, Callable[[int], Researcher]] = {"random": RandomSearch, "plain TPE": PlainTpe, "looptop": AutoML}
    for noise in (0.01, 0.05):
        print(f"noise of one run: {noise:.0%} of the possible gain, {studies} studies")
        found: dict[str, list[float]] = {}
        for name, make in rivals.items():
            courses = [asyncio.run(_left(make, seed, noise)) for seed in range(studies)]
            found[name] = [exp(fmean(log(max(left[i], 1e-6)) for left, _ in courses)) for i in range(len(MARKS))]
            runs = fmean(runs for _, runs in courses)
            cells = "   ".join(
                f"@{mark}: {found[name][i]:.3f} left"
                + "".join(f", {found[name][i] / found[rival][i]:.2f}x {rival}" for rival in found if rival != name)
                for i, mark in enumerate(MARKS)
            )
            print(f"  {name:10} {cells}   {runs:.0f} runs", flush=True)


if __name__ == "__main__":
    main()
