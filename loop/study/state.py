"""The study: what all events of a journal amount to.

`fold` is pure: the same events give the same study, on any machine, at any time. It reads no clock, file or socket;
all times are those of the events. Supervisor, cockpit and command line fold the same way, so they cannot disagree
about what happened. Questions about the past that few ask are in `queries`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import VERDICTS, Outcome
from loop.study.supervision import Supervisor, Trouble

FOLDED = e.KINDS - e.STREAM - {"edits_recorded", "tool_called"}
"""The kinds that `fold` needs; the others may be left out."""

State = Literal["empty", "baseline", "running", "paused", "no room", "stopping", "stopped", "failed"]

_FAULTS_SHOWN = 50


@dataclass(slots=True)
class Request:
    """Something a person asked for."""

    seq: int
    at: float
    who: str
    kind: str
    body: e.Body
    experiment: int | None
    fulfilled_at: float | None = None
    outcome: str = ""


@dataclass(slots=True)
class Study:
    """State of a study after the event `seq`."""

    seq: int = 0
    at: float = 0.0
    """Time of the newest event."""
    tag: str = ""
    branch: str = ""
    base: str = ""
    started_at: float = 0.0
    contract: Contract = field(default_factory=Contract)
    program: str = ""
    experiments: dict[int, Experiment] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """Experiments without a verdict."""
    closed: dict[int, None] = field(default_factory=dict)
    """Those with one, in the order of their verdicts (a set that keeps its order). With this and `open`, what is asked
    after every event takes as long in the thousandth experiment as in the tenth."""
    repeated: set[int] = field(default_factory=set)
    """Experiments that had more than one run, and so may tell something about the noise."""
    champion: int | None = None
    lineage: list[int] = field(default_factory=list)
    """Champions in the order they took over."""
    supervisor: Supervisor | None = None
    active_seconds: float = 0.0
    """Seconds under earlier supervisors; the present one adds `at - started_at`."""
    paused: bool = False
    stopping: Literal["no", "after run", "now"] = "no"
    limit: e.LimitReached | None = None
    researchers: dict[str, str] = field(default_factory=dict)
    notebook: list[str] = field(default_factory=list)
    requests: dict[int, Request] = field(default_factory=dict)
    fingerprints: dict[str, int] = field(default_factory=dict)
    """First experiment of each fingerprint."""
    options: dict[str, object] = field(default_factory=dict)
    """Options that the newest supervisor was started with."""
    faults: list[tuple[float, e.Fault]] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    """What is being waited for now, by where the fault is."""
    pins: dict[int, str] = field(default_factory=dict)
    """The person's standing guidance, by number."""
    checkout: e.CheckoutChanged | None = None
    """The person's own edit that could be submitted; None while there is none."""
    tokens: int = 0
    usd: float = 0.0
    usd_unknown: bool = False
    """Some calls have no known price, so `usd` is a lower bound."""
    _pinned: int = 0
    """Number of the newest pin."""

    # --- what readers ask --------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the loop is doing, as far as the journal tells: a killed supervisor writes nothing."""
        supervisor = self.supervisor
        if supervisor is None:
            return "empty"
        if supervisor.stopped_at is not None:
            return "failed" if supervisor.failed else "stopped"
        if self.stopping != "no":
            return "stopping"
        if self.paused:
            return "paused"
        if self.short_of_room:
            return "no room"
        return "baseline" if self.champion is None else "running"

    @property
    def short_of_room(self) -> bool:
        """Whether a disk has too little space: nothing new starts while that is so."""
        return "disk" in self.troubles

    @property
    def baseline(self) -> Experiment | None:
        return self.experiments.get(0)

    @property
    def best(self) -> Experiment | None:
        """The champion."""
        return None if self.champion is None else self.experiments[self.champion]

    @property
    def champion_commit(self) -> str:
        """What a proposal builds on: the champion's commit, or the study's first one while there is none."""
        return self.best.commit if self.best is not None and self.best.commit else self.base

    def hours(self, now: float | None = None) -> float:
        """Time under supervision so far, in hours.

        Args:
            now: Unix seconds, while a supervisor is at work; None: up to the newest event.
        """
        seconds = self.active_seconds
        if self.supervisor is not None and self.supervisor.stopped_at is None:
            seconds += max(0.0, (self.at if now is None else now) - self.supervisor.started_at)
        return seconds / 3600

    def open_experiments(self) -> list[Experiment]:
        """Experiments without a verdict, in order."""
        return [self.experiments[number] for number in sorted(self.open)]

    def _active(self) -> list[Experiment]:
        """Those that may have a run: the open ones, and present and past champions, which are measured again. Few."""
        champions = (self.experiments[number] for number in dict.fromkeys(self.lineage) if number not in self.open)
        return [*self.open_experiments(), *champions]

    def running(self) -> list[tuple[Experiment, Run]]:
        """The current runs."""
        return [(experiment, run) for experiment in self._active() for run in experiment.running()]

    def awaits_verification(self, run: Run) -> bool:
        """Whether a run has ended well and its metric is still to be measured again."""
        if self.contract.verify is None or run.verified or run.check is not None:
            return False
        return run.outcome == Outcome.FINISHED

    def verifying(self) -> list[tuple[Experiment, Run]]:
        """Runs that have ended and whose metric is being measured again, or is next to be."""
        return [
            (experiment, run)
            for experiment in self._active()
            for run in experiment.counted()
            if self.awaits_verification(run)
        ]

    def verdicts(self) -> dict[str, int]:
        """How many experiments have which verdict, and how many are open; the baseline does not count."""
        counts = Counter(x.verdict or "open" for x in self.experiments.values() if x.id != 0)
        return {name: counts.get(name, 0) for name in (*VERDICTS, "open")}

    def judged(self) -> int:
        """Experiments with a verdict, the baseline not counted."""
        return len(self.closed) - (0 in self.closed)

    def open_requests(self) -> list[Request]:
        """Requests that are not fulfilled yet, oldest first."""
        return [request for request in self.requests.values() if request.fulfilled_at is None]

    # --- folding -----------------------------------------------------------------------------------------------

    def apply(self, event: e.Event) -> None:
        """Take in one event. Events come in order of `seq`; one that was taken in before is ignored."""
        if event.seq <= self.seq:
            return
        self.seq = event.seq
        previous, self.at = self.at, event.at
        body = event.body
        # By kind, the frequent ones first: telling pydantic's classes apart took 3 µs an event instead of 1.
        match body.kind:
            case "thought" | "step_sampled" | "gauge_read" | "tool_called" | "edits_recorded":
                pass
            case (
                "experiment_queued"
                | "approval_asked"
                | "run_started"
                | "run_finished"
                | "verified"
                | "experiment_judged"
                | "champion_changed"
            ):
                experiment = self.experiments.get(-1 if event.experiment is None else event.experiment)
                if experiment is not None:
                    self._of_experiment(experiment, event)
            case "experiment_proposed":
                self._proposed(event, body)
            case "spent":
                self.tokens += body.tokens
                self.usd += body.usd or 0.0
                self.usd_unknown |= body.usd is None
            case "note_written":
                self.notebook.append(body.text)
            case "study_started":
                self.tag, self.branch, self.base = body.tag, body.branch, body.base
                self.started_at = event.at
                self.contract, self.program = body.contract, body.text
            case "program_changed":
                self.contract, self.program = body.contract, body.text
            case "supervisor_started":
                self._close_supervision(previous)
                self.supervisor = Supervisor(
                    body.pid, body.host, body.version, body.slots, event.at, sandbox=body.sandbox
                )
                self.stopping, self.limit = "no", None
                self.options = body.options
                self.troubles.clear()
            case "supervisor_stopped":
                self._close_supervision(event.at)
                if self.supervisor is not None:
                    self.supervisor.stopped_at = event.at
                    self.supervisor.reason, self.supervisor.failed = body.reason, body.failed
                    self.supervisor.signal = body.signal
            case "limit_reached":
                self.limit = body
            case "fault":
                self.faults.append((event.at, body))
                del self.faults[:-_FAULTS_SHOWN]
                self._trouble(event.at, body)
            case "recovered":
                self.troubles.pop(body.where, None)
            case "clock_moved":
                self._shift(body.set_by, body.slept)
            case "checkout_changed":
                self.checkout = body if body.files else None
            case "researcher_joined":
                self.researchers[body.name] = body.about
            case "notebook_rewritten":
                self.notebook = [body.text]
            case "request_fulfilled":
                if (request := self.requests.get(body.request)) is not None:
                    request.fulfilled_at, request.outcome = event.at, body.outcome
            case _:
                self._request(event, body)

    def _shift(self, set_by: float, slept: float) -> None:
        """Move the times of whatever is going on to the clock as it is after a jump.

        Time in which the machine slept does not count: no run made progress in it and no supervisor worked.
        """
        by = set_by + slept
        if self.supervisor is not None and self.supervisor.stopped_at is None:
            self.supervisor.started_at += by
        for _, run in self.running():
            run.started_at += by
        for trouble in self.troubles.values():
            trouble.since += set_by
            trouble.next_at = None if trouble.next_at is None else trouble.next_at + by

    def _close_supervision(self, at: float) -> None:
        """Book the time of a supervisor that stopped, or that died and has a successor now."""
        if self.supervisor is not None and self.supervisor.stopped_at is None:
            self.active_seconds += max(0.0, at - self.supervisor.started_at)

    def _request(self, event: e.Event, body: e.Request) -> None:
        self.requests[event.seq] = Request(event.seq, event.at, body.who, event.kind, event.body, event.experiment)
        match body:
            case e.Paused():
                self.paused = True
            case e.Resumed():
                self.paused = False
            case e.Stopped():
                self.stopping = "now" if body.now else "after run"
            case e.Pinned():
                self.pins[self._pinned + 1] = body.text
                self._pinned += 1
            case e.Unpinned():
                for number in [body.pin] if body.pin is not None else list(self.pins):
                    self.pins.pop(number, None)
            case _:
                pass

    def _trouble(self, at: float, fault: e.Fault) -> None:
        """A fault that something waits for is a trouble until it has recovered."""
        if fault.next_at is None:
            return
        known = self.troubles.get(fault.where)
        since, tries = (known.since, known.tries + 1) if known is not None else (at, 1)
        self.troubles[fault.where] = Trouble(since, fault.message, fault.next_at, tries)

    def _proposed(self, event: e.Event, body: e.ExperimentProposed) -> None:
        if event.experiment is None:
            return
        before = self.experiments.get(event.experiment)
        if before is not None and not (event.experiment == 0 and self.champion is None):
            return  # only a baseline that never became champion is proposed again
        experiment = Experiment(
            id=event.experiment,
            researcher=body.researcher,
            title=body.title,
            hypothesis=body.hypothesis,
            expected=body.expected,
            parent=body.parent,
            notes=body.notes,
            proposed_at=event.at,
            proposed_seq=event.seq,
            submitted=body.submitted,
            fingerprint=body.fingerprint,
        )
        if before is not None:
            experiment.runs, experiment.since_run = before.runs, max(before.runs, default=0)
        self.experiments[event.experiment] = experiment
        self._open(event.experiment)
        if body.fingerprint:
            self.fingerprints.setdefault(body.fingerprint, event.experiment)

    def _open(self, number: int) -> None:
        """Note that an experiment has no verdict, or none any more."""
        self.open.add(number)
        self.closed.pop(number, None)

    def _of_experiment(self, experiment: Experiment, event: e.Event) -> None:
        body = event.body
        match body.kind:
            case "experiment_queued":
                experiment.phase, experiment.verdict = "queued", None
                experiment.judged_at = experiment.judged_seq = None
                self._open(experiment.id)
                experiment.since_run = max(experiment.runs, default=0)
                experiment.commit, experiment.parent_commit = body.commit, body.parent_commit
                experiment.parent = body.parent
                experiment.lines_added, experiment.lines_removed = body.lines_added, body.lines_removed
                experiment.flags, experiment.doubts = body.flags, ()
            case "approval_asked":
                experiment.phase, experiment.waits_for = "waiting", body.reason
            case "run_started" if event.run is not None:
                if experiment.verdict is None:  # a champion that is measured again stays judged
                    experiment.phase = "running"
                experiment.runs[event.run] = Run(
                    number=event.run,
                    seed=body.seed,
                    slot=body.slot,
                    budget=body.budget,
                    deadline=body.deadline,
                    protocol_id=body.protocol_id,
                    started_at=event.at,
                    pid=body.pid,
                    pid_started=body.pid_started,
                )
                if len(experiment.runs) > 1:
                    self.repeated.add(experiment.id)
            case "run_finished" | "verified" if event.run in experiment.runs:
                run = experiment.runs[event.run]
                if body.kind == "verified":
                    run.verify(body)
                else:
                    run.finish(body, self.contract)
                self._leave_run(experiment)
            case "experiment_judged":
                experiment.phase, experiment.verdict, experiment.reason = "judged", body.verdict, body.reason
                self.open.discard(experiment.id)
                self.closed.pop(experiment.id, None)  # a second verdict counts as the newest
                self.closed[experiment.id] = None
                experiment.metric, experiment.effect = body.metric, body.effect
                experiment.noise, experiment.confidence = body.noise, body.confidence
                experiment.champion, experiment.judged_by = body.champion, body.by
                experiment.judged_at, experiment.judged_seq = event.at, event.seq
                experiment.doubts = body.flags
            case "champion_changed":
                self.champion = experiment.id
                self.lineage.append(experiment.id)
            case _:
                pass

    def _leave_run(self, experiment: Experiment) -> None:
        """Go back into the queue, for a verdict or another run, once no run or verification of it goes on."""
        busy = experiment.running() or any(self.awaits_verification(run) for run in experiment.counted())
        if experiment.phase == "running" and not busy:
            experiment.phase = "queued"


def fold(events: Iterable[e.Event], study: Study | None = None) -> Study:
    """The study that `events` amount to; where `study` is given they are added to it in place."""
    study = Study() if study is None else study
    for event in events:
        study.apply(event)
    return study
