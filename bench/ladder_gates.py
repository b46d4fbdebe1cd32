"""What the gates of the ladder let through, where the truth is known: the first half of `bench.ladder`.

Changes that were kept on the small rung are measured on a larger one, where their effect transfers, vanishes or
turns. The gate is the real one (`policy/ladder`): differences to what has to be beaten at equal seeds, their scatter
pooled over the climbs of the rung, and `keep: confidence`. Claimed: of the changes that are worth nothing there at most
5% pass. What that costs is said as runs of the larger rung for each change, and beside it what a gate against the
baseline alone would let through, where a vanishing change rides on those before it.
"""

import random
import statistics

from loop.policy import ladder
from loop.study.contract import Keep
from loop.study.scales import RUNS

MOST_PASSED = 0.05
"""Share of the changes that are worth nothing on a rung which may pass its gate."""

CLIMBS = 12
"""Changes of one study that climb, one after another."""

KINDS = {"transfers": 0.5, "vanishes": 0.3, "turns": 0.2}
"""What becomes of a change on the larger rung, and how often."""


def _effect(dice: random.Random, kind: str) -> float:
    """In noises of one run on the larger rung."""
    size = dice.uniform(1.0, 4.0)
    return {"transfers": size, "vanishes": 0.0, "turns": -size}[kind]


def _studies(trials: int, runs: int, alike: float, against: str) -> tuple[dict[str, list[bool]], list[int]]:
    """What passed, by what became of it there; and the runs that each climb took.

    Args:
        alike: correlation of two runs under one seed.
        against: `incumbent`, as the real gate, or `baseline`.
    """
    dice, needed = random.Random(20), Keep().confidence
    passed: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    cost = []
    for _ in range(trials):
        stack = 0.0  # what all changes so far are worth on the larger rung
        incumbent = 0.0  # what the newest that passed is worth there
        scatters: list[ladder.Scatter] = []
        for _ in range(CLIMBS):
            kind = dice.choices([*KINDS], [*KINDS.values()])[0]
            worth = stack + _effect(dice, kind)
            rival = incumbent if against == "incumbent" else 0.0
            luck = [dice.gauss(0, 1) for _ in range(runs)]  # what each seed brings to every run under it
            differences = [_run(dice, worth, alike, one) - _run(dice, rival, alike, one) for one in luck]
            own = ladder.Scatter(statistics.stdev(differences), runs - 1)
            sure = ladder.confidence(differences, ladder.pooled([*scatters, own]))
            scatters.append(own)
            better = ladder.marked(sure, needed) == "stable"
            # A change is judged by what it adds: one that is worth nothing beside its rival is worth nothing.
            truth = kind if against == "baseline" else _is(worth - rival)
            passed[truth].append(better)
            cost.append(runs * (2 if not incumbent else 3))
            if better:
                incumbent = worth
            stack = worth if kind != "turns" else stack  # a person takes out what is harmful there
    return passed, cost


def _run(dice: random.Random, worth: float, alike: float, shared: float) -> float:
    return worth + alike**0.5 * shared + (1 - alike) ** 0.5 * dice.gauss(0, 1)


def _is(effect: float) -> str:
    return "vanishes" if abs(effect) < 1e-9 else "transfers" if effect > 0 else "turns"


def gates(trials: int) -> bool:
    """Print what the gates let through; returns whether that is within the budget."""
    fine = True
    sure = f"{Keep().confidence:.0%}"
    print(f"gates: {trials} studies of {CLIMBS} climbs; effects of 1 to 4 noises, {_mix()}; confidence {sure}")
    for runs in (3, RUNS, 8):
        for alike in (0.0, 0.5):
            passed, cost = _studies(trials, runs, alike, "incumbent")
            share = {kind: sum(found) / max(1, len(found)) for kind, found in passed.items()}
            worst = max(share["vanishes"], share["turns"])
            fine &= worst <= MOST_PASSED
            print(
                f"  {runs} runs a side, seeds alike {alike:.1f}: passed {share['transfers']:.0%} that transfer, "
                f"{share['vanishes']:.1%} that vanish, {share['turns']:.1%} that turn (budget {MOST_PASSED:.0%}); "
                f"{statistics.fmean(cost):.1f} runs of the rung a climb"
            )
    passed, _ = _studies(trials, RUNS, 0.0, "baseline")
    loose = sum(passed["vanishes"]) / max(1, len(passed["vanishes"]))
    print(f"  against the baseline alone {loose:.0%} of those that vanish would pass, carried by those before them")
    return fine


def _mix() -> str:
    return ", ".join(f"{share:.0%} {kind}" for kind, share in KINDS.items())
