"""Ablation: when each kept change is measured in today's champion, which run is next, and what the runs say. Pure.

A kept change was worth something in the champion that it was made for. What it is worth today, beside all that came
after it, is measured by champions that lack some of the kept changes (`attribution`), as a design says (`designs`). No
row is an experiment, nothing of it is kept or discarded, and the champion stays what it is.
"""

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count, islice
from typing import Literal

from loop.policy import designs
from loop.policy.comparison import by_words, figure
from loop.policy.designs import Design, Estimate
from loop.policy.noise import Noise, student_quantile
from loop.policy.permissions import Allowed, Answer, Refused
from loop.policy.standing import noise
from loop.study import queries
from loop.study.ablation import Ablation, AblationBegan, AblationEnded, Worth
from loop.study.experiment import Experiment, Run
from loop.study.state import Study
from loop.words import listed

FRESH_SEED = 200_001
"""The first seed of an ablation: those of experiments begin at 1337, those of validations at 100001."""

ENOUGH = 3
"""Kept changes from which it is worth asking which of them carry the champion, where nobody asks for it."""

GROWN = 1.5
"""How much larger a champion has to be than the one that was looked at last, for idle slots to look at it again."""


def kept(study: Study) -> list[Experiment]:
    """The kept changes that today's champion is made of, in the order in which they were made."""
    return [study.experiments[number] for number in reversed(queries.built_on(study)) if number]


def may_begin(study: Study, experiment: object = None) -> Answer:
    """Whether a person may have the kept changes measured now."""
    if (now := study.ablation) is not None and now.began.request is not None:
        done, of = progress(study, now)
        return Refused(f"an ablation is under way ({done} of {of} runs); `looptop ablate --end` ends it")
    if study.best is None:
        return Refused("there is no champion yet whose changes could be measured")
    if not kept(study):
        return Refused("the champion is the baseline itself: nothing was kept, so there is no change to be taken out")
    return Allowed()


def may_do_without(study: Study, experiment: Experiment) -> Answer:
    """Whether a person may have today's champion proposed without a kept change."""
    if experiment.id == 0:
        return Refused("the baseline is no change that could be taken out")
    line = kept(study)
    if experiment.id in {part for x in line for part in (x.id, *x.parts)}:
        return Allowed(
            f"Today's champion without experiment {experiment.id} ({experiment.title:.60}) is proposed as an "
            "experiment of its own, and is run and judged as any other. The champion stays until then."
        )
    return Refused(f"today's champion does not build on experiment {experiment.id}, so it cannot be taken out")


def is_owed(study: Study) -> bool:
    """Whether idle slots are to begin an ablation by themselves."""
    if study.contract.ablate != "idle" or study.ablation is not None or not study.champion:
        return False
    if study.paused or study.stopping != "no" or study.limit is not None or study.short_of_room:
        return False
    of_now = len(kept(study))
    before = [one for one in study.ablations if one.began.protocol_id == study.contract.protocol_id]
    most = max((sum(map(len, one.began.factors)) for one in before), default=0)
    return of_now >= max(ENOUGH, GROWN * most)


def begun(
    study: Study,
    factors: Sequence[tuple[int, ...]],
    design: Design,
    commits: Sequence[str],
    request: int | None = None,
    only: bool = False,
) -> AblationBegan:
    """The ablation of today's champion, about to begin.

    Args:
        factors: numbers of the experiments that are switched together.
        commits: of each row.
    """
    best = study.best
    assert best is not None and best.commit
    taken = {run.seed for x in study.experiments.values() for run in x.runs.values()}
    taken |= {seed for one in study.ablations for seed in one.began.seeds}
    fresh = list(islice((seed for seed in count(FRESH_SEED) if seed not in taken), max(design.blocks) + 1))
    return AblationBegan(
        champion=best.id,
        factors=tuple(factors),
        rows=tuple("".join("+" if on else "-" for on in row) for row in design.rows),
        commits=tuple(commits),
        seeds=tuple(fresh[block] for block in design.blocks),
        champion_commit=best.commit,
        protocol_id=study.contract.protocol_id,
        device=study.kinds[0],
        request=request,
        only=only,
    )


# --- which run is next --------------------------------------------------------------------------------------------


def next_run(study: Study, claimed: Mapping[tuple[int, int], int], kind: str, idle: bool) -> Experiment | None:
    """The champion whose row is next on a slot of that kind; None where none is to be started.

    Args:
        claimed: what slots have in hand, see `scheduler.Claims`.
        idle: the slot has nothing else to do; only then are rows run that nobody has asked for.
    """
    now = study.ablation
    if now is None or over(study, now) or (now.began.device and kind != now.began.device):
        return None
    if not idle and now.began.request is None:
        return None
    of = study.experiments[now.began.champion]
    in_hand = sum(number == of.id and run not in of.runs for number, run in claimed)
    return of if len(of.validating(now.seq)) + in_hand < len(now.began.rows) else None


def next_row(study: Study, starting: Collection[tuple[str, int]]) -> int:
    """The first row that has not begun, counted from 1; a lost run is repeated as the same row.

    Args:
        starting: commit and seed of runs that are being started and are not on record yet.

    Raises:
        ValueError: there is none.
    """
    now = study.ablation
    if now is not None:
        done = {run.row for run in study.experiments[now.began.champion].validating(now.seq)}
        for row, key in enumerate(zip(now.began.commits, now.began.seeds, strict=True), 1):
            if row not in done and key not in starting:
                return row
    raise ValueError("all rows of the ablation have begun")


def commit_of(study: Study, experiment: Experiment, run: Run | None) -> str:
    """The commit that a run is of: a row's where it is one of an ablation, else the experiment's."""
    if run is not None and run.row:
        found = next((one for one in study.ablations if one.seq == run.validates), None)
        if found is not None and run.row <= len(found.began.commits):
            return found.began.commits[run.row - 1]
    return experiment.commit or ""


def over(study: Study, now: Ablation) -> str:
    """Why an ablation cannot go on, in a few words; empty where it can."""
    if now.began.protocol_id != study.contract.protocol_id:
        return "program.md has changed what a run's number means"
    of = study.experiments.get(now.began.champion)
    if of is None or of.commit != now.began.champion_commit:
        return f"experiment {now.began.champion} is another commit by now"
    if now.began.device and study.kinds[0] and now.began.device not in study.kinds:
        return f"no slot is {now.began.device} any more"
    return ""


def is_complete(study: Study, now: Ablation) -> bool:
    """Whether all of its rows have ended, and their numbers are verified."""
    return len(_ended(study, now)) == len(now.began.rows)


def progress(study: Study, now: Ablation) -> tuple[int, int]:
    """Runs that have ended, and runs that there will be."""
    return len(_ended(study, now)), len(now.began.rows)


def _ended(study: Study, now: Ablation) -> list[Run]:
    of = study.experiments.get(now.began.champion)
    runs = [] if of is None else of.validating(now.seq)
    return [run for run in runs if run.outcome is not None and not study.awaits_verification(run)]


# --- what the runs say ---------------------------------------------------------------------------------------------


def result(study: Study, now: Ablation, reason: str = "") -> AblationEnded:
    """What the runs so far amount to.

    Args:
        reason: why it ends before all of them have run.
    """
    ended, began = _ended(study, now), now.began
    known = noise(study, began.device or None)
    done = {run.row: study.contract.better_by(run.metric, 0.0) for run in ended if run.metric is not None and run.row}
    rows = [tuple(sign == "+" for sign in began.rows[row - 1]) for row in done]
    seeds = [began.seeds[row - 1] for row in done]
    found = designs.estimates(rows, seeds, list(done.values()), known)
    failed = len(ended) - len(done)
    whole, whole_from = _whole(study, now, known)
    if not reason and failed:
        reason = f"{failed} of its runs gave no number"
    if found is None:
        reason = reason or "its runs are too few to tell the changes apart"
    told = {} if found is None else {
        "worths": tuple(_worth(one, changes) for one, changes in zip(found.worths, began.factors, strict=True)),
        "sd": found.noise.sd, "dof": found.noise.dof, "noise_from": found.noise_from,
        "together": _worth(found.together),
    }  # fmt: skip
    return AblationEnded(
        champion=began.champion,
        runs=len(done),
        failed=failed,
        whole=whole,
        whole_from=whole_from if whole is not None else "",
        reason=reason,
        **told,  # type: ignore[arg-type]
    )


def _worth(one: Estimate, changes: tuple[int, ...] = ()) -> Worth:
    return Worth(changes=changes, worth=one.value, error=one.error, low=one.low, high=one.high)


def _whole(study: Study, now: Ablation, known: Noise | None) -> tuple[Worth | None, Literal["validation", "runs"]]:
    """What the champion is better by than the baseline: by its validation, else by all runs of the two."""
    champion, baseline = now.began.champion, now.began.baseline
    for one in reversed(study.validations):
        seen = one.ended
        if seen is None or seen.gain is None or seen.low is None or seen.high is None:
            continue
        if seen.champion == champion and one.began.protocol_id == now.began.protocol_id:
            reach = student_quantile(max(1, seen.pairs - 1), (1 + designs.LEVEL) / 2)
            error = (seen.high - seen.low) / 2 / reach
            return Worth(changes=(), worth=seen.gain, error=error, low=seen.low, high=seen.high), "validation"
    rows = {run.row: run.metric for run in _ended(study, now) if run.metric is not None}
    alike = {"+": [*_numbers(study, champion, now)], "-": [*_numbers(study, baseline, now)]}
    for row, metric in rows.items():
        if len(signs := set(now.began.rows[row - 1])) == 1:
            alike[signs.pop()].append(metric)
    if known is None or not all(alike.values()):
        return None, "runs"
    gain = study.contract.better_by(statistics.fmean(alike["+"]), statistics.fmean(alike["-"]))
    error = known.sd * math.sqrt(1 / len(alike["+"]) + 1 / len(alike["-"]))
    reach = student_quantile(known.dof, (1 + designs.LEVEL) / 2) * error
    return Worth(changes=(), worth=gain, error=error, low=gain - reach, high=gain + reach), "runs"


def _numbers(study: Study, number: int, now: Ablation) -> list[float]:
    found = study.experiments.get(number)
    return [] if found is None else study.measured(found, now.began.device or None)


def newest(study: Study) -> AblationEnded | None:
    """The newest ablation under the present protocol that came to numbers, of whichever champion."""
    return next(
        (
            one.ended
            for one in reversed(study.ablations)
            if one.ended is not None and one.ended.worths and one.began.protocol_id == study.contract.protocol_id
        ),
        None,
    )


def worth_of(study: Study, number: int) -> Worth | None:
    """What is known of the worth of one kept change, as the newest ablation has it; of a bundle, that of its parts
    where they are one factor."""
    if (found := newest(study)) is None:
        return None
    experiment = study.experiments.get(number)
    its = {number, *(experiment.parts if experiment is not None else ())}
    return next((one for one in found.worths if number in one.changes or set(one.changes) >= its - {number} != set()),
                None)  # fmt: skip


def barnacles(study: Study) -> list[Worth]:
    """Kept changes of today's champion that are worth nothing in it or harm it, by the newest ablation; the worst
    first. None while the champion that was measured is not today's."""
    found = newest(study)
    if found is None or found.champion != study.champion:
        return []
    return sorted((one for one in found.worths if one.worth <= 0), key=lambda one: one.worth)


TOLD = 12
"""Changes of which a briefing says what they are worth, at most: the best and the worst."""


def for_researchers(study: Study) -> str:
    """What a briefing says of the worth of the kept changes; empty where nobody has measured it."""
    found = newest(study)
    if found is None:
        return ""
    order = sorted(found.worths, key=lambda one: -one.worth)
    shown = order if len(order) <= TOLD else [*order[: TOLD // 2], *order[-TOLD // 2 :]]
    each = [
        f"{' with '.join(f'#{number}' for number in one.changes)} {figure(one.worth, 2)} "
        f"({figure(one.low, 2)} to {figure(one.high, 2)})"
        for one in shown
    ]
    where = "the champion" if found.champion == study.champion else f"#{found.champion}"
    text = f"What kept changes are worth in {where} today, by runs without them (95% interval): {'; '.join(each)}."
    nothing = [f"#{number}" for one in barnacles(study) for number in one.changes]
    return text + (f" Worth nothing there: {listed(nothing)}." if nothing else "")


def opinion(one: Worth) -> str:
    """What an interval says of a change, in a few words."""
    if one.low > 0:
        return "helps"
    if one.high < 0:
        return "harms"
    return "no sign of a gain" if one.worth <= 0 else "unclear"


def span(one: Worth) -> str:
    """`better by 0.012 (95% interval 0.003 to 0.021)`."""
    return f"{by_words(one.worth)} (95% interval {figure(one.low, 2)} to {figure(one.high, 2)})"


def changes(numbers: Iterable[int]) -> str:
    """`experiment 5`, `experiments 5, 7 and 9`."""
    names = [str(number) for number in numbers]
    return f"experiment{'s' if len(names) > 1 else ''} {listed(names)}"


def row_title(study: Study, run: Run) -> str:
    """What a row of an ablation runs: `experiment 9 without experiments 2 and 5 (row 3 of 16 of an ablation)`."""
    now = next((one for one in study.ablations if one.seq == run.validates), None)
    if now is None or run.row > len(now.began.rows):
        return f"row {run.row} of an ablation"
    signs = now.began.rows[run.row - 1]
    out = [x for factor, sign in zip(now.began.factors, signs, strict=True) if sign == "-" for x in factor]
    made = f"experiment {now.began.champion}" + (f" without {changes(sorted(out))}" if out else ", whole")
    return f"{made} (row {run.row} of {len(now.began.rows)} of an ablation)"


def told(ended: AblationEnded) -> str:
    """An ablation's result, in a sentence without its full stop."""
    if not ended.worths or ended.together is None:
        return f"the ablation of experiment {ended.champion} gave no result: {ended.reason}"
    opinions = [opinion(one) for one in ended.worths]
    helps, harms = opinions.count("helps"), opinions.count("harms")
    rest = len(opinions) - helps - harms
    said = [f"{helps} {'helps' if helps == 1 else 'help'}"] if helps else []
    said += [f"{harms} {'harms' if harms == 1 else 'harm'}"] if harms else []
    said += [f"{rest} cannot be told from nothing"] if rest else []
    count = sum(len(one.changes) for one in ended.worths)
    if count == 1:
        text = f"of the one kept change in experiment {ended.champion}, {listed(said)}"
    elif len(opinions) == 1:
        does = "help" if helps else "harm" if harms else "cannot be told from nothing"
        text = f"the {count} kept changes in experiment {ended.champion} can only be measured together, and {does}"
    else:
        groups = f", measured in {len(opinions)} groups" if count > len(opinions) else ""
        text = f"of {count} kept changes in experiment {ended.champion}{groups}, {listed(said)}"
    text += f" ({ended.runs} runs)"
    return text + (f"; {ended.reason}" if ended.reason else "")


def compared(ended: AblationEnded) -> str:
    """The sum of the single worths beside the whole, in a sentence without its full stop; empty where nothing tells."""
    if ended.together is None or ended.whole is None or (gap := ended.gap) is None:
        return ""
    both = f"all of them singly {figure(ended.together.worth, 3)}, the whole {figure(ended.whole.worth, 3)}"
    between = f"{figure(gap.low, 3)} to {figure(gap.high, 3)}"
    return f"{both}, the difference {figure(gap.worth, 3)} ({between}): {agreement(ended)}"


def agreement(ended: AblationEnded) -> str:
    """Whether sum and whole agree, without their numbers; empty where nothing tells."""
    if (gap := ended.gap) is None:
        return ""
    if gap.low <= 0 <= gap.high:
        return "they add up, as far as these runs tell"
    does = "overlap: together they do less" if gap.worth > 0 else "need each other: together they do more"
    return f"there is an interaction, some of the changes {does} than singly"


def noise_words(ended: AblationEnded) -> str:
    """Whose noise the intervals are made by."""
    if ended.noise_from and not ended.sd:
        return "runs that leave nothing unexplained, so the intervals have no width"
    source = {
        "study": "the study's noise",
        "runs": "what the runs themselves leave unexplained",
        "both": "the study's noise and what the runs leave unexplained, pooled",
        "": "",
    }[ended.noise_from]
    return f"{source} ({figure(ended.sd or 0.0, 2)} a run, {ended.dof} degrees of freedom)" if source else ""
