"""What it is worth to bring near wins together: whole studies with known truth, with bundles and without.

    python -m bench.bundles [--studies 60] [--runs 150]

Both are the real rules: the study is folded from its events, the scheduler says what runs, the judge keeps or discards,
`loop.policy.bundles` says what goes together. Each idea changes a line of its own, so everything can be merged. Effects
are in noises of one run; without pairs, where small gains are hardest to see.

Small gains: three ideas in ten gain one noise, three have no effect, the rest are worse by |N(0, 3)|. Claimed: with
bundles at least twice the true gain of without, at equal runs. Then nothing is true: no more false ones kept than
without, within two standard errors.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from loop.policy import bundles, scheduler
from loop.policy.standing import decision, standing
from loop.study import events as e
from loop.study.contract import Contract, Keep
from loop.study.folding import apply
from loop.study.outcomes import Outcome
from loop.study.state import Study

LEAST_GAIN = 2.0

Truth = Callable[[np.random.Generator], float]
"""Draws what an idea is truly worth."""


def small(rng: np.random.Generator) -> float:
    kind = rng.random()
    return 1.0 if kind < 0.3 else 0.0 if kind < 0.6 else -abs(float(rng.normal(0, 3)))


def nothing(rng: np.random.Generator) -> float:
    return 0.0 if rng.random() < 0.5 else -abs(float(rng.normal(0, 3)))


@dataclass
class Found:
    gain: float = 0.0
    """Truly, of the last champion over the baseline."""
    kept: int = 0
    false: int = 0
    """Kept, and no better than what they were built on."""
    bundles: int = 0
    kept_bundles: int = 0
    seen: int = 0
    """Ideas of a researcher that ran."""


@dataclass
class World:
    """One study. Lower is better; a run's number is minus its true level and its luck."""

    truth: Truth
    together: bool
    rng: np.random.Generator
    found: Found = field(default_factory=Found)

    def __post_init__(self) -> None:
        self.contract = Contract(verify=None, bundles=self.together, keep=Keep(pairs=False))
        self.study = Study()
        self.seq = 0
        self.worth: dict[int, float] = {0: 0.0}
        """What each experiment adds to what it is built on."""
        self.levels: dict[int, float] = {0: 0.0}
        self.tell(e.StudyStarted(tag="t", branch="looptop/t", base="0" * 40, contract=self.contract, rules=1))
        self.tell(e.SupervisorStarted(pid=1, host="h", version="1"))
        self.add(0, "baseline", None, ())

    def tell(self, body: e.Body, experiment: int | None = None, run: int | None = None) -> None:
        self.seq += 1
        apply(self.study, e.Event(self.seq, float(self.seq), experiment, run, body))

    def add(self, number: int, who: str, parent: int | None, parts: Sequence[int]) -> None:
        self.tell(e.ExperimentProposed(researcher=who, title=who, parent=parent, parts=tuple(parts)), number)
        self.tell(e.ExperimentQueued(commit=f"{number:040d}", parent=parent, parent_commit="0" * 40), number)

    def propose(self) -> None:
        """The next candidate: a bundle where one is due, else an idea."""
        study, number = self.study, len(self.study.experiments)
        assert study.champion is not None
        found = bundles.near_wins(study) if bundles.has_room(study, 1) else []
        if bundles.is_due(study, found):
            parts = [one.id for one in found][: bundles.MOST]
            self.worth[number] = sum(self.worth[part] for part in parts)
            self.found.bundles += 1
            self.add(number, bundles.NAME, study.champion, parts)
        else:
            self.worth[number] = self.truth(self.rng)
            self.found.seen += 1
            self.add(number, "ideas", study.champion, ())
        self.levels[number] = self.levels[study.champion] + self.worth[number]

    def run(self, runs: int) -> Found:
        while self.study.runs < runs:
            work = scheduler.next_work(self.study)
            if work is None:
                self.propose()
                continue
            number = work.experiment.id
            value = -(self.levels[number] + float(self.rng.normal()))
            started = e.RunStarted(
                seed=scheduler.next_seed(work.experiment), slot=0, budget=1, deadline=2,
                protocol_id=self.contract.protocol_id, pid=1, pid_started=1.0,
            )  # fmt: skip
            self.tell(started, number, work.run)
            done = e.RunFinished(outcome=Outcome.FINISHED, metrics={self.contract.metric: value}, seconds=1)
            self.tell(done, number, work.run)
            self.consider()
        self.found.gain = self.levels[self.study.champion or 0]
        return self.found

    def consider(self) -> None:
        study = self.study
        baseline = study.experiments[0]
        if baseline.verdict is None:
            values = study.measured(baseline)
            if len(values) >= study.contract.keep.baseline_runs:
                self.keep(0, e.ExperimentJudged(verdict=Outcome.KEPT, reason="", metric=statistics.fmean(values)))
            return
        for x in study.open_experiments():
            if standing(study, x)[0] != "measured":
                continue
            decided = decision(study, x)
            if decided.action in ("again", "remeasure"):
                continue
            kept = decided.action == "keep"
            judged = e.ExperimentJudged(
                verdict=Outcome.KEPT if kept else Outcome.DISCARDED, reason="",
                metric=statistics.fmean(study.measured(x)), effect=decided.effect, noise=decided.noise,
                confidence=decided.confidence, champion=x.parent,
            )  # fmt: skip
            if kept:
                self.found.kept += 1
                self.found.false += self.worth[x.id] <= 0
                self.found.kept_bundles += bool(x.parts)
                self.keep(x.id, judged)
            else:
                self.tell(judged, x.id)

    def keep(self, number: int, judged: e.ExperimentJudged) -> None:
        self.tell(judged, number)
        self.tell(e.ChampionChanged(commit=f"{number:040d}", metric=judged.metric), number)


def compare(name: str, truth: Truth, studies: int, runs: int) -> dict[bool, list[Found]]:
    """Run both, on the same luck as far as they go alike, and print what they came to."""
    print(f"{name}: {studies} studies of {runs} runs")
    found: dict[bool, list[Found]] = {}
    for together in (False, True):
        found[together] = [
            World(truth, together, np.random.default_rng([seed, 7])).run(runs) for seed in range(studies)
        ]
        gains = [one.gain for one in found[together]]
        error = statistics.stdev(gains) / math.sqrt(studies)
        print(
            f"  {'with bundles' if together else 'without':12} true gain {statistics.fmean(gains):.2f} noises "
            f"(standard error {error:.2f}), kept {_mean(found[together], 'kept'):.1f}, of these false "
            f"{_mean(found[together], 'false'):.2f}; bundles {_mean(found[together], 'bundles'):.1f}, kept "
            f"{_mean(found[together], 'kept_bundles'):.1f}; ideas run {_mean(found[together], 'seen'):.0f}",
            flush=True,
        )
    return found


def _mean(found: Sequence[Found], what: str) -> float:
    return statistics.fmean(getattr(one, what) for one in found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--runs", type=int, default=150)
    asked = parser.parse_args()
    found = compare("small gains of one noise each", small, asked.studies, asked.runs)
    times = _mean(found[True], "gain") / max(1e-9, _mean(found[False], "gain"))
    met = times >= LEAST_GAIN
    print(f"  budget: at least {LEAST_GAIN:g} times the true gain: {times:.2f}: {'met' if met else 'MISSED'}\n")
    none = compare("nothing is true", nothing, asked.studies, asked.runs)
    apart = [one.false - other.false for one, other in zip(none[True], none[False], strict=True)]
    error = statistics.stdev(apart) / math.sqrt(len(apart))
    held = statistics.fmean(apart) <= 2 * error
    print(f"  budget: no more false ones than without: {statistics.fmean(apart):+.2f} (standard error {error:.2f}): "
          f"{'met' if held else 'MISSED'}")  # fmt: skip
    return 0 if met and held else 1


if __name__ == "__main__":
    sys.exit(main())
