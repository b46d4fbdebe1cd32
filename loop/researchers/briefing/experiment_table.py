"""All experiments of a study in a given number of tokens: the table that a model reads before it proposes.

Pure. It shrinks in the order of `LADDER`; the titles of failed ideas go last, because an idea whose title is missing is
tried again. Everything that a model or a run wrote is on one line of bounded length.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from loop.researchers.briefing.excerpt import one_line, shortened, tokens
from loop.study.contract import Contract
from loop.study.experiment import Experiment
from loop.study.outcomes import Outcome

TITLE = 120
"""Characters of a title that are ever shown."""

NEAR = 0.8
"""Confidence from which a discarded change counts as a near miss: one in five without any effect gets this far."""

NEAR_SHOWN = 12
"""Near misses that are listed as such, the largest first; the others are listed with the discarded."""

KINDS_SHOWN = 12
"""Kinds of failure that have their own heading."""

_ALL = 1_000_000


@dataclass(frozen=True)
class Detail:
    """How much the table shows."""

    why: int
    """Characters of the hypothesis of kept experiments and near misses."""
    explained: int
    """Newest discarded and failed experiments that are listed with their hypotheses."""
    measured: int
    """Newest discarded experiments that are listed with numbers; older ones are grouped by size of effect."""
    reason: int
    """Characters of the reason of a failure or rejection, beside its kind."""
    title: int


LADDER = (
    Detail(600, _ALL, _ALL, 160, TITLE),
    Detail(600, 40, _ALL, 160, TITLE),
    Detail(600, 10, _ALL, 160, TITLE),
    Detail(400, 0, _ALL, 120, TITLE),
    Detail(300, 0, 100, 120, TITLE),
    Detail(300, 0, 50, 80, TITLE),
    Detail(200, 0, 20, 80, TITLE),
    Detail(120, 0, 20, 0, TITLE),
    Detail(0, 0, 20, 0, TITLE),
    Detail(0, 0, 10, 0, TITLE),
    Detail(0, 0, 0, 0, TITLE),
    *(Detail(0, 0, 0, 0, title) for title in (100, 90, 80, 72, 64, 56, 48, 40, 32, 24)),
)
"""From most to least: first the hypotheses go, then the numbers of old discarded experiments, then titles get shorter.
After the last step whole experiments go, the oldest discarded ones first; see `_SHED`."""

_SAID = {
    "clearly worse": "Worse by more than 4 times the noise of one run",
    "worse": "Worse by 1 to 4 times the noise",
    "no difference": "No difference that could be told (within 1 times the noise)",
    "looked better": "Looked better by more than the noise, and not surely enough",
    "no number": "Discarded without a number that still counts",
}
_KEPT = "## Kept: each became the champion in its turn, the newest last"
_NEAR_MISSES = "## Near misses: better, and not surely enough. Two that go together, or a bolder form of one, may pass"
_SHED = ("discarded", "failed", "rejected", "near", "kept")
_BY_A_PERSON = "by a person"
_PERSONS_REASON = 80
_TRIMMED = 100
"""Where titles are cut to this or less, there is no room for the numbers of kept experiments either."""

_MEMORY = re.compile(r"out of memory|OutOfMemory|MemoryError|SIGKILL|GB of memory|cannot allocate", re.IGNORECASE)
_LOSS = re.compile(r"\b(?:nan|inf|infinite|not finite|no number|diverged)\b", re.IGNORECASE)
_ERROR = re.compile(r"\b([A-Z]\w{0,40}(?:Error|Exception|Interrupt|Exit))\b")
_EXIT = re.compile(r"exit code \d{1,3}|ended by SIG[A-Z]{2,8}")


@dataclass(frozen=True, slots=True)
class Row:
    """One judged experiment, in text that is safe for the table."""

    id: int
    part: str
    """One of `_SHED`."""
    group: str
    """Its group within the part."""
    title: str
    numbers: str
    why: str
    reason: str
    size: float
    """Effect in sigmas; 0 where there is none."""

    def line(self, detail: Detail, numbers: bool, why: int, reason: int) -> str:
        """One line; two with its hypothesis."""
        mark = "#" if numbers or detail.measured == _ALL else ""  # a token each, and a long table has hundreds
        text = f"{mark}{self.id} {shortened(self.title, detail.title)}"
        if numbers and self.numbers:
            text += f" | {self.numbers}"
        if reason and self.reason:
            text += f" | {shortened(self.reason, reason)}"
        return f"{text}\n  why: {shortened(self.why, why)}" if why and self.why else text


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
    if verdict != Outcome.CRASHED:
        return verdict.said
    if found := _ERROR.search(reason):
        return found[1]
    if _LOSS.search(reason):
        return "became nan or infinite"
    found = _EXIT.search(reason)
    return found[0] if found else "other reasons"


def rejected_by(experiment: Experiment) -> str:
    """Who rejected it."""
    return {"guard": "a check before it ran", "judge": "the verification"}.get(experiment.judged_by, "a person")


def row(experiment: Experiment, protocol_id: str) -> Row:
    """A judged experiment as a row."""
    size = experiment.effect / experiment.noise if experiment.effect is not None and experiment.noise else 0.0
    part, group = _place(experiment, size, comparable(experiment, protocol_id))
    return Row(
        id=experiment.id,
        part=part,
        group=group,
        title=one_line(experiment.title, TITLE) or "(no title)",
        numbers=_numbers(experiment, group),
        why=one_line(experiment.hypothesis, LADDER[0].why),
        reason=one_line(experiment.reason, LADDER[0].reason) if part in ("failed", "rejected") else "",
        size=size,
    )


def _place(experiment: Experiment, size: float, counts: bool) -> tuple[str, str]:
    match experiment.verdict:
        case Outcome.KEPT:
            return "kept", ""
        case Outcome.REJECTED:
            return "rejected", f"by {rejected_by(experiment)}"
        case Outcome.DISCARDED:
            if not counts or experiment.effect is None:
                return "discarded", "no number"
            if experiment.effect > 0 and (experiment.confidence or 0.0) >= NEAR:
                return "near", ""
            group = "clearly worse" if size < -4 else "worse" if size < -1 else "no difference"
            return "discarded", "looked better" if size > 1 else group
        case _:
            return "failed", kind_of_failure(experiment)


def _numbers(experiment: Experiment, group: str) -> str:
    if experiment.metric is None:
        return ""
    if group == "no number":
        return "measured under an earlier program"
    lines = f"+{experiment.lines_added} -{experiment.lines_removed} lines" if experiment.id else ""
    return ", ".join(part for part in (figure(experiment.metric), effect(experiment), lines) if part)


def table(experiments: Iterable[Experiment], contract: Contract, most: int) -> str:
    """All judged experiments in at most `most` tokens; see `LADDER` for what goes first."""
    judged = [x for x in experiments if x.verdict is not None]
    protocol_id = contract.protocol_id
    rows = _called_out([row(x, protocol_id) for x in judged])
    head = _head(judged, contract)
    fits = _least(len(LADDER), lambda step: tokens(_render(head, rows, LADDER[step])) <= most)
    if fits < len(LADDER):
        return _render(head, rows, LADDER[fits])
    order = sorted(rows, key=lambda r: (_SHED.index(r.part), r.id))
    gone = _least(len(order) + 1, lambda count: tokens(_shed(head, order, count)) <= most)
    return _shed(head, order, gone) if gone <= len(order) else ""


def _least(count: int, fits: Callable[[int], bool]) -> int:
    """The smallest of 0..count-1 that fits, or `count`; a larger one never takes more room."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    return low


def _called_out(rows: Sequence[Row]) -> list[Row]:
    """The rows, with only the largest near misses still called such."""
    near = sorted((r for r in rows if r.part == "near"), key=lambda r: (-r.size, -r.id))
    rest = {r.id for r in near[NEAR_SHOWN:]}
    return [replace(r, part="discarded", group="looked better") if r.id in rest else r for r in rows]


def _head(judged: Sequence[Experiment], contract: Contract) -> str:
    counts = Counter((x.verdict or "").replace("_", " ") for x in judged if x.id)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    so_far = f"{sum(counts.values())} have a verdict besides the baseline: {told}" if counts else "Only the baseline"
    return (
        f"# All experiments so far\n{so_far}. Each is given "
        f"as number, title | {contract.metric}, effect against the champion of its time (1 sigma: the noise of one "
        "run), lines."
    )


def _render(head: str, rows: Sequence[Row], detail: Detail) -> str:
    parts: dict[str, list[Row]] = defaultdict(list)
    for one in rows:
        parts[one.part].append(one)
    sections = (
        _called(parts["kept"], detail, _KEPT),
        _called(parts["near"], detail, _NEAR_MISSES),
        _discarded(parts["discarded"], detail),
        _grouped(parts["failed"], detail, "## Failed, by kind"),
        _grouped(parts["rejected"], detail, "## Rejected"),
    )
    return "\n".join((head, *(line for section in sections for line in section)))


def _shed(head: str, order: Sequence[Row], count: int) -> str:
    """The shortest table, without the first `count` rows of `order`."""
    if not count:
        return _render(head, order, LADDER[-1])
    said = f"{count} experiments are left out for lack of space, the oldest discarded ones first."
    if count == len(order):
        return f"# All experiments so far\n{said}"
    return _render(f"{head}\n{said}", sorted(order[count:], key=lambda r: r.id), LADDER[-1])


def _called(rows: Sequence[Row], detail: Detail, title: str) -> Iterator[str]:
    if rows:
        yield title
    for one in rows:
        yield one.line(detail, detail.title > _TRIMMED, detail.why, 0)


def _discarded(rows: Sequence[Row], detail: Detail) -> Iterator[str]:
    whole = rows[max(0, len(rows) - detail.measured) :]
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in rows[: len(rows) - len(whole)]:
        groups[one.group].append(one)
    if groups:
        yield "## Discarded" + (", the older ones by size of effect" if whole else ", by size of effect")
    for group, said in _SAID.items():
        if group in groups:
            yield f"{said}:"
        for one in groups.get(group, ()):
            yield one.line(detail, False, 0, 0)
    if whole:
        yield "## Discarded, the newest, in order" if groups else "## Discarded, in order"
    explained = len(whole) - detail.explained
    for place, one in enumerate(whole):
        yield one.line(detail, True, LADDER[0].why if place >= explained else 0, 0)


def _grouped(rows: Sequence[Row], detail: Detail, title: str) -> Iterator[str]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in rows:
        groups[one.group].append(one)
    if not rows:
        return
    yield title
    ranked = sorted(groups, key=lambda name: (-len(groups[name]), name))
    rest = [one for name in ranked[KINDS_SHOWN:] for one in groups[name]]
    named = [(name, groups[name]) for name in ranked[:KINDS_SHOWN]] + ([("other reasons", rest)] if rest else [])
    explained = {one.id for one in rows[max(0, len(rows) - detail.explained) :]}
    for name, some in named:
        yield f"{name} ({len(some)}):"
        reason = detail.reason
        if name == _BY_A_PERSON and detail.title > _TRIMMED:
            reason = max(reason, _PERSONS_REASON)  # it guides what comes next
        for one in some:
            yield one.line(detail, False, LADDER[0].why if one.id in explained else 0, reason)
