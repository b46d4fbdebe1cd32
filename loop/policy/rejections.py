"""When one check rejects experiment after experiment, that is the study's trouble and no longer theirs. Pure."""

from loop.policy.run_checks import BUDGET, REQUIRE
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome
from loop.study.state import Study

MANY = 3
"""Experiments in a row that one check has rejected, at which a person is told."""

_MENDS = {
    BUDGET: (
        "if they are honest, runs take longer here than the baseline's did: end what else runs on this machine, or "
        "change `budget:` in program.md, with which the baseline is measured anew"
    ),
    REQUIRE: "if they are honest, change the condition under `require:` in program.md",
    "protected": "if a program has to write into that file, take the file out of git",
}
_OTHERS = "if they are honest, the verification is what has to change"


def in_a_row(study: Study) -> str:
    """What to tell a person about the newest verdict, where it makes `MANY` rejections in a row by one check; else
    empty, for further ones too: a person knows by then."""
    check, count = "", 0
    for number in reversed(study.closed):
        found = _check(study.experiments[number])
        if not found or (check and found != check):
            break
        check, count = found, count + 1
    if count != MANY:
        return ""
    newest = next(reversed(study.closed))
    return (
        f"the last {MANY} experiments were rejected by one check, {check} (see `looptop show {newest}`); "
        f"{_MENDS.get(check, _OTHERS)}"
    )


def _check(experiment: Experiment) -> str:
    """The check that has rejected it; empty where none has."""
    runs = experiment.counted()
    return (runs[-1].check or "") if experiment.verdict == Outcome.REJECTED and runs else ""
