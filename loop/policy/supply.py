"""Supply: whether another proposal is to be thought about now, whose turn it is, and whether there are thinkers enough.

Pure: the same study gives the same answer. Each slot is to have its next commit ready when it falls free, so proposals
are made ahead, as many as the lengths of thoughts and of runs ask for, and no more: what is made ahead does not know
the results before it. Simulated at thought = run, one slot: 50% busy without, 99.9% with it; at 180 s and 300 s with
eight slots: 63% and 99.9%.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import islice
from math import ceil
from statistics import fmean, median

from loop.study import queries
from loop.study.minds import Mind
from loop.study.state import Study

MOST_WAITING = 4
"""Proposals that may wait for a person. Researchers go on meanwhile, but not into a pile that nobody will read."""

AHEAD = 1.5
"""Proposals that are thought about or queued, per slot and per run that a thought lasts, so that hardly ever none is
ready: thoughts differ in length."""

AT_ONCE = 1.25
"""Conversations that it takes to have them, per slot and per run that a thought lasts."""

RUNS_TIMED = 20
"""Newest runs whose median length counts."""

RECENT = 50
"""Newest proposals by which it is told whose turn it is: who joins late does not have to catch up."""


def runs_per_thought(study: Study) -> float | None:
    """How many runs one after another a thought lasts; None until there are thoughts and runs to tell.

    The median run, and of those who think the mean of their medians. A first thought that goes on counts from when it
    is longer than a run: whoever waits for it would wait for nobody else.
    """
    ended = (
        run.seconds + run.verify_seconds
        for x in reversed(study.experiments.values())
        for run in x.runs.values()
        if run.outcome is not None and not run.outcome.is_lost
    )
    runs = list(islice(ended, RUNS_TIMED))
    if not runs or not (a_run := median(runs)):
        return None
    present = study.minds.present()
    lengths = [median(mind.lengths) for mind in present if mind.lengths]
    untold = {mind.name for mind in present if not mind.lengths}
    going = (study.at - thought.since for thought in study.minds.thoughts.values() if thought.researcher in untold)
    lengths += [so_far for so_far in going if so_far > a_run]
    return fmean(lengths) / a_run if lengths else None


def conversations(study: Study, slots: int) -> int:
    """How many thoughts at once keep that many slots busy; one for each slot until that can be reckoned."""
    lasts = runs_per_thought(study)
    return max(1, slots if lasts is None else ceil(AT_ONCE * slots * lasts))


def wants_proposal(study: Study, slots: int, ahead: bool, thinks: bool = True) -> bool:
    """Whether a researcher should be asked for a proposal now.

    Args:
        slots: places where runs can happen.
        ahead: proposals are made while all slots are busy. False where nobody takes long to think: then each knows the
            results before it.
        thinks: the one to be asked takes long, so it counts how many do.

    Repeats and rejected proposals do not count as supply: they bring no slot anything new to run.
    """
    if study.champion is None or study.paused or study.short_of_room:
        return False
    if study.stopping != "no" or study.limit is not None or study.validates_only:
        return False
    unsettled = [x for x in study.open_experiments() if not x.doubted]
    thinking = len(study.minds.thoughts)
    most = study.contract.limits.experiments
    if most is not None and study.judged() + len(queries.doubted(study)) + len(unsettled) + thinking >= most:
        return False
    waiting = sum(x.phase == "waiting" for x in unsettled)
    if waiting >= MOST_WAITING:
        return False
    if not ahead:
        return len(unsettled) - waiting + thinking < slots
    fresh = sum(x.phase in ("proposed", "queued") and not x.counted() for x in unsettled)
    lasts = runs_per_thought(study)
    enough = slots + 1 if lasts is None else ceil(AHEAD * slots * lasts) + 1
    # Whoever proposes at once would fill up all that is meant for long thoughts, with what knows the fewest results.
    room = thinking < conversations(study, slots) if thinks else fresh < slots
    return room and fresh + thinking < enough


def in_turn(study: Study, shares: Mapping[str, float], candidates: Collection[str]) -> str | None:
    """Whose turn it is among those who could be asked: whoever has made fewest of the recent proposals for its share.

    Args:
        shares: by name; 1 for a name that is not there.
        candidates: names, the one to prefer first.
    """
    proposed = (x.researcher for x in reversed(study.experiments.values()) if x.id and not x.submitted)
    made = Counter(islice(proposed, RECENT))
    made.update(thought.researcher for thought in study.minds.thoughts.values())
    return min(candidates, key=lambda name: (made[name] + 1) / shares.get(name, 1.0), default=None)


def spent_up(mind: Mind | None, usd: float | None) -> str:
    """Why a researcher may make no more calls, where its own limit of money says so; empty where it may."""
    if mind is None or usd is None or mind.usd < usd:
        return ""
    return f"its own limit is reached: ${mind.usd:.2f} of ${usd:g} are spent"


def lacking(study: Study, slots: int) -> int:
    """How many more conversations it takes to keep that many slots busy."""
    if runs_per_thought(study) is None or not (present := study.minds.present()):
        return 0
    return max(0, conversations(study, slots) - sum(mind.at_once for mind in present))


def shortage(study: Study, slots: int) -> str:
    """A sentence where the researchers are too few for the slots; empty where they are enough."""
    if not (more := lacking(study, slots)) or study.limit is not None:
        return ""
    researchers = "1 more researcher" if more == 1 else f"{more} more researchers"
    lasts = runs_per_thought(study) or 0.0
    return (
        f"needs {researchers} to keep {'its slot' if slots == 1 else f'{slots} slots'} busy, since a thought lasts as "
        f"long as {lasts:.2g} runs: raise `at_once` under `researchers:`, or name more of them"
    )
