"""Experiments that take turns under the same fresh seeds, as in a validation and on a rung of the ladder. Pure."""

from collections.abc import Collection, Sequence

from loop.study.experiment import Experiment


def begun_runs(experiment: Experiment, seq: int, claimed: Collection[tuple[int, int]]) -> int:
    """Runs of one side that have ended, go on, or are in a slot's hand.

    Args:
        seq: where the comparison began in the journal.
        claimed: what slots have in hand, see `scheduler.Claims`.
    """
    in_hand = sum(of == experiment.id and run not in experiment.runs for of, run in claimed)
    return len(experiment.validating(seq)) + in_hand


def next_seed(experiment: Experiment, seq: int, seeds: Sequence[int], starting: Collection[int]) -> int:
    """The first of the seeds under which the experiment has not run; a lost run is repeated with its own.

    Args:
        seq: where the comparison began in the journal.
        starting: seeds of its runs that are being started and are not on record yet.

    Raises:
        ValueError: there is none.
    """
    taken = {*starting, *(run.seed for run in experiment.validating(seq))}
    for seed in seeds:
        if seed not in taken:
            return seed
    raise ValueError(f"experiment {experiment.id} has all of its runs")
