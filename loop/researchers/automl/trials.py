"""What earlier experiments say about the constants.

Pure: everything comes from the experiments themselves and from the notes that the researcher left in its own, so that
after a restart it knows exactly what it knew before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, cast

from loop.researchers.automl.constants import Number
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome

Values = Mapping[str, Number]
State = Literal["open", "measured", "failed", "void"]


@dataclass(frozen=True)
class Trial:
    """One experiment whose constants are known."""

    id: int
    values: Values
    """All its constants."""
    before: Values
    """Old values of the constants that it changed; empty for the baseline and for the changes of others."""
    state: State
    """Open: no verdict yet. Failed: it crashed or was rejected. Void: killed, or without a number that counts."""
    metric: float | None
    effect: float | None
    """How much better than its parent; negative is worse."""
    kept: bool
    parent: int | None

    @property
    def alone(self) -> str | None:
        """The one constant that it changed, if it was only one."""
        return next(iter(self.before)) if len(self.before) == 1 else None


@dataclass(frozen=True)
class Notes:
    """What the researcher writes into its own experiments."""

    params: Values
    """All constants as proposed."""
    was: Values
    """Old values of those that were changed."""
    parent: int
    """The experiment that was changed."""

    @classmethod
    def of(cls, experiment: Experiment) -> "Notes | None":
        """The notes of an experiment; None where there are none that make sense."""
        params, was = (_numbers(experiment.notes.get(key)) for key in ("params", "was"))
        parent = experiment.notes.get("parent")
        if not params or was is None or not isinstance(parent, int) or not was.keys() <= params.keys():
            return None
        return cls(params, was, parent)


def read(experiments: Sequence[Experiment], champion: int, present: Values, contract: Contract) -> list[Trial]:
    """The experiments whose constants are known, in order.

    Known are those with notes, their parents, and the champion, whoever proposed it.

    Args:
        champion: Number of the champion.
        present: Its constants.
    """
    notes = {experiment.id: found for experiment in experiments if (found := Notes.of(experiment)) is not None}
    known: dict[int, Values] = {champion: present}
    for note in notes.values():
        known.setdefault(note.parent, {**note.params, **note.was})
    trials = []
    measured = {experiment.id: experiment.measured(contract.protocol_id) for experiment in experiments}
    means = {id: fmean(metrics) if metrics else None for id, metrics in measured.items()}
    for experiment in experiments:
        own = notes.get(experiment.id)
        if own is not None:
            # One that was rebased onto a newer champion has that champion's other constants.
            base = known.get(own.parent if experiment.parent is None else experiment.parent)
            change = {name: own.params[name] for name in own.was}
            known.setdefault(experiment.id, own.params if base is None else {**base, **change})
        if experiment.id not in known:
            continue
        metric = means[experiment.id]
        reference = None if experiment.parent is None else means.get(experiment.parent)
        effect = None if metric is None or reference is None else contract.better_by(metric, reference)
        trials.append(
            Trial(
                id=experiment.id,
                values=known[experiment.id],
                before=own.was if own else {},
                state=_state(experiment, metric),
                metric=metric,
                effect=effect,
                kept=experiment.verdict == Outcome.KEPT,
                parent=experiment.parent,
            )
        )
    return trials


def starts(experiments: Sequence[Experiment], present: Values) -> dict[str, Number]:
    """The first known value of each present constant: its range is laid around that."""
    first: dict[str, Number] = {}
    for experiment in experiments:
        if first.keys() >= present.keys():
            break
        if (note := Notes.of(experiment)) is not None:
            for name, value in {**note.params, **note.was}.items():
                first.setdefault(name, value)
    return {name: first.get(name, value) for name, value in present.items()}


def importance(trials: Sequence[Trial], names: Collection[str]) -> dict[str, float | None]:
    """How far changes of a constant moved the metric on average, in its units; None where that was never measured.

    A change of several constants is shared among them equally.
    """
    shares: dict[str, list[float]] = {name: [] for name in names}
    for trial in trials:
        if trial.effect is not None:
            for name in trial.before.keys() & shares.keys():
                shares[name].append(abs(trial.effect) / len(trial.before))
    return {name: fmean(found) if found else None for name, found in shares.items()}


def _state(experiment: Experiment, metric: float | None) -> State:
    if experiment.verdict is None:
        return "open"
    if metric is not None and experiment.verdict.has_number:
        return "measured"
    return "failed" if experiment.verdict.is_failure or experiment.verdict == Outcome.REJECTED else "void"


def _numbers(value: object) -> dict[str, Number] | None:
    """`value` as a dictionary of numbers by name; None where it is something else."""
    if not isinstance(value, dict):
        return None
    fine = all(isinstance(k, str) and isinstance(v, (int, float)) and not isinstance(v, bool) for k, v in value.items())
    return cast(dict[str, Number], value) if fine else None
