"""Whether a program takes the budget and the seed that it is given, and what its numbers mean where it does not. Pure.

Most programs were not written for a loop: their length is a number of epochs, their seed stands in the file. Such a
study works, but what the judge relies on is missing, and that is said from the baseline on, with the mend.
"""

import re
import statistics
from collections.abc import Collection

from loop.policy import elsewhere, run_checks
from loop.policy.doubts import SENTINELS
from loop.policy.noise import QUIET, Floor
from loop.study import queries
from loop.study.contract import Contract
from loop.study.experiment import Run
from loop.study.state import Study

SEED, BUDGET, CHANCE = "LOOPTOP_SEED", "LOOPTOP_BUDGET_S", "chance"
"""What a study's files may name, as `StudyStarted.names` has it: our two variables, and anything that draws numbers."""

# fmt: off
DRAWS = frozenset({
    "rand", "srand", "random", "Random", "RANDOM", "randn", "randint", "randperm", "randrange", "default_rng", "rng",
    "shuffle", "shuf", "sample", "seed", "SEED", "set_seed", "manual_seed", "random_seed", "random_state",
    "torch", "jax", "tensorflow", "keras", "sklearn", "xgboost", "lightgbm", "catboost", "mlx", "transformers",
})
# fmt: on
"""Words that name a source of chance, in the languages that people train and measure in."""

WORDS = frozenset({SEED, BUDGET}) | DRAWS
"""What the files of a project are searched for."""

UNKNOWN = 0.01
"""Share of the champion's metric up to which a difference proves nothing while too few experiments tell more."""

ENOUGH, QUARTER, WIDE = 8, 0.3186, 3.0
"""Experiments with another number than their champion's from which the scatter is told; the share of a normal
distribution's standard deviation that a quarter of it stays below; and how many of those a difference must exceed. The
quarter that moved least is taken for edits without effect: a third of all edits are."""


_READ = r"(?:[\"'.]|\$[({{]*){}\b"
"""How a program reads a variable, in any language; a comment that only mentions it does not count."""


def named(text: str) -> tuple[str, ...]:
    """What the files of a project name, from the lines in which one of `WORDS` stands."""
    found = {name for name in (SEED, BUDGET) if re.search(_READ.format(name), text)}
    return tuple(sorted(found | ({CHANCE} if DRAWS.intersection(re.findall(r"\w+", text)) else set())))


def given(variable: str, contract: Contract, names: Collection[str]) -> bool:
    """Whether a program is given its `SEED` or its `BUDGET`: its files read it, or a place in `run:` stands for it; a
    budget also where looptop ends the run.

    Args:
        names: as from `named`.
    """
    place = "{seed}" if variable == SEED else "{budget}"
    return variable in names or place in contract.run or (variable == BUDGET and contract.ends == "at-budget")


def takes_budget(study: Study) -> bool:
    """Whether the budget decides how long a run takes: the program is given it, or looptop ends the run, or the program
    has a clock of its own and says that it trained for that long. Where nobody has looked into its files, it does."""
    contract = study.contract
    if study.names is None or given(BUDGET, contract, study.names):
        return True
    claims = [run.metrics.get(run_checks.CLAIM, 0.0) for run in queries.usual_runs(study)]
    return bool(claims) and all(0.8 <= claim / contract.budget <= 1.25 for claim in claims)


def takes_seed(study: Study) -> bool:
    """Whether the program is given the seed of its run. Where nobody has looked into its files, it is."""
    return study.names is None or given(SEED, study.contract, study.names)


def floor(study: Study) -> Floor | None:
    """What a difference has to exceed where the program draws numbers from a seed of its own; None where it takes ours,
    or draws none. It matters where repeated runs agree: nobody can tell then how much of a difference is luck."""
    if takes_seed(study) or CHANCE not in (study.names or ()) or study.contract.keep.deterministic:
        return None
    closed = (study.experiments[number] for number in study.closed if number)
    moved = sorted(abs(x.effect) for x in closed if x.effect and study.measured(x))
    if len(moved) >= ENOUGH:
        sd = statistics.quantiles(moved, n=4)[0] / QUARTER
        return Floor(WIDE * sd, sd, len(moved))
    best = study.measured(study.best) if study.best is not None else []
    return Floor(UNKNOWN * abs(statistics.fmean(best)) if best else 0.0)


def notices(study: Study) -> list[str]:
    """What stands over a study's numbers, a sentence each with its mend; none before the baseline has its verdict."""
    runs = queries.usual_runs(study)
    if study.champion is None or not runs:
        return []
    found = (_of_seed(study, runs), _of_budget(study, runs), _of_sentinel(study, runs), *elsewhere.setbacks(study))
    return [said for said in found if said]


def _of_seed(study: Study, runs: list[Run]) -> str:
    values = [run.metric for run in runs if run.metric is not None]
    spread = max(values, default=0.0) - min(values, default=0.0)
    least = floor(study)
    if len(values) < 2 or spread > (QUIET * abs(values[0]) if least is not None else 0.0):
        return ""
    agree = f"{len(values)} runs of {study.contract.metric} agree to the last digit"
    if study.contract.keep.deterministic:
        return ""
    if takes_seed(study):
        return f"{agree}, whatever the seed: any difference counts"
    if least is not None:
        return (
            f"{agree}, for the program draws numbers and takes no seed of ours, so its noise cannot be known: gains of "
            f"up to {least.bound:.2g} prove nothing; pass the seed on as `{{seed}}` in `run:` or read LOOPTOP_SEED, or "
            "say `keep: {deterministic: true}` where no edit can shuffle the dice"
        )
    return f"{agree}, and nothing in the program's files draws numbers: any difference counts"


def _of_budget(study: Study, runs: list[Run]) -> str:
    if takes_budget(study):
        return ""
    contract = study.contract
    took = statistics.median(run.seconds for run in runs)
    return (
        f"the program does not take its budget: its runs last {took:.3g} s where `budget:` is {contract.budget:g} s, "
        f"so time is not compared, and only the deadline of {contract.deadline:g} s ends a run; pass it on as "
        "`{budget}` in `run:` or read LOOPTOP_BUDGET_S"
    )


def _of_sentinel(study: Study, runs: list[Run]) -> str:
    values = {run.metric for run in runs}
    if len(values) == 1 and (only := next(iter(values))) in SENTINELS:
        return f"each run's {study.contract.metric} is exactly {only:g}: programs print that where they have no number"
    return ""
