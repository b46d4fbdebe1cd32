"""Where an experiment stands after its runs so far: what they decide by themselves, else what the judge says. Pure."""

from itertools import takewhile
from typing import Literal

from loop.policy import error_account, honesty, pairs
from loop.policy.judge import Decision, judge
from loop.policy.noise import Noise, present_noise
from loop.study import queries
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome, of_check
from loop.study.state import Study

Standing = Outcome | Literal["measured", "unfinished"]
"""A verdict that needs no comparison; "measured" where every counted run gave a number, so that the judge may compare;
"unfinished" while a run is under way or unverified, or none has counted yet."""


def standing(study: Study, experiment: Experiment, kind: str | None = None) -> tuple[Standing, str]:
    """Where an experiment stands before any comparison, and the reason of a verdict.

    Args:
        kind: of the slots whose runs count; None: as `Study.kind_of` says.
    """
    kind = study.kind_of(experiment) if kind is None else kind
    runs = study.tried(experiment, kind)
    for run in runs:  # one that decides does so at once, whatever goes on beside it
        if run.outcome is not None and (verdict := run.outcome.decides) is not None:
            return verdict, run.reason if run.outcome == verdict else f"{run.outcome.word}: {run.reason}"
    under_way = any(study.is_of(run, kind) for run in experiment.running() if not run.row)
    if under_way or not runs or any(map(study.awaits_verification, runs)):
        return "unfinished", ""
    for run in runs:
        if run.check is not None:
            return of_check(run.check), run.reason
        if run.metric is None:
            return Outcome.NO_METRIC, run.reason or f"the run's output has no {study.contract.metric}"
    return "measured", ""


def noise(study: Study, kind: str | None = None) -> Noise | None:
    """The noise of one run by which the judge goes now; None while nothing was repeated.

    Args:
        kind: of the slots that it is of; None: that of most of them.
    """
    return present_noise(queries.repetitions(study, kind))


def stale(study: Study, experiment: Experiment) -> bool:
    """Whether the champion has changed since the experiment's runs began, so that they do not compare with today's.

    Against the champion that it was built on they still say something: where it was no better there it is discarded,
    and where it was, or may be, it moves onto today's champion and is measured again. It is never kept by them.
    """
    return experiment.parent != study.champion


def decision(study: Study, experiment: Experiment) -> Decision:
    """What the judge says about an experiment that stands "measured", from its runs and those of the champion that it
    was built on; that one is not run again where it is the champion no longer. All of them are of one kind of slot.

    Raises:
        ValueError: that one was never measured as these runs are.
    """
    contract, champion = study.contract, study.experiments[experiment.parent or 0]
    kind = study.kind_of(experiment)
    tried = study.tried(champion, kind)
    return judge(
        contract.keep,
        contract.goal,
        champion=study.measured(champion, kind),
        candidate=study.measured(experiment, kind),
        noise=noise(study, kind),
        lines_net=experiment.lines_added - experiment.lines_removed,
        largest=queries.largest_gain(study),
        # A champion that fails now and then is not run for ever: the numbers that it has must do.
        floor=honesty.floor(study),
        verified=contract.verify is not None,
        settled=stale(study, experiment) or len(tried) >= max(contract.keep.max_runs, contract.keep.baseline_runs),
        beside=_beside(study, champion, experiment, kind) if study.paired else None,
        metric=contract.metric,
        at_least=error_account.bar(study),
    )


def _beside(study: Study, champion: Experiment, experiment: Experiment, kind: str) -> pairs.Beside:
    """The champion's runs under the seeds of an experiment's; those up to the first seed that it has not run under."""
    known = queries.by_seed(study, champion, kind)
    seeds = takewhile(known.__contains__, queries.by_seed(study, experiment, kind))
    return pairs.Beside([known[seed] for seed in seeds], experiment.change, alike(study, kind))


def alike(study: Study, kind: str | None = None) -> pairs.Alike:
    """How alike runs under one seed have been found to be on a kind of slot (None: that of most), by the kind of
    change."""
    kinds: dict[str, pairs.Scatter] = {}
    for change, differences in queries.differences(study, study.kinds[0] if kind is None else kind):
        kinds[change] = kinds.get(change, pairs.Scatter()) + pairs.scatter(differences)
    return pairs.Alike(kinds)


def lacks_champion(study: Study, experiment: Experiment) -> bool:
    """Whether the champion that an experiment was built on has no number on the kind of slot that this one ran in."""
    parent = study.experiments[experiment.parent or 0]
    return not study.measured(parent, study.kind_of(experiment))


def awaits_champion(study: Study, experiment: Experiment) -> bool:
    """Whether an open experiment cannot be judged before the champion has run once more."""
    return (
        not stale(study, experiment)
        and standing(study, experiment)[0] == "measured"
        and (lacks_champion(study, experiment) or decision(study, experiment).action == "remeasure")
    )
