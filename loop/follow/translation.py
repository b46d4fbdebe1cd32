"""From events to what a tracker shows: for each experiment points, tags, parameters and an end. Pure.

The same journal gives the same updates, number by number and time by time, whoever reads it and from wherever they go
on: that is why a follower may begin again at any place.

    curves          under their own names (`loss`), those of further runs of an experiment as `loss/run2`
    the metric      and what else runs print: the mean of the experiment's runs, once for each run that ended
    effect, confidence, cost/seconds, cost/tokens, cost/usd: with the verdict
"""

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field

from loop.reporting.cost import Spend
from loop.reporting.table import values_of
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.folding import FOLDED, apply
from loop.study.state import Study

READ = FOLDED | {"step_sampled"}
"""Kinds of events that a follower reads."""

STUDY = -1
"""The key of what is about the study as a whole."""

_ODD = re.compile(r"[^\w./ -]")


@dataclass(frozen=True, slots=True)
class Point:
    """A number at a place."""

    name: str
    value: float
    step: int
    at: float
    """Unix seconds."""


@dataclass(slots=True)
class Update:
    """What there is to say about one experiment, or about the study, since the last one."""

    key: int
    """The experiment's number, or `STUDY`."""
    seq: int
    """The newest event in it."""
    at: float
    points: list[Point] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    title: str = ""
    ended: str = ""
    """"finished" or "failed" where it has a verdict with this; "open" where it has none any more."""

    def join(self, later: "Update") -> None:
        """Take in a later one of the same key."""
        self.points += later.points
        self.tags |= later.tags
        self.seq, self.at = later.seq, later.at
        self.title, self.ended = later.title or self.title, later.ended or self.ended


class Translation:
    """Goes along with the events of a journal, from its first one on.

    Attributes:
        study: folded up to the newest event.
    """

    def __init__(self) -> None:
        self.study = Study()
        self._spent: dict[int, Spend] = defaultdict(Spend)

    def take(self, event: e.Event) -> list[Update]:
        """Take in the next event; returns what there is to say of it."""
        apply(self.study, event)
        number, body = event.experiment, event.body
        match body:
            case e.StepSampled() if number is not None and event.run is not None:
                return [self._curve(event, number, event.run, body)]
            case e.Spent() if number is not None:
                self._spent[number].add(Spend(tokens=body.tokens, usd=body.usd or 0.0))
                return []
            case e.StudyStarted() | e.ProgramChanged():
                return [Update(STUDY, event.seq, event.at, tags=self._of_study(), title=self.study.tag)]
            case e.SupervisorStopped(reason=reason):
                return [Update(STUDY, event.seq, event.at, tags={"state": reason})]
            case e.SupervisorStarted(host=host, version=version):
                tags = {"state": "running", "host": host, "looptop": version}
                return [Update(STUDY, event.seq, event.at, tags=tags)]
            case e.ChampionChanged() if number in self.study.experiments:
                return self._new_champion(event, self.study.experiments[number])
            case _:
                pass
        found = self.study.experiments.get(STUDY if number is None else number)
        if found is None or found.imported:
            return []
        return self._of_experiment(event, found)

    # --- inside ------------------------------------------------------------------------------------------------

    def _curve(self, event: e.Event, number: int, run: int, body: e.StepSampled) -> Update:
        found = self.study.experiments.get(number)
        first = min(found.runs, default=run) if found is not None else run
        suffix = "" if run == first else f"/run{run}"
        step = body.step if body.step is not None else round(1000 * (body.progress or 0.0))
        points = [
            Point(name_of(name) + suffix, value, step, event.at)
            for name, value in body.values.items()
            if math.isfinite(value)
        ]
        return Update(number, event.seq, event.at, points)

    def _of_experiment(self, event: e.Event, x: Experiment) -> list[Update]:
        update = Update(x.id, event.seq, event.at)
        match event.body:
            case e.ExperimentProposed():
                update.title = x.title
                update.tags = {
                    "title": x.title,
                    "researcher": x.researcher,
                    "parent": _number(x.parent),
                    "hypothesis": x.hypothesis,
                    "expected": x.expected,
                }
            case e.ExperimentQueued():
                update.ended = "open"
                update.tags = {"commit": x.commit or "", "parent": _number(x.parent), "verdict": "open"}
                update.tags |= {"flags": "; ".join(x.flags)}
            case e.RunFinished() | e.Verified():
                values = {n: value for n, value in values_of(x).items() if isinstance(value, float)}
                metrics = [run.metric for run in x.counted() if run.metric is not None]
                if metrics:
                    values[self.study.contract.metric] = math.fsum(metrics) / len(metrics)
                step = max(1, len(x.counted()))
                update.points = [Point(name_of(n), v, step, event.at) for n, v in values.items() if math.isfinite(v)]
            case e.ExperimentJudged():
                update.ended = "failed" if x.verdict is not None and x.verdict.is_failure else "finished"
                update.tags = {"verdict": x.verdict or "", "reason": x.reason, "judged_by": x.judged_by}
                update.tags |= {"doubts": "; ".join(x.doubts)}
                update.points = self._judged(event, x)
            case e.LessonWritten():
                update.tags = {"lesson": x.lesson}
            case e.Noted():
                update.tags = {"note": x.note or "(taken back)"}
            case _:
                return []
        update.tags = {name: text for name, text in update.tags.items() if text}
        return [update]

    def _judged(self, event: e.Event, x: Experiment) -> list[Point]:
        spent = self._spent[x.id]
        step = max(1, len(x.counted()))
        told = {
            "effect": x.effect,
            "confidence": x.confidence,
            "cost/seconds": math.fsum(run.seconds + run.verify_seconds for run in x.own()),
            "cost/tokens": float(spent.tokens) if spent.tokens else None,
            "cost/usd": spent.usd or None,
        }
        return [Point(name, value, step, event.at) for name, value in told.items() if value is not None]

    def _new_champion(self, event: e.Event, x: Experiment) -> list[Update]:
        name = name_of(self.study.contract.metric)
        points = [] if x.metric is None else [Point(name, x.metric, x.id, event.at)]
        return [Update(STUDY, event.seq, event.at, points, {"champion": str(x.id)})]

    def _of_study(self) -> dict[str, str]:
        contract = self.study.contract
        return {
            "metric": contract.metric,
            "goal": contract.goal,
            "run": contract.run,
            "branch": self.study.branch,
            "base": self.study.base,
            "budget": f"{contract.budget:g} s",
        }


def identity(study: Study) -> str:
    """What tells a study from others of its name: the same for every follower, and after any restart."""
    return f"{study.tag}@{study.base[:12]}@{study.started_at:.0f}"


def name_of(name: str) -> str:
    """A name that trackers take."""
    return _ODD.sub("_", name)[:200] or "value"


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
