"""What the gates of the ladder let through (`bench.ladder_gates`); whether attribution's intervals hold, and what a
design is worth beside taking changes out one by one.

    python -m bench.ladder [--trials 300]

The truth is known: a champion of 19 kept changes, of which 30% are worth nothing, a fifth harm, and the others are
worth 1.5 noises of one run in the mean. Designs and estimates are the real ones (`policy/designs`); only the runs are
drawn. Claimed: an interval of 95% covers the truth in 90 to 99 of 100, and with 24 runs the error of a worth is at most
half a noise, where leaving each out by itself gives 1.1 and taking one after another 1.4 at as many runs.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.ladder_gates import gates
from loop.policy import designs
from loop.policy.noise import Noise

CHANGES = 19
KNOWN_DOF = 12
"""Degrees of freedom of the study's own noise: a baseline of three runs, and some repetitions."""
COVERED = 0.90, 0.99
ERROR = 0.5

Rng = np.random.Generator


@dataclass
class World:
    """A champion's truth, in noises of one run."""

    worths: np.ndarray
    """Of each change, shape (CHANGES,)."""
    pairs: Sequence[tuple[int, int, float]] = ()
    """Two changes, and what they are worth together beyond the sum."""
    alike: float = 0.0
    """Correlation of runs under one seed."""

    @classmethod
    def drawn(cls, rng: Rng, interactions: int = 0, alike: float = 0.0) -> "World":
        kind = rng.random(CHANGES)
        size = np.abs(rng.normal(1.5, 0.5, CHANGES))
        worths = np.where(kind < 0.3, 0.0, np.where(kind < 0.5, -size, size))
        pairs = []
        for _ in range(interactions):
            a, b = rng.choice(CHANGES, 2, replace=False)
            pairs.append((int(a), int(b), float(rng.normal(0, 1.5))))
        return cls(worths, pairs, alike)

    def level(self, row: Sequence[bool]) -> float:
        """The true level of a row. What two do together is centred: a worth is the mean over the others in and out."""
        on = np.array(row, dtype=float)
        both = sum(size * (on[a] - 0.5) * (on[b] - 0.5) for a, b, size in self.pairs)
        return float(on @ self.worths) + both

    def run(self, rng: Rng, rows: Sequence[Sequence[bool]], blocks: Sequence[int]) -> list[float]:
        luck = rng.normal(size=max(blocks) + 1) * math.sqrt(self.alike)
        own = rng.normal(size=len(rows)) * math.sqrt(1 - self.alike)
        return [self.level(row) + luck[block] + one for row, block, one in zip(rows, blocks, own, strict=True)]


@dataclass
class Found:
    """What one way of attributing has come to."""

    errors: list[float] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    """Share of the best subset's gain that is kept when what seems worth nothing is dropped."""

    def add(self, world: World, worths: Sequence[float]) -> None:
        self.errors += [float(one - true) for one, true in zip(worths, world.worths, strict=True)]
        best = float(world.worths[world.worths > 0].sum())
        if best:
            self.kept.append(float(world.worths[np.array(worths) > 0].sum()) / best)

    @property
    def error(self) -> float:
        return math.sqrt(float(np.mean(np.square(self.errors))))


def known(rng: Rng) -> Noise:
    """The noise of one run as a study knows it; it is 1."""
    return Noise(math.sqrt(rng.chisquare(KNOWN_DOF) / KNOWN_DOF), KNOWN_DOF)


def by_design(rng: Rng, world: World, runs: int, found: Found) -> None:
    plan = designs.design(CHANGES, runs)
    seen = designs.estimates(plan.rows, plan.blocks, world.run(rng, plan.rows, plan.blocks), known(rng))
    assert seen is not None
    found.add(world, [one.value for one in seen.worths])
    found.covered += [one.low <= true <= one.high for one, true in zip(seen.worths, world.worths, strict=True)]


def leave_one_out(rng: Rng, world: World, runs: int, found: Found) -> None:
    """Each change out once, as often as there are runs for it, and the champion in the runs that are left."""
    whole = [True] * CHANGES
    rows = [[i != j for j in range(CHANGES)] for i in range(CHANGES)] * max(1, runs // (CHANGES + 1))
    beside = [whole] * max(1, runs - len(rows))
    values = world.run(rng, [*rows, *beside], range(len(rows) + len(beside)))
    champion = float(np.mean(values[len(rows) :]))
    out = np.array(values[: len(rows)]).reshape(-1, CHANGES).mean(axis=0)
    found.add(world, [champion - float(one) for one in out])


def in_sequence(rng: Rng, world: World, runs: int, found: Found) -> None:
    """One after another onto the baseline, each beside the one before it."""
    times = max(1, runs // (CHANGES + 1))
    rows = [[j < i for j in range(CHANGES)] for i in range(CHANGES + 1)] * times
    values = np.array(world.run(rng, rows, range(len(rows)))).reshape(times, -1).mean(axis=0)
    found.add(world, [float(one) for one in np.diff(values)])


def the_stack(rng: Rng, world: World, runs: int, found: Found) -> None:
    """No attribution: everything is shipped."""
    found.add(world, [1.0] * CHANGES)


WAYS: dict[str, Callable[[Rng, World, int, Found], None]] = {
    "ship the whole stack": the_stack,
    "in sequence": in_sequence,
    "leave one out": leave_one_out,
    "by design": by_design,
}

SETTINGS: dict[str, tuple[int, int, float]] = {
    "24 runs": (24, 0, 0.0),
    "48 runs, mirrored": (48, 0, 0.0),
    "48 runs, mirrored, seeds alike by 0.8": (48, 0, 0.8),
    "24 runs, 6 interactions": (24, 6, 0.0),
}
"""Runs, interactions, correlation at equal seeds."""


def attribution(trials: int) -> bool:
    """Print what attribution comes to; whether it keeps what is claimed."""
    good = True
    print(f"attribution: {CHANGES} changes, {trials} champions each; errors in noises of one run")
    for name, (runs, interactions, alike) in SETTINGS.items():
        found = {way: Found() for way in WAYS}
        for seed in range(trials):
            world = World.drawn(np.random.default_rng([seed, 1]), interactions, alike)
            for index, (way, attribute) in enumerate(WAYS.items()):
                attribute(np.random.default_rng([seed, 2, index]), world, runs, found[way])
        for way, one in found.items():
            error = "" if way == "ship the whole stack" else f"error {one.error:.2f}, "
            print(f"  {name}: {way}: {error}{np.mean(one.kept):.0%} of the best subset's gain")
        ours = found["by design"]
        covered = float(np.mean(ours.covered))
        budget = f" (budget: {COVERED[0]:.0%} to {COVERED[1]:.0%})" if not interactions else ""
        print(f"  {name}: by design: intervals of 95% cover the truth in {covered:.1%}{budget}")
        if not interactions:
            good &= COVERED[0] <= covered <= COVERED[1]
        if name == "24 runs":
            print(f"  {name}: by design: error of a worth {ours.error:.2f} (budget: {ERROR})")
            good &= ours.error <= ERROR
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=300, help="champions for each setting")
    options = parser.parse_args()
    return 0 if all([gates(options.trials), attribution(options.trials)]) else 1


if __name__ == "__main__":
    sys.exit(main())
