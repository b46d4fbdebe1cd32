"""The end of a run and of a verification as a fact of the record. What a number is worth, the judge says."""

import math

from loop.policy import run_checks
from loop.runs import verification
from loop.runs.spec import RunResult
from loop.study import events as e
from loop.study.experiment import Experiment, Run
from loop.study.state import Study

LONGEST_TAIL = 4000
"""Characters of a failed run's last output that its event carries; the log has the rest."""

AGAIN = "; it is run again"
"""What is said behind the reason of a lost run."""


def finished(
    study: Study,
    experiment: Experiment,
    result: RunResult,
    gpu_others: int | None,
    stepping: float,
    touched: tuple[str, ...],
    lost_by: str,
) -> e.RunFinished:
    """The end of a run; without the metric that it owes it is a crash, whatever its exit code says.

    Args:
        gpu_others: bytes that others held on its GPUs, at most; None where nobody can tell.
        stepping: seconds from its first step to its last.
        touched: files of its worktree that it changed and no proposal may change.
        lost_by: why it does not count, in a sentence; "" where it does.
    """
    contract = study.contract
    outcome: e.Outcome = result.outcome
    reason = result.reason
    failed: run_checks.Failed | None = None
    if lost_by:
        outcome, reason = "lost", f"{lost_by}{AGAIN}"
    elif outcome == "finished" and contract.verify is None:
        value = result.metrics.get(contract.metric)
        if value is None:
            others = ", ".join(sorted(result.metrics)) or "no numbers at all"
            outcome, reason = "crashed", f"its output has no {contract.metric} (it has {others:.200})"
        elif not math.isfinite(value):
            outcome, reason = "crashed", f"{contract.metric} is {value}"
    if outcome == "finished" and _challenges(experiment):
        course = run_checks.Course(result.seconds, result.metrics.get(run_checks.CLAIM), stepping, touched)
        failed = run_checks.inspect(course, [_course(run) for run in study.usual()], contract.budget)
    return e.RunFinished(
        outcome=outcome,
        reason=reason if failed is None else failed.reason,
        exit_code=result.exit_code,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory=result.peak_memory,
        peak_gpu_memory=result.peak_gpu_memory,
        gpu_others=gpu_others,
        leftovers=result.leftovers,
        metrics=result.metrics,
        tail="" if outcome == "finished" else result.tail[-LONGEST_TAIL:],
        stepping=stepping,
        touched=touched,
        check=None if failed is None else failed.check,
    )


def verified(study: Study, experiment: Experiment, result: RunResult) -> e.Verified:
    """What a verification has found; a number that was too long in coming is none."""
    found = verification.read(result, study.contract.metric)
    if found.check is None and _challenges(experiment):
        usual = [run.verify_seconds for run in study.usual()]
        if failed := run_checks.too_long_to_verify(result.seconds, usual, study.contract.budget):
            found = verification.Verification(None, failed.check, failed.reason)
    return e.Verified(metric=found.metric, check=found.check, reason=found.reason, seconds=result.seconds)


def told_before(experiment: Experiment, reason: str) -> int:
    """How many of an experiment's present runs were lost for that reason."""
    runs = (run for run in experiment.runs.values() if run.number > experiment.since_run and run.outcome == "lost")
    return sum(run.reason == f"{reason}{AGAIN}" for run in runs)


def _challenges(experiment: Experiment) -> bool:
    """Whether it is still to be judged against others: what the baseline and a champion do is what is usual."""
    return experiment.verdict is None and experiment.id != 0


def _course(run: Run) -> run_checks.Course:
    return run_checks.Course(run.seconds, run.metrics.get(run_checks.CLAIM), run.stepping, run.touched)
