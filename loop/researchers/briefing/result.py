"""The result of one experiment in a few lines, and the message that hands a failed one back. Pure."""

from math import isfinite

from loop.researchers.briefing import course
from loop.researchers.briefing.excerpt import fenced, one_line
from loop.researchers.briefing.row import comparable, effect, elsewhere, figure, rejected_by
from loop.researchers.briefing.situation import reading
from loop.researchers.protocol import Briefing
from loop.study.experiment import CLASH, Experiment
from loop.study.outcomes import Outcome
from loop.study.queries import uncounted

REPORTED = 6
"""Numbers reported by a run that are shown beside those of the champion."""

REASON = 300
LAST_LINE = 160
TRACEBACK = 6000
"""Characters of a log that a repair shows: about 1,800 tokens."""


def outcome(experiment: Experiment, briefing: Briefing) -> str:
    """The result of an experiment, expected against measured, in one to four lines."""
    verdict = experiment.verdict.word if experiment.verdict else experiment.phase
    title, reason = one_line(experiment.title, 120), one_line(experiment.reason, REASON)
    if experiment.verdict is None:
        reason = one_line(experiment.waits_for, REASON)
    if experiment.verdict == Outcome.REJECTED:
        verdict = f"rejected by {rejected_by(experiment)}"
    lines = [f"#{experiment.id} {title}: {verdict}{': ' + reason if reason else ''}"]
    if expected := one_line(experiment.expected, REASON):
        lines.append(f"  expected: {expected}")
    number = uncounted(experiment, briefing.contract)
    measured = experiment.measured(briefing.contract.protocol_id)
    if number is not None:
        lines.append(f"  measured: {briefing.contract.metric} {figure(number)}, not counted")
    elif experiment.verdict is None and measured:
        told = ", ".join(map(figure, measured))
        lines.append(f"  measured: {briefing.contract.metric} {told}; without a verdict yet")
    elif experiment.metric is not None:
        place = elsewhere(experiment, briefing.kind)
        parts = [f"{briefing.contract.metric} {figure(experiment.metric)}{place}"]
        if told := effect(experiment):
            there = " there" if place else ""
            parts.append(f"{told} than #{experiment.champion}{there}" if experiment.champion is not None else told)
        values = [figure(run.metric) for run in experiment.counted() if run.metric is not None]
        parts.append(f"{len(values)} runs ({', '.join(values)})" if len(values) > 1 else "1 run")
        lines.append(f"  measured: {', '.join(parts)}")
        if told := _reported(experiment, briefing):
            lines.append(f"  reported: {told}")
        if told := course.disturbed(experiment.counted()):
            lines.append(f"  its {'run' if len(values) == 1 else 'runs'} {told}")
        if not comparable(experiment, briefing.contract.protocol_id):
            lines[-1] += "; under an earlier program, so not to be compared with today's numbers"
    elif experiment.verdict is not None:
        stopped = "its run was stopped early" if experiment.stopped_at is not None else "there is no number"
        lines.append(f"  measured: nothing, {stopped}")
    if told := _end(experiment):
        lines.append(f"  its run: {told}")
    if told := one_line(experiment.note, 400):
        lines.append(f"  the person's note: {told}")
    return "\n".join(lines)


def _end(experiment: Experiment) -> str:
    """Of a run without a number that counts: what it had of its processors, and its last line where the reason says
    something else."""
    if experiment.verdict is None or experiment.verdict.has_number or not (runs := experiment.counted()):
        return ""
    run, line = runs[-1], one_line(runs[-1].last_line, LAST_LINE)
    said = f'its last line "{line}"' if line and line[:60] not in experiment.reason else ""
    return ", ".join(part for part in (course.processors(run), course.disturbed([run]), said) if part)


def _reported(experiment: Experiment, briefing: Briefing) -> str:
    """Numbers that its runs report and that differ from those of the champion: often they show the mechanism.

    Means over the runs; the largest differences first, none below 2%.
    """
    number = experiment.champion if experiment.champion is not None else briefing.champion.id
    against = next((x for x in briefing.experiments if x.id == number), briefing.champion)
    own, theirs = _numbers(experiment), _numbers(against)
    wanted = [name for name in briefing.contract.beside if name in own]
    off = {
        name: abs(own[name] - theirs[name]) / max(abs(own[name]), abs(theirs[name]))
        for name in own.keys() & theirs.keys() - {briefing.contract.metric, *wanted}
        if own[name] != theirs[name] and isfinite(own[name]) and isfinite(theirs[name])
    }
    if against.id == experiment.id:
        off = {}
    told = sorted((name for name in off if off[name] >= 0.02), key=lambda name: (-off[name], name))[:REPORTED]
    return ", ".join(
        f"{one_line(name, 40)} {reading(own[name])}"
        + (f" (#{against.id}: {reading(theirs[name])})" if name in theirs and against.id != experiment.id else "")
        for name in (*wanted, *told)
    )


def _numbers(experiment: Experiment) -> dict[str, float]:
    """The numbers among what its runs printed at their end."""
    return {name: value for name, value in experiment.values().items() if isinstance(value, float)}


def repair(experiment: Experiment, log: str, left: int) -> str:
    """The message to the conversation that proposed an experiment, after that has failed.

    Args:
        log: the end of its newest run's output.
        left: how many repairs are still allowed, including the one asked for here.
    """
    verdict = experiment.verdict or Outcome.CRASHED
    if experiment.judged_by == CLASH:
        how = "was not kept" if experiment.counted() else "did not run"
        return (
            f"Experiment #{experiment.id} ({one_line(experiment.title, 120)}) {how}: "
            f"{one_line(experiment.reason, REASON)}. If the idea still makes sense on top of that, make its edit anew "
            "and hand it over; if the new champion has what it would have brought, give it up."
        )
    guarded = verdict == Outcome.REJECTED and experiment.judged_by == "guard"
    became = "was turned down before it ran" if guarded else verdict.said
    reason = one_line(experiment.reason, REASON).removeprefix(f"{verdict.said}: ")
    start = log.rfind("Traceback (most recent call last)")
    shown = log[start:] if start >= 0 and len(log) - start >= 200 else log
    output = fenced(f"the end of the output of experiment {experiment.id}", shown, TRACEBACK)
    many = "It can be repaired once more" if left == 1 else f"It can be repaired {left} times"
    least = f"It has to {verdict.repair}. " if verdict.repair else ""
    advice = (
        f"{many}. {least}If this was a slip (a shape, a name, a type, a little too much memory or time), mend it and "
        "hand over the same idea again: your draft is still there. If the idea is at fault, give it up "
        "and say so."
    )
    head = f"Experiment #{experiment.id} ({one_line(experiment.title, 120)}) has no number that counts: it {became}"
    return "\n\n".join((f"{head}{': ' + reason if reason else ''}.", *(() if guarded else (output,)), advice))
