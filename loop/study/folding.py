"""How each event changes the study. Pure: no clock, file or socket is read; all times are those of the events."""

from collections.abc import Iterable

from loop.study import events as e
from loop.study.ablation import Ablation
from loop.study.asked import Request
from loop.study.climb import Climb
from loop.study.experiment import Experiment
from loop.study.state import Study
from loop.study.supervision import Supervisor, Trouble
from loop.study.validation import Validation

FOLDED = e.KINDS - e.STREAM - {"edits_recorded", "tool_called"}
"""The kinds that `fold` needs; the others may be left out."""

_FAULTS_SHOWN = 50


def apply(study: Study, event: e.Event) -> None:
    """Take in one event. Events come in order of `seq`; one that was taken in before is ignored."""
    if event.seq <= study.seq:
        return
    study.seq = event.seq
    previous, study.at = study.at, event.at
    body = event.body
    # By kind, the frequent ones first: telling pydantic's classes apart took 3 µs an event instead of 1.
    match body.kind:
        case "thought" | "step_sampled" | "gauge_read" | "tool_called" | "edits_recorded":
            pass
        case (
            "experiment_queued"
            | "approval_asked"
            | "run_started"
            | "run_adopted"
            | "run_condemned"
            | "run_finished"
            | "verified"
            | "experiment_judged"
            | "champion_changed"
        ):
            experiment = study.experiments.get(-1 if event.experiment is None else event.experiment)
            if experiment is not None:
                _of_experiment(study, experiment, event)
        case "experiment_proposed":
            _proposed(study, event, body)
        case "spent":
            study.tokens += body.tokens
            study.usd += body.usd or 0.0
            study.usd_unknown |= body.usd is None
            _cost(study, event.experiment, body.usd)
            study.minds.apply(event)
        case "researcher_joined" | "note_written" | "notebook_rewritten":
            study.minds.apply(event)
        case "thought_began" | "claimed" | "thought_ended":
            study.minds.apply(event)
        case "heard":
            if (request := study.requests.get(body.request)) is not None:
                request.heard[body.researcher] = event.experiment
        case "idea_written":
            study.thought_of += 1
            study.ideas[study.thought_of] = body.text
        case "lesson_written":
            if (found := study.experiments.get(-1 if event.experiment is None else event.experiment)) is not None:
                found.lesson = body.text
        case "study_started":
            study.tag, study.branch, study.base, study.names = body.tag, body.branch, body.base, body.names
            study.started_at, study.rehearsed, study.pairs = event.at, "", body.pairs
            study.rules = body.rules
            study.contract, study.program = body.contract, body.text
        case "program_changed":
            study.contract, study.program = body.contract, body.text
        case "supervisor_started":
            _close_supervision(study, previous)
            study.supervisor = Supervisor.begun(body, event.at)
            study.stopping, study.limit = "no", None
            study.options = body.options
            study.troubles.clear()
            study.reserved = e.SlotsReserved()
            study.minds.begin()
        case "slots_joined":
            if study.supervisor is not None:
                study.supervisor.join(body.records)
        case "slots_reserved":
            study.reserved = body
        case "supervisor_stopped":
            _close_supervision(study, event.at)
            study.minds.thoughts.clear()
            if study.supervisor is not None:
                study.supervisor.stop(body, event.at)
        case "limit_reached":
            study.limit = body
        case "fault":
            study.faults.append((event.at, body))
            del study.faults[:-_FAULTS_SHOWN]
            _trouble(study, event.at, body)
            study.minds.failed(body)
        case "recovered":
            study.troubles.pop(body.where, None)
        case "clock_moved":
            _shift(study, body.set_by, body.slept)
        case "checkout_changed":
            study.checkout = body if body.files else None
        case "placebo_opened":
            if event.experiment is not None:
                study.placebos[event.experiment] = body
        case "validation_began":
            study.validations.append(Validation(event.seq, body, event.at))
        case "validation_ended":
            if (validation := study.validation) is not None:
                validation.ended, validation.ended_at = body, event.at
        case "ablation_began":
            study.ablations.append(Ablation(event.seq, body, event.at))
        case "ablation_ended":
            if (ablation := study.ablation) is not None:
                ablation.ended, ablation.ended_at = body, event.at
        case "climb_began":
            study.climbs.append(Climb(event.seq, body, event.at))
            study.climbed.update(side for side in study.climbs[-1].sides if side in study.experiments)
        case "climb_ended":
            if (climb := study.climb) is not None:
                climb.ended, climb.ended_at = body, event.at
        case "milestone_opened":
            study.milestones.append((event.at, body))
        case "neighbours_measured":
            study.neighbours[body.slots] = body
        case "rehearsed":
            study.rehearsed = "" if body.proof == "unused" else body.setup
        case "request_fulfilled":
            if (request := study.requests.get(body.request)) is not None:
                request.fulfilled_at, request.outcome = event.at, body.outcome
        case _:
            _request(study, event, body)


def _cost(study: Study, experiment: int | None, usd: float | None) -> None:
    """Book what a call cost with the experiment that it was made for."""
    if experiment is not None:
        before = study.costs.get(experiment, 0.0)
        study.costs[experiment] = None if usd is None or before is None else before + usd


def _shift(study: Study, set_by: float, slept: float) -> None:
    """Move the times of whatever is going on to the clock as it is after a jump.

    Time in which the machine slept does not count: no run made progress in it and no supervisor worked.
    """
    by = set_by + slept
    if study.supervisor is not None and study.supervisor.stopped_at is None:
        study.supervisor.started_at += by
    for _, run in study.running():
        run.started_at += by
    study.minds.shift(by)
    for trouble in study.troubles.values():
        trouble.since += set_by
        trouble.next_at = None if trouble.next_at is None else trouble.next_at + by


def _close_supervision(study: Study, at: float) -> None:
    """Book the time of a supervisor that stopped, or that died and has a successor now."""
    if study.supervisor is not None and study.supervisor.stopped_at is None:
        study.active_seconds += max(0.0, at - study.supervisor.started_at)


def _request(study: Study, event: e.Event, body: e.Request) -> None:
    request = Request(event.seq, event.at, body.who, event.kind, event.body, event.experiment)
    study.requests[event.seq] = request
    match body:
        case e.Paused():
            study.paused = True
        case e.Resumed():
            study.paused = False
        case e.Stopped():
            study.stopping = "now" if body.now else "after run"
        case e.Drained(slot=slot):
            study.drained[slot] = body.who
        case e.Undrained(slot=slot):
            study.drained.pop(slot, None)
            study.taken_back[slot] = event.seq
        case e.Promoted(then=then) if event.experiment is not None:
            if then == "climb":
                study.grounded.pop(event.experiment, None)
            else:
                study.grounded[event.experiment] = then
        case e.Pinned():
            study.pins.pin(body.text)
        case e.Unpinned():
            study.pins.unpin(body.pin)
        case e.Noted():  # on record is all that it has to be: nobody needs to do anything about it
            if (found := study.experiments.get(-1 if event.experiment is None else event.experiment)) is not None:
                request.fulfilled_at, request.outcome = event.at, "noted"
                found.note, found.noted_by = body.text, body.who if body.text else ""
        case _:
            pass


def _trouble(study: Study, at: float, fault: e.Fault) -> None:
    """A fault that something waits for is a trouble until it has recovered."""
    if fault.next_at is None:
        return
    study.troubles[fault.where] = Trouble.told(study.troubles.get(fault.where), at, fault)


def _proposed(study: Study, event: e.Event, body: e.ExperimentProposed) -> None:
    if event.experiment is None:
        return
    before = study.experiments.get(event.experiment)
    if before is not None and not (event.experiment == 0 and study.champion is None):
        return  # only a baseline that never became champion is proposed again
    experiment = Experiment.begun(event.experiment, body, event.at, event.seq)
    if before is not None:
        experiment.runs, experiment.since_run = before.runs, max(before.runs, default=0)
    study.experiments[event.experiment] = experiment
    study.minds.proposed(event.experiment, event.at)
    if isinstance(idea := body.notes.get("idea"), int):
        study.ideas.pop(idea, None)
    study.imported += experiment.imported
    _open(study, event.experiment)
    _known_as(study, event.experiment, body.fingerprint)


def _known_as(study: Study, number: int, fingerprint: str) -> None:
    """Note that an experiment's files have this fingerprint, unless others had it before."""
    if fingerprint and study.first_of(fingerprint) is None:
        study.fingerprints[fingerprint] = number


def _open(study: Study, number: int) -> None:
    """Note that an experiment has no verdict, or none any more."""
    study.open.add(number)
    study.clashes.discard(number)
    study.closed.pop(number, None)


def _of_experiment(study: Study, experiment: Experiment, event: e.Event) -> None:
    body = event.body
    match body.kind:
        case "experiment_queued":
            experiment.queue(body)
            _open(study, experiment.id)
            _known_as(study, experiment.id, body.fingerprint)
        case "approval_asked":
            experiment.phase, experiment.waits_for = "waiting", body.reason
        case "run_started" if event.run is not None:
            experiment.start(body, event.run, event.at)
            study.runs += 1
            if experiment.asked:
                study.asked.add(experiment.id)
            if len(experiment.runs) > 1:
                study.repeated.add(experiment.id)
        case "run_adopted" if event.run in experiment.runs:
            experiment.runs[event.run].adopt(body)
        case "run_condemned" if event.run in experiment.runs:
            experiment.runs[event.run].condemned = body
            study.condemned[experiment.id] = None
        case "run_finished" | "verified" if event.run in experiment.runs:
            run = experiment.runs[event.run]
            if body.kind == "verified":
                run.verify(body)
            else:
                run.finish(body, study.contract_of(run))
            study.run_seconds += body.seconds * run.slots
            study.climb_seconds += body.seconds * run.slots if run.rung else 0.0
            _leave_run(study, experiment)
        case "experiment_judged":
            experiment.judge(body, event.at, event.seq)
            study.open.discard(experiment.id)
            (study.clashes.add if experiment.clashed else study.clashes.discard)(experiment.id)
            study.closed.pop(experiment.id, None)  # a second verdict counts as the newest
            study.closed[experiment.id] = None
        case "champion_changed":
            study.champion = experiment.id
            study.lineage.append(experiment.id)
        case _:
            pass


def _leave_run(study: Study, experiment: Experiment) -> None:
    """Go back into the queue, for a verdict or another run, once no run or verification of it goes on."""
    busy = experiment.running() or any(study.awaits_verification(run) for run in experiment.counted())
    if experiment.phase == "running" and not busy:
        experiment.phase = "queued"


def fold(events: Iterable[e.Event], study: Study | None = None) -> Study:
    """The study that `events` amount to; where `study` is given they are added to it in place."""
    study = Study() if study is None else study
    for event in events:
        apply(study, event)
    return study
