"""Whether the judge keeps what it promises: placebos in whole studies, and the error account against the truth.

    python -m bench.trust [--studies 200]

Studies of 700 runs in the proportions of the published run (see `bench.judge`), compared at equal seeds by the real
judge (`bench.pairs`).

Placebos: one candidate in ten has no effect and is never made champion. Claimed: the share that the judge keeps agrees
with what `keep.confidence` promises at most (1%), within its 95% interval, among changes of constants, of structure,
and where no two runs are alike.

The error account: with `keep: {false: 1 per study}` and without, in worlds where runs under one seed are alike and
where they are not. Claimed: no more false ones are kept, on average, than a study says may have been, also where
nothing is true and after however many candidates one looks; what it says never exceeds its budget; and with a
budget at least nine tenths of the gain of without are found.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.judge import CANDIDATES, NOISE, published
from bench.pairs import CONSTANTS, STRUCTURE, Study, World
from loop.policy import error_account, placebos
from loop.policy.judge import Decision

SHARE = 0.1
"""Of the candidates, so that few studies tell something."""

LEAST_GAIN = 0.9

LOOKS = (1, 3, 10, 30, 100, 200, 300, 400, 500)
"""Candidates after which the account is held against the truth."""

SLACK = 2.0
"""Standard errors that luck may put the one above the other at the worst of the looks."""


def proportions(rng: np.random.Generator) -> Sequence[float]:
    return [float(effect) for effect in published(rng) / NOISE]


def nothing(_: np.random.Generator) -> Sequence[float]:
    return [0.0] * CANDIDATES


@dataclass
class Accounted(Study):
    """A study with an error account."""

    budget: float | None = None
    spent: float = field(default=0.0, init=False)
    judged: int = field(default=0, init=False)
    course: list[tuple[int, float]] = field(default_factory=list, init=False)
    """False ones kept, and what is told as spent, after each candidate."""

    def left(self) -> float | None:
        return None if self.budget is None else self.budget - self.spent

    def bar(self) -> float:
        return 0.0 if (left := self.left()) is None else error_account.needed(self.keep, left)

    def try_out(self, effect: float, most: int, placebo: bool = False) -> Decision:
        decided = super().try_out(effect, most, placebo)
        if decided.action in ("keep", "discard"):
            self.judged += 1
            self.spent += error_account.cost(self.keep, self.judged, self.left())
        self.course.append((self.found.false, self.spent))
        return decided


def study_of(world: World, seed: int, budget: float | None = None) -> Accounted:
    """A whole study."""
    rng = np.random.default_rng([seed, 1])
    effects = list(world.effects(rng))
    study = Accounted(world, rng, True, budget=budget)
    for effect in effects:
        if study.runs >= len(effects):
            break
        study.try_out(effect, len(effects))
    return study


def worst(courses: Sequence[Sequence[tuple[int, float]]]) -> tuple[float, int]:
    """By how many standard errors more false ones were kept than told at the worst of the looks on the way, and after
    how many candidates that was; below zero where fewer were kept at all of them."""
    found = []
    shortest = min(map(len, courses))
    for look in [*(at for at in LOOKS if at < shortest), shortest]:
        over = [course[look - 1][0] - course[look - 1][1] for course in courses]
        error = statistics.stdev(over) / len(over) ** 0.5
        found.append((statistics.fmean(over) / error if error else -math.inf, look))
    return max(found)


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


def account(studies: int, only: str = "") -> bool:
    met = True
    for name, effects, (constants, structure) in (
        ("the published proportions", proportions, (CONSTANTS, STRUCTURE)),
        ("the same, nothing alike", proportions, ((0.0,), (0.0,))),
        ("nothing is true", nothing, (CONSTANTS, STRUCTURE)),
        ("nothing is true, nothing alike", nothing, ((0.0,), (0.0,))),
    ):
        if only not in ("", name):
            continue
        world = World(name, effects, constants, structure)
        print(f"the error account, {name}: {studies} studies of {CANDIDATES} runs")
        gains: dict[float | None, float] = {}
        held = True
        for budget in (None, 1.0):
            found = [study_of(world, seed, budget) for seed in range(studies)]
            false = [one.found.false for one in found]
            gains[budget] = statistics.fmean(one.found.gain for one in found)
            apart, look = worst([one.course for one in found])
            held &= apart <= SLACK and (budget is None or max(one.spent for one in found) <= budget)
            spent, true = (
                statistics.fmean(x) for x in zip(*((one.spent, one.found.true) for one in found), strict=True)
            )
            print(
                f"  {'without' if budget is None else '1 per study':11} false kept {statistics.fmean(false):.2f} "
                f"(standard error {statistics.stdev(false) / studies**0.5:.2f}), told as spent at most {spent:.2f}; at "
                f"the worst look, after {look}, {apart:+.1f} standard errors; true kept {true:.1f}, gain "
                f"{gains[budget]:.1f} noises",
                flush=True,
            )
        held &= gains[1.0] >= LEAST_GAIN * gains[None] or effects is nothing
        print(f"  budget: no more false than told, at any look, and never over 1; {LEAST_GAIN:.0%} of the gain: "
              f"{'met' if held else 'MISSED'}\n", flush=True)  # fmt: skip
        met &= held
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--only", choices=("placebos", "account"), help="one half of it")
    parser.add_argument("--world", default="", help="the account in worlds of that name alone")
    studies, only = (asked := parser.parse_args()).studies, asked.only
    met = True
    for name, constants, structure in (
        ("constants", CONSTANTS, CONSTANTS),
        ("structure", STRUCTURE, STRUCTURE),
        ("nothing alike", (0.0,), (0.0,)),
    ):
        if only == "account":
            break
        found = placebo_rate(World(name, proportions, constants, structure), max(1, studies // 4))
        print(f"{name}: {placebos.told(found)}: {'met' if found.holds else 'MISSED'}", flush=True)
        met &= found.holds
    print()
    return 0 if (only == "placebos" or account(studies, asked.world)) and met else 1


if __name__ == "__main__":
    sys.exit(main())
