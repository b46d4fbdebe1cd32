"""The end of a run and of a verification as a fact of the record. Pure. What a number is worth, the judge says.

A verification is any command. It passes by printing the metric as a run would and exiting with 0; it rejects by a line
`rejected: CHECK: SENTENCE` and exit code 3. Anything else means that it could not be done.
"""

import math
import re
from collections.abc import Sequence
from statistics import median
from typing import Literal

from loop.policy import honesty, print_checks, run_checks
from loop.runs.spec import Lost, RunResult
from loop.study import events as e
from loop.study import queries
from loop.study.contract import Contract
from loop.study.experiment import Experiment, Run
from loop.study.outcomes import Outcome
from loop.study.state import Study

LONGEST_TAIL = 4000
"""Characters of a failed run's last output that its event carries; the log has the rest."""

AGAIN = "; it is run again"
"""What is said behind the reason of a lost run."""

STARVED = "others on the machine took so much of its time"
"""Why a deadline came first."""

COLD = "it took too long, among the first runs on its machine since the loop started or the machine came back"
"""What is said of a run whose machine had nothing in its caches."""

REJECTED = 3
"""Exit code of a verification that has found a reason to reject."""

CUT_SHORT = 0.15
"""Share of its time that others may have taken from a run more than from those that it is compared with."""

WELL_SEEN = 5.0
"""Seconds of budget from which the looks at a run, two a second, tell its share well enough."""

MACHINE_NOW = 4
"""Newest runs that tell what a run can have of the machine as it is now."""

_REJECTION = re.compile(r"^rejected: *([\w-]+): *(.+)$", re.MULTILINE)


def finished(
    study: Study,
    experiment: Experiment,
    result: RunResult,
    steps: tuple[float, float] | None,
    lost_by: str,
    contract: Contract | None = None,
    again: bool = True,
) -> e.RunFinished:
    """The end of a run; one that owes a metric and has none is a failure, whatever its exit code says.

    Args:
        steps: when it printed its first step and its last, by the monotonic clock; None where it printed none.
        lost_by: why it does not count, in a sentence; "" where it does.
        contract: by which it is measured; None: the study's.
        again: one that does not count is run again.
    """
    contract = contract or study.contract
    outcome = result.outcome
    reason = result.reason
    failed: run_checks.Failed | None = None
    if lost_by:
        outcome, reason = Outcome.LOST, f"{lost_by}{AGAIN if again else ''}"
    elif outcome == Outcome.FINISHED and contract.verify is None:
        value = result.metrics.get(contract.metric)
        if value is None:
            outcome, reason = Outcome.NO_METRIC, result.missing or f"its output has no {contract.metric}"
        elif not math.isfinite(value):
            outcome, reason = Outcome.NO_METRIC, f"{contract.metric} is {value}"
    elif outcome == Outcome.TIMED_OUT and contract.ends == "itself" and contract.metric in result.metrics:
        # Not of the deadline's doing alone: there are programs without an end of their own.
        number = f"{contract.metric} {result.metrics[contract.metric]:.6g}"
        reason += f"; it had printed {number} by then: `ends: at-budget` in program.md ends it at its budget instead, "
        reason += "and what it has printed counts"
    if not lost_by and result.outcome == Outcome.FINISHED and contract.verify is None:
        # A number that is not there matters less than what the run says of itself instead, such as "incorrect".
        said = result.metrics.keys() | result.texts.keys()
        required = [one for one in contract.require if outcome == Outcome.FINISHED or one.name in said]
        if failed := run_checks.unmet(required, result.metrics, result.texts):
            outcome = Outcome.FINISHED
    end = e.RunFinished(
        outcome=outcome,
        reason=reason,
        exit_code=result.exit_code,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        waited=_waited(result, steps, contract.budget),
        pressure=result.pressure,
        peak_memory=result.peak_memory,
        peak_gpu_memory=result.peak_gpu_memory,
        gpu_others=result.gpu_others,
        leftovers=result.leftovers,
        metrics=result.metrics,
        texts=result.texts,
        printed=result.printed,
        tail="" if outcome == Outcome.FINISHED else result.tail[-LONGEST_TAIL:],
        # Not longer than it went on itself: on a busy machine its last words are read late.
        stepping=0.0 if steps is None else min(steps[1] - steps[0], result.seconds),
        computing=_computing(result, steps),
        cores=result.cores,
        touched=result.touched,
        joules=result.joules,
    )
    if outcome == Outcome.FINISHED and failed is None and _challenges(experiment):
        failed = _checked(study, experiment, end)
    if failed is None:
        return end
    return end.model_copy(update={"reason": failed.reason, "check": failed.check})


def _checked(study: Study, experiment: Experiment, end: e.RunFinished) -> run_checks.Failed | None:
    """The check that a run fails which has come to its end."""
    contract, kind = study.contract, _kind(experiment)
    budget = contract.budget if honesty.takes_budget(study) else None
    usual = queries.usual_runs(study, kind)
    clock = _clock(usual)
    slower = queries.slower_of_late(study, _began(experiment), lambda run: _course(run, clock).own, kind)
    failed = run_checks.inspect(_course(end, clock), [_course(run, clock) for run in usual], budget, slower)
    if failed is None and contract.verify is None:
        failed = print_checks.inspect(contract.metric, end.printed, [run.printed for run in usual])
    return failed


def verified(study: Study, experiment: Experiment, result: RunResult, contract: Contract | None = None) -> e.Verified:
    """What a verification has found: the metric, or the check that failed. A number that came too late is none.

    The check is "verification" where it could not be done, "memory" where memory ran out, and "killed" where a person
    ended it.

    Args:
        contract: by which it is measured; None: the study's.
    """
    contract = contract or study.contract
    metric, check, reason = measured(result, contract.metric)
    if check is None and (failed := run_checks.unmet(contract.require, result.metrics, result.texts)):
        metric, check, reason = None, failed.check, f"its verification: {failed.reason}"
    if check is None and _challenges(experiment):
        kind = _kind(experiment)
        usual = [_verified_in(run) for run in queries.usual_runs(study, kind)]
        slower = queries.slower_of_late(study, _began(experiment), _verified_in, kind)
        waited = 0.0 if result.waited is None else result.waited.total
        if failed := run_checks.too_long_to_verify(result.seconds, waited, usual, study.contract.budget, slower):
            metric, check, reason = None, failed.check, failed.reason
    return e.Verified(
        metric=metric,
        check=check,
        reason=reason,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        waited=None if result.waited is None else result.waited.total,
        joules=result.joules,
        metrics=result.metrics,
        texts=result.texts,
    )


def excused(
    study: Study, experiment: Experiment, run: Run, result: RunResult, steps: tuple[float, float] | None
) -> Lost | None:
    """Why a run is to be run again that its machine has made late, or whose number would say more of others there.

    Args:
        steps: as for `finished`.
    """
    return (
        starved(study, experiment, result)
        or (None if run.gpus else cut_short(study, experiment, result))
        or _cold(study, experiment, run, result, steps)
    )


def _cold(
    study: Study, experiment: Experiment, run: Run, result: RunResult, steps: tuple[float, float] | None
) -> Lost | None:
    """Why a run is to be run again that took too long on a machine whose caches were cold. It gains a second try."""
    if not _challenges(experiment) or not queries.is_cold(study, run):
        return None
    late = finished(study, experiment, result, steps, "").check == run_checks.BUDGET
    return Lost(COLD, believed=False) if late or result.outcome == Outcome.TIMED_OUT else None


def starved(study: Study, experiment: Experiment, result: RunResult) -> Lost | None:
    """Why a run that came to its deadline is to be run again, where others had so much of the machine that it says
    nothing of its experiment. No way is known by which a run makes itself look so, but it is believed only so often."""
    if result.outcome != Outcome.TIMED_OUT or result.waited is None:
        return None
    budget = study.contract.budget
    waited = e.Waited(total=result.waited.total, around=result.waited.outside(budget))
    course = run_checks.Course(result.seconds, None, 0.0, waited=waited)
    if not run_checks.starved(course, [_course(run) for run in queries.usual_runs(study, _kind(experiment))], budget):
        return None
    return Lost(f"{STARVED} that its deadline came first", believed=False)


def cut_short(study: Study, experiment: Experiment, result: RunResult) -> Lost | None:
    """Why a run is to be done again that has come to its end, or was stopped early, where others took so much more of
    it than of the champion's runs, and of the newest of all, that its number, or its curve, would say more of them than
    of the change. Where the budget counts processor time it had its share all the same; with a GPU most of the work is
    not the processors'."""
    if result.outcome not in (Outcome.FINISHED, Outcome.STOPPED_EARLY) or result.waited is None or not result.seconds:
        return None
    contract = study.contract
    if study.best is None or contract.budget_clock == "cpu" or not honesty.takes_budget(study):
        return None
    if contract.budget < WELL_SEEN:
        return None
    had = 1 - result.waited.total / result.seconds
    usual = [run.had for run in study.tried(study.best, _kind(experiment)) if run.waited is not None]
    now = [run.had for run in queries.newest_runs(study, MACHINE_NOW) if run.waited is not None]
    if not usual or had >= min(median(usual), median(now)) - CUT_SHORT:
        return None
    return Lost("others on the machine took much more of it than of the champion's runs", believed=False)


def starved_verification(study: Study, experiment: Experiment, result: RunResult) -> bool:
    """Whether a verification came to its deadline because others had the machine."""
    if result.outcome != Outcome.TIMED_OUT or result.waited is None:
        return False
    course = run_checks.Course(result.seconds, None, 0.0, waited=e.Waited(total=result.waited.total))
    runs = queries.usual_runs(study, _kind(experiment))
    usual = [run_checks.Course(_verified_in(run), None, 0.0) for run in runs]
    return run_checks.starved(course, usual, study.contract.budget)


def measured(result: RunResult, metric: str) -> tuple[float | None, str | None, str]:
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


def _clock(usual: Sequence[Run]) -> Literal["wall", "cpu"]:
    """What is counted of a run's time. Processor time is, where the budget counts it and the usual runs were seen to
    use it: a program that computes elsewhere, as on a GPU that is not known here, goes by the clock."""
    counts = usual and all(
        run.clock == "cpu" and run.cores and run.computing is not None and run.cpu_seconds >= run.budget / 2 * run.cores
        for run in usual
    )
    return "cpu" if counts else "wall"


def _course(run: Run | e.RunFinished, clock: Literal["wall", "cpu"] = "wall") -> run_checks.Course:
    """What is known about a run's time, by that clock. One that has hidden what it used is taken by the wall clock."""
    claimed, waited = run.metrics.get(run_checks.CLAIM), run.waited or run_checks.NOTHING
    if clock == "wall" or run.computing is None or not run.cores:
        return run_checks.Course(run.seconds, claimed, run.stepping, run.touched, waited, run.cpu_seconds)
    seconds = run.cpu_seconds / run.cores
    return run_checks.Course(seconds, claimed, run.computing, run.touched, cpu_seconds=run.cpu_seconds, clock="cpu")


def _computing(result: RunResult, steps: tuple[float, float] | None) -> float | None:
    """Processor seconds per core from a run's first step line to its last; None where that is not known."""
    if result.computed is None or not result.cores:
        return None
    return 0.0 if steps is None else result.computed.between(*steps) / result.cores


def _verified_in(run: Run) -> float:
    """Seconds that its verification took, without those that others took from it."""
    return run.verify_seconds - run.verify_waited


def _kind(experiment: Experiment) -> str | None:
    """The kind of slot of its newest run: how long others took on another kind says nothing."""
    newest = max(experiment.runs.values(), key=lambda run: run.number, default=None)
    return None if newest is None else newest.device or None


def _began(experiment: Experiment) -> float:
    """When the newest of its runs started."""
    return max((run.started_at for run in experiment.runs.values()), default=0.0)


def _waited(result: RunResult, steps: tuple[float, float] | None, budget: float) -> e.Waited | None:
    """What others took from a run, and where; None where that is not known.

    Nobody sees when it trained, but it did when it printed steps: what it says of the time beyond its budget lies
    between `budget` seconds before the last and as long as it says after the first.
    """
    curve = result.waited
    if curve is None:
        return None
    among_steps = claim = 0.0
    over = result.metrics.get(run_checks.CLAIM, 0.0) - budget
    if not 0 < over <= result.seconds:
        over = 0.0
    if steps is None:
        claim = over * curve.total / result.seconds if result.seconds else 0.0
    else:
        first, last = steps
        among_steps = curve.between(first + budget, last)
        claim = curve.most(over, last - over, first + budget + over) if over else 0.0
    return e.Waited(total=curve.total, around=curve.outside(budget), steps=among_steps, claim=claim)
