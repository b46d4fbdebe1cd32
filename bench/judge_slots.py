"""The judge with results out of order: whole studies on several slots beside the same ones on a single slot.

    python -m bench.judge --slots 4 [--studies 1000]

A run takes between half and one and a half times as long as the others, so results come in any order; proposals are
always ready, as many as there are slots, each made on the champion of its time. A result that comes after the champion
has changed is judged against the champion that it was built on: discarded there, or measured again on today's, as
`policy/standing` and `policy/scheduler` have it. At equal runs. Claimed: at most 5% more false keeps than on one slot,
at 95% or more of its true gain; what lies within two standard errors is not told apart.
"""

import heapq
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.judge import CANDIDATES, NOISE, Draw, Draws, Outcome, published
from loop.policy.judge import judge
from loop.policy.noise import present_noise
from loop.study.contract import Keep

CLAIM = 0.05


@dataclass(eq=False)
class Candidate:
    """A change, with the numbers of its runs on its present parent; the baseline is one, too."""

    effect: float
    parent: "Candidate | None" = None
    level: float = 0.0
    """How much better than the baseline it truly is, on that parent."""
    values: list[float] = field(default_factory=list)
    under_way: int = 0


class OutOfOrder:
    """One study on several slots."""

    def __init__(self, slots: int, effects: Sequence[float], draw: Draw, chance: np.random.Generator) -> None:
        self.keep, self.draw, self.chance, self.slots = Keep(), draw, chance, slots
        self.fresh = iter(effects)
        self.champion = Candidate(0.0)
        self.found = Outcome()
        self.most = len(effects)
        self.runs = self.stale = 0
        self.reigns: list[list[list[float]]] = [[self.champion.values]]
        self.queue: list[Candidate] = []
        """Those that need another run."""
        self.near: list[Candidate] = []
        """Those that wait for the champion's."""
        self.ready: list[Candidate] = []
        self.noise = present_noise(self.reigns)
        self.largest: float | None = None

    def go(self) -> Outcome:
        for _ in range(self.keep.baseline_runs):
            self.champion.values.append(-self.draw())
        self.runs = self.keep.baseline_runs
        self.noise = present_noise(self.reigns)
        ends: list[tuple[float, int, Candidate]] = []
        now, number = 0.0, 0
        while True:
            while len(ends) < self.slots and self.runs < self.most and (next := self.next_one()) is not None:
                number += 1
                self.runs += 1
                next.under_way += 1
                heapq.heappush(ends, (now + self.chance.uniform(0.5, 1.5), number, next))
            if not ends:
                return self.found
            now, _, ended = heapq.heappop(ends)
            self.end(ended)

    def next_one(self) -> Candidate | None:
        champion = self.champion
        allowed = max(1, self.keep.baseline_runs - len(champion.values))
        if self.near and champion.under_way < allowed:
            return champion
        while len(self.ready) < self.slots:
            effect = next(self.fresh, None)
            if effect is None:
                break
            self.ready.append(Candidate(effect))
        for waiting in (self.queue, self.ready):
            if waiting:
                found = waiting.pop(0)
                if found.parent is not champion:
                    found.parent, found.level, found.values = champion, champion.level + found.effect, []
                return found
        return None

    def end(self, one: Candidate) -> None:
        one.under_way -= 1
        one.values.append(-(one.level + self.draw()))
        if one is self.champion:
            self.noise = present_noise(self.reigns)
            near, self.near = self.near, []
            for waiting in near:
                self.consider(waiting)
        elif one.parent is not None and not self.was_champion(one):
            if len(one.values) == 2:
                self.reigns[-1].append(one.values)
            self.noise = present_noise(self.reigns)
            self.consider(one)

    def was_champion(self, one: Candidate) -> bool:
        return any(reign[0] is one.values for reign in self.reigns)

    def consider(self, one: Candidate) -> None:
        parent, stale = one.parent, one.parent is not self.champion
        assert parent is not None
        decision = judge(self.keep, "min", parent.values, one.values, self.noise, largest=self.largest, settled=stale)
        if decision.action == "discard":
            self.found.seen += 1
            self.found.missed += one.effect > 0
        elif stale:
            self.stale += 1
            self.queue.append(one)
        elif decision.action == "keep":
            self.found.seen += 1
            self.reigns = [[group for group in reign if group is not one.values] for reign in self.reigns]
            self.reigns.append([one.values])
            self.noise = present_noise(self.reigns)
            self.champion = one
            self.largest = max(self.largest or 0.0, decision.effect)
            self.found.gain += one.effect
            self.found.true += one.effect > 0
            self.found.false += one.effect <= 0
            self.queue += self.near
            self.near = []
        elif decision.action == "remeasure":
            self.near.append(one)
        else:
            self.queue.append(one)


def compare_slots(slots: int, studies: int) -> bool:
    """Print what becomes of the same candidates on one slot and on `slots`, and return whether the claim holds."""
    found: dict[int, list[Outcome]] = {1: [], slots: []}
    stale = 0
    for seed in range(studies):
        for count, outcomes in found.items():
            rng = np.random.default_rng([seed, 1])
            effects = [float(effect) for effect in published(rng)]
            study = OutOfOrder(count, effects, Draws(NOISE)(rng), np.random.default_rng([seed, count]))
            outcomes.append(study.go())
            stale += study.stale if count > 1 else 0
    met = True
    print(f"{studies} studies of {CANDIDATES} runs; with {slots} slots {stale / studies:.1f} moved after a run")
    for what, unit in (("false", 1.0), ("gain", NOISE)):
        one, many = ([getattr(x, what) / unit for x in found[count]] for count in (1, slots))
        first, then = statistics.fmean(one), statistics.fmean(many)
        unsure = statistics.stdev(b - a for a, b in zip(one, many, strict=True)) / math.sqrt(studies)
        worse = then - first if what == "false" else first - then
        fine = worse <= max(CLAIM * first, 2 * unsure)
        met &= fine
        print(
            f"  {what:5} 1 slot {first:.3f}, {slots} slots {then:.3f}: {then / first - 1:+.1%} "
            f"(standard error {unsure / first:.1%}); budget {CLAIM:.0%} worse: {'met' if fine else 'MISSED'}"
        )
    return met
