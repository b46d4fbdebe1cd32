"""A judged experiment as a row of the table: what it was, what was measured, what became of it.

Pure. A row never changes once its experiment has a verdict, so the text of the table before it stays the same. What a
model or a run wrote is on one line of bounded length.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from loop.researchers.briefing.excerpt import one_line, shortened
from loop.study.contract import Contract
from loop.study.experiment import CLASH, Experiment
from loop.study.outcomes import Outcome
from loop.study.queries import uncounted

TITLE = 120
"""Characters of a title that are ever shown."""

WHY, REASON, LESSON = 600, 160, 300
"""The same of a hypothesis, of the reason of a failure or rejection, and of what was learnt."""

NEAR = 0.8
"""Confidence from which a discarded change counts as a near miss: one in five without any effect gets this far."""

STOPPED = "stopped early"

_MEMORY = re.compile(r"out of memory|OutOfMemory|MemoryError|SIGKILL|GB of memory|cannot allocate", re.IGNORECASE)
_LOSS = re.compile(r"\b(?:nan|inf|infinite|not finite|no number|diverged)\b", re.IGNORECASE)
_ERROR = re.compile(r"\b([A-Z]\w{0,40}(?:Error|Exception|Interrupt|Exit))\b")
_EXIT = re.compile(r"exit code \d{1,3}|ended by SIG[A-Z]{2,8}")


@dataclass(frozen=True)
class Detail:
    """How much a row shows: characters of each part, and whether its numbers."""

    title: int = TITLE
    numbers: bool = True
    why: int = 0
    reason: int = 0
    lesson: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One judged experiment, in text that is safe for the table."""

    id: int
    part: str
    """What became of it: kept, near, discarded, failed or rejected."""
    group: str
    """Its group within the part."""
    title: str
    numbers: str
    why: str
    reason: str
    lesson: str
    """What it taught, or else what was expected of it; with a word for which of the two it is."""
    size: float
    """Effect in sigmas; 0 where there is none."""

    def whole(self, detail: Detail) -> str:
        """The row by itself, which says what became of it; its hypothesis and its lesson on lines of their own."""
        became = {"near": "near miss", "failed": self.group, "rejected": f"rejected {self.group}"}.get(
            self.part, self.part
        )
        return self._line(f"#{self.id}", detail, became)

    def grouped(self, detail: Detail) -> str:
        """The row below a heading that says what became of it."""
        return self._line(f"#{self.id}" if detail.numbers else f"{self.id}", detail, "")

    def _line(self, name: str, detail: Detail, became: str) -> str:
        text = f"{name} {shortened(self.title, detail.title)}"
        numbers = self.numbers if detail.numbers else ""
        if said := ", ".join(part for part in (became, numbers) if part):
            text += f" | {said}"
        if detail.reason and self.reason:
            text += f" | {shortened(self.reason, detail.reason)}"
        if detail.why and self.why:
            text += f"\n  why: {shortened(self.why, detail.why)}"
        if detail.lesson and self.lesson:
            text += f"\n  {shortened(self.lesson, detail.lesson)}"
        return text


def figure(value: float) -> str:
    return f"{value:.6g}"


def effect(experiment: Experiment) -> str:
    """Such as "better by 0.0123 (3.1 sigma)"; empty without an effect. Sigma is the noise of one run."""
    if experiment.effect is None:
        return ""
    text = f"{'better' if experiment.effect > 0 else 'worse'} by {abs(experiment.effect):.3g}"
    return f"{text} ({abs(experiment.effect) / experiment.noise:.1f} sigma)" if experiment.noise else text


def comparable(experiment: Experiment, protocol_id: str) -> bool:
    """Whether its numbers were measured under the present metric, budget and verification (or it never ran)."""
    return not experiment.runs or any(run.protocol_id == protocol_id for run in experiment.runs.values())


def kind_of_failure(experiment: Experiment) -> str:
    """How an experiment without a number ended, in words that groups of them share."""
    reason = experiment.reason
    verdict = experiment.verdict or Outcome.CRASHED
    if verdict == Outcome.CRASHED and _MEMORY.search(reason):
        verdict = Outcome.OUT_OF_MEMORY
    if verdict not in (Outcome.CRASHED, Outcome.NO_METRIC):
        return verdict.said
    if found := _ERROR.search(reason):
        return found[1]
    if _LOSS.search(reason):
        return "became nan or infinite"
    if verdict == Outcome.NO_METRIC:
        return verdict.said
    found = _EXIT.search(reason)
    return found[0] if found else "other reasons"


def rejected_by(experiment: Experiment) -> str:
    """Who rejected it."""
    return {"guard": "a check before it ran", CLASH: "a new champion", "judge": "the verification"}.get(
        experiment.judged_by, "a person"
    )


def row(experiment: Experiment, contract: Contract, beside: Collection[str] = (), kind: str = "") -> Row:
    """A judged experiment as a row, with the values of the names `beside` the metric.

    Args:
        kind: of most slots; empty where there is one kind.
    """
    size = experiment.effect / experiment.noise if experiment.effect is not None and experiment.noise else 0.0
    part, group = _place(experiment, size, comparable(experiment, contract.protocol_id))
    return Row(
        id=experiment.id,
        part=part,
        group=group,
        title=one_line(experiment.title, TITLE) or "(no title)",
        numbers=_numbers(experiment, group, contract, beside, kind),
        why=one_line(experiment.hypothesis, WHY),
        reason=one_line(experiment.reason, REASON) if part in ("failed", "rejected") else "",
        lesson=_lesson(experiment),
        size=size,
    )


def _lesson(experiment: Experiment) -> str:
    if text := one_line(experiment.lesson, LESSON):
        return f"learnt: {text}"
    expected = one_line(experiment.expected, LESSON)
    return f"expected: {expected}" if expected and experiment.id and experiment.effect is not None else ""


def _place(experiment: Experiment, size: float, counts: bool) -> tuple[str, str]:
    match experiment.verdict:
        case Outcome.KEPT:
            return "kept", ""
        case Outcome.REJECTED:
            return "rejected", f"by {rejected_by(experiment)}"
        case Outcome.DISCARDED:
            if experiment.stopped_at is not None:
                return "discarded", STOPPED
            if not counts or experiment.effect is None:
                return "discarded", "no number"
            if experiment.effect > 0 and (experiment.confidence or 0.0) >= NEAR:
                return "near", ""
            group = "clearly worse" if size < -4 else "worse" if size < -1 else "no difference"
            return "discarded", "looked better" if size > 1 else group
        case _:
            return "failed", kind_of_failure(experiment)


def _numbers(experiment: Experiment, group: str, contract: Contract, beside: Collection[str], kind: str) -> str:
    if (number := uncounted(experiment, contract)) is not None:
        return f"{figure(number)}, not counted"
    if (stopped := experiment.stopped_at) is not None:
        name = one_line(stopped.curve, 40)
        at = f"after {stopped.share:.0%} of its time {name} {figure(stopped.value)}"
        return f"{at} where #{stopped.champion} had {figure(stopped.beside)}"
    if experiment.metric is None:
        return ""
    if experiment.imported:
        return f"{figure(experiment.metric)}, imported"
    if group == "no number":
        return "measured under an earlier program"
    lines = f"+{experiment.lines_added} -{experiment.lines_removed} lines" if experiment.id else ""
    values = experiment.values() if beside else {}
    more = [
        f"{one_line(name, 40)} {figure(value) if isinstance(value, float) else one_line(value, 40)}"
        for name in beside
        if (value := values.get(name)) is not None
    ]
    measured = f"{figure(experiment.metric)}{elsewhere(experiment, kind)}"
    return ", ".join(part for part in (measured, effect(experiment), *more, lines) if part)


def elsewhere(experiment: Experiment, kind: str) -> str:
    """Such as " on NVIDIA A100-SXM4-40GB" where its number, and that of the champion which it was compared with, are of
    another kind of slot than most; else empty."""
    devices = [run.device for run in experiment.counted() if run.metric is not None]
    its = devices[-1] if devices and kind and kind not in devices else ""
    return f" on {one_line(its, 60)}" if its else ""
