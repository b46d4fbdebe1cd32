"""Climbing: who climbs the ladder, when, and which run is next. Pure.

On a rung the experiment, what it has to beat there and the baseline run under the same fresh seeds, one after another
and in another order with each seed, so that a machine which drifts does so for all of them. What it has to beat is its
newest ancestor that was better on that rung, else the baseline: so a change that is worth nothing there is not carried
past the gate by those before it. What the runs amount to is `ladder`'s to say.
"""

from collections.abc import Collection, Mapping
from itertools import count, islice
from typing import Literal

from loop.policy import side_by_side, slot_units
from loop.policy.limits import PAID
from loop.policy.permissions import Allowed, Answer, Refused
from loop.study import rungs
from loop.study.climb import Climb, ClimbBegan
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study
from loop.words import listed

FRESH_SEED = 200_001
"""The first seed of a climb; those of experiments begin at 1337 and those of validations at 100,001."""

Why = Literal["asked", "share", "idle", "end"]


# --- when --------------------------------------------------------------------------------------------------------


def champion(study: Study) -> Experiment | Refused:
    """The experiment that is meant where none is named: the one that climbs, else the champion."""
    if study.climb is not None:
        return study.experiments[study.climb.began.experiment]
    return Refused("there is no champion yet") if study.best is None else study.best


def may_climb(study: Study, experiment: Experiment | None, to: str = "") -> Answer:
    """Whether a person may have an experiment climb now.

    Args:
        experiment: None: the champion.
        to: the rung up to which; empty: the next.
    """
    above = rungs.names(study.contract)
    if not above:
        return Refused("program.md names no ladder; write `scales: {small: {}, large: {budget: 1h}}`, the first rung "
                       "being the study itself")  # fmt: skip
    if to and to not in above:
        return Refused(f"there is no rung {to!r:.40} to climb to; above the study's own are {listed(above)}")
    if study.champion is None:
        return Refused("nothing climbs before the baseline has its number")
    x = experiment or study.experiments[study.champion]
    if x.id == 0:
        what = "it is" if experiment is not None else "nothing was kept yet: the champion is the baseline,"
        return Refused(f"{what} what everything else is measured against on every rung")
    if (now := study.climb) is not None:
        return Refused(
            f"experiment {now.began.experiment} is climbing to {now.began.rung} ({told_progress(study, now)}); "
            f"`looptop promote {now.began.experiment} --forbid` ends that"
        )
    if x.commit is None or x.imported:
        return Refused(f"experiment {x.id} is no commit of this study, so it cannot run")
    if x.verdict is None:
        return Refused(f"experiment {x.id} has no verdict yet; it climbs once it has run on the study's own rung")
    if not to and not next_rung(study, x):
        top = above[-1]
        return Refused(f"experiment {x.id} was better on the top rung already; `--to {top}` measures it there again")
    return Allowed()


def may_ground(study: Study, experiment: Experiment | None) -> Answer:
    """Whether a person may keep an experiment from climbing."""
    if not rungs.names(study.contract):
        return may_climb(study, experiment)
    if experiment is None and study.champion is None:
        return Refused("there is no champion yet")
    return Allowed()


def owed(study: Study, *, idle: bool, at_end: bool) -> ClimbBegan | None:
    """The climb that is to begin by itself now: the next rung of one that was better, or the champion's first.

    Args:
        idle: a slot has nothing else to do.
        at_end: nothing is left to be done but what a study ends with.
    """
    if study.climb is not None or study.validation is not None or study.paused or study.stopping != "no":
        return None
    if not study.contract.scales or study.best is None or not _has_room(study):
        return None
    if (further := _goes_on(study)) is not None:
        return further
    if study.champion == 0 or study.contract.climb == 0 or study.champion in study.grounded or study.does_one_thing:
        return None
    rung = next_rung(study, study.best)
    if not rung or _was_begun(study, study.best, rung):
        return None
    why: Why
    if at_end:
        why = "end"
    elif study.limit is not None:
        return None
    elif study.contract.climb is not None:
        if not _has_share(study, study.best, rung):
            return None
        why = "share"
    elif idle:
        why = "idle"
    else:
        return None
    return begun(study, study.best, rung, why, to=rungs.names(study.contract)[-1])


def _goes_on(study: Study) -> ClimbBegan | None:
    """The rung above one on which an experiment has just been better, where it was to go further."""
    if not study.climbs or (last := study.climbs[-1]).ended is None or not last.ended.passed:
        return None
    began = last.began
    x = study.experiments[began.experiment]
    rung = rungs.above(study.contract, began.rung)
    if not rung or not rungs.is_between(study.contract, began.rung, began.to) or x.id in study.grounded:
        return None
    if began.request is not None and study.requests[began.request].fulfilled_at is not None:
        return None
    return begun(study, x, rung, began.why, to=began.to, request=began.request, only=began.only)


def goes_further(study: Study, now: Climb, passed: bool) -> bool:
    """Whether a climb that ends like this goes on to the next rung."""
    return (
        passed
        and rungs.is_between(study.contract, now.began.rung, now.began.to)
        and now.began.experiment not in study.grounded
    )


def _has_room(study: Study) -> bool:
    """Whether no limit forbids it: time and disk that are used up are used up for climbing too."""
    return study.limit is None or study.limit.limit in (*PAID, "experiments")


def _was_begun(study: Study, x: Experiment, rung: str) -> bool:
    there = rungs.at(study.contract, rung)
    return there is not None and any(
        one.began.experiment == x.id and one.began.rung == rung and one.began.protocol_id == there.protocol_id
        for one in study.climbs
    )


def _has_share(study: Study, x: Experiment, rung: str) -> bool:
    """Whether a climb to that rung keeps within the share of the run time that is given to climbing."""
    share, cost = study.contract.climb or 0.0, expected(study, x, rung)
    return study.climb_seconds + cost <= share * (study.run_seconds + cost)


def expected(study: Study, x: Experiment, rung: str) -> float:
    """Slot seconds that the runs of a climb will take together: as those on that rung took before, else as much longer
    than its budget as those of the study's own rung are."""
    there = rungs.at(study.contract, rung)
    if there is None:
        return 0.0
    known = [
        (run.seconds + run.verify_seconds) * run.slots
        for number in study.climbed
        for run in study.experiments[number].runs.values()
        if run.protocol_id == there.protocol_id and run.metric is not None
    ]
    if known:
        one = sum(known) / len(known)
    else:
        own = [run.seconds + run.verify_seconds for run in study.tried(x) if run.metric is not None]
        over = sum(own) / len(own) / study.contract.budget if own else 1.0
        slots = slot_units.slots_of_a_run(study, rung, slot_units.kind_for(study, rung))
        one = there.contract.budget * max(1.0, over) * slots
    sides = 2 if incumbent(study, x, rung) is None else 3
    return one * sides * there.rung.runs


def will_go_on(study: Study, now: Climb) -> bool:
    """Whether a climb under way has runs, or its end, to come before the loop may end: one that is held has not, nor
    one that waits for a slot with nothing else to do."""
    if over(study, now) or is_complete(study, now):
        return True
    return now.began.experiment not in study.grounded and _has_room(study)


# --- what is measured against what ----------------------------------------------------------------------------------


def stands_on(study: Study, x: Experiment, rung: str) -> bool | None:
    """Whether an experiment was better on a rung, by its newest climb there that told; None where none did."""
    there = rungs.at(study.contract, rung)
    for one in reversed(study.climbs):
        ended = one.ended
        if there is None or ended is None or not ended.mark:
            continue
        if (one.began.experiment, one.began.rung, one.began.protocol_id) == (x.id, rung, there.protocol_id):
            return ended.passed
    return None


def next_rung(study: Study, x: Experiment) -> str:
    """The lowest rung on which an experiment was not better yet; empty where there is none."""
    return next((rung for rung in rungs.names(study.contract) if not stands_on(study, x, rung)), "")


def incumbent(study: Study, x: Experiment, rung: str) -> int | None:
    """The newest ancestor of an experiment that was better on a rung; None: none was."""
    seen = {x.id}
    above = x.parent
    while above and above not in seen:
        seen.add(above)
        ancestor = study.experiments[above]
        if stands_on(study, ancestor, rung):
            return ancestor.id if ancestor.commit else None
        above = ancestor.parent
    return None


def begun(
    study: Study, x: Experiment, rung: str, why: Why, *, to: str = "", request: int | None = None, only: bool = False
) -> ClimbBegan:
    """The climb of an experiment to a rung, about to begin."""
    there = rungs.at(study.contract, rung)
    against = incumbent(study, x, rung)
    numbers = [x.id, *([] if against is None else [against]), 0]
    sides = [study.experiments[number] for number in numbers]
    assert there is not None
    taken = {run.seed for side in sides for run in side.runs.values()}
    return ClimbBegan(
        experiment=x.id,
        rung=rung,
        to=to or rung,
        against=against,
        seeds=tuple(islice((seed for seed in count(FRESH_SEED) if seed not in taken), there.rung.runs)),
        protocol_id=there.protocol_id,
        commits=tuple(side.commit or "" for side in sides),
        device=slot_units.kind_for(study, rung),
        why=why,
        request=request,
        only=only,
    )


# --- which run is next ---------------------------------------------------------------------------------------------


def next_run(
    study: Study, claimed: Mapping[tuple[int, int], int], kind: str, *, nothing_else: bool
) -> Experiment | None:
    """Whose run of the climb is next on a slot of that kind; None where none is to be started.

    Args:
        claimed: what slots have in hand, see `scheduler.Claims`.
        nothing_else: the slot has nothing else to do, and it is not the only one.
    """
    now = study.climb
    if now is None or study.paused or study.stopping != "no" or not _has_room(study):
        return None
    if now.began.experiment in study.grounded or (now.began.why == "idle" and not nothing_else):
        return None
    if over(study, now) or (now.began.device and kind != now.began.device):
        return None
    done = [side_by_side.begun_runs(study.experiments[number], now.seq, claimed) for number in now.sides]
    least = min(done)
    if least >= len(now.began.seeds):
        return None
    order = [(least + place) % len(done) for place in range(len(done))]
    return study.experiments[now.sides[next(side for side in order if done[side] == least)]]


def lacking_runs(study: Study, claimed: Mapping[tuple[int, int], int]) -> int:
    """Runs of the climb that are still to be started; 0 while none may be.

    Args:
        claimed: what slots have in hand, see `scheduler.Claims`.
    """
    now = study.climb
    if now is None or study.stopping != "no" or not _has_room(study):
        return 0
    if now.began.experiment in study.grounded or over(study, now):
        return 0
    begun = [side_by_side.begun_runs(study.experiments[number], now.seq, claimed) for number in now.sides]
    return sum(max(0, len(now.began.seeds) - runs) for runs in begun)


def next_seed(study: Study, experiment: Experiment, starting: Collection[int]) -> int:
    """The first of the climb's seeds under which the experiment has not run; a lost run is repeated with its own.

    Args:
        starting: seeds of its runs that are being started and are not on record yet.

    Raises:
        ValueError: there is none.
    """
    now = study.climb
    if now is None:
        raise ValueError("no climb is under way")
    return side_by_side.next_seed(experiment, now.seq, now.began.seeds, starting)


def over(study: Study, now: Climb) -> str:
    """Why a climb cannot go on, in a few words; empty where it can."""
    began = now.began
    there = rungs.at(study.contract, began.rung)
    if there is None:
        return f"program.md names no rung {began.rung} any more"
    if there.protocol_id != began.protocol_id:
        return f"program.md has changed what a run's number means on {began.rung}"
    sides = [study.experiments.get(number) for number in now.sides]
    if began.commits != tuple("" if side is None else side.commit or "" for side in sides):
        return f"experiment {began.experiment} is another commit by now"
    if began.device and study.kinds[0] and began.device not in study.kinds:
        return f"no slot is {began.device} any more"
    if study.grounded.get(began.experiment) == "forbid":
        return "a person forbade it"
    if failure := _failed(study, now):
        return failure
    overtaken = began.why in ("idle", "share", "end") and study.champion != began.experiment
    if overtaken and not any(side is not None and side.validating(now.seq) for side in sides):
        return f"experiment {study.champion} was champion before it had run"
    return ""


def _failed(study: Study, now: Climb) -> str:
    """The first run that gave no number, once it is known whether the baseline's do; empty where none did."""
    runs = [(number, run) for number in now.sides for run in ended(study, now, number)]
    without = [(number, run) for number, run in runs if run.metric is None]
    alone = [pair for pair in without if pair[0] == now.began.experiment]
    if len(alone) == len(without) and not any(number == now.began.baseline for number, _ in runs):
        return ""
    if not without:
        return ""
    number, run = next((pair for pair in without if pair[0] != now.began.experiment), without[0])
    whose = "the baseline" if number == 0 else f"experiment {number}"
    said = f": {run.reason.partition(chr(10))[0]:.160}" if run.reason else ""
    return f"run {run.number} of {whose} gave no number there{said}"


def does_not_run(study: Study, now: Climb) -> bool:
    """Whether the experiment fails on a rung on which the others work."""
    own = [run for run in ended(study, now, now.began.experiment) if run.metric is None]
    others = [run for number in now.sides[1:] for run in ended(study, now, number)]
    failed = any(run.outcome != Outcome.KILLED and run.check != "killed" for run in own)
    return failed and bool(others) and all(run.metric is not None for run in others)


def is_complete(study: Study, now: Climb) -> bool:
    """Whether all of its runs have ended, and their numbers are verified."""
    return all(len(ended(study, now, number)) == len(now.began.seeds) for number in now.sides)


def ended(study: Study, now: Climb, number: int) -> list[Run]:
    """The runs of one side that have ended, and are verified where they are to be."""
    experiment = study.experiments.get(number)
    runs = [] if experiment is None else experiment.validating(now.seq)
    return [run for run in runs if run.outcome is not None and not study.awaits_verification(run)]


def progress(study: Study, now: Climb) -> tuple[int, int]:
    """Runs that have ended, and runs that there will be."""
    return sum(len(ended(study, now, number)) for number in now.sides), len(now.sides) * len(now.began.seeds)


def told_progress(study: Study, now: Climb, short: bool = False) -> str:
    """How far a climb is, in a few words; what it waits for is told in fewer where it has to be `short`."""
    done, of = progress(study, now)
    held = ", held" if now.began.experiment in study.grounded else ""
    if study.reserved.why:
        held += ", waits for GPUs" if short else f"; {study.reserved.why}"
    return f"{done} of {of} runs{held}"
