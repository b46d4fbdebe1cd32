"""Whether the judge keeps what it promises: placebos in whole studies, and the error account against the truth.

    python -m bench.trust [--studies 200]

Studies of 700 runs in the proportions of the published run (see `bench.judge`), compared at equal seeds by the real
judge (`bench.pairs`).

Placebos: one candidate in ten has no effect and is never made champion. Claimed: the share that the judge keeps agrees
with what `keep.confidence` promises at most (1%), within its 95% interval, among changes of constants, of structure,
and where no two runs are alike.

The error account: with `keep: {false: 1 per study}` and without. Claimed: what a study says that it has spent never
exceeds its budget; at most one false one is kept on average, also where nothing is true; and at least nine tenths of
the gain of without are found.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.judge import CANDIDATES, NOISE, published
from bench.pairs import CONSTANTS, STRUCTURE, Outcome, Study, World
from loop.policy import error_account, placebos
from loop.policy.judge import FUTILE, Decision

SHARE = 0.1
"""Of the candidates, so that few studies tell something."""

MOST_FALSE, LEAST_GAIN = 1.0, 0.9


def proportions(rng: np.random.Generator) -> Sequence[float]:
    return [float(effect) for effect in published(rng) / NOISE]


def nothing(_: np.random.Generator) -> Sequence[float]:
    return [0.0] * CANDIDATES


@dataclass
class Accounted(Study):
    """A study with an error account."""

    budget: float | None = None
    spent: float = field(default=0.0, init=False)
    better: int = field(default=0, init=False)
    """Discarded since the last keep, and measured better."""

    def bar(self) -> float:
        return 0.0 if self.budget is None else error_account.needed(max(0.0, self.budget - self.spent), self.better)

    def try_out(self, effect: float, most: int, placebo: bool = False) -> Decision:
        decided = super().try_out(effect, most, placebo)
        confidence = decided.confidence or 0.0
        if decided.action == "keep" and not placebo and confidence >= FUTILE:
            self.spent += error_account.cost(confidence, self.better)
            self.better = 0
        elif decided.action == "discard" and decided.effect > 0:
            self.better += 1
        return decided


def study_of(world: World, seed: int, budget: float | None = None) -> tuple[Outcome, float]:
    """What a study came to, and what it says that it has spent."""
    rng = np.random.default_rng([seed, 1])
    effects = list(world.effects(rng))
    study = Accounted(world, rng, True, budget=budget)
    for effect in effects:
        if study.runs >= len(effects):
            break
        study.try_out(effect, len(effects))
    study.found.possible = sum(effect for effect in effects if effect > 0)
    return study.found, study.spent


def placebo_rate(world: World, studies: int) -> placebos.Rate:
    """How many placebos the judge keeps in so many studies."""
    kept = judged = 0
    for seed in range(studies):
        rng = np.random.default_rng([seed, 3])
        study = Study(world, rng, True)
        for effect in world.effects(rng):
            if study.runs >= CANDIDATES:
                break
            if rng.random() < SHARE:
                kept += study.try_out(0.0, CANDIDATES, placebo=True).action == "keep"
                judged += 1
            study.try_out(effect, CANDIDATES)
    return placebos.measured(kept, judged, 1 - study.keep.confidence)


def account(studies: int) -> bool:
    met = True
    for name, effects in (("the published proportions", proportions), ("nothing is true", nothing)):
        world = World(name, effects)
        print(f"the error account, {name}: {studies} studies of {CANDIDATES} runs")
        gains: dict[float | None, float] = {}
        for budget in (None, 1.0):
            found = [study_of(world, seed, budget) for seed in range(studies)]
            false = statistics.fmean(one.false for one, _ in found)
            spent = [spent for _, spent in found]
            gains[budget] = statistics.fmean(one.gain for one, _ in found)
            print(
                f"  {'without' if budget is None else '1 per study':11} false kept {false:.2f}, told as spent "
                f"{statistics.fmean(spent):.2f} (at most {max(spent):.2f}), true kept "
                f"{statistics.fmean(one.true for one, _ in found):.1f}, gain {gains[budget]:.1f} noises",
                flush=True,
            )
        held = max(spent) <= 1.0 and false <= MOST_FALSE and gains[1.0] >= LEAST_GAIN * gains[None]
        print(f"  budget: never over 1 told, {MOST_FALSE:g} false, {LEAST_GAIN:.0%} of the gain: "
              f"{'met' if held else 'MISSED'}\n")  # fmt: skip
        met &= held
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    studies = parser.parse_args().studies
    met = True
    for name, constants, structure in (
        ("constants", CONSTANTS, CONSTANTS),
        ("structure", STRUCTURE, STRUCTURE),
        ("nothing alike", (0.0,), (0.0,)),
    ):
        found = placebo_rate(World(name, proportions, constants, structure), max(1, studies // 4))
        print(f"{name}: {placebos.told(found)}: {'met' if found.holds else 'MISSED'}", flush=True)
        met &= found.holds
    print()
    return 0 if account(studies) and met else 1


if __name__ == "__main__":
    sys.exit(main())
