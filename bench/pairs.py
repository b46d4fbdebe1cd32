"""What it is worth to compare at equal seeds: whole studies with known truth, by the means alone and by pairs.

    python -m bench.pairs [--studies 400]

Both rules are the real `loop.policy.judge`, called as the loop calls it, in the proportions of the published run (see
`bench.judge`), with 700 runs each. Runs under one seed are alike, as measured on `train.py`: with a correlation of 0.87
to 0.995 where a change is one of constants, of 0.36 to 0.44 where it is one of structure. How alike they are is what
the study has to find out: from its repetitions, and from a few discarded candidates that run twice more.

Claimed: by pairs at least 7 true ones are kept and 0.78 of the possible gain, at 1.2 false ones at most; no more than
1.2 where nothing is true; where nothing is alike no less gain than by the means, within two standard errors; and no
more than 1.2 false ones where one change in twenty shines on the first seed alone, by three and by six times the noise.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.judge import CANDIDATES, NOISE, published
from loop.policy import pairs
from loop.policy.judge import Decision, judge
from loop.policy.noise import Noise, pooled
from loop.study.contract import Keep

CONSTANTS, STRUCTURE = (0.99, 0.995, 0.88, 0.87), (0.36, 0.40, 0.44)
"""Correlations at equal seeds of seven changes of `train.py` with their champion, six seeds each."""

SEEDS = 20
MOST_FALSE, LEAST_TRUE, LEAST_GAIN = 1.2, 7.0, 0.78

Effects = Callable[[np.random.Generator], Sequence[float]]


def proportions(rng: np.random.Generator) -> Sequence[float]:
    """Effects in the proportions of the published run, in noises."""
    return [float(effect) for effect in published(rng) / NOISE]


@dataclass(frozen=True)
class World:
    """What is true. Effects and luck are in units of the noise; positive is better."""

    name: str
    effects: Effects
    constants: Sequence[float] = CONSTANTS
    structure: Sequence[float] = STRUCTURE
    shines: float = 0.0
    """How much one change in twenty gains on the first seed, and nowhere else."""


@dataclass
class Outcome:
    false: int = 0
    true: int = 0
    gain: float = 0.0
    possible: float = 0.0
    seen: int = 0
    asked: int = 0
    """Runs spent on finding out how alike runs are."""


@dataclass
class Version:
    """A state of the file: what it is truly worth, and its luck under each seed."""

    level: float
    luck: Sequence[float]

    def run(self, seed: int) -> float:
        return -(self.level + self.luck[seed])


@dataclass
class Study:
    """One study. A metric is the true level with a seed's luck, negated: lower is better."""

    world: World
    rng: np.random.Generator
    paired: bool
    keep: Keep = field(default_factory=Keep)
    found: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self.best = Version(0.0, self.rng.normal(0, 1, SEEDS).tolist())
        self.champion = [self.best.run(seed) for seed in range(self.keep.baseline_runs)]
        self.runs = len(self.champion)
        self.groups: list[list[float]] = [self.champion]
        self.kinds = {"constants": pairs.Scatter(), "": pairs.Scatter()}

    def candidate(self, effect: float) -> tuple[Version, str]:
        """A change of the champion and its kind."""
        kinds = len(self.world.constants) + len(self.world.structure)
        kind = "constants" if self.rng.random() < len(self.world.constants) / kinds else ""
        alike = self.rng.choice(self.world.constants if kind else self.world.structure)
        fresh = self.rng.normal(0, 1, SEEDS)
        luck = [alike * old + math.sqrt(1 - alike**2) * new for old, new in zip(self.best.luck, fresh, strict=True)]
        if self.world.shines and self.rng.random() < 0.05:
            luck[0] += self.world.shines
        return Version(self.best.level + effect, luck), kind

    def bar(self) -> float:
        """The confidence below which nothing is kept."""
        return 0.0

    def try_out(self, effect: float, most: int, placebo: bool = False) -> Decision:
        """Run and judge one candidate, while the study has had fewer than `most` runs; a placebo is never kept."""
        version, kind = self.candidate(effect)
        values = [version.run(0)]
        self.runs += 1
        self.found.seen += 1
        noise = self.noise()
        while True:
            beside = pairs.Beside(self.champion[: len(values)], kind, pairs.Alike(self.kinds)) if self.paired else None
            decided = judge(self.keep, "min", self.champion, values, noise, beside=beside, at_least=self.bar())
            if decided.action in ("keep", "discard") or self.runs >= most:
                break
            if decided.action == "remeasure":
                self.champion.append(self.best.run(len(self.champion)))
            else:
                values.append(version.run(len(values)))
            self.runs += 1
        if decided.action == "discard" and len(values) == 1 and self.paired and self.runs + 2 < most:
            self.ask(version, kind, values, decided)
        elif len(values) > 1:
            self.kinds[kind] += pairs.scatter(self.differences(values)[1:])
            self.groups.append(values)
        if decided.action == "keep" and not placebo:
            self.found.true += effect > 0
            self.found.false += effect <= 0
            self.found.gain += effect
            self.best, self.champion = version, values
        return decided

    def ask(self, version: Version, kind: str, values: list[float], decided: Decision) -> None:
        """Run a discarded candidate twice more, where that is worth knowing."""
        size = decided.effect / decided.noise if decided.noise else 0.0
        if not pairs.worth_asking(self.kinds[kind], size, self.found.asked, self.runs):
            return
        while len(self.champion) < 3:
            self.champion.append(self.best.run(len(self.champion)))
            self.runs += 1
        values += [version.run(1), version.run(2)]
        self.runs += 2
        self.found.asked += 2
        self.kinds[kind] += pairs.scatter(self.differences(values))
        self.groups.append(values)

    def differences(self, values: Sequence[float]) -> list[float]:
        return [one - other for one, other in zip(values, self.champion, strict=False)]

    def noise(self) -> Noise | None:
        return pooled(self.groups)


def run(world: World, seed: int, paired: bool) -> Outcome:
    """One study of as many runs as there are candidates."""
    rng = np.random.default_rng([seed, 1])
    effects = [float(effect) for effect in world.effects(rng)]
    study = Study(world, rng, paired)
    for effect in effects:
        if study.runs >= len(effects):
            break
        study.try_out(effect, len(effects))
    study.found.possible = sum(effect for effect in effects if effect > 0)
    return study.found


def compare(world: World, studies: int) -> dict[bool, list[Outcome]]:
    """Run both rules and print what they came to."""
    found = {paired: [run(world, seed, paired) for seed in range(studies)] for paired in (False, True)}
    print(f"{world.name}: {studies} studies of {CANDIDATES} runs")
    for paired, outcomes in found.items():
        false = [x.false for x in outcomes]
        line = f"  {'by pairs' if paired else 'by means':9} false kept {statistics.fmean(false):.2f}"
        if any(x.possible for x in outcomes):
            gain = [x.gain / x.possible for x in outcomes]
            line += f", true kept {statistics.fmean(x.true for x in outcomes):.1f}, gain {statistics.fmean(gain):.3f}"
            line += f" of the possible (standard error {statistics.stdev(gain) / studies**0.5:.3f})"
        print(f"{line}, {statistics.fmean(x.asked for x in outcomes):.0f} runs to learn how alike they are")
    return found


def held(found: dict[bool, list[Outcome]], *, true: bool = False, gain: bool = False) -> bool:
    """Print what is claimed of the rule by pairs beside it, and whether it holds."""
    ours, means = found[True], found[False]
    false = statistics.fmean(x.false for x in ours)
    met, claims = false <= MOST_FALSE, [f"at most {MOST_FALSE} false"]
    if true:
        share = statistics.fmean(x.gain / x.possible for x in ours)
        met &= statistics.fmean(x.true for x in ours) >= LEAST_TRUE and share >= LEAST_GAIN
        claims.append(f"at least {LEAST_TRUE:g} true and {LEAST_GAIN} of the gain")
    if gain:
        apart = [a.gain / a.possible - b.gain / b.possible for a, b in zip(ours, means, strict=True)]
        met &= statistics.fmean(apart) >= -2 * statistics.stdev(apart) / len(apart) ** 0.5
        claims.append("no less gain than by the means")
    print(f"  budget: {', '.join(claims)}: {'met' if met else 'MISSED'}\n", flush=True)
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    studies = parser.parse_args().studies

    def nothing(_: np.random.Generator) -> Sequence[float]:
        return [0.0] * CANDIDATES

    met = [
        held(compare(World("the published proportions", proportions), studies), true=True),
        held(compare(World("nothing is true", nothing), studies)),
        held(compare(World("nothing is alike", proportions, (0.0,), (0.0,)), studies), gain=True),
        held(compare(World("nothing is alike, nothing is true", nothing, (0.0,), (0.0,)), studies)),
        held(compare(World("one in twenty shines on one seed, by 3", proportions, shines=3.0), studies)),
        held(compare(World("one in twenty shines on one seed, by 6", proportions, shines=6.0), studies)),
    ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
