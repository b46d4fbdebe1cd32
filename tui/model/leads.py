"""How far each current run is ahead of the champion: the samples of a view state, read by `loop.study.equal_time`.

Plain data, no clock. The courses of ended runs are remembered; of a current run only its newest samples are looked at.
"""

from collections.abc import Iterable, Mapping

from loop.study.curves import Sample, curve_of, smooth
from loop.study.equal_time import Course, Lead, lead
from loop.study.experiment import Experiment, Run
from loop.study.state import Study

Key = tuple[int, int]
"""Experiment and run."""

NEWEST = 100
"""Samples of a current run that are looked at; the running mean forgets older ones anyway."""

TELLING = 8
"""Samples that a curve needs before its distance from another one means anything."""

MOST = 5
"""Runs of the champion, and of the baseline, that are compared with."""


class Leads:
    """Answers for one study; `samples` is looked into and never changed."""

    def __init__(self, study: Study, samples: Mapping[Key, list[Sample]]) -> None:
        self._study, self._samples = study, samples
        self._courses: dict[Key, tuple[int, str, Course]] = {}

    def wanted(self) -> set[Key]:
        """Runs whose samples are needed: the current ones, the champion's and the baseline's."""
        running = {(experiment.id, run.number) for experiment, run in self._study.running()}
        if not running:
            return running
        return running | {(x.id, run.number) for x in self._others() for run in _measured(x)}

    def _others(self) -> Iterable[Experiment]:
        """The champion, then the baseline where that is another one."""
        known = {x.id: x for x in (self._study.best, self._study.baseline) if x is not None}
        return known.values() if self._study.best is not None else ()

    def of(self, experiment: Experiment, run: Run) -> Lead | None:
        """The lead of a current run; None while that cannot be told, for a run of the champion itself, and for one that
        is of other files or on another scale."""
        best = self._study.best
        samples = self._samples.get((experiment.id, run.number), [])
        if best is None or experiment.id == best.id or run.serves or len(samples) < TELLING:
            return None
        metric = self._study.contract.metric
        name, points = curve_of(samples[-NEWEST:], metric)
        if len(points) < TELLING:
            return None
        champion, *others = [self._of_all(x, name) for x in self._others()]
        return lead(smooth(points)[-1], champion, others, rises=name == metric and self._study.contract.goal == "max")

    def _of_all(self, experiment: Experiment, name: str) -> list[Course]:
        keys = ((experiment.id, run.number) for run in _measured(experiment))
        found = (self._course(key, name) for key in keys)
        return [course for course in found if course is not None]

    def _course(self, key: Key, name: str) -> Course | None:
        samples = self._samples.get(key, [])
        if len(samples) < TELLING:
            return None
        known = self._courses.get(key)
        if known is None or known[:2] != (len(samples), name):
            points = [(x, values[name]) for x, values in samples if name in values]
            known = self._courses[key] = len(samples), name, Course.of(smooth(points))
            for old in self._courses.keys() - self._samples.keys():
                del self._courses[old]
        return known[2]


def _measured(experiment: Experiment) -> list[Run]:
    """Its newest runs that have a number of its own."""
    return [run for run in experiment.own() if run.metric is not None][-MOST:]
