"""Validation: when the total gain is measured anew, which run is next, and what the runs say. Pure.

Champion and baseline run under the same fresh seeds, pair by pair, so that a machine which drifts does so for both. The
gain is the mean of the pairs' differences and its interval Student's, by their own scatter: nothing that the study has
learnt before goes in, for that is what chose the champion. In simulated studies the sum of the kept effects overstates
the total by 1.5 noises, the difference of the means by 0.7; five pairs are off by 0.5, to either side.
"""

import math
import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count, islice

from loop.policy import side_by_side
from loop.policy.comparison import by_words, figure
from loop.policy.noise import student_quantile
from loop.policy.permissions import Allowed, Answer, Refused
from loop.study.contract import VALIDATION
from loop.study.experiment import Experiment, Run
from loop.study.figures import Figures
from loop.study.state import Study
from loop.study.validation import Validation, ValidationBegan, ValidationEnded

FRESH_SEED = 100_001
"""The first seed of a validation; those of experiments begin at 1337 and never come near it."""

MOST_SHARE = 0.25
"""Share of a study's runs that a validation at its end may cost: a study of a dozen runs has little to be sure of."""

LEVEL = 0.95


def runs_at_end(study: Study) -> int:
    """Runs of each side of the validation at the study's end; 0 where there is to be none."""
    given = study.contract.validation
    return given if given is not None else VALIDATION if study.rules >= 1 else 0


def is_owed(study: Study) -> bool:
    """Whether the study is to be validated before it ends: it has gained something, and nobody has looked yet.

    A validation that was begun for this champion, whatever became of it, is not begun again; and a loop that was
    started for one thing does that alone.
    """
    runs = runs_at_end(study)
    if not runs or not study.champion or study.validation is not None or study.does_one_thing or _is_broken(study):
        return False
    if any(one.began.champion == study.champion for one in study.validations):
        return False
    return study.contract.validation is not None or 2 * runs <= MOST_SHARE * study.runs


def _is_broken(study: Study) -> bool:
    """Whether the limit that ends the study leaves no room, or says that runs do not work."""
    return study.limit is not None and study.limit.limit in ("failures", "disk")


def may_begin(study: Study, experiment: object = None) -> Answer:
    """Whether a person may have the study validated now, or end the validation that goes on."""
    if (now := study.validation) is not None:
        done, of = progress(study, now)
        return Refused(f"a validation is under way ({done} of {of} runs); `looptop validate --end` ends it")
    if study.best is None:
        return Refused("there is no champion yet to be validated")
    if not study.champion:
        return Refused("the champion is the baseline itself: nothing was kept, so there is no gain to be validated")
    return Allowed()


def begun(study: Study, runs: int, request: int | None = None, only: bool = False) -> ValidationBegan:
    """The validation of today's champion, about to begin."""
    best, baseline = study.best, study.baseline
    assert best is not None and baseline is not None and best.commit and baseline.commit
    taken = {run.seed for x in (best, baseline) for run in x.runs.values()}
    seeds = tuple(islice((seed for seed in count(FRESH_SEED) if seed not in taken), runs))
    return ValidationBegan(
        champion=best.id,
        seeds=seeds,
        protocol_id=study.contract.protocol_id,
        commits=(best.commit, baseline.commit),
        device=study.kinds[0],
        request=request,
        only=only,
    )


def next_run(study: Study, claimed: Mapping[tuple[int, int], int], kind: str) -> Experiment | None:
    """Whose run of the validation is next on a slot of that kind; None where none is to be started.

    Champion and baseline take turns, and who goes first changes with each pair. It comes before anything that is not
    under way yet, so that all of it is measured on one machine in one stretch of time.

    Args:
        claimed: what slots have in hand, see `scheduler.Claims`.
    """
    now = study.validation
    if now is None or over(study, now) or (now.began.device and kind != now.began.device):
        return None
    done = [side_by_side.begun_runs(study.experiments[number], now.seq, claimed) for number in now.sides]
    if min(done) >= len(now.began.seeds):
        return None
    side = done[0] % 2 if done[0] == done[1] else done.index(min(done))
    return study.experiments[now.sides[side]]


def next_seed(study: Study, experiment: Experiment, starting: Collection[int]) -> int:
    """The first of the validation's seeds under which the experiment has not run; a lost run is repeated with its own.

    Args:
        starting: seeds of its runs that are being started and are not on record yet.

    Raises:
        ValueError: there is none.
    """
    now = study.validation
    if now is None:
        raise ValueError("no validation is under way")
    return side_by_side.next_seed(experiment, now.seq, now.began.seeds, starting)


def over(study: Study, now: Validation) -> str:
    """Why a validation cannot go on, in a few words; empty where it can."""
    if now.began.protocol_id != study.contract.protocol_id:
        return "program.md has changed what a run's number means"
    sides = [study.experiments.get(number) for number in now.sides]
    if now.began.commits != tuple(None if side is None else side.commit for side in sides):
        return f"experiment {now.began.champion} is another commit by now"
    if now.began.device and study.kinds[0] and now.began.device not in study.kinds:
        return f"no slot is {now.began.device} any more"
    return ""


def is_complete(study: Study, now: Validation) -> bool:
    """Whether all of its runs have ended, and their numbers are verified."""
    return all(len(_ended(study, now, number)) == len(now.began.seeds) for number in now.sides)


def progress(study: Study, now: Validation) -> tuple[int, int]:
    """Runs that have ended, and runs that there will be."""
    return sum(len(_ended(study, now, number)) for number in now.sides), 2 * len(now.began.seeds)


def _ended(study: Study, now: Validation, number: int) -> list[Run]:
    experiment = study.experiments.get(number)
    runs = [] if experiment is None else experiment.validating(now.seq)
    return [run for run in runs if run.outcome is not None and not study.awaits_verification(run)]


@dataclass(frozen=True)
class Gain:
    """A total gain, in the metric's units; positive is better, whatever the goal."""

    mean: float
    low: float
    high: float


def gain(differences: Collection[float]) -> Gain | None:
    """What pairs of fresh runs say, with its 95% interval; None of fewer than two.

    Args:
        differences: how much better the champion was, a seed each.
    """
    if len(differences) < 2:
        return None
    mean = statistics.fmean(differences)
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    reach = student_quantile(len(differences) - 1, (1 + LEVEL) / 2) * error
    return Gain(mean, mean - reach, mean + reach)


def result(study: Study, now: Validation, reason: str = "") -> ValidationEnded:
    """What the runs so far amount to.

    Args:
        reason: why it ends before all of them have run.
    """
    sides = [
        {run.seed: run.metric for run in _ended(study, now, number) if run.metric is not None} for number in now.sides
    ]
    seeds = [seed for seed in now.began.seeds if all(seed in side for side in sides)]
    pairs = [(sides[0][seed], sides[1][seed]) for seed in seeds]
    found = gain([study.contract.better_by(ours, theirs) for ours, theirs in pairs])
    failed = [number for number in now.sides if len(_ended(study, now, number)) > len(sides[now.sides.index(number)])]
    if failed and not reason:
        reason = f"not every run of experiment {failed[0]} gave a number"
    return ValidationEnded(
        champion=now.began.champion,
        baseline=now.began.baseline,
        pairs=len(pairs),
        gain=None if found is None else found.mean,
        low=None if found is None else found.low,
        high=None if found is None else found.high,
        champion_metric=statistics.fmean(one for one, _ in pairs) if pairs else None,
        baseline_metric=statistics.fmean(other for _, other in pairs) if pairs else None,
        claimed=Figures(study).gain(study.experiments.get(now.began.champion)),
        reason=reason,
    )


def told(metric: str, ended: ValidationEnded) -> str:
    """A validation's result, in a sentence without its full stop."""
    if ended.gain is None or ended.low is None or ended.high is None:
        few = f"only {ended.pairs} of its pairs" if ended.pairs else "none of its pairs"
        return f"the validation of experiment {ended.champion} gave no result: {ended.reason or few + ' gave numbers'}"
    pairs = f"{ended.pairs} fresh seeds"
    span = f"95% interval {figure(ended.low, 3)} to {figure(ended.high, 3)}"
    if ended.low == ended.high:
        span = "the same under each of them"
    text = (
        f"under {pairs} experiment {ended.champion} has {metric} {ended.champion_metric:.6g} and the baseline "
        f"{ended.baseline_metric:.6g}: {by_words(ended.gain)} ({span})"
    )
    if ended.claimed is not None:
        text += f"; the runs that made it champion said {by_words(ended.claimed)}"
    if ended.low <= 0 < ended.high:
        text += "; that may be no gain at all"
    return text + (f"; {ended.reason}" if ended.reason else "")


def reserved(study: Study) -> float:
    """Seconds of a limit on hours that are kept for the validation at the end, and for the run that goes on before
    it; 0 where there is to be none."""
    if not is_owed(study) or study.best is None:
        return 0.0
    runs = [run.seconds + run.verify_seconds for run in study.best.counted()]
    slots = len(study.supervisor.slots) if study.supervisor is not None else 1
    return (-(-2 * runs_at_end(study) // max(1, slots)) + 1) * max(runs, default=0.0)
