"""Shares: who proposes how often, by what each researcher has brought for what it has cost.

A bandit with a floor (Thompson sampling): how likely the next proposal of each is to be kept is drawn from what became
of its newest ones, multiplied by how much its kept ones gained beside those of others, and divided by what one of its
proposals costs; whoever is ahead in most draws proposes most. Nobody falls below `FLOOR` of what the program gives it,
so one that was unlucky, or whose time comes later, is still heard. What a proposal promises plays no part: shares are
for those that are not made yet.

Pure: the draws are seeded with the number of verdicts, so the same study gives the same shares.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from loop.study.outcomes import Outcome
from loop.study.state import Study

FLOOR = 0.2
"""Least part of its own share that a researcher keeps."""

NEWEST = 50
"""Proposals of each researcher that count: what was easy at the beginning says little of today."""

SLOT_HOUR_USD = 2.0
"""What an hour of a slot is reckoned at, so that it adds to the price of calls: about what a rented GPU costs."""

LEAST_USD = 1e-4
"""Least cost of a proposal: nothing is free, and two that cost next to nothing differ by what they bring."""

DRAWS = 400

PRIOR = (0.5, 5.0)
"""Kept and not kept, as if seen before the first proposal: one in eleven, as in published studies."""


GAINS, MOST_GAIN = 2.0, 3.0
"""Kept changes of everybody that each researcher's own gains are mixed with, and how many times as much as those of
others its gains may count, or as little: a handful of keeps says little of the next one's size."""


@dataclass
class Brought:
    """What the newest proposals of one researcher came to."""

    kept: int = 0
    gained: float = 0.0
    """By those that were kept, together."""
    judged: int = 0
    slot_hours: float = 0.0
    usd: float = 0.0
    """Of its calls, per proposal."""

    @property
    def cost(self) -> float:
        """US dollars per proposal."""
        return max(LEAST_USD, self.usd + SLOT_HOUR_USD * self.slot_hours / max(1, self.judged))

    def size(self, usual: float) -> float:
        """How many times as much as a usual one a kept change of its gains.

        Args:
            usual: what a kept one of anybody gained; 0 where that is not known.
        """
        if usual <= 0:
            return 1.0
        mean = (self.gained + GAINS * usual) / (self.kept + GAINS)
        return min(MOST_GAIN, max(1 / MOST_GAIN, mean / usual))


def earned(study: Study, given: Mapping[str, float]) -> dict[str, float]:
    """The share of each researcher of `given`, which are those that the program gives them."""
    if len(given) < 2:
        return dict(given)
    found = brought(study)
    kept, gained = sum(one.kept for one in found.values()), sum(one.gained for one in found.values())
    usual = gained / kept if kept else 0.0
    chance = random.Random(len(study.closed))
    ahead = dict.fromkeys(given, 0)
    for _ in range(DRAWS):
        worth = {}
        for name in given:
            had = found.get(name) or Brought()
            likely = chance.betavariate(PRIOR[0] + had.kept, PRIOR[1] + had.judged - had.kept)
            worth[name] = likely * had.size(usual) / had.cost
        ahead[max(worth, key=lambda name: worth[name])] += 1
    return {name: share * max(FLOOR, len(given) * ahead[name] / DRAWS) for name, share in given.items()}


def brought(study: Study) -> dict[str, Brought]:
    """What each researcher's newest proposals came to; clashes are nobody's fault, and count for nothing."""
    found: dict[str, Brought] = defaultdict(Brought)
    proposed: dict[str, int] = defaultdict(int)
    for x in reversed(study.experiments.values()):
        if not x.id or x.submitted or x.imported or x.id in study.placebos:
            continue
        proposed[x.researcher] += 1
        own = found[x.researcher]
        if x.verdict is None or x.clashed or own.judged >= NEWEST:
            continue
        own.judged += 1
        if x.verdict == Outcome.KEPT:
            own.kept, own.gained = own.kept + 1, own.gained + max(0.0, x.effect or 0.0)
        own.slot_hours += sum(run.seconds + run.verify_seconds for run in x.own()) / 3600
    for name, own in found.items():
        if name in study.minds.of:
            own.usd = study.minds.of[name].usd / proposed[name]
    return dict(found)
