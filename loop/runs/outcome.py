"""The end of a run and of a verification as a fact of the record. Pure. What a number is worth, the judge says.

A verification is any command. It passes by printing the metric as a run would and exiting with 0; it rejects by a line
`rejected: CHECK: SENTENCE` and exit code 3. Anything else means that it could not be done.
"""

import math
import re

from loop.policy import run_checks
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study import queries
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study

LONGEST_TAIL = 4000
"""Characters of a failed run's last output that its event carries; the log has the rest."""

AGAIN = "; it is run again"
"""What is said behind the reason of a lost run."""

REJECTED = 3
"""Exit code of a verification that has found a reason to reject."""

_REJECTION = re.compile(r"^rejected: *([\w-]+): *(.+)$", re.MULTILINE)


def finished(study: Study, experiment: Experiment, result: RunResult, stepping: float, lost_by: str) -> e.RunFinished:
    """The end of a run; without the metric that it owes it is a crash, whatever its exit code says.

    Args:
        stepping: seconds from its first step to its last.
        lost_by: why it does not count, in a sentence; "" where it does.
    """
    contract = study.contract
    outcome = result.outcome
    reason = result.reason
    failed: run_checks.Failed | None = None
    if lost_by:
        outcome, reason = Outcome.LOST, f"{lost_by}{AGAIN}"
    elif outcome == Outcome.FINISHED and contract.verify is None:
        value = result.metrics.get(contract.metric)
        if value is None:
            others = ", ".join(sorted(result.metrics)) or "no numbers at all"
            outcome, reason = Outcome.CRASHED, f"its output has no {contract.metric} (it has {others:.200})"
        elif not math.isfinite(value):
            outcome, reason = Outcome.CRASHED, f"{contract.metric} is {value}"
    if outcome == Outcome.FINISHED and _challenges(experiment):
        course = run_checks.Course(result.seconds, result.metrics.get(run_checks.CLAIM), stepping, result.touched)
        failed = run_checks.inspect(course, [_course(run) for run in queries.usual_runs(study)], contract.budget)
    return e.RunFinished(
        outcome=outcome,
        reason=reason if failed is None else failed.reason,
        exit_code=result.exit_code,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory=result.peak_memory,
        peak_gpu_memory=result.peak_gpu_memory,
        gpu_others=result.gpu_others,
        leftovers=result.leftovers,
        metrics=result.metrics,
        tail="" if outcome == Outcome.FINISHED else result.tail[-LONGEST_TAIL:],
        stepping=stepping,
        touched=result.touched,
        check=None if failed is None else failed.check,
    )


def verified(study: Study, experiment: Experiment, result: RunResult) -> e.Verified:
    """What a verification has found: the metric, or the check that failed. A number that came too late is none.

    The check is "verification" where it could not be done, "memory" where memory ran out, and "killed" where a person
    ended it.
    """
    metric, check, reason = _measured(result, study.contract.metric)
    if check is None and _challenges(experiment):
        usual = [run.verify_seconds for run in queries.usual_runs(study)]
        if failed := run_checks.too_long_to_verify(result.seconds, usual, study.contract.budget):
            metric, check, reason = None, failed.check, failed.reason
    return e.Verified(metric=metric, check=check, reason=reason, seconds=result.seconds)


def _measured(result: RunResult, metric: str) -> tuple[float | None, str | None, str]:
    """The metric that a verification has measured, or None with the check that failed and why."""
    if result.exit_code == REJECTED and (found := _REJECTION.search(result.tail)):
        return None, found[1], found[2].strip()
    undone = Outcome.CRASHED.check
    if result.outcome != Outcome.FINISHED:
        reason = result.reason
        if result.outcome == Outcome.OUT_OF_MEMORY:
            reason = f"the run came to its end, and its verification {reason}"
        elif result.outcome != Outcome.KILLED:
            reason = f"the verification failed: {reason}"
        return None, result.outcome.check or undone, reason
    value = result.metrics.get(metric)
    if value is None or not math.isfinite(value):
        said = "printed no" if value is None else f"printed {value} as"
        return None, undone, f"the verification {said} {metric}"
    return value, None, ""


def _challenges(experiment: Experiment) -> bool:
    """Whether it is still to be judged against others: what the baseline and a champion do is what is usual."""
    return experiment.verdict is None and experiment.id != 0


def _course(run: Run) -> run_checks.Course:
    return run_checks.Course(run.seconds, run.metrics.get(run_checks.CLAIM), run.stepping, run.touched)
