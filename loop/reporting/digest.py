"""What has happened in a study since a moment: what a person who was away asks for first. Pure but for the time zone.

`digest` takes the study as it is now and the events since; `sections` says it in words, in the order in which it
matters to somebody who has just come back: what waits for them, what was gained, what went wrong, what was learnt, what
it cost.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from loop.policy import idle
from loop.reporting import promises
from loop.study import events as e
from loop.study.experiment import Experiment
from loop.study.figures import Figures
from loop.study.outcomes import NO_NUMBER, Outcome
from loop.study.state import Study
from loop.words import duration, listed

TOLD = frozenset(
    {
        *("experiment_judged", "champion_changed", "lesson_written", "note_written", "spent"),
        *("fault", "recovered", "limit_reached", "supervisor_started", "supervisor_stopped", "program_changed"),
    }
)
"""Kinds of events that a digest is made of; the others may be left out."""

_MOST = 8
"""Experiments, reasons or lessons of one kind that are listed; of more, the rest is counted."""

_IDLE = 300.0
"""Seconds after which a slot without a run is worth a line."""

Heading = Literal["waits", "best", "kept", "failed", "faults", "learnt", "loop", "idle"]


@dataclass(frozen=True, slots=True)
class Digest:
    """What came of a stretch of time. Times are Unix seconds; effects are in the metric's units."""

    since: float
    now: float
    verdicts: dict[Outcome, list[int]] = field(default_factory=dict)
    """Experiments that got their verdict since, by what it is today; without the baseline and what was imported."""
    before: int | None = None
    """The champion at `since`; None where there was none yet."""
    reasons: list[tuple[str, list[int]]] = field(default_factory=list)
    """Why experiments ended without a number, the most frequent reason first."""
    faults: list[tuple[str, str, int]] = field(default_factory=list)
    """Where, the newest message and how many, the newest last; without those that still last."""
    learnt: list[tuple[int | None, str]] = field(default_factory=list)
    """What researchers wrote down, with the experiment it is about; of one experiment the newest only."""
    loop: list[tuple[float, str]] = field(default_factory=list)
    """When the loop started, stopped or changed what it does, and why."""
    usd: float = 0.0
    usd_unknown: bool = False
    tokens: int = 0

    @property
    def judged(self) -> int:
        """Experiments that got a verdict."""
        return sum(map(len, self.verdicts.values()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell of this time, whatever waits since before."""
        return not (self.verdicts or self.faults or self.loop or self.learnt or self.tokens)


def digest(study: Study, events: Iterable[e.Event], since: float, now: float) -> Digest:
    """The digest of a study.

    Args:
        study: as it is now.
        events: those since, of the kinds in `TOLD` at least, in order.
        since, now: in Unix seconds.
    """
    judged: dict[int, None] = {}
    learnt: dict[int | None, str] = {}
    faults: dict[str, tuple[str, int]] = {}
    told: list[tuple[float, str]] = []
    changes = usd = tokens = 0.0
    unknown = False
    for event in events:
        match event.body:
            case e.ExperimentJudged() if event.experiment:
                judged[event.experiment] = None
            case e.ChampionChanged():
                changes += 1
            case e.LessonWritten(text=text):
                learnt.pop(event.experiment, None)
                learnt[event.experiment] = text
            case e.NoteWritten(text=text):
                learnt.setdefault(event.experiment, text)
            case e.Spent() as spent:
                usd, tokens, unknown = usd + (spent.usd or 0.0), tokens + spent.tokens, unknown or spent.usd is None
            case e.Fault(where=where, message=message):
                faults[where] = (message, faults.pop(where, ("", 0))[1] + 1)
            case _:
                if words := _of_loop(event.body):
                    told.append((event.at, words))
    found = [study.experiments[number] for number in judged if number in study.experiments]
    verdicts: dict[Outcome, list[int]] = {}
    reasons: Counter[str] = Counter()
    by_reason: dict[str, list[int]] = {}
    for one in found:
        if one.verdict is None or one.imported:
            continue
        verdicts.setdefault(one.verdict, []).append(one.id)
        if one.verdict in NO_NUMBER:
            reason = one.reason or one.verdict.word
            reasons[reason] += 1
            by_reason.setdefault(reason, []).append(one.id)
    place = len(study.lineage) - int(changes) - 1
    return Digest(
        since=since,
        now=now,
        verdicts=verdicts,
        before=study.lineage[place] if 0 <= place < len(study.lineage) else None,
        reasons=[(reason, by_reason[reason]) for reason, _ in reasons.most_common()],
        faults=[(where, *said) for where, said in faults.items() if where not in study.troubles],
        learnt=list(learnt.items()),
        loop=told,
        usd=usd,
        usd_unknown=unknown,
        tokens=int(tokens),
    )


def _of_loop(body: e.Body) -> str:
    match body:
        case e.SupervisorStarted():
            return "the loop was started"
        case e.SupervisorStopped(reason=reason, failed=failed):
            return f"the loop {'failed' if failed else 'stopped'}: {reason}"
        case e.LimitReached(reason=reason):
            return f"a limit was reached: {reason}"
        case e.ProgramChanged(changed=changed):
            return f"program.md changed: {listed(changed)}"
        case _:
            return ""


# --- in words ------------------------------------------------------------------------------------------------------


def headline(study: Study, told: Digest) -> str:
    """All of it in one line: `+57 experiments, 2 kept, best -0.0031 (2.8σ), 3 failed, $1.70`."""
    parts = [f"+{told.judged} experiment{'' if told.judged == 1 else 's'}"]
    if kept := told.verdicts.get(Outcome.KEPT):
        parts.append(f"{len(kept)} kept")
    if moved := _moved(study, told):
        parts.append(f"best {moved}")
    failed = sum(len(numbers) for verdict, numbers in told.verdicts.items() if verdict in NO_NUMBER)
    parts += [f"{failed} failed"] if failed else []
    parts += [cost] if (cost := _cost(told)) else []
    waiting = _waiting(study)
    parts += [f"{len(waiting)} wait{'s' if len(waiting) == 1 else ''} for you"] if waiting else []
    return ", ".join(parts)


def since_words(told: Digest) -> str:
    """Since when, such as `22:14 (4 h)`; with the day where it is another one."""
    return f"{moment(told.since, told.now)} ({duration(max(0.0, told.now - told.since))})"


def moment(at: float, now: float) -> str:
    """A time of day as people here read it; with the day where that is not the day of `now`."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%a %H:%M" if abs(now - at) < 6 * 86400 else "%d %b %H:%M", then)


def sections(study: Study, told: Digest) -> list[tuple[Heading, str, list[str]]]:
    """What there is to say: the kind of a section, its title, and its lines. Nothing is said of what there is none of.

    What is in it is of other people and programs: whoever shows it cleans it first.
    """
    found: list[tuple[Heading, str, list[str]]] = []

    def add(kind: Heading, title: str, lines: Sequence[str]) -> None:
        if lines:
            found.append((kind, title, _short(lines)))

    add("waits", "waits for you", [_waits(one, told.now) for one in _waiting(study)])
    add("best", "best", _best(study, told))
    figures = Figures(study)
    kept = [study.experiments[number] for number in told.verdicts.get(Outcome.KEPT, [])]
    kept.sort(key=lambda one: -(figures.effect(one) or 0.0))
    add("kept", f"kept {len(kept)}", [f"{one.id}  {_effect(figures, one)}{one.title}" for one in kept])
    failed = sum(len(numbers) for _, numbers in told.reasons)
    add("failed", f"without a number {failed}", [f"{_numbers(ids)}  {reason}" for reason, ids in told.reasons])
    lasting = [f"{where}: {one.message} (since {moment(one.since, told.now)})" for where, one in study.troubles.items()]
    past = [f"{where}: {text}" + (f" ({count} times)" if count > 1 else "") for where, text, count in told.faults]
    add("faults", "faults", [*lasting, *past])
    add("idle", "idle", _idle(study, told.now))
    learnt = [
        f"{'' if number is None else f'{number}  '}{_sentence(text.removeprefix(f'{number}: '))}"
        for number, text in reversed(told.learnt)
    ]
    add("learnt", "learnt", learnt)
    add("loop", "the loop", [f"{moment(at, told.now)}  {words}" for at, words in reversed(told.loop)])
    return found


def text(study: Study, told: Digest) -> list[str]:
    """The digest as plain lines, with the headline first."""
    lines = [f"{study.tag or 'looptop'} since {since_words(told)}: {headline(study, told)}"]
    for _, title, rows in sections(study, told):
        lines += ["", title, *(f"  {row}" for row in rows)]
    return lines


def as_data(study: Study, told: Digest) -> dict[str, Any]:
    """The digest for scripts; times in Unix seconds."""
    figures = Figures(study)
    before = study.experiments.get(-1 if told.before is None else told.before)
    old, best = figures.of(before), figures.best
    return {
        "since": told.since,
        "now": told.now,
        "judged": told.judged,
        "verdicts": {str(verdict): numbers for verdict, numbers in told.verdicts.items()},
        "champion": study.champion,
        "best": None if best is None else best.mean,
        "champion_before": told.before,
        "best_before": None if old is None else old.mean,
        "noise": figures.noise,
        "failed": [{"reason": reason, "experiments": numbers} for reason, numbers in told.reasons],
        "faults": [{"where": where, "message": said, "count": count} for where, said, count in told.faults],
        "troubles": {where: one.message for where, one in study.troubles.items()},
        "waiting": [one.id for one in _waiting(study)],
        "learnt": [{"experiment": number, "text": said} for number, said in told.learnt],
        "loop": [{"at": at, "what": words} for at, words in told.loop],
        "promises": promises.as_data(study),
        "spent": {"usd": None if told.usd_unknown else told.usd, "tokens": told.tokens},
    }


def _waiting(study: Study) -> list[Experiment]:
    return [one for one in study.open_experiments() if one.phase == "waiting"]


def waits_since(one: Experiment) -> float:
    """When an experiment began to wait for a person, in Unix seconds."""
    return max([one.proposed_at, *(run.started_at + run.seconds for run in one.runs.values())])


def _waits(one: Experiment, now: float) -> str:
    what = "has run; is its number to be believed?" if one.doubted else "is to be approved"
    return f"{one.id}  {one.title} ({what} {duration(max(0.0, now - waits_since(one)))})"


def _best(study: Study, told: Digest) -> list[str]:
    best, figure = study.best, Figures(study).best
    if best is None or figure is None:
        return []
    metric = f"{study.contract.metric} {figure.mean:.6g}"
    if moved := _moved(study, told):
        against = " against the baseline" if not told.before else f" against experiment {told.before}"
        return [f"{metric}, {moved}{against}: experiment {best.id}, {best.title}"]
    if not best.id or best.judged_at is None:
        return [f"{metric}, which is the baseline's"]
    return [f"{metric}, experiment {best.id} as before, found {moment(best.judged_at, told.now)}"]


def _moved(study: Study, told: Digest) -> str:
    """How far the best number has moved, in the metric's units, per cent and σ; empty where it has not. From the
    baseline where there was no number yet."""
    before = study.experiments.get(told.before or 0)
    figures = Figures(study)
    old, best = figures.of(before), figures.best
    if before is None or old is None or best is None or before.id == study.champion:
        return ""
    change = best.mean - old.mean
    sizes = [f"{100 * abs(change / old.mean):.2g}%"] if old.mean else []
    sizes += [f"{abs(change) / figures.noise:.1f}σ"] if figures.noise else []
    return f"{change:+.2g}" + (f" ({', '.join(sizes)})" if sizes else "")


def _effect(figures: Figures, one: Experiment) -> str:
    effect = figures.effect(one)
    return "" if effect is None or not figures.noise else f"{effect / figures.noise:+.1f}σ  "


def _cost(told: Digest) -> str:
    if told.usd:
        return f"${told.usd:.2f}{' or more' if told.usd_unknown else ''}"
    return f"{told.tokens:,} tokens" if told.tokens else ""


def _idle(study: Study, now: float) -> list[str]:
    supervisor = study.supervisor
    if supervisor is None or supervisor.stopped_at is not None:
        return []
    return [
        f"{slot.name} for {duration(now - slot.since)}: {slot.why}"
        for slot in idle.states(study)
        if slot.why and slot.since is not None and now - slot.since >= _IDLE
    ]


def _numbers(numbers: list[int]) -> str:
    return listed([str(number) for number in numbers], 3)


def _sentence(text: str, most: int = 240) -> str:
    """What somebody wrote, on one line and no longer than a person reads at a glance."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _short(lines: Sequence[str]) -> list[str]:
    return [*lines] if len(lines) <= _MOST + 1 else [*lines[:_MOST], f"and {len(lines) - _MOST} more"]
