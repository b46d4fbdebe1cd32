"""A champion that was kept on one kind of slot, and is worse than what it replaced on another. Pure.

It stays champion, for numbers of two kinds do not compare. But a person who trains on the other kind in the end has to
know, and a researcher may find what suits both.
"""

import math

from loop.policy.noise import mean, present_noise
from loop.study import queries
from loop.study.experiment import Experiment
from loop.study.state import Study

CLEAR = 2.0
"""Standard errors by which it has to be worse there: less is what luck does to one in forty."""


def setbacks(study: Study) -> list[str]:
    """A sentence for each kind of slot on which the champion is worse than the one before it."""
    best, before = study.best, _before(study)
    if best is None or before is None or len(study.kinds) < 2:
        return []
    return [said for kind in study.kinds if (said := _setback(study, best, before, kind))]


def _before(study: Study) -> Experiment | None:
    """What the champion was compared with when it was kept."""
    parent = None if study.best is None else study.best.parent
    return None if parent is None else study.experiments.get(parent)


def _setback(study: Study, best: Experiment, before: Experiment, kind: str) -> str:
    now, then = study.measured(best, kind), study.measured(before, kind)
    noise = present_noise(queries.repetitions(study, kind))
    if not now or not then or noise is None:
        return ""
    worse = -study.contract.better_by(mean(now), mean(then))
    error = noise.sd * math.sqrt(1 / len(now) + 1 / len(then))
    if worse <= CLEAR * error or worse <= 0:
        return ""
    first = next((run.device for run in best.counted() if run.device), "")
    where = f", though it was kept by its runs on {first}" if first and first != kind else ""
    return (
        f"the champion, experiment {best.id}, is worse on {kind} than experiment {before.id}, which it replaced: by "
        f"{worse:.2g} ±{error:.1g} of {study.contract.metric}{where}; what is to run on {kind} in the end should be "
        "sought there alone"
    )
