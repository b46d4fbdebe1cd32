"""What each slot does, and where it does nothing, why; how busy the slots were and how fast it goes. Pure."""

import shlex
from dataclasses import dataclass

from loop.policy import reservations, supply
from loop.policy.scheduler import given_up, lacks_reference, reference
from loop.policy.standing import standing
from loop.study.experiment import Run
from loop.study.queries import verifying_since
from loop.study.state import Study

WINDOW = 3600.0
"""Seconds back from now over which the busy share and the rate are reckoned."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One slot now."""

    name: str
    device: str
    """What it is, such as "NVIDIA H100 80GB HBM3"; empty where that is not known."""
    run: str
    """The run in it, such as "12.1", or its verification; empty where it is idle."""
    since: float | None
    """Unix seconds from which that is so; None where no run was in it yet."""
    why: str
    """Why it is idle, in a few words; empty where it is not."""


def states(study: Study, alive: bool = True) -> list[SlotState]:
    """The slots of the present supervisor, in their order.

    Args:
        alive: its process is there; else it had no time to record what became of its runs.
    """
    supervisor = study.supervisor
    if supervisor is None:
        return []
    died = not alive and supervisor.stopped_at is None
    going = [(run, f"{x.id}.{run.number}", run.started_at) for x, run in study.running()]
    going += [(run, f"{x.id}.{run.number}", verifying_since(study, run)) for x, run in study.verifying()]
    going = [] if died else going
    busy: dict[int, tuple[str, float]] = {}
    for run, name, at in going:
        for slot in (run.slot, *run.also):
            busy.setdefault(slot, (name, at))
    last: dict[int, float] = {}
    for run in _runs(study):
        for slot in (run.slot, *run.also):
            last[slot] = max(last.get(slot, 0.0), _ended(run, run.started_at), supervisor.started_at)
    found: list[SlotState] = []
    for index, name in enumerate(supervisor.slots):
        run_name, since = busy.get(index, ("", last.get(index)))
        kind = supervisor.kind(index)
        why = "" if run_name else _why(study, name, kind, reservations.told(study, index))
        why = "the loop died (`looptop` goes on)" if died else why
        found.append(SlotState(name, kind, run_name, since, why))
    return found


def _why(study: Study, slot: str, kind: str, reserved: str) -> str:
    supervisor = study.supervisor
    assert supervisor is not None
    if supervisor.stopped_at is not None:
        return "the loop has stopped"
    if slot in study.drained:
        return f"{study.drained[slot] or 'a person'} keeps it out of work (`looptop undrain {shlex.quote(slot)}`)"
    for where in (slot, f"runs on {slot}", "runs"):
        if where in study.troubles:
            return study.troubles[where].message
    if study.short_of_room:
        return study.troubles["disk"].message
    if study.stopping != "no":
        return "the loop is being stopped"
    if study.paused:
        return "the loop is paused (`looptop resume`)"
    if reserved:
        return reserved
    if study.limit is not None:
        return f"a limit is reached: {study.limit.reason}"
    if lacks_reference(study, kind):
        what = "the baseline" if study.champion is None else f"the champion, experiment {study.champion}"
        first = study.experiments.get(reference(study))
        if first is not None and len(study.kinds) > 1 and given_up(study, first, kind):
            return f"{what} gives no number on {kind}: {standing(study, first, kind)[1]}"
        if first is not None and any(run.alone for run in first.running()):
            return f"{what} runs alone first, to tell what runs beside it cost"
        if first is None or not first.running():
            return f"waits for {what}, whose next run is about to begin"
        return f"waits for {what}: the runs that it still needs are under way"
    queued = [x for x in study.open_experiments() if x.phase == "queued" and not x.running()]
    if queued and any(x.counted() for x in queued):
        return f"experiment {queued[0].id} waits for the champion to be measured again"
    waiting = [x.id for x in study.open_experiments() if x.phase == "waiting"]
    if len(waiting) >= supply.MOST_WAITING:
        return f"{len(waiting)} proposals wait for you (`looptop approve {waiting[0]}`)"
    return "it is about to start one" if queued else _unsupplied(study, len(supervisor.slots))


def _unsupplied(study: Study, slots: int) -> str:
    """What is wrong with the supply of proposals."""
    thinking, more = len(study.minds.thoughts), supply.lacking(study, slots)
    said = "no proposal is ready" + (f", {thinking} being thought about" if thinking else "")
    if supply.may_spend_all(study):
        return f"{said}: what is left of the limit pays for no more"
    return f"needs {supply.more_researchers(more)}: {said}" if more else said


def busy_share(study: Study, now: float) -> float | None:
    """Share of the slots' time in the last hour of this supervisor in which a run was in them, 0 to 1."""
    supervisor, begin = study.supervisor, _begin(study, now)
    if supervisor is None or not supervisor.slots or now <= begin:
        return None
    spans = ((max(begin, run.started_at), min(now, _ended(run, now)), run.slots) for run in _runs(study))
    spent = sum(max(0.0, end - start) * slots for start, end, slots in spans)
    return min(1.0, spent / (len(supervisor.slots) * (now - begin)))


def an_hour(study: Study, now: float) -> float | None:
    """Experiments that got their verdict in the last hour of this supervisor, or as many as that would be."""
    begin = _begin(study, now)
    if study.supervisor is None or now <= begin:
        return None
    judged = sum(1 for number in study.closed if number and (study.experiments[number].judged_at or 0.0) >= begin)
    return judged * 3600 / (now - begin)


def _begin(study: Study, now: float) -> float:
    return max(now - WINDOW, study.supervisor.started_at if study.supervisor is not None else now)


def _runs(study: Study) -> list[Run]:
    return [run for x in study.experiments.values() for run in x.runs.values() if not x.imported]


def _ended(run: Run, now: float) -> float:
    """When its slot was free again; `now` where it runs."""
    return now if run.outcome is None else run.started_at + run.seconds + run.verify_seconds
