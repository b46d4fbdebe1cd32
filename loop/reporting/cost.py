"""What a study has cost, booked to each experiment, to what else took the machine, to researchers and to days. Pure.

Slot time is the currency: a second of a slot is spent by somebody, or idle. A run is booked once:

    search        the first run of an experiment
    baseline      runs of the baseline before its verdict
    repeats       further runs: of candidates that look good, and of champions that are measured again
    verification  measuring the metric again
    validation    champion and baseline side by side, under fresh seeds
    attribution   champions that lack some kept changes, to tell what each is worth
    climbing      the same on a larger rung of the ladder
    lost          runs that say nothing of their experiment, because the machine or somebody else ended them
    idle          slots under supervision in which nothing ran: waits, faults, pauses

The thinking before an experiment is booked to it by the number in the envelope of `spent`. Money is that of model calls
alone. Energy is what the GPUs' own counters say and covers the runs for which they said it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from loop.policy import false_discovery
from loop.study import events as e
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study

ACCOUNTS = (
    "search",
    "baseline",
    "repeats",
    "verification",
    "validation",
    "attribution",
    "climbing",
    "lost",
    "idle",
)
"""What slot time goes to, in the order in which it is shown."""

DAY, AHEAD = 86_400.0, 8 * 3600.0
"""Seconds back over which today's pace is taken, and seconds ahead for which it is told."""

PACED = 1200.0
"""Seconds under supervision from which there is a pace to speak of."""

KINDS = frozenset({"spent", "supervisor_started", "supervisor_stopped"})
"""What is read of a journal beside the study."""


@dataclass(slots=True)
class Spend:
    """What something took."""

    runs: int = 0
    seconds: float = 0.0
    """Of slots."""
    gpu_seconds: float = 0.0
    """Of GPUs; a share of one where slots share it."""
    cpu_seconds: float = 0.0
    joules: float = 0.0
    """As counted by the GPUs."""
    metered: float = 0.0
    """Slot seconds for which they told it."""
    tokens: int = 0
    usd: float = 0.0
    """Of calls with a known price."""
    calls: int = 0
    unpriced: int = 0
    """Calls without a known price."""

    def add(self, other: "Spend") -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def data(self) -> dict[str, float | None]:
        """For scripts; None is what is not known."""
        return {
            "runs": self.runs,
            "seconds": self.seconds,
            "gpu_seconds": self.gpu_seconds,
            "cpu_seconds": self.cpu_seconds,
            "joules": self.joules if self.metered else None,
            "tokens": self.tokens,
            "usd": self.usd if self.calls > self.unpriced or not self.calls else None,
            "calls_without_price": self.unpriced,
        }


@dataclass(frozen=True, slots=True)
class Pace:
    """What a study does in an hour under supervision, by its last day."""

    hours: float
    """Supervised hours that it is taken from."""
    experiments: float
    kept: float
    gpu_hours: float
    tokens: float
    usd: float


@dataclass(slots=True)
class Books:
    """All of it."""

    total: Spend = field(default_factory=Spend)
    """Without idle time, which is nobody's run."""
    accounts: dict[str, Spend] = field(default_factory=lambda: {name: Spend() for name in ACCOUNTS})
    experiments: dict[int, Spend] = field(default_factory=dict)
    """By number, everything that was done for it; one that was thought about and never proposed, too. Runs of
    validations, ablations and climbs are no experiment's."""
    researchers: dict[str, Spend] = field(default_factory=dict)
    """By name: their calls, and the runs of what they proposed."""
    days: dict[str, Spend] = field(default_factory=dict)
    """By date, as the clock of this machine has it."""
    supervised: float = 0.0
    """Seconds under supervision."""
    slot_seconds: float = 0.0
    """The same, of all slots."""
    true_improvements: float | None = None
    """Kept changes less those expected to be false; None where nothing was kept."""
    pace: Pace | None = None


def books(study: Study, events: Iterable[e.Event], now: float | None = None) -> Books:
    """The books of a study.

    Args:
        events: those of `KINDS`, oldest first; others are passed over.
        now: Unix seconds, while a supervisor is at work; None: up to the newest event.
    """
    found = Books()
    end = study.at if now is None else max(now, study.at)
    spells, spent = _read(events, end, study)
    for experiment in study.experiments.values():
        if not experiment.imported:
            for run in experiment.runs.values():
                _book_run(found, experiment, run, end)
    for at, number, body in spent:
        call = Spend(tokens=body.tokens, usd=body.usd or 0.0, calls=1, unpriced=int(body.usd is None))
        _book(found, call, body.researcher, number, at)
    found.supervised = math.fsum(until - since for since, until, _ in spells)
    found.slot_seconds = math.fsum((until - since) * slots for since, until, slots in spells)
    found.accounts["idle"].seconds = max(0.0, found.slot_seconds - found.total.seconds)
    kept = study.verdicts()[Outcome.KEPT]
    if kept:
        found.true_improvements = max(0.0, kept - (false_discovery.of(study) or 0.0))
    found.pace = _pace(study, spells, spent, end)
    return found


def per_improvement(found: Books) -> Spend | None:
    """What one true improvement has cost, all other experiments included; None where fewer than half of one is
    expected."""
    count = found.true_improvements
    if count is None or count < 0.5:
        return None
    total = found.total
    return Spend(
        seconds=total.seconds / count,
        gpu_seconds=total.gpu_seconds / count,
        cpu_seconds=total.cpu_seconds / count,
        joules=total.joules / count,
        metered=total.metered / count,
        tokens=round(total.tokens / count),
        usd=total.usd / count,
        calls=total.calls,
        unpriced=total.unpriced,
    )


def data(found: Books) -> dict[str, Any]:
    """The books for scripts: seconds, joules, tokens and US dollars."""
    each, pace = per_improvement(found), found.pace
    return {
        "total": found.total.data(),
        "accounts": {name: spend.data() for name, spend in found.accounts.items()},
        "supervised_seconds": found.supervised,
        "slot_seconds": found.slot_seconds,
        "true_improvements": found.true_improvements,
        "per_true_improvement": None if each is None else {k: v for k, v in each.data().items() if k != "runs"},
        "researchers": {name: spend.data() for name, spend in found.researchers.items()},
        "days": {day: spend.data() for day, spend in sorted(found.days.items())},
        "next_eight_hours": None if pace is None else ahead(pace),
        "experiments": {str(number): spend.data() for number, spend in sorted(found.experiments.items())},
    }


def ahead(pace: Pace) -> dict[str, float]:
    """What eight hours bring and cost at that pace."""
    hours = AHEAD / 3600
    names = ("experiments", "kept", "gpu_hours", "tokens", "usd")
    return {name: getattr(pace, name) * hours for name in names}


# --- inside ----------------------------------------------------------------------------------------------------


def _book_run(found: Books, experiment: Experiment, run: Run, end: float) -> None:
    seconds = run.seconds if run.outcome is not None else max(0.0, end - run.started_at)
    gpus, of_slots = _gpus(run), seconds * run.slots
    spend = Spend(runs=1, seconds=of_slots, gpu_seconds=seconds * gpus, cpu_seconds=run.cpu_seconds)
    if run.joules is not None:
        spend.joules, spend.metered = run.joules, of_slots
    found.accounts[account(experiment, run)].add(spend)
    researcher, number = (experiment.researcher, experiment.id) if not run.serves else (None, None)
    _book(found, spend, researcher, number, run.started_at + seconds)
    if run.verify_seconds:
        again = Spend(seconds=run.verify_seconds * run.slots, gpu_seconds=run.verify_seconds * gpus)
        found.accounts[run.serves or "verification"].add(again)
        _book(found, again, researcher, number, run.started_at + seconds + run.verify_seconds)


def account(experiment: Experiment, run: Run) -> str:
    """Which of `ACCOUNTS` a run is booked to."""
    if run.outcome == Outcome.LOST:
        return "lost"
    if run.serves:
        return run.serves
    again = experiment.judged_at is not None and run.started_at > experiment.judged_at
    if experiment.id == 0 and not again:
        return "baseline"
    own = (one.number for one in experiment.own() if one.outcome != Outcome.LOST)
    first = next(own, run.number)
    return "search" if run.number == first and not again else "repeats"


def _gpus(run: Run) -> float:
    """How many GPUs it had; by its memory where the journal is from before that was kept."""
    if run.gpus is not None:
        return run.gpus
    return 1.0 if run.peak_gpu_memory else 0.0


def _book(found: Books, spend: Spend, researcher: str | None, number: int | None, at: float) -> None:
    found.total.add(spend)
    found.days.setdefault(datetime.fromtimestamp(at).date().isoformat(), Spend()).add(spend)
    if number is not None:
        found.experiments.setdefault(number, Spend()).add(spend)
    if number != 0 and researcher is not None:
        found.researchers.setdefault(researcher, Spend()).add(spend)


Spell = tuple[float, float, int]
"""When a supervisor began and ended, in Unix seconds, and how many slots it had."""


def _read(
    events: Iterable[e.Event], end: float, study: Study
) -> tuple[list[Spell], list[tuple[float, int | None, e.Spent]]]:
    """The spells of supervision, and the calls of models with when and for which experiment they were made."""
    spells: list[Spell] = []
    spent: list[tuple[float, int | None, e.Spent]] = []
    begun: tuple[float, int] | None = None
    for event in events:
        match event.body:
            case e.Spent() as body:
                spent.append((event.at, event.experiment, body))
            case e.SupervisorStarted(slots=slots):
                if begun is not None:  # it died without a word: it was there up to its last run at least
                    spells.append((begun[0], _last_sign(study, begun[0], event.at), begun[1]))
                begun = (event.at, max(1, len(slots)))
            case e.SupervisorStopped():
                if begun is not None:
                    spells.append((begun[0], event.at, begun[1]))
                begun = None
            case _:
                pass
    if begun is not None:
        spells.append((begun[0], max(begun[0], end), begun[1]))
    return spells, spent


def _last_sign(study: Study, since: float, before: float) -> float:
    ends = (
        run.started_at + run.seconds + run.verify_seconds
        for x in study.experiments.values()
        for run in x.runs.values()
        if run.started_at >= since
    )
    return min(before, max((end for end in ends if end <= before), default=since))


def _pace(study: Study, spells: list[Spell], spent: list[tuple[float, int | None, e.Spent]], end: float) -> Pace | None:
    since = end - DAY
    hours = math.fsum(max(0.0, until - max(begin, since)) for begin, until, _ in spells) / 3600
    if hours * 3600 < PACED:
        return None
    judged = [study.experiments[n] for n in study.closed if n and (study.experiments[n].judged_at or 0.0) >= since]
    own = [x for x in judged if not x.imported]
    runs = [run for x in study.experiments.values() for run in x.runs.values() if run.started_at >= since]
    gpu = math.fsum((run.seconds + run.verify_seconds) * _gpus(run) for run in runs) / 3600
    calls = [body for at, _, body in spent if at >= since]
    return Pace(
        hours=hours,
        experiments=len(own) / hours,
        kept=sum(x.verdict == Outcome.KEPT for x in own) / hours,
        gpu_hours=gpu / hours,
        tokens=sum(call.tokens for call in calls) / hours,
        usd=math.fsum(call.usd or 0.0 for call in calls) / hours,
    )
