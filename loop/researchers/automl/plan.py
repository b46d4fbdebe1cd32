"""Which constants to change next, and by how much.

Pure, given a source of randomness and the optimiser as a function. The plan stays near the champion: one to three
constants change, so that a result can be explained and all other constants stay as good as they are. Three steps, the
first that applies:

1. Further: the champion came from a change of ours, so take the same step in the same direction again.
2. First looks: each constant is changed alone, in one direction and then in the other; in the other at once where the
   first was clearly worse. TPE's usual start, random values for everything at once, gives a script with a dozen
   constants some thirty useless runs; `bench/automl.py` has the comparison.
3. TPE: one to three constants take values from the optimiser; those that moved the metric more are chosen more often.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from loop.researchers.automl.constants import Value
from loop.researchers.automl.naming import own_words
from loop.researchers.automl.ranges import ZERO_UNTIL, Range
from loop.researchers.automl.trials import Trial, Values, importance

Kind = Literal["further", "first look", "other way", "tpe", "random"]
Optimiser = Callable[[Sequence[str]], Mapping[str, float]]
"""Returns places for the named constants."""

FIRST_STEP = (0.12, 0.25)
"""How far a first look goes, in places: a factor of 1.7 to 3.2 for a learning rate searched over two decades."""

_LEARNING, _BATCH = frozenset({"LR", "RATE", "RATES", "ETA", "ETA0"}), frozenset({"BATCH", "BATCHSIZE", "BS"})
_WHOLE = ("whole", "power of two")

_OTHER: Kind = "other way"

_LEAST_STEP = 0.03
"""A step shorter than this, in places, cannot be told from noise and does not count."""

_TRIES = 60
"""Draws until the space around the champion counts as exhausted."""


@dataclass(frozen=True)
class Move:
    """A change of some of the champion's constants."""

    kind: Kind
    values: Values
    """New values by name."""
    because: Trial | None = None
    """The experiment it follows from, where it follows from one."""


@dataclass(frozen=True)
class Situation:
    """What the plan is based on."""

    present: Values
    """The champion's constants that may be searched."""
    ranges: Mapping[str, Range]
    trials: Sequence[Trial]
    champion: int
    noise: float
    """Standard deviation of one run; 0 while unknown."""


def next_move(now: Situation, rng: random.Random, optimiser: Optimiser) -> Move | None:
    """The next change, never to values that an earlier experiment had; None where nothing is left."""
    fresh = _unseen(now)
    if move := fresh(_further(now)):
        return move
    for name, kind, because in _looks(now, rng):
        if move := fresh(_look(now, rng, name, kind, because)):
            return move
    for attempt in range(_TRIES):
        names = _chosen(now, rng)
        # In a nearly exhausted space, chance reaches corners that the optimiser avoids.
        places = optimiser(names) if attempt < _TRIES // 2 else {name: rng.random() for name in names}
        if move := fresh(Move("tpe", _moved(now, places))):
            return move
    return None


def random_move(now: Situation, rng: random.Random) -> Move | None:
    """One to three constants at random places, whatever earlier experiments say: what the plan is compared with."""
    fresh, names = _unseen(now), sorted(now.present)
    for _ in range(_TRIES):
        chosen = rng.sample(names, min(rng.choice((1, 2, 3)), len(names)))
        if move := fresh(Move("random", _moved(now, {name: rng.random() for name in chosen}))):
            return move
    return None


def _unseen(now: Situation) -> Callable[[Move | None], Move | None]:
    """Lets a move pass if it changes something, and not to values that an earlier experiment had."""
    seen = [trial.values for trial in now.trials]
    whole = {**next((t.values for t in now.trials if t.id == now.champion), {}), **now.present}
    return lambda move: move if move and move.values and {**whole, **move.values} not in seen else None


def _further(now: Situation) -> Move | None:
    """The step that made the champion once more, if nothing has been built on it yet."""
    made = next((trial for trial in now.trials if trial.id == now.champion), None)
    if made is None or not made.before or any(trial.parent == now.champion for trial in now.trials):
        return None
    places = {}
    for name, value in made.before.items():
        if name in now.present and now.ranges[name].scale != "choice":
            here, there = now.ranges[name].place(now.present[name]), now.ranges[name].place(value)
            places[name] = 2 * here - there
    return Move("further", _moved(now, places), made)


def _looks(now: Situation, rng: random.Random) -> list[tuple[str, Kind, Trial | None]]:
    """The first looks still to take, the most promising first."""
    taken: dict[str, list[Trial]] = {name: [] for name in now.present}
    for trial in now.trials:
        if trial.alone in taken:
            taken[trial.alone].append(trial)
    halves: list[tuple[float, str, Trial]] = []
    for name, trials in taken.items():
        ways = {_way(now, trial, name) for trial in trials}
        # A kept step has no other direction to try: that is where it came from.
        if len(ways) == 1 and not any(trial.kept for trial in trials):
            losses = [-trial.effect for trial in trials if trial.effect is not None]
            halves.append((fmean(losses) if losses else 0.0, name, trials[-1]))
    halves.sort(key=lambda half: (-half[0], half[1]))
    untouched = [name for name, trials in taken.items() if not trials]
    rng.shuffle(untouched)
    untouched.sort(key=lambda name: _promise(name, now.ranges[name]))
    looks: list[tuple[str, Kind, Trial | None]] = [(name, "first look", None) for name in untouched]
    urgent = [(name, _OTHER, trial) for loss, name, trial in halves if loss > now.noise]
    later = [(name, _OTHER, trial) for loss, name, trial in halves if loss <= now.noise]
    return [*urgent, *looks, *later]


def _promise(name: str, span: Range) -> int:
    """How early a constant gets its first look: what moves the metric furthest in most scripts first.

    Learning rates, and the batch, which decides how many steps the time is for; what else decides that; other numbers
    that are searched over decades; the rest.
    """
    words = own_words(name)
    if (words & _LEARNING and span.scale == "log") or words & _BATCH:
        return 0
    return 1 if span.scale in _WHOLE else 2 if span.scale == "log" else 3


def _look(now: Situation, rng: random.Random, name: str, kind: Kind, because: Trial | None) -> Move | None:
    way = rng.choice((-1, 1)) if because is None else -_way(now, because, name)
    if because is None and now.ranges[name].scale in _WHOLE:
        way = -1  # sizes down first: in the same time there are more steps of a smaller one
    value = _step(now, rng, name, way)
    if value is None and because is None:
        value = _step(now, rng, name, -way)
    return None if value is None else Move(kind, {name: value}, because)


def _step(now: Situation, rng: random.Random, name: str, way: int) -> Value | None:
    """A value one step up or down, at least the next possible one; None at the end of the range."""
    span, value = now.ranges[name], now.present[name]
    here, step = span.place(value), rng.uniform(*FIRST_STEP)
    if span.scale == "zero or log" and here == 0:
        step += 2 * ZERO_UNTIL  # from zero to something that has an effect
    while not (here == 0 and way < 0) and not (here == 1 and way > 0):
        there = here + way * step
        if span.value(there) != value:
            return span.value(there)
        if not 0 <= there <= 1:
            return None
        step *= 1.2
    return None


def _chosen(now: Situation, rng: random.Random) -> list[str]:
    """One to three constants; those whose changes moved the metric four times as far are drawn twice as often."""
    weights = importance(now.trials, now.present)
    usual = fmean(known) if (known := [weight for weight in weights.values() if weight is not None]) else 1.0
    pool = {
        name: ((usual if weight is None else weight) + 1e-9 * usual + 1e-300) ** 0.5 for name, weight in weights.items()
    }
    chosen: list[str] = []
    for _ in range(min(rng.choice((1, 2, 3)), len(pool))):
        name = rng.choices(list(pool), list(pool.values()))[0]
        del pool[name]
        chosen.append(name)
    return chosen


def _moved(now: Situation, places: Mapping[str, float]) -> Values:
    """New values at these places, without those that would hardly change."""
    values = {}
    for name, place in places.items():
        span, present = now.ranges[name], now.present[name]
        value = span.value(place)
        if value != present and (abs(span.place(value) - span.place(present)) >= _LEAST_STEP):
            values[name] = value
    return values


def _way(now: Situation, trial: Trial, name: str) -> int:
    """1 where the trial increased the magnitude of the constant, -1 where it decreased it."""
    span = now.ranges[name]
    return 1 if span.place(trial.values[name]) >= span.place(trial.before[name]) else -1
