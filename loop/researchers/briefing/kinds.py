"""Kinds of ideas: which places of the files they touched, and what each kind brought. Pure.

A kind is told by the syntax of the edit (`policy/places`), not by anybody's judgement. An edit that touches two places
counts at both, and places that the same experiments touched are one line.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from loop.policy import places
from loop.researchers.briefing.excerpt import one_line
from loop.researchers.briefing.row import comparable, effect
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.words import listed

SHOWN = 12
"""Kinds in the list, the most frequent first."""

ELSEWHERE = 6
"""Places that are named where another kind is asked for."""

_NAME = 60


def kinds(experiments: Iterable[Experiment], contract: Contract) -> str:
    """What ideas at each place have brought, a line each; empty before the second verdict."""
    by_place: dict[str, list[Experiment]] = {}
    for x in experiments:
        for place in x.places if x.verdict is not None else ():
            by_place.setdefault(place, []).append(x)
    if sum(map(len, by_place.values())) < 2:
        return ""
    together: dict[tuple[int, ...], list[str]] = {}
    for place in sorted(by_place, key=lambda place: (-len(by_place[place]), place)):
        together.setdefault(tuple(x.id for x in by_place[place]), []).append(place)
    ranked = list(together.values())
    lines = ["# Kinds of ideas so far: what they touch, and what each has brought"]
    for touched in ranked[:SHOWN]:
        names = listed([one_line(place, _NAME) for place in touched], most=ELSEWHERE)
        lines.append(f"- {names}: {_brought(by_place[touched[0]], contract)}")
    if len(ranked) > SHOWN:
        lines.append(f"- {sum(map(len, ranked[SHOWN:]))} more places, less often each")
    return "\n".join(lines)


def _brought(some: Sequence[Experiment], contract: Contract) -> str:
    kept = sum(x.verdict == Outcome.KEPT for x in some)
    failed = sum(x.verdict is not None and x.verdict.is_failure for x in some)
    told = [f"{len(some)} tried", f"{kept} kept"] + ([f"{failed} failed"] if failed else [])
    measured = [x for x in some if x.effect is not None and comparable(x, contract.protocol_id)]
    if measured:
        best = max(measured, key=lambda x: x.effect or 0.0)
        told.append(f"the best #{best.id}, {effect(best)}")
    return ", ".join(told)


def most_touched(some: Sequence[Experiment]) -> tuple[str, int] | None:
    """The place that most of these touch, and how many do; None where nothing is known of them."""
    counted = Counter(place for x in some for place in x.places)
    best = min(counted, key=lambda place: (-counted[place], place), default=None)
    return None if best is None else (one_line(best, _NAME), counted[best])


def elsewhere(files: Mapping[str, str], experiments: Iterable[Experiment]) -> list[str]:
    """The places of the champion's files that the fewest ideas have touched, those that none has first."""
    counted = Counter(place for x in experiments for place in x.places)
    there = [place for path, text in sorted(files.items()) for place in places.of(path, text) if place != places.TOP]
    order = sorted(dict.fromkeys(there), key=lambda place: (counted[place], there.index(place)))
    return [one_line(place, _NAME) for place in order[:ELSEWHERE]]
