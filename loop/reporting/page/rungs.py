"""The ladder on the report: a row for each experiment that was measured on a larger rung. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from loop.policy import ladder
from loop.reporting.page import values as v
from loop.reporting.page.values import Value
from loop.study import rungs
from loop.study.climb import ClimbEnded
from loop.study.state import Study


@dataclass(frozen=True, slots=True)
class Climbed:
    """What an experiment is worth on a rung, beside the baseline there."""

    id: int
    title: str
    mark: str
    small: Value | None
    """Its gain on the study's own rung."""
    gain: Value | None
    low: Value | None
    high: Value | None
    pairs: Value | None
    time: Value | None
    """Share of its time in which it comes to where the baseline ends."""
    reason: str


@dataclass(frozen=True, slots=True)
class RungTold:
    """One rung and what climbed there."""

    name: str
    metric: str
    rows: Sequence[Climbed]
    rank: Value | None
    """How well the order of gains on the study's own rung is that of this one."""
    low: Value | None
    high: Value | None
    of: Value | None


def told(study: Study) -> list[RungTold]:
    """The rungs on which something was measured, from small to large."""
    found = []
    for name in rungs.names(study.contract):
        results = ladder.results(study, name)
        there = rungs.at(study.contract, name)
        if not results or there is None:
            continue
        rows = [_row(study, name, one) for one in results]
        ranked, of = ladder.predicts(study, name), f"rung.{name}"
        found.append(
            RungTold(
                name=name,
                metric=there.contract.metric,
                rows=rows,
                rank=None if ranked is None else v.plain(f"{of}.rank", ranked.rank, 2),
                low=None if ranked is None else v.plain(f"{of}.rank_low", ranked.low, 2),
                high=None if ranked is None else v.plain(f"{of}.rank_high", ranked.high, 2),
                of=None if ranked is None else v.count(f"{of}.experiments", ranked.of),
            )
        )
    return found


def _row(study: Study, name: str, one: ClimbEnded) -> Climbed:
    of = f"rung.{name}.{one.experiment}"
    return Climbed(
        id=one.experiment,
        title=study.experiments[one.experiment].title,
        mark=ladder.SHORT[one.mark],
        small=v.signed(f"{of}.small", one.small),
        gain=v.signed(f"{of}.gain", one.gain),
        low=v.signed(f"{of}.low_there", one.low),
        high=v.signed(f"{of}.high_there", one.high),
        pairs=v.count(f"{of}.pairs", one.pairs),
        time=v.plain(f"{of}.time", one.time, 2),
        reason="" if one.gain is not None else one.reason,
    )
