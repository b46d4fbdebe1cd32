"""What earlier experiments say about the constants.

Pure: everything comes from the experiments themselves and from the notes that the researcher left in its own, so that
after a restart it knows exactly what it knew before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Literal, cast

from loop.policy.changes import CONSTANTS
from loop.researchers.automl.constants import Value
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome

Values = Mapping[str, Value]
State = Literal["open", "measured", "failed", "void"]


NO_OTHERS: Mapping[int, Values] = MappingProxyType({})

LEAST_STEP = 1e-3
"""Relative change of a number below which its effect says nothing of the way."""


@dataclass(frozen=True)
class Trial:
    """One experiment whose constants are known."""

    id: int
    values: Values
    """All its constants."""
    before: Values
    """Old values of the constants that it changed; empty for the baseline, for the changes of others, and where they
    changed by next to nothing."""
    state: State
    """Open: no verdict yet. Failed: it crashed, was rejected or stopped early. Void: killed, or without a number that
    counts."""
    metric: float | None
    effect: float | None
    """How much better than its parent; negative is worse."""
    kept: bool
    parent: int | None
    behind: tuple[int, float] | None = None
    """Of a run that was stopped early: per cent of its time that it had, and how far behind the champion's curve it was
    then, in the units of the curve."""

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
        params, was = (_values(experiment.notes.get(key)) for key in ("params", "was"))
        parent = experiment.notes.get("parent")
        if not params or was is None or not isinstance(parent, int) or not was.keys() <= params.keys():
            return None
        return cls(params, was, parent)


def read(
    experiments: Sequence[Experiment],
    champion: int,
    present: Values,
    contract: Contract,
    others: Mapping[int, Values] = NO_OTHERS,
) -> list[Trial]:
    """The experiments whose constants are known, in order.

    Known are those with notes, their parents, the champion, whoever proposed it, and those of others that changed
    constants alone and were measured: what others broke says nothing of a constant. A metric is told as it would be
    with today's structure: what a kept change of the structure gained is taken off the numbers from before it, else
    whatever came later would look like good values of the constants.

    Args:
        champion: Number of the champion.
        present: Its constants.
        others: constants that experiments of others (`of_others`) changed, by number.
    """
    notes = {experiment.id: found for experiment in experiments if (found := Notes.of(experiment)) is not None}
    known: dict[int, Values] = {champion: present}
    for note in notes.values():
        known.setdefault(note.parent, {**note.params, **note.was})
    trials = []
    measured, levels = _measured(experiments, contract), _levels(experiments)
    today = levels.get(champion, 0.0)
    for experiment in experiments:
        own, base = notes.get(experiment.id), None
        if experiment.clashed:
            continue  # nobody has tried it, and it may come back
        if own is not None:
            # One that was rebased onto a newer champion has that champion's other constants.
            base = known.get(own.parent if experiment.parent is None else experiment.parent)
            change = {name: own.params[name] for name in own.was}
            known.setdefault(experiment.id, own.params if base is None else {**base, **change})
        before: Values = {}
        if own is not None and is_a_step(own):
            # Where a champion has moved the same constant since, it was tried from that one's value.
            before = own.was if base is None else {name: base.get(name, was) for name, was in own.was.items()}
        if own is None and experiment.id in others:
            theirs = others[experiment.id]
            parent = known.get(-1 if experiment.parent is None else experiment.parent, {})
            known.setdefault(experiment.id, {**parent, **theirs})
            before = {name: parent[name] for name, value in theirs.items() if parent.get(name, value) != value}
        if experiment.id not in known:
            continue
        metric, effect = measured[experiment.id]
        if metric is not None and (ahead := today - levels.get(experiment.id, 0.0)):
            metric += -ahead if contract.goal == "min" else ahead
        trials.append(
            Trial(
                id=experiment.id,
                values=known[experiment.id],
                before=before,
                state=_state(experiment, metric),
                metric=metric,
                effect=effect,
                kept=experiment.verdict == Outcome.KEPT,
                parent=experiment.parent,
                behind=_behind(experiment),
            )
        )
    return trials


def of_others(experiments: Sequence[Experiment]) -> list[Experiment]:
    """Experiments of others whose numbers say something of constants: they changed nothing else, and have one."""
    return [
        x
        for x in experiments
        if x.change == CONSTANTS and x.effect is not None and x.stopped_at is None and Notes.of(x) is None
    ]


def _levels(experiments: Sequence[Experiment]) -> dict[int, float]:
    """What kept changes of the structure have gained up to each experiment, its own included."""
    levels: dict[int, float] = {}
    for x in experiments:
        level = levels.get(-1 if x.parent is None else x.parent, 0.0)
        if x.verdict == Outcome.KEPT and x.change != CONSTANTS and Notes.of(x) is None:
            level += x.effect or 0.0
        levels[x.id] = level
    return levels


def _behind(experiment: Experiment) -> tuple[int, float] | None:
    stopped = experiment.stopped_at
    return None if stopped is None else (round(100 * stopped.share), abs(stopped.value - stopped.beside))


def is_a_step(own: Notes) -> bool:
    """Whether a change is large enough that its effect says which way helps, and is not luck alone."""
    return any(not next_to_nothing(own.params[name], was) for name, was in own.was.items())


def next_to_nothing(new: Value, was: Value) -> bool:
    """Whether a change of one constant is so small that its effect is luck alone."""
    if isinstance(new, float) and isinstance(was, float):
        return abs(new - was) <= LEAST_STEP * abs(was)
    return new == was


def _measured(experiments: Sequence[Experiment], contract: Contract) -> dict[int, tuple[float | None, float | None]]:
    """The metric of each experiment, and how much better that is than its parent's.

    Numbers of two kinds of slot do not compare. So each is compared with its parent where both ran, and what never ran
    on the first kind of all is told as its parent is there, with the same difference.
    """
    protocol_id = contract.protocol_id
    ran = {
        x.id: [run.device for run in x.counted() if run.metric is not None and run.protocol_id == protocol_id]
        for x in experiments
    }
    means = {
        x.id: {kind: fmean(x.measured(protocol_id, kind)) for kind in dict.fromkeys(ran[x.id])} for x in experiments
    }
    first = next((kinds[0] for kinds in ran.values() if kinds), "")
    found: dict[int, tuple[float | None, float | None]] = {}
    for x in experiments:
        own, theirs = means[x.id], means.get(-1 if x.parent is None else x.parent, {})
        here = first if first in own else (ran[x.id] or [""])[-1]
        metric = own.get(here)
        effect = None
        if metric is not None and here in theirs:
            effect = contract.better_by(metric, theirs[here])
            told = found.get(-1 if x.parent is None else x.parent, (theirs.get(first), None))[0]
            metric = metric if here == first or told is None else told + metric - theirs[here]
        found[x.id] = metric, effect
    return found


def starts(experiments: Sequence[Experiment], present: Values) -> dict[str, Value]:
    """The first known value of each present constant: its range is laid around that."""
    first: dict[str, Value] = {}
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
    if experiment.stopped_at is not None:
        return "failed"
    return "failed" if experiment.verdict.is_failure or experiment.verdict == Outcome.REJECTED else "void"


def _values(value: object) -> dict[str, Value] | None:
    """`value` as a dictionary of values by name; None where it is something else."""
    if not isinstance(value, dict):
        return None
    fine = all(isinstance(k, str) and isinstance(v, bool | int | float | str) for k, v in value.items())
    return cast(dict[str, Value], value) if fine else None
