"""Slots that are kept for a run of more GPUs than a slot has, such as one on a large rung of the ladder. Pure.

While single slots go on taking whatever is next, a run of eight GPUs never finds eight of them free. So slots are
reserved for it: what goes on in them goes on to its end, nothing new starts there, and the run begins when the last of
them is free. What that costs is the rest of the runs that are under way, once for a climb: the set is kept from one of
its runs to the next.

- Nothing starves: a set is made as soon as a run wants one and is never given to anything else; those in it end by
  themselves, by their deadline at the latest.
- Nothing waits for ever: one set at a time has slots to wait for, the others are whole. So no two hold what the other
  needs.
- A slot that falls out of work meanwhile is replaced by the one that is free soonest. Where too few work, all are given
  back, and it is told.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from loop.policy import climbing
from loop.policy.slot_units import Set, Unit, by_node, units, width
from loop.study.slot_events import SlotsReserved
from loop.study.state import Study
from loop.words import listed

NONE = SlotsReserved()


def held(study: Study, slot: int) -> Set | None:
    """The set that a slot belongs to; None where it is kept for nothing."""
    going = ((run.slot, *run.also) for _, run in study.running() if run.also)
    return next((one for one in (*study.reserved.sets, *going) if slot in one), None)


def is_whole(one: Set, claimed: Mapping[tuple[int, int], int]) -> bool:
    """Whether nothing goes on in a set any more."""
    return not set(one) & set(claimed.values())


def planned(
    study: Study,
    claimed: Mapping[tuple[int, int], int],
    working: Collection[int],
    running: Collection[Set],
    idle: Callable[[int], bool],
    now: float,
) -> SlotsReserved:
    """What is to be reserved from here on.

    Args:
        claimed: what slots have in hand, see `scheduler.Claims`.
        working: numbers of the slots that work.
        running: sets in which a run of several slots is in hand.
        idle: whether a slot has nothing else to do.
        now: Unix seconds.
    """
    busy = list(running)
    climb = study.climb
    if climb is None or not (gpus := width(study, climb.began.rung, climb.began.device)):
        if busy and tuple(busy) == study.reserved.sets:
            return study.reserved  # its climb is over, and it ends
        return SlotsReserved(sets=tuple(busy)) if busy else NONE
    began, why = climb.began, ""
    lacking = climbing.lacking_runs(study, claimed) + _to_verify(study, claimed)
    takes_turns = began.why != "idle"
    waiting: list[Set] = []
    for one in study.reserved.sets:
        if one in running or len(waiting) >= lacking or not (takes_turns or all(map(idle, one))):
            continue
        if set(one) <= set(working):
            waiting.append(one)
            continue
        able = _free(study, working, (*busy, *waiting), began.device)
        if made := _soonest(study, claimed, able, gpus, now, one):
            waiting.append(made)
    if len(waiting) < lacking and all(is_whole(one, claimed) for one in waiting):
        able = _free(study, working, (*busy, *waiting), began.device)
        if not takes_turns:
            able = [unit for unit in able if all(map(idle, unit.slots))]
        if made := _soonest(study, claimed, able, gpus, now):
            waiting.append(made)
        elif not waiting and not busy:
            why = _too_few(study, working, began.device, gpus)
    kept = (*busy, *waiting)
    if not kept and not why:
        return NONE
    return SlotsReserved(sets=kept, gpus=gpus, experiment=began.experiment, rung=began.rung, why=why)


def out_of_work(study: Study, working: Collection[int]) -> list[int]:
    """Slots that a climb could have and that do not work, where it has too few."""
    if study.climb is None or not study.reserved.why:
        return []
    device = study.climb.began.device
    return [slot for unit in units(study, device) for slot in unit.slots if slot not in working]


def told(study: Study, slot: int) -> str:
    """What an idle slot is kept for, in a few words; empty where it is for nothing."""
    one = held(study, slot)
    if one is None or not study.reserved.rung:
        return ""
    busy = {run.slot: f"{x.id}.{run.number}" for x, run in study.running() if run.slot in one}
    busy |= {run.slot: f"{x.id}.{run.number}" for x, run in study.verifying() if run.slot in one}
    names = _names(study)
    rest = [f"{names[other]} ({busy[other]})" for other in one if other in busy and other != slot]
    waits = f"; waits for {listed(rest)}" if rest else ""
    return f"reserved for experiment {study.reserved.experiment} on {study.reserved.rung}{waits}"


# --- inside ----------------------------------------------------------------------------------------------------


def _names(study: Study) -> Sequence[str]:
    return () if study.supervisor is None else study.supervisor.slots


def _to_verify(study: Study, claimed: Mapping[tuple[int, int], int]) -> int:
    """Runs of several slots that are to be verified, as after a start: what they have left needs as many GPUs."""
    return sum(bool(run.also) and (x.id, run.number) not in claimed for x, run in study.verifying())


def _free(study: Study, working: Collection[int], kept: Sequence[Set], kind: str) -> list[Unit]:
    """Units that work and are in no set."""
    taken = {slot for one in kept for slot in one}
    going = {slot for _, run in study.running() if run.also for slot in (run.slot, *run.also)}
    able = set(working) - taken - going
    return [unit for unit in units(study, kind) if able.issuperset(unit.slots)]


def _soonest(
    study: Study,
    claimed: Mapping[tuple[int, int], int],
    units: Sequence[Unit],
    gpus: int,
    now: float,
    before: Set = (),
) -> Set | None:
    """The set of one machine that is free soonest by the expected ends of the runs; None where there are too few.

    Args:
        before: a set of which as many slots as still work stay.
    """
    ends = _ends(study, claimed, now)

    def free_at(unit: Unit) -> float:
        return max(ends.get(slot, now) for slot in unit.slots)

    found: list[tuple[float, Set]] = []
    for group in by_node(units).values():
        group.sort(key=lambda unit: (not set(unit.slots) & set(before), free_at(unit), unit.slots))
        count, have = 0, 0
        while have < gpus and count < len(group):
            have += group[count].gpus
            count += 1
        if have >= gpus:
            taken = group[:count]
            slots = sorted(slot for unit in taken for slot in unit.slots)
            found.append((max(map(free_at, taken)), tuple(slots)))
    return min(found, default=(0.0, None))[1]


def _ends(study: Study, claimed: Mapping[tuple[int, int], int], now: float) -> dict[int, float]:
    """When what goes on in each slot ends, as far as one can tell: as long after its start as the champion's runs took
    with their verification, or its budget where that is more."""
    best = study.best
    took = (
        []
        if best is None
        else [run.seconds + run.verify_seconds for run in study.tried(best) if run.metric is not None]
    )
    usual = sum(took) / len(took) if took else study.contract.budget
    ends: dict[int, float] = {}
    for (number, which), slot in claimed.items():
        x = study.experiments.get(number)
        run = x.runs.get(which) if x is not None else None
        at = now if run is None else run.started_at
        budget = study.contract.budget if run is None else run.budget
        ends[slot] = max(now, at + max(usual, budget), ends.get(slot, now))
    return ends


def _too_few(study: Study, working: Collection[int], kind: str, gpus: int) -> str:
    """Why no set can be made, in a sentence; empty where slots only are in other sets."""
    able = set(working)
    there = units(study, kind)
    if any(sum(u.gpus for u in group if able.issuperset(u.slots)) >= gpus for group in by_node(there).values()):
        return ""
    names = _names(study)
    out = listed([names[slot] for unit in there for slot in unit.slots if slot not in able])
    return f"a run needs {gpus} GPUs of one machine at once, and too few work{f': not {out}' if out else ''}"
