"""The study: what all events of a journal amount to.

`fold` is pure: the same events give the same study, on any machine, for ever. No clock, no file, no socket is
read here; times are those of the events. Supervisor, cockpit and command line all fold the same way, so they
cannot disagree about what happened.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from typing import Literal, get_args

from loop.study import events as e
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run

FOLDED = e.KINDS - e.STREAM - {"edits_recorded", "tool_called"}
"""The kinds that `fold` needs; the rest may be left out of what it is given."""

State = Literal["empty", "baseline", "running", "paused", "no room", "stopping", "stopped", "failed"]

_FAULTS_SHOWN = 50


@dataclass(slots=True)
class Supervisor:
    """The last supervisor that said anything."""

    pid: int
    host: str
    version: str
    slots: tuple[str, ...]
    started_at: float
    stopped_at: float | None = None
    reason: str = ""
    failed: bool = False
    signal: str = ""
    """The signal that ended it, where one did."""
    sandbox: str = ""
    """What confines the runs: `bubblewrap`, `landlock` or `off`."""


@dataclass(slots=True)
class Trouble:
    """What somebody has been up against for a while, and is still."""

    since: float
    message: str
    next_at: float | None
    """When it is tried again; None where nothing is waited for."""
    tries: int = 1


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
    """Those with one, in the order of their verdicts: what is asked of them after every event takes no longer for the
    thousandth than for the tenth."""
    repeated: set[int] = field(default_factory=set)
    """Experiments that had more than one run, and so may tell of the noise."""
    champion: int | None = None
    lineage: list[int] = field(default_factory=list)
    """Champions in the order they took over."""
    supervisor: Supervisor | None = None
    active_seconds: float = 0.0
    """Time under earlier supervisors; the present one adds `at - started_at`."""
    paused: bool = False
    stopping: Literal["no", "after run", "now"] = "no"
    limit: e.LimitReached | None = None
    researchers: dict[str, str] = field(default_factory=dict)
    notebook: list[str] = field(default_factory=list)
    requests: dict[int, Request] = field(default_factory=dict)
    fingerprints: dict[str, int] = field(default_factory=dict)
    """First experiment of each fingerprint."""
    options: dict[str, object] = field(default_factory=dict)
    """Flags of the last supervisor."""
    faults: list[tuple[float, e.Fault]] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    """What is being waited for now, by who waits."""
    pins: dict[int, str] = field(default_factory=dict)
    """Standing guidance of the person, by number."""
    checkout: e.CheckoutChanged | None = None
    """The person's own edit that could be submitted, if there is one."""
    tokens: int = 0
    usd: float = 0.0
    usd_unknown: bool = False
    """Some spending has no known price, so `usd` is a lower bound."""
    _pinned: int = 0
    """Number of the newest pin."""

    # --- what readers ask --------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the loop is doing, as far as the journal tells (a supervisor may have died without a word)."""
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
        """Whether a disk has too little room: nothing new starts until it has."""
        return "disk" in self.troubles

    @property
    def baseline(self) -> Experiment | None:
        return self.experiments.get(0)

    @property
    def best(self) -> Experiment | None:
        """The champion."""
        return None if self.champion is None else self.experiments[self.champion]

    def built_on(self) -> list[int]:
        """The champion, what it was built on, and so on down to the baseline: the branch, newest first."""
        found: list[int] = []
        at = self.champion
        while at in self.experiments and at not in found:
            found.append(at)
            at = self.experiments[at].parent
        return found

    def hours(self, now: float | None = None) -> float:
        """Time under supervision so far, in hours.

        Args:
            now: Unix seconds, for a supervisor at work; None: up to the newest event.
        """
        seconds = self.active_seconds
        if self.supervisor is not None and self.supervisor.stopped_at is None:
            seconds += max(0.0, (self.at if now is None else now) - self.supervisor.started_at)
        return seconds / 3600

    def open_experiments(self) -> list[Experiment]:
        """Experiments without a verdict, in order."""
        return [self.experiments[number] for number in sorted(self.open)]

    def _active(self) -> list[Experiment]:
        """Who may have a run: the open ones, and champions measured anew, whoever took over meanwhile. They are few."""
        champions = (self.experiments[number] for number in dict.fromkeys(self.lineage) if number not in self.open)
        return [*self.open_experiments(), *champions]

    def running(self) -> list[tuple[Experiment, Run]]:
        """Runs under way."""
        return [(experiment, run) for experiment in self._active() for run in experiment.running()]

    def awaits_verification(self, run: Run) -> bool:
        """Whether a run has ended well and its number is still to be measured anew."""
        ended_well = run.outcome == "finished" and run.check is None
        return self.contract.verify is not None and ended_well and not run.verified

    def verifying(self) -> list[tuple[Experiment, Run]]:
        """Runs that have ended and whose number is being measured anew, or is next to be."""
        return [
            (experiment, run)
            for experiment in self._active()
            for run in experiment.counted()
            if self.awaits_verification(run)
        ]

    def verdicts(self) -> dict[str, int]:
        """How many experiments ended how, and how many are open; the baseline is not an experiment here."""
        counts = Counter(x.verdict or "open" for x in self.experiments.values() if x.id != 0)
        return {name: counts.get(name, 0) for name in (*get_args(e.Verdict), "open")}

    def judged(self) -> int:
        """Experiments with a verdict, the baseline not counted."""
        return len(self.closed) - (0 in self.closed)

    def failures_in_a_row(self) -> int:
        """Newest experiments that ended without a number, back to the last one with one."""
        count = 0
        for number in reversed(self.closed):
            if self.experiments[number].verdict not in e.FAILURES:
                break
            count += 1
        return count

    def repetitions(self) -> list[list[list[float]]]:
        """What the noise is told from: for each champion that the present one was built on, from the first to itself,
        its own metrics under the present measure and those of what was measured on it, run by run.

        Of who ran once only the first counts, as what the others refer to. What was built on a champion that was put
        aside stands with the first.
        """
        place = {number: index for index, number in enumerate(reversed(self.built_on()))}
        reigns: list[list[list[float]]] = [[] for _ in place or [0]]
        protocol_id = self.contract.protocol_id
        # Champions first: what is built on one may have the smaller number, where it was moved there.
        first = next((n for n in chain(place, self.experiments) if self.experiments[n].measured(protocol_id)), None)
        telling = self.repeated if first is None else {first, *self.repeated}
        for number in sorted(telling, key=lambda n: (place.get(n, len(place)), n)):
            experiment = self.experiments[number]
            if group := experiment.measured(protocol_id):
                on = experiment.parent if experiment.parent is not None else number
                reigns[place.get(number, place.get(on, 0))].append(group)
        return [reign for reign in reigns if reign]

    def largest_gain(self) -> float | None:
        """The largest effect that the judge has kept under the present measure, in the metric's units."""
        protocol_id = self.contract.protocol_id
        kept = (self.experiments[number] for number in self.lineage if number)
        return max((x.effect for x in kept if x.effect and x.effect > 0 and x.measured(protocol_id)), default=None)

    def usual(self) -> list[Run]:
        """What other runs are compared with in time and manners: those of the first champion that has any under the
        present measure, which is the baseline where the measure never changed."""
        protocol_id = self.contract.protocol_id
        for number in self.lineage:
            runs = self.experiments[number].counted()
            if found := [run for run in runs if run.protocol_id == protocol_id and run.outcome == "finished"]:
                return found
        return []

    def open_requests(self) -> list[Request]:
        """Requests that have not taken effect yet, oldest first."""
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
        """Have times of what is going on compare with those after a jump of the clock as if it had always gone so.

        What the machine slept through counts as little: no run got on in it, and nobody was at work.
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
        """Book the time of a supervisor that stopped, or that died and is being followed by another."""
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
        """A fault that something waits for is a trouble until it is told to be over."""
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
            return  # only a baseline that never came to a champion is taken anew
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
        """An experiment has no verdict, or none any more."""
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
                if experiment.verdict is None:  # a champion that is measured anew stays judged
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
                self._of_run(experiment, experiment.runs[event.run], body)
            case "experiment_judged":
                experiment.phase, experiment.verdict, experiment.reason = "judged", body.verdict, body.reason
                self.open.discard(experiment.id)
                self.closed.pop(experiment.id, None)  # a second verdict is the newest
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

    def _of_run(self, experiment: Experiment, run: Run, body: e.RunFinished | e.Verified) -> None:
        if isinstance(body, e.Verified):
            run.verified, run.metric, run.check = True, body.metric, body.check
            run.verify_seconds = body.seconds
            if body.check is not None:
                run.reason = body.reason
            self._leave_run(experiment)
            return
        run.outcome, run.reason = body.outcome, body.reason
        run.seconds, run.cpu_seconds = body.seconds, body.cpu_seconds
        run.peak_memory, run.peak_gpu_memory = body.peak_memory, body.peak_gpu_memory
        run.gpu_others = body.gpu_others
        run.metrics, run.check = body.metrics, body.check
        run.stepping, run.touched = body.stepping, body.touched
        if body.outcome == "finished" and body.check is None and self.contract.verify is None:
            value = body.metrics.get(self.contract.metric)
            run.metric = value if value is not None and isfinite(value) else None
        self._leave_run(experiment)

    def _leave_run(self, experiment: Experiment) -> None:
        """Back into the queue, for a verdict or another run, once none of its runs goes on, verification included."""
        busy = experiment.running() or any(self.awaits_verification(run) for run in experiment.counted())
        if experiment.phase == "running" and not busy:
            experiment.phase = "queued"


def fold(events: Iterable[e.Event], study: Study | None = None) -> Study:
    """The study that `events` amount to, on top of `study` where one is given (which is changed in place)."""
    study = Study() if study is None else study
    for event in events:
        study.apply(event)
    return study
