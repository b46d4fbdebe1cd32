"""Supply: whether another proposal is to be thought about now, whose turn it is, and whether there are thinkers enough.

Pure: the same study gives the same answer. Each slot is to have its next commit ready when it falls free, so proposals
are made ahead, as many as the lengths of thoughts and of runs ask for, and no more: what is made ahead does not know
the results before it. Simulated at thought = run, one slot: 50% busy without, 99.9% with it; at 180 s and 300 s with
eight slots: 63% and 99.9%.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from math import ceil
from statistics import fmean, median

from loop.study import queries
from loop.study.minds import Mind
from loop.study.state import Study
from loop.words import listed

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
"""Newest proposals by which it is told whose turn it is, and how many come to a run: who joins late does not have to
catch up."""

LONGEST = 4.0
"""A thought counts for no more than so many median ones: one that hung for an hour says little of the next."""

AT_ONCE_RUNS = 0.05
"""A researcher whose thoughts are a smaller part of a run than this does not think long: nobody waits for it."""

PRIOR, MOST_FOR_ONE = 4, 3.0
"""Thoughts that came to a run, as if seen before the first; and the most thoughts that are reckoned for one run, so
that whoever brings nothing but repetitions is not asked ever more often."""


def _a_run(study: Study) -> float | None:
    """Median seconds of the newest runs; None until there is one."""
    ended = (
        run.seconds + run.verify_seconds
        for x in reversed(study.experiments.values())
        for run in x.runs.values()
        if run.outcome is not None and not run.outcome.is_lost
    )
    runs = list(islice(ended, RUNS_TIMED))
    return median(runs) or None if runs else None


def _a_thought(study: Study, mind: Mind, a_run: float, now: float) -> float | None:
    """Seconds that a thought of this researcher takes; None where there is nothing to tell it by.

    The mean where that is longer than the median, since it is the mean that says how many have to go on at once. A
    first thought that goes on is taken to last another run, from when it is longer than one: whoever waits for its end
    to reckon with it would let the slots wait as long once more.
    """
    going = [now - thought.since for thought in study.minds.thoughts.values() if thought.researcher == mind.name]
    if mind.lengths:
        middle = median(mind.lengths)
        long = [so_far for so_far in going if so_far > middle]  # at first only short ones have ended
        lengths = [*mind.lengths, *long]
        return max(middle, fmean(min(length, LONGEST * middle) for length in lengths))
    so_far = max(going, default=0.0)
    return so_far + a_run if so_far > a_run else None


def _lengths(study: Study, now: float | None) -> dict[str, float]:
    """How many runs a thought of each researcher lasts, where that is known."""
    if not (a_run := _a_run(study)):
        return {}
    at = study.at if now is None else now
    told = {mind.name: _a_thought(study, mind, a_run, at) for mind in study.minds.present()}
    return {name: length / a_run for name, length in told.items() if length is not None}


def runs_per_thought(study: Study, now: float | None = None) -> float | None:
    """How many runs one after another a thought lasts, on average over those who think long; None until there are
    thoughts and runs to tell.

    Args:
        now: Unix seconds; None: the time of the newest event.
    """
    lengths = _lengths(study, now).values()
    return fmean([length for length in lengths if length >= AT_ONCE_RUNS] or lengths) if lengths else None


def thoughts_for_a_run(study: Study) -> float:
    """How many thoughts it takes until one comes to a run: some repeat what was there, or are rejected before it."""
    newest = (x for x in reversed(study.experiments.values()) if x.id and not x.submitted and not x.imported)
    settled = list(islice((x for x in newest if x.runs or x.verdict is not None), RECENT))
    ran = sum(bool(x.runs) for x in settled)
    new = [is_new for mind in study.minds.present() for is_new in mind.new]
    each = (len(new) + PRIOR) / (sum(new) + PRIOR) * (len(settled) + PRIOR) / (ran + PRIOR)
    return min(MOST_FOR_ONE, each)


def _runs_begin(study: Study, slots: int, runs: float, now: float) -> float:
    """How many runs begin in each slot within a time of so many runs.

    On average just as many. But slots that have started together come free together, as after a start, and then each
    round of theirs would wait for what was made ahead for a few: so it is at least once in each of those that are free
    by then, their runs being as long as usual.
    """
    usual = _a_run(study) or 0.0
    going = [run.started_at for _, run in study.running()]
    free = slots - len(going) + sum(started + usual - now <= runs * usual for started in going)
    return max(runs, min(slots, free) / slots)


def conversations(study: Study, slots: int, now: float | None = None) -> int:
    """How many thoughts at once keep that many slots busy; one for each slot until that can be reckoned."""
    lasts = runs_per_thought(study, now)
    return max(1, slots if lasts is None else ceil(AT_ONCE * slots * lasts * thoughts_for_a_run(study)))


def part(study: Study, slots: int, name: str, shares: Mapping[str, float], now: float | None = None) -> float:
    """Which part of all runs a researcher is to supply, 0 to 1: its share, and what others cannot supply of theirs.

    Args:
        shares: of those that can be asked.
    """
    whole = sum(shares.values())
    if name not in shares or whole <= 0:
        return 1.0
    lengths, each = _lengths(study, now), slots * thoughts_for_a_run(study)
    met = 0.0
    for other, share in shares.items():
        mind, lasts = study.minds.of.get(other), lengths.get(other)
        most = mind.at_once / (each * lasts) if mind is not None and lasts else 1.0
        met += min(share / whole, most)
    return min(1.0, shares[name] / whole + max(0.0, 1.0 - met))


@dataclass(frozen=True)
class Asked:
    """Who is to be asked for a proposal.

    Attributes:
        quick: it proposes at once, so no slot waits for it.
        shares: of all that can be asked, by name.
    """

    name: str
    shares: Mapping[str, float]
    quick: bool = False


def wants_proposal(study: Study, slots: int, ahead: bool, asked: Asked | None = None, now: float | None = None) -> bool:
    """Whether a researcher should be asked for a proposal now.

    Args:
        slots: places where runs can happen.
        ahead: proposals are made while all slots are busy. False where nobody takes long to think: then each knows the
            results before it.
        asked: who it is; None: the only one.
        now: Unix seconds; None: the time of the newest event.

    Each has as much under way and ready as its part of the runs asks for, by the length of its own thoughts: else
    whoever is quick would fill up all that is meant for long thoughts, with what knows the fewest results. Repeats and
    rejected proposals do not count as supply: they bring no slot anything new to run.
    """
    if study.champion is None or study.paused or study.short_of_room:
        return False
    if study.stopping != "no" or study.limit is not None or study.does_one_thing:
        return False
    unsettled = [x for x in study.open_experiments() if not x.doubted]
    # One whose endpoint does not answer may take for hours, and is not to keep the last experiments from the others.
    thinking = sum(thought.researcher not in study.troubles for thought in study.minds.thoughts.values())
    most = study.contract.limits.experiments
    if most is not None and study.judged() + len(queries.doubted(study)) + len(unsettled) + thinking >= most:
        return False
    waiting = sum(x.phase == "waiting" for x in unsettled)
    if waiting >= MOST_WAITING:
        return False
    if not ahead:
        return len(unsettled) - waiting + thinking < slots
    fresh = [x for x in unsettled if x.phase in ("proposed", "queued") and not x.counted()]
    name = None if asked is None else asked.name
    own = sum(name in (None, x.researcher) for x in fresh)
    needed = slots * (1.0 if asked is None else part(study, slots, asked.name, asked.shares, now))
    if asked is not None and asked.quick:
        return own < ceil(needed)
    thinks = sum(name in (None, thought.researcher) for thought in study.minds.thoughts.values())
    lengths = _lengths(study, now)
    lasts = lengths.get(name or "") or runs_per_thought(study, now)
    at_once, enough = ceil(needed), ceil(needed) + 1
    if lasts is not None:
        at, wanted = study.at if now is None else now, needed * thoughts_for_a_run(study)
        at_once = max(1, ceil(wanted * _runs_begin(study, slots, AT_ONCE * lasts, at)))
        enough = ceil(wanted * _runs_begin(study, slots, AHEAD * lasts, at)) + 1
    if thinks >= at_once or own + thinks >= enough or len(fresh) >= slots + enough:
        return False
    return not may_spend_all(study)


def may_spend_all(study: Study) -> bool:
    """Whether the thoughts under way, at what one has cost so far, use up what a limit of money or tokens leaves."""
    thinking, given = len(study.minds.thoughts), study.contract.limits
    if not thinking or (given.usd is None and given.tokens is None):
        return False
    made = sum(1 for x in study.experiments.values() if x.id and not x.submitted and not x.imported)
    pairs = ((study.usd, given.usd), (study.tokens, given.tokens))
    return bool(made) and any(most is not None and used + thinking * used / made >= most for used, most in pairs)


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


def lacking(study: Study, slots: int, now: float | None = None) -> int:
    """How many more conversations it takes to keep that many slots busy; 0 where they are enough, where some that there
    are have nothing to do, or where nobody knows."""
    lasts, lengths, present = runs_per_thought(study, now), _lengths(study, now), study.minds.present()
    busy = len(study.minds.thoughts) + sum(x.phase == "proposed" for x in study.open_experiments())
    if not lasts or not study.contract.ahead or busy < sum(mind.at_once for mind in present):
        return 0
    supplied = 0.0  # thoughts that end in the time of a run
    for mind in present:
        its = lengths.get(mind.name, lasts)
        if its < AT_ONCE_RUNS:
            return 0  # whoever proposes at once fills each slot
        supplied += mind.at_once / its
    return max(0, ceil((AT_ONCE * slots * thoughts_for_a_run(study) - supplied) * lasts - 1e-9))


def more_researchers(count: int) -> str:
    return "1 more researcher" if count == 1 else f"{count} more researchers"


def shortage(study: Study, slots: int, now: float | None = None) -> str:
    """A sentence where the researchers are too few for the slots; empty where they are enough."""
    if not (more := lacking(study, slots, now)) or study.limit is not None:
        return ""
    lasts, present = runs_per_thought(study, now) or 0.0, study.minds.present()
    left = [f"{mind.name} has left ({mind.left})" for mind in study.minds.of.values() if mind.present and mind.left]
    holds = listed([*(f"{mind.name} holds {mind.at_once}" for mind in present), *left])
    busy, at_once = "its slot" if slots == 1 else f"{slots} slots", more + sum(mind.at_once for mind in present)
    return (
        f"needs {more_researchers(more)} to keep {busy} busy: a thought lasts as long as {lasts:.2g} runs, so it takes "
        f"{at_once} at once, where {holds}; raise `at_once` under `researchers:`, or name more of them"
    )
