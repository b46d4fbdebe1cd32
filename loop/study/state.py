"""The study: what all events of a journal amount to.

How events change it is in `folding`: the same events give the same study, on any machine, at any time, so supervisor,
cockpit and command line cannot disagree about what happened. Questions about the past that few ask are in `queries`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from loop.study import events as e
from loop.study import rungs
from loop.study.ablation import Ablation, AblationEnded
from loop.study.asked import Pins, Request
from loop.study.climb import Climb, ClimbEnded
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.minds import Minds
from loop.study.outcomes import VERDICTS, Outcome
from loop.study.supervision import Supervisor, Trouble
from loop.study.validation import Validation, ValidationEnded

COMPANY, MOST_ASIDE = 0.5, 2
"""Share of its time in which a run must have had company, where that matters, to be compared; and how many runs of an
experiment are put aside for that on a kind of slot: where no neighbour works any more, numbers without have to do."""

State = Literal["empty", "baseline", "running", "paused", "no room", "stopping", "stopped", "failed"]


@dataclass(slots=True)
class Study:
    """State of a study after the event `seq`."""

    seq: int = 0
    at: float = 0.0
    """Time of the newest event."""
    tag: str = ""
    branch: str = ""
    base: str = ""
    names: tuple[str, ...] | None = None
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
    clashes: set[int] = field(default_factory=set)
    """Experiments that did not go together with a new champion, and so cost none."""
    imported: int = 0  # experiments that are `Experiment.imported`, numbered from 1 on
    champion: int | None = None
    lineage: list[int] = field(default_factory=list)
    """Champions in the order they took over."""
    supervisor: Supervisor | None = None
    active_seconds: float = 0.0
    """Seconds under earlier supervisors; the present one adds `at - started_at`."""
    paused: bool = False
    stopping: Literal["no", "after run", "now"] = "no"
    limit: e.LimitReached | None = None
    minds: Minds = field(default_factory=Minds)
    ideas: dict[int, str] = field(default_factory=dict)
    """What a researcher thought of and nobody has taken up, by number."""
    requests: dict[int, Request] = field(default_factory=dict)
    fingerprints: dict[str, int] = field(default_factory=dict)
    """First experiment of each fingerprint; see `first_of`."""
    options: dict[str, object] = field(default_factory=dict)
    """Options that the newest supervisor was started with."""
    faults: list[tuple[float, e.Fault]] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    """What is being waited for now, by where the fault is."""
    pins: Pins = field(default_factory=Pins)
    drained: dict[str, str] = field(default_factory=dict)
    """Slots that a person keeps out of work, by name, and who that was."""
    taken_back: dict[str, int] = field(default_factory=dict)
    """Slots that a person has put to work again, and the place of that in the journal."""
    checkout: e.CheckoutChanged | None = None
    """The person's own edit that could be submitted; None while there is none."""
    reserved: e.SlotsReserved = field(default_factory=e.SlotsReserved)
    """Slots that are kept for a run of several."""
    neighbours: dict[str, e.NeighboursMeasured] = field(default_factory=dict)
    """What company costs, by kind of slot."""
    milestones: list[tuple[float, e.MilestoneOpened]] = field(default_factory=list)
    """When the sealed part of the data was opened, and what was found there."""
    pairs: bool = False
    """As in `StudyStarted`."""
    condemned: dict[int, None] = field(default_factory=dict)
    """Experiments of which a run was held for hopeless, in that order (a set that keeps its order)."""
    asked: set[int] = field(default_factory=set)  # experiments that are `Experiment.asked`
    runs: int = 0
    """Runs that were started."""
    rehearsed: str = ""  # `setup` of the last rehearsal that did not stop the loop, since the baseline was begun
    tokens: int = 0
    usd: float = 0.0
    costs: dict[int, float | None] = field(default_factory=dict)
    """What was spent on thinking of an experiment, by its number, in US dollars; None where a price is not known."""
    usd_unknown: bool = False
    """Some calls have no known price, so `usd` is a lower bound."""
    thought_of: int = 0  # number of the newest idea
    rules: int = 0  # as in `StudyStarted`
    placebos: dict[int, e.PlaceboOpened] = field(default_factory=dict)
    """Experiments that were placebos, from their verdict on."""
    validations: list[Validation] = field(default_factory=list)
    """In the order in which they began; one at a time."""
    ablations: list[Ablation] = field(default_factory=list)
    """The same."""
    climbs: list[Climb] = field(default_factory=list)
    """The same of climbs."""
    climbed: set[int] = field(default_factory=set)
    """Experiments that were a side of one."""
    run_seconds: float = 0.0
    """Slot seconds of runs and their verifications so far, and how many of these were on a rung of the ladder."""
    climb_seconds: float = 0.0
    grounded: dict[int, Literal["hold", "forbid"]] = field(default_factory=dict)
    """Experiments that a person keeps from climbing."""

    # --- what readers ask --------------------------------------------------------------------------------------

    @property
    def paired(self) -> bool:
        """Whether candidates are compared at equal seeds."""
        asked = self.contract.keep.pairs
        return self.pairs if asked is None else asked

    @property
    def validation(self) -> Validation | None:
        """The validation that is under way."""
        return self.validations[-1] if self.validations and self.validations[-1].ended is None else None

    @property
    def climb(self) -> Climb | None:
        """The climb that is under way."""
        return self.climbs[-1] if self.climbs and self.climbs[-1].ended is None else None

    def contract_of(self, run: Run) -> Contract:
        """The program by which a run is measured: that of its rung."""
        return rungs.contract_on(self.contract, run.rung)

    @property
    def validated(self) -> Validation | None:
        """The newest validation of today's champion that came to a number under the present protocol."""
        return next(
            (
                one
                for one in reversed(self.validations)
                if one.ended is not None
                and one.ended.gain is not None
                and one.began.champion == self.champion
                and one.began.protocol_id == self.contract.protocol_id
            ),
            None,
        )

    @property
    def ablation(self) -> Ablation | None:
        """The ablation that is under way."""
        return self.ablations[-1] if self.ablations and self.ablations[-1].ended is None else None

    @property
    def ablated_alone(self) -> AblationEnded | None:
        """What the ablation has come to that the present supervisor was started for; None where there was none."""
        last, supervisor = self.ablations[-1] if self.ablations else None, self.supervisor
        if last is None or not last.began.only or supervisor is None or last.ended_at is None:
            return None
        return last.ended if last.ended_at >= supervisor.started_at else None

    @property
    def validated_alone(self) -> ValidationEnded | None:
        """What the validation has come to that the present supervisor was started for; None where there was none."""
        last, supervisor = self.validations[-1] if self.validations else None, self.supervisor
        if last is None or not last.began.only or supervisor is None or last.ended_at is None:
            return None
        return last.ended if last.ended_at >= supervisor.started_at else None

    @property
    def climbed_alone(self) -> ClimbEnded | None:
        """The same of a climb."""
        last, supervisor = self.climbs[-1] if self.climbs else None, self.supervisor
        if last is None or not last.began.only or supervisor is None or last.ended_at is None:
            return None
        return last.ended if last.ended_at >= supervisor.started_at else None

    @property
    def does_one_thing(self) -> bool:
        """Whether a validation, an ablation or a climb goes on, or is asked for, beside which nothing else is to start;
        or was what the present supervisor was started for, and has ended."""
        under_way = [now.began.only for now in (self.validation, self.ablation, self.climb) if now is not None]
        if under_way:
            return any(under_way)
        if self.validated_alone is not None or self.ablated_alone is not None or self.climbed_alone is not None:
            return True
        asked = (request.body for request in self.requests.values() if request.fulfilled_at is None)
        return any(isinstance(body, e.Validated | e.Ablated | e.Promoted) and body.only for body in asked)

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
        """Those that may have a run: the open ones, and those that run after their verdict, such as champions. Few."""
        judged = dict.fromkeys((*self.lineage, *sorted(self.asked), *sorted(self.climbed)))
        return [*self.open_experiments(), *(self.experiments[number] for number in judged if number not in self.open)]

    def running(self) -> list[tuple[Experiment, Run]]:
        """The current runs."""
        return [(experiment, run) for experiment in self._active() for run in experiment.running()]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of slots that there are now, that of most of them first; ("",) where that is not known."""
        return ("",) if self.supervisor is None else self.supervisor.kinds

    def is_of(self, run: Run, kind: str) -> bool:
        """Whether a run was in a slot of that kind; what is not known of either is taken for the same."""
        return not kind or run.device == kind or (not run.device and kind == self.kinds[0])

    def kind_of(self, experiment: Experiment) -> str:
        """The kind of slot by whose numbers an experiment stands: that of its newest run, so that one which had to go
        on elsewhere begins anew there. What is or was champion runs on all of them, and stands by the first that it
        has a number of."""
        kinds = self.kinds
        if len(kinds) == 1:
            return kinds[0]
        if experiment.id in self.lineage:
            return next((kind for kind in kinds if self.measured(experiment, kind)), kinds[0])
        ran = [run.device for run in experiment.counted() if run.protocol_id == self.contract.protocol_id]
        known = [kind for kind in ran if kind in kinds]
        return known[-1] if known and experiment.id else kinds[0]

    def first_of(self, fingerprint: str) -> Experiment | None:
        """The experiment whose files are these; None where there is none, or only one that clashed with a new champion:
        that idea was never tried on top of it, and may come back as the same text."""
        number = self.fingerprints.get(fingerprint)
        return None if number is None or number in self.clashes else self.experiments[number]

    def tried(self, experiment: Experiment, kind: str | None = None) -> list[Run]:
        """The experiment's runs that count and compare with those of today, with a number or without one: they are of
        the present protocol and of one kind of slot, `kind_of` where none is said."""
        kind = self.kind_of(experiment) if kind is None else kind
        protocol_id = self.contract.protocol_id
        found = [run for run in experiment.counted() if run.protocol_id == protocol_id and self.is_of(run, kind)]
        known = self.company(kind)
        if known is None or not known.matters:
            return found
        lonely = [run for run in found if run.metric is not None and run.company is not None and run.company < COMPANY]
        return [run for run in found if run not in lonely[:MOST_ASIDE]]

    def company(self, kind: str) -> e.NeighboursMeasured | None:
        """What is known under the present protocol of what company costs on a kind of slot."""
        known = self.neighbours.get(kind)
        return known if known is not None and known.protocol_id == self.contract.protocol_id else None

    def measured(self, experiment: Experiment, kind: str | None = None) -> list[float]:
        """The numbers of those, in the order of the runs."""
        return [run.metric for run in self.tried(experiment, kind) if run.metric is not None]

    def awaits_verification(self, run: Run) -> bool:
        """Whether a run has ended well and its metric is still to be measured again."""
        if self.contract_of(run).verify is None or run.verified or run.check is not None:
            return False
        return run.outcome == Outcome.FINISHED

    def verifying(self) -> list[tuple[Experiment, Run]]:
        """Runs that have ended and whose metric is being measured again, or is next to be."""
        now = [one.seq for one in (self.validation, self.ablation, self.climb) if one is not None]
        ended = (
            (experiment, run)
            for experiment in self._active()
            for run in [*experiment.counted(), *(run for seq in now for run in experiment.validating(seq))]
        )
        return [(experiment, run) for experiment, run in ended if self.awaits_verification(run)]

    def verdicts(self) -> dict[str, int]:
        """How many experiments have which verdict, and how many are open; baseline and imported ones do not count."""
        counts = Counter(x.verdict or "open" for x in self.experiments.values() if x.id != 0 and not x.imported)
        return {name: counts.get(name, 0) for name in (*VERDICTS, "open")}

    def judged(self) -> int:
        """Experiments with a verdict; the baseline, imported ones and clashes are not counted."""
        return len(self.closed) - (0 in self.closed) - self.imported - len(self.clashes)

    def open_requests(self) -> list[Request]:
        """Requests that are not fulfilled yet, oldest first."""
        return [request for request in self.requests.values() if request.fulfilled_at is None]
