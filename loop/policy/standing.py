"""Where an experiment stands after its runs so far: what they decide by themselves, else what the judge says. Pure."""

from typing import Literal

from loop.policy.judge import Decision, judge
from loop.policy.noise import Noise, present_noise
from loop.study import queries
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome, of_check
from loop.study.state import Study

Standing = Outcome | Literal["measured", "unfinished"]
"""A verdict that needs no comparison; "measured" where every counted run gave a number, so that the judge may compare;
"unfinished" while a run is under way or unverified, or none has counted yet."""


def standing(study: Study, experiment: Experiment) -> tuple[Standing, str]:
    """Where an experiment stands before any comparison, and the reason of a verdict."""
    protocol_id = study.contract.protocol_id
    runs = [run for run in experiment.counted() if run.protocol_id == protocol_id]
    if experiment.running() or not runs:
        return "unfinished", ""
    for run in runs:
        if run.outcome is not None and (verdict := run.outcome.decides) is not None:
            return verdict, run.reason
        if study.awaits_verification(run):
            return "unfinished", ""
        if run.check is not None:
            return of_check(run.check), run.reason
        if run.metric is None:
            return Outcome.CRASHED, run.reason or f"the run's output has no {study.contract.metric}"
    return "measured", ""


def noise(study: Study) -> Noise | None:
    """The noise of one run by which the judge goes now; None while nothing was repeated."""
    return present_noise(queries.repetitions(study))


def decision(study: Study, experiment: Experiment) -> Decision:
    """What the judge says about an experiment that stands "measured", from its runs and the champion's so far."""
    contract, champion = study.contract, study.best
    assert champion is not None
    tried = [run for run in champion.counted() if run.protocol_id == contract.protocol_id]
    return judge(
        contract.keep,
        contract.goal,
        champion=champion.measured(contract.protocol_id),
        candidate=experiment.measured(contract.protocol_id),
        noise=noise(study),
        lines_net=experiment.lines_added - experiment.lines_removed,
        largest=queries.largest_gain(study),
        # A champion that fails now and then is not run for ever: the numbers that it has must do.
        settled=len(tried) >= max(contract.keep.max_runs, contract.keep.baseline_runs),
    )


def awaits_champion(study: Study, experiment: Experiment) -> bool:
    """Whether an open experiment cannot be judged before the champion has run once more."""
    return (
        experiment.parent == study.champion
        and standing(study, experiment)[0] == "measured"
        and decision(study, experiment).action == "remeasure"
    )
